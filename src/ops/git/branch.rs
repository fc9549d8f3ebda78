//! Branches of a repository, and commits that are put on them.

use std::io::{self, BufWriter, Write};
use std::process::Stdio;

use crate::ops::import::ImportError;

use super::{Repository, cannot_run, failed, git, run};

impl Repository {
    /// Refuses what cannot be the full name of a ref.
    ///
    /// # Errors
    /// [`ImportError::Git`].
    pub fn check_branch(&self, name: &str) -> Result<(), ImportError> {
        let mut command = git(None);
        command.args(["check-ref-format", name]);
        let is_option = name.starts_with("refs/heads/-");
        let why = || format!("`{}` cannot be the name of a branch", name.trim_start_matches("refs/heads/"));
        match is_option || run("check-ref-format", command).is_err() {
            true => Err(ImportError::Git { what: "branch".into(), why: why() }),
            false => Ok(()),
        }
    }

    /// The commit that a branch, given by its full name, is at, and where it is checked out, if it is; `None`: there is no
    /// such branch.
    ///
    /// # Errors
    /// [`ImportError::Git`].
    pub fn branch(&self, name: &str) -> Result<Option<(String, Option<String>)>, ImportError> {
        let mut command = git(Some(&self.dir));
        command.args(["for-each-ref", "--format=%(refname)%00%(objectname)%00%(worktreepath)", name]);
        let listed = run("for-each-ref", command)?.stdout;
        let text = String::from_utf8_lossy(&listed).into_owned();
        let mut lines = text.lines().map(|line| line.split('\0').collect::<Vec<_>>());
        let found = lines.find(|line| line.first() == Some(&name));
        Ok(found.and_then(|line| match line.as_slice() {
            [_, tip, at] => Some(((*tip).to_owned(), Some((*at).to_owned()).filter(|at| !at.is_empty()))),
            _ => None,
        }))
    }

    /// Runs `git fast-import` on what `write` writes. A branch goes nowhere but forward, unless `force` says so.
    ///
    /// # Errors
    /// [`ImportError::Git`].
    pub fn fast_import(
        &self,
        force: bool,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ImportError> {
        let mut command = git(Some(&self.dir));
        command.args(["fast-import", "--quiet", "--done", "--date-format=raw"]);
        if force {
            command.arg("--force");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| cannot_run("fast-import", &error))?;
        let written = match child.stdin.take() {
            Some(input) => {
                let mut input = BufWriter::with_capacity(256 << 10, input);
                write(&mut input).and_then(|()| input.flush())
            }
            None => Ok(()),
        };
        // If it ended early, what it says is why.
        let output = child.wait_with_output().map_err(|error| cannot_run("fast-import", &error))?;
        if !output.status.success() {
            return Err(failed("fast-import", &output.stderr, &output.status.to_string()));
        }
        written.map_err(|error| cannot_run("fast-import", &error))
    }
}
