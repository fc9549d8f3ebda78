//! Reading trees and blobs of a repository.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::ops::import::ImportError;

use super::{Repository, cannot_run, git, run};

/// An entry of a tree that is no tree itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TreeEntry {
    /// The mode as git writes it: 100644, 100755, 120000 or 160000.
    pub(super) mode: u32,
    /// The object's id.
    pub(super) id: String,
    /// The path from the top of the tree.
    pub(super) path: Vec<u8>,
}

impl Repository {
    /// All that a commit holds, in git's order.
    pub(super) fn tree(&self, commit: &str) -> Result<Vec<TreeEntry>, ImportError> {
        let mut command = git(Some(&self.dir));
        command.args(["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit]);
        let listed = run("ls-tree", command)?.stdout;
        let bad = || ImportError::Git { what: "ls-tree".into(), why: "it says what makes no sense".into() };
        listed
            .split(|&byte| byte == 0)
            .filter(|line| !line.is_empty())
            .map(|line| {
                let tab = line.iter().position(|&byte| byte == b'\t').ok_or_else(bad)?;
                let head = std::str::from_utf8(&line[..tab]).map_err(|_| bad())?;
                let mut words = head.split(' ');
                let mode = words.next().and_then(|mode| u32::from_str_radix(mode, 8).ok()).ok_or_else(bad)?;
                let id = words.nth(1).ok_or_else(bad)?.to_owned();
                Ok(TreeEntry { mode, id, path: line[tab + 1..].to_vec() })
            })
            .collect()
    }

    /// When a commit was made, in seconds since the epoch.
    pub(super) fn commit_time(&self, commit: &str) -> Result<i64, ImportError> {
        let mut command = git(Some(&self.dir));
        command.args(["cat-file", "commit", commit]);
        let text = run("cat-file", command)?.stdout;
        let line = text.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"committer "));
        let seconds = line.and_then(|line| line.rsplit(|&byte| byte == b' ').nth(1));
        let seconds = seconds.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        seconds.ok_or_else(|| ImportError::Git { what: "cat-file".into(), why: "the commit has no time".into() })
    }

    /// A setting in a file of a commit that has git's syntax, by key; empty if there is no such file.
    pub(super) fn settings_in(&self, commit: &str, path: &str) -> Vec<(String, String)> {
        let mut command = git(Some(&self.dir));
        command.args(["config", "--no-includes", "--blob"]).arg(format!("{commit}:{path}")).args(["--list", "-z"]);
        let Ok(output) = run("config", command) else { return Vec::new() };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('\n'));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// The address that a remote of the repository has.
    pub(super) fn remote_url(&self) -> Option<String> {
        let mut command = git(Some(&self.dir));
        command.args(["config", "--get", "remote.origin.url"]);
        let output = run("config", command).ok()?;
        Some(String::from_utf8_lossy(output.stdout.trim_ascii_end()).into_owned())
    }

    /// The repository of a submodule that was fetched already.
    pub(super) fn module(&self, name: &str) -> Option<Self> {
        let is_plain = !name.is_empty() && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let dir = self.dir.join("modules").join(name);
        (is_plain && super::is_bare(&dir)).then_some(Self { dir, _scratch: None })
    }

    /// Starts reading blobs, in the order of their ids as they are given.
    pub(super) fn blobs(&self, ids: Vec<String>) -> Result<Blobs, ImportError> {
        let mut command: Command = git(Some(&self.dir));
        command
            .args(["cat-file", "--batch", "--buffer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| cannot_run("cat-file", &error))?;
        let input = child.stdin.take();
        let output = child.stdout.take().map(|output| BufReader::with_capacity(256 << 10, output));
        let (Some(mut input), Some(output)) = (input, output) else {
            return Err(ImportError::Git { what: "cat-file".into(), why: "it has no pipes".into() });
        };
        // Git may stop reading when its output is full, so another thread writes. It ends when git does.
        let writer = thread::spawn(move || {
            for id in ids {
                if writeln!(input, "{id}").is_err() {
                    return;
                }
            }
        });
        Ok(Blobs { child, output, writer: Some(writer), left_bytes: 0 })
    }
}

/// Blobs that come one after the other.
pub(super) struct Blobs {
    child: Child,
    output: BufReader<ChildStdout>,
    writer: Option<JoinHandle<()>>,
    /// Bytes of the present blob that were not read yet.
    left_bytes: u64,
}

impl Blobs {
    /// Goes to the next blob, which must have this id; returns its length in bytes.
    pub(super) fn next(&mut self, id: &str) -> Result<u64, ImportError> {
        let mut line = Vec::new();
        self.output.by_ref().take(512).read_until(b'\n', &mut line).map_err(|error| cannot_run("cat-file", &error))?;
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        let mut words = text.split(' ');
        match (words.next(), words.next(), words.next().and_then(|size| size.parse().ok())) {
            (Some(said), Some("blob"), Some(size)) if said == id => {
                self.left_bytes = size;
                Ok(size)
            }
            _ => Err(ImportError::Git { what: "cat-file".into(), why: format!("object {id} is missing or damaged") }),
        }
    }

    /// Reads on in the present blob until the piece is full; with its last byte the line end after it goes, too.
    pub(super) fn read(&mut self, piece: &mut [u8]) -> Result<(), ImportError> {
        let broken = |error| cannot_run("cat-file", &error);
        self.output.read_exact(piece).map_err(broken)?;
        self.left_bytes -= piece.len() as u64;
        if self.left_bytes == 0 {
            self.end().map_err(broken)?;
        }
        Ok(())
    }

    /// Ends a blob that has no bytes.
    pub(super) fn end(&mut self) -> std::io::Result<()> {
        self.output.read_exact(&mut [0])
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
        if let Some(writer) = self.writer.take() {
            let _joined = writer.join();
        }
    }
}
