//! Merging texts: what git makes of them, and what must always hold.

use std::fs;
use std::path::Path;
use std::process::Command;

use aether::model::merge::{ConflictStyle, Labels, TextMerge, is_binary};

use crate::generated::rng::Rng;

const STYLES: [(ConflictStyle, &[&str]); 3] =
    [(ConflictStyle::Merge, &[]), (ConflictStyle::Diff3, &["--diff3"]), (ConflictStyle::Union, &["--union"])];

/// What `git merge-file` writes.
fn git(dir: &Path, texts: [&[u8]; 3], flags: &[&str]) -> Vec<u8> {
    for (name, text) in ["base", "ours", "theirs"].into_iter().zip(texts) {
        fs::write(dir.join(name), text).unwrap();
    }
    let output = Command::new("git")
        .current_dir(dir)
        .args(["merge-file", "-p", "--diff-algorithm=histogram"])
        .args(flags)
        .args(["-L", "ours", "-L", "base", "-L", "theirs", "ours", "base", "theirs"])
        .output()
        .unwrap();
    assert!(output.status.code().unwrap() < 128, "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// `count` lines out of `words` different ones.
fn text(rng: &mut Rng, count: u64, words: u64) -> Vec<String> {
    (0..count).map(|_| format!("line {}", rng.below(words))).collect()
}

fn edited(rng: &mut Rng, base: &[String], words: u64) -> Vec<String> {
    let mut lines = base.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(lines.len() as u64 + 1) as usize;
        let end = (at + rng.below(4) as usize).min(lines.len());
        let count = rng.below(4);
        let new = text(rng, count, words);
        lines.splice(at..end, new);
    }
    lines
}

fn bytes(rng: &mut Rng, lines: &[String], end: &str) -> Vec<u8> {
    let mut bytes = lines.iter().map(|line| format!("{line}{end}")).collect::<String>().into_bytes();
    if rng.chance(10) {
        bytes.truncate(bytes.len().saturating_sub(end.len()));
    }
    bytes
}

/// The base and what two sides made of it.
pub fn texts(rng: &mut Rng, words: u64) -> [Vec<u8>; 3] {
    let count = rng.below(30);
    let end = if rng.chance(20) { "\r\n" } else { "\n" };
    let base = text(rng, count, words);
    let (ours, theirs) = (edited(rng, &base, words), edited(rng, &base, words));
    [&base, &ours, &theirs].map(|lines| bytes(rng, lines, end))
}

fn render(texts: [&[u8]; 3], style: ConflictStyle) -> Vec<u8> {
    TextMerge::new(texts[0], texts[1], texts[2]).render(style, &Labels::default())
}

/// Lines that are there once can be matched in one way only, so every byte must be as git has it.
#[test]
fn texts_merge_as_git_merges_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(7);
    let mut conflicts = 0;
    for case in 0..120 {
        let texts = texts(&mut rng, 1 << 40);
        let [base, ours, theirs] = [&*texts[0], &*texts[1], &*texts[2]];
        conflicts += TextMerge::new(base, ours, theirs).conflict_count();
        for (style, flags) in STYLES {
            let (mine, gits) = (render([base, ours, theirs], style), git(dir.path(), [base, ours, theirs], flags));
            assert_eq!(mine.escape_ascii().to_string(), gits.escape_ascii().to_string(), "case {case}, {style:?}");
        }
    }
    assert!(conflicts > 40, "{conflicts} conflicts");
}

/// Where lines repeat, a difference can be told in more ways than one, and which lines are taken for those that stayed
/// can decide whether edits touch. That must be rare.
#[test]
fn texts_with_lines_that_repeat_merge_nearly_always_as_git_merges_them() {
    const COUNT: usize = 150;
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(8);
    let (mut agree, mut same) = (0, 0);
    for _ in 0..COUNT {
        let texts = texts(&mut rng, 20);
        let texts = [&*texts[0], &*texts[1], &*texts[2]];
        let (mine, gits) = (render(texts, ConflictStyle::Merge), git(dir.path(), texts, &[]));
        let has_marker = |text: &[u8]| text.windows(7).any(|window| window == b"<<<<<<<");
        agree += usize::from(has_marker(&mine) == has_marker(&gits));
        same += usize::from(mine == gits);
    }
    assert!(agree * 100 >= COUNT * 98, "on {agree} of {COUNT} they agree");
    assert!(same * 100 >= COUNT * 92, "{same} of {COUNT} are the same");
}

#[test]
fn what_only_one_side_changed_is_taken_to_the_byte() {
    let mut rng = Rng::new(9);
    for words in [2, 10, 1000] {
        for _ in 0..200 {
            let [base, ours, theirs] = texts(&mut rng, words);
            for style in [ConflictStyle::Merge, ConflictStyle::Diff3, ConflictStyle::Union] {
                assert_eq!(render([&base, &ours, &base], style), ours);
                assert_eq!(render([&base, &base, &theirs], style), theirs);
                assert_eq!(render([&base, &ours, &ours], style), ours);
            }
            let there = TextMerge::new(&base, &ours, &theirs).is_clean();
            assert_eq!(there, TextMerge::new(&base, &theirs, &ours).is_clean(), "the sides see the same");
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_are_lines_like_others() {
    let merged = render([b"\xff\n2\n3\n4\n", b"\xfe\n2\n3\n4\n", b"\xff\n2\n3\n\xfd"], ConflictStyle::Merge);
    assert_eq!(merged, b"\xfe\n2\n3\n\xfd");
}

#[test]
fn a_carriage_return_alone_ends_no_line() {
    let merged = TextMerge::new(b"a\rb\rc\n", b"A\rb\rc\n", b"a\rb\rC\n");
    assert_eq!(merged.conflict_count(), 1);
}

#[test]
fn markers_end_as_the_lines_around_them() {
    let merged = render([b"1\r\n2\r\n", b"1\r\nx\r\n", b"1\r\ny\r\n"], ConflictStyle::Diff3);
    assert_eq!(
        merged.escape_ascii().to_string(),
        r"1\r\n<<<<<<< ours\r\nx\r\n||||||| base\r\n2\r\n=======\r\ny\r\n>>>>>>> theirs\r\n"
    );
}

#[test]
fn a_label_is_never_more_than_the_rest_of_its_line() {
    let labels = Labels { ours: b"a\n=======\x1b".to_vec(), ..Labels::default() };
    let merged = TextMerge::new(b"1\n", b"2\n", b"3\n").render(ConflictStyle::Merge, &labels);
    assert_eq!(merged, b"<<<<<<< a ======= \n2\n=======\n3\n>>>>>>> theirs\n");
}

#[test]
fn a_nul_byte_near_the_start_makes_a_file_binary() {
    assert!(is_binary(b"a\0"));
    assert!(!is_binary(b"\xff\xfe\n"));
    let far = [vec![b'a'; 8000], vec![0]].concat();
    assert!(!is_binary(&far) && is_binary(&far[1..]));
}
