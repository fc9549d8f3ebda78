//! Thousands of texts, each with what two sides made of it, merged by one run of git.

use std::io::Write as _;

use aether::model::merge::{ConflictStyle, Labels, TextMerge};

use super::git_trees::git;
use super::text::texts;
use crate::generated::rng::Rng;

type Texts = [Vec<u8>; 3];

/// A commit with a file for each of these.
fn commit(stream: &mut Vec<u8>, name: &str, parent: Option<&str>, files: &[&[u8]]) {
    write!(stream, "commit refs/heads/{name}\ncommitter A <a@example.com> 1700000000 +0000\ndata 0\n").unwrap();
    if let Some(parent) = parent {
        writeln!(stream, "from refs/heads/{parent}").unwrap();
    }
    for (number, bytes) in files.iter().enumerate() {
        write!(stream, "M 100644 inline f{number}\ndata {}\n", bytes.len()).unwrap();
        stream.extend_from_slice(bytes);
        stream.push(b'\n');
    }
    stream.push(b'\n');
}

/// What git makes of each, with markers that have the base; `git merge-tree` compares as `git merge` does.
fn gits(cases: &[Texts]) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "--bare", "."], b"");
    let side = |at: usize| cases.iter().map(|case| &*case[at]).collect::<Vec<_>>();
    let mut stream = Vec::new();
    commit(&mut stream, "base", None, &side(0));
    commit(&mut stream, "ours", Some("base"), &side(1));
    commit(&mut stream, "theirs", Some("base"), &side(2));
    git(dir.path(), &["fast-import", "--quiet"], &stream);
    let args = ["-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree", "--stdin", "--no-messages"];
    let merged = git(dir.path(), &args, b"ours theirs\n");
    let tree = std::str::from_utf8(merged.split(|&byte| byte == 0).nth(1).unwrap()).unwrap().to_owned();
    let names: String = (0..cases.len()).map(|number| format!("{tree}:f{number}\n")).collect();
    blobs(&git(dir.path(), &["cat-file", "--batch"], names.as_bytes()))
}

/// The contents in the answer of `git cat-file --batch`: each behind a line that ends with its length.
fn blobs(mut answer: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(end) = answer.iter().position(|&byte| byte == b'\n') {
        let line = std::str::from_utf8(&answer[..end]).unwrap();
        let len: usize = line.rsplit(' ').next().unwrap().parse().unwrap();
        found.push(answer[end + 1..end + 1 + len].to_vec());
        answer = &answer[end + len + 2..];
    }
    found
}

fn ours(case: &Texts) -> Vec<u8> {
    let label = |name: &str| name.as_bytes().to_vec();
    let labels = Labels { ours: label("ours"), base: label("base"), theirs: label("theirs") };
    TextMerge::new(&case[0], &case[1], &case[2]).render(ConflictStyle::Diff3, &labels)
}

/// The markers of the base name the commit, which is not what is compared here.
fn without_label(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match line.starts_with(b"||||||| ") {
            true if line.ends_with(b"\r\n") => plain.extend_from_slice(b"|||||||\r\n"),
            true => plain.extend_from_slice(b"|||||||\n"),
            false => plain.extend_from_slice(line),
        }
    }
    plain
}

fn has_markers(text: &[u8]) -> bool {
    text.windows(8).any(|window| window == b"<<<<<<< ")
}

fn cases(seed: u64, count: usize, words: u64) -> Vec<Texts> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| texts(&mut rng, words)).collect()
}

/// Lines that are there once can be matched in one way only.
#[test]
fn thousands_of_texts_merge_as_git_merges_them() {
    let cases = cases(21, 3000, 1 << 40);
    let mut conflicts = 0;
    for (number, (case, theirs)) in cases.iter().zip(gits(&cases)).enumerate() {
        let mine = ours(case);
        conflicts += usize::from(has_markers(&mine));
        let shown = |text: &[u8]| without_label(text).escape_ascii().to_string();
        assert_eq!(shown(&mine), shown(&theirs), "case {number}");
    }
    assert!(conflicts > 800 && conflicts < 2500, "{conflicts} with conflicts");
}

/// Where lines repeat, more than one way leads from one text to another: which of two equal lines stayed is a choice, and git
/// chooses otherwise here and there, as its own algorithms do among themselves. What one side changed alone is there all the
/// same; but edits may touch, which makes a conflict of them, or may not. That must be rare.
#[test]
fn thousands_of_texts_with_lines_that_repeat_merge_nearly_always_as_git_merges_them() {
    const COUNT: usize = 1500;
    for (words, verdicts, results) in [(40, 5, 5), (12, 15, 15)] {
        let cases = cases(22 + words, COUNT, words);
        let (mut other_verdicts, mut other_results) = (0, 0);
        for (case, theirs) in cases.iter().zip(gits(&cases)) {
            let mine = ours(case);
            other_verdicts += usize::from(has_markers(&mine) != has_markers(&theirs));
            other_results += usize::from(!has_markers(&mine) && !has_markers(&theirs) && mine != theirs);
        }
        let found = format!("{words} words: {other_verdicts} other verdicts, {other_results} other clean results");
        assert!(other_verdicts <= verdicts && other_results <= results, "{found}");
    }
}
