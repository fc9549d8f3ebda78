//! Showing changes in a program of the user's, as `git difftool` does.
//!
//! The program is given copies that it can read and not write: two files if one file changed, else two directories with
//! the files that changed. A symbolic link is a file that holds its target, so that nobody is led out of the copies.
//! The command comes from the user's own configuration and is given to a shell; the names are arguments of it, never
//! part of its text.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::changes::{Change, SnapshotEntry, TreeView, copy_content};
use super::error::Result;
use super::live::LiveError;
use super::scratch::Scratch;
use super::session_changes::Compared;
use super::{Context, Error};
use crate::model::{BytePath, ChangeKind, Kind};

/// Why no program shows the changes.
#[derive(Debug, thiserror::Error)]
pub enum DiffToolError {
    /// It cannot be started.
    #[error("`{tool}` cannot be run")]
    CannotRun {
        /// Its command line.
        tool: String,
    },
    /// None is known.
    #[error("no program is set to show differences with")]
    NotSet,
}

impl DiffToolError {
    /// What helps.
    pub const HINT: &str = "set `diff.tool` in the config file, or AETHER_DIFF_TOOL, to a command such as `meld`";

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CannotRun { .. } => "diff-tool",
            Self::NotSet => "no-diff-tool",
        }
    }
}

/// Shows the changes in `tool`, a command line, and waits until it ends. Without a change nothing is started.
///
/// # Errors
/// [`DiffToolError::CannotRun`] when it cannot be started, or a state cannot be read. What the program ends with is no error.
pub fn run(cx: &mut Context, compared: &Compared, tool: &str) -> Result<()> {
    let changes = compared.visible();
    let changes: Vec<&Change> = changes.into_iter().filter(|change| !change.is_dir()).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let scratch = Scratch::new(&cx.paths.data)?;
    let mut sides = [scratch.path().join("old"), scratch.path().join("new")];
    for side in &sides {
        fs::create_dir(side).map_err(at(side))?;
    }
    let (old, new) = (compared.sides().old, compared.sides().new);
    let mut single = [None, None];
    for change in &changes {
        let from = match &change.kind {
            ChangeKind::Renamed { from } => from,
            _ => &change.path,
        };
        single = [
            copy(&sides[0], from, change.old.as_ref(), old)?,
            copy(&sides[1], &change.path, change.new.as_ref(), new)?,
        ];
    }
    if changes.len() == 1 {
        sides = single.map(|path| path.unwrap_or_else(|| "/dev/null".into()));
    }
    start(tool, &sides)
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// Puts a file below `top`; returns where, unless there is none.
fn copy(top: &Path, path: &BytePath, entry: Option<&SnapshotEntry>, view: &dyn TreeView) -> Result<Option<PathBuf>> {
    let Some(entry) = entry.filter(|entry| matches!(entry.attr.kind, Kind::File | Kind::Symlink)) else {
        return Ok(None);
    };
    let place = top.join(path.as_path());
    let above = place.parent().unwrap_or(top);
    fs::create_dir_all(above).map_err(at(above))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&place).map_err(at(&place))?;
    copy_content(view, entry, &mut file).map_err(|error| match error {
        super::changes::PatchError::Read(error) => LiveError::from(error).into(),
        super::changes::PatchError::Write(error) => at(&place)(error),
    })?;
    Ok(Some(place))
}

fn start(tool: &str, sides: &[PathBuf; 2]) -> Result<()> {
    let script: OsString = format!("exec {tool} \"$@\"").into();
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg("diff.tool").args(sides);
    let status = command.status().map_err(at(Path::new("/bin/sh")))?;
    // The codes of a shell that cannot run it.
    match status.code() {
        Some(126 | 127) => Err(DiffToolError::CannotRun { tool: tool.to_owned() }.into()),
        _ => Ok(()),
    }
}
