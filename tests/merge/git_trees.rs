//! Random histories, merged by git too.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use aether::model::merge::{Labels, Merged, Options};

use super::forest::{Forest, Paths, What};
use super::histories::{Style, history};

pub fn git(dir: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("git")
        .current_dir(dir)
        .args(["-c", "merge.directoryRenames=true"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || pipe.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// One commit for `git fast-import`.
fn commit(stream: &mut Vec<u8>, name: &str, parent: Option<&str>, tree: &Paths) {
    let who = "A <a@example.com> 1700000000 +0000";
    write!(stream, "commit refs/heads/{name}\ncommitter {who}\ndata 0\n").unwrap();
    if let Some(parent) = parent {
        writeln!(stream, "from refs/heads/{parent}").unwrap();
    }
    writeln!(stream, "deleteall").unwrap();
    for (path, thing) in &tree.0 {
        let (mode, bytes) = match &thing.what {
            What::File(bytes) if thing.perm & 0o100 != 0 => ("100755", bytes),
            What::File(bytes) => ("100644", bytes),
            What::Link(target) => ("120000", target),
            What::Dir => continue,
        };
        let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
        write!(stream, "M {mode} inline {path}\ndata {}\n", bytes.len()).unwrap();
        stream.extend_from_slice(bytes);
        stream.push(b'\n');
    }
    stream.push(b'\n');
}

/// What git makes of one merge.
struct Verdict {
    is_clean: bool,
    tree: String,
    /// Whether it names a path; where a directory went is no path's conflict.
    names_a_path: bool,
}

/// Merges the branches of each line with git.
fn verdicts(dir: &Path, pairs: &str) -> Vec<Verdict> {
    let output = git(dir, &["merge-tree", "--write-tree", "--stdin", "--no-messages"], pairs.as_bytes());
    // For each merge: the verdict, the tree, perhaps conflicted paths, and an empty field.
    let mut fields = output.split(|&byte| byte == 0).peekable();
    let mut verdicts = Vec::new();
    while fields.peek().is_some_and(|field| !field.is_empty()) {
        let is_clean = fields.next().unwrap() == b"1";
        let tree = String::from_utf8(fields.next().unwrap().to_vec()).unwrap();
        let paths = fields.by_ref().take_while(|field| !field.is_empty()).count();
        verdicts.push(Verdict { is_clean, tree, names_a_path: paths > 0 });
    }
    verdicts
}

/// Whether all conflicts are about the content of files that nobody moved: then git leaves the same tree behind.
fn is_about_content_only(merged: &Merged) -> bool {
    merged.conflicts.iter().all(|conflict| {
        let versions = [&conflict.base, &conflict.ours, &conflict.theirs];
        conflict.has_markers
            && conflict.kinds.len() == 1
            && versions.into_iter().flatten().all(|version| version.path == conflict.path)
    })
}

/// Git and this engine agree on whether a merge is clean, on what comes of it, and on the markers, but for these:
///
/// - a new directory in a directory that the other side moved goes along here, and stays behind in git, which looks at
///   files only;
/// - what is added to a directory whose files went to two places in equal numbers stays; git does so, too, and calls it
///   a conflict.
#[test]
fn random_histories_end_as_git_has_them() {
    const COUNT: usize = 400;
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "--bare", "."], b"");
    let (mut stream, mut pairs, mut merges) = (Vec::new(), String::new(), Vec::new());
    for seed in 0..COUNT {
        let history = history(seed as u64, Style::Git);
        let (base, ours, theirs) = (history.base.anonymous(1), history.ours.anonymous(2), history.theirs.anonymous(3));
        commit(&mut stream, &format!("b{seed}"), None, &base);
        commit(&mut stream, &format!("o{seed}"), Some(&format!("b{seed}")), &ours);
        commit(&mut stream, &format!("t{seed}"), Some(&format!("b{seed}")), &theirs);
        let label = |side: &str| format!("{side}{seed}").into_bytes();
        let labels = Labels { ours: label("o"), base: label("b"), theirs: label("t") };
        let options = Options { labels, ..Options::default() };
        let (tree, merged) = Forest::default().merge_with(&base, &ours, &theirs, &options);
        commit(&mut stream, &format!("m{seed}"), None, &tree);
        writeln!(pairs, "o{seed} t{seed}").unwrap();
        merges.push(merged);
    }
    git(dir.path(), &["fast-import", "--quiet"], &stream);
    let refs = git(dir.path(), &["for-each-ref", "--format=%(refname:short) %(tree)", "refs/heads"], b"");
    let refs = String::from_utf8(refs).unwrap();
    let trees: HashMap<&str, &str> = refs.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let verdicts = verdicts(dir.path(), &pairs);
    assert_eq!(verdicts.len(), COUNT);

    let (mut clean, mut in_content) = (0, 0);
    for (seed, (merged, verdict)) in merges.iter().zip(&verdicts).enumerate() {
        let is_split = !verdict.is_clean && !verdict.names_a_path && merged.is_clean();
        assert!(verdict.is_clean == merged.is_clean() || is_split, "history {seed}: {:#?}", merged.conflicts);
        if merged.is_clean() || is_about_content_only(merged) {
            let moves = git(dir.path(), &["diff", "--name-status", "-M100%", &verdict.tree, &format!("m{seed}")], b"");
            let moves = String::from_utf8(moves).unwrap();
            let along = merged.is_clean() && moves.lines().all(|line| line.starts_with("R100"));
            assert!(verdict.tree == trees[&*format!("m{seed}")] || along, "history {seed}:\n{moves}");
            clean += usize::from(merged.is_clean());
            in_content += usize::from(!merged.is_clean());
        }
    }
    assert!(clean > COUNT / 2 && in_content > 5, "{clean} clean, {in_content} with markers");
}
