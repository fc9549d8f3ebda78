//! `aether diff`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::model::{BytePath, ChangeKind};
use crate::ops::Error as OpsError;
use crate::ops::changes::{Change, quoted};
use crate::ops::session_changes::{self, Compared, Request};
use crate::ui::view::{ChangeView, NameStatusView, PatchView, StatView};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};
use super::names;

/// Show what a session changed, or how any two states differ
///
/// Compares the session, mounted or not, with the revision that it stands on. With two states, each a session, a
/// checkpoint (`SESSION@NUMBER`) or a revision (`SOURCE@NUMBER`), compares these; with a checkpoint alone, that with its
/// session as it is now. Scratch paths (`.git`, and what the tree's `.gitignore` files ignore) are left out unless
/// `--all` is given. The output is a patch that `git apply` takes, but for binary files, which are only named.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether diff login-bug
  aether diff login-bug --stat
  aether diff fix-login@1 --name-status
  aether diff web@1 fix-login -- src
  aether diff login-bug > login-bug.patch")]
pub(crate) struct Args {
    /// A session, or another state; without it the current session
    #[arg(value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::all_states))]
    state: Option<String>,
    /// The state to compare it with
    #[arg(value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::all_states))]
    other: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// What to compare, and how to show it.
#[derive(Debug, clap::Args)]
pub(super) struct Form {
    /// Only these paths of the tree, and what is below them
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// Scratch paths too
    #[arg(long)]
    all: bool,
    /// Count the changed lines of each file
    #[arg(long, group = "form")]
    stat: bool,
    /// Print a letter and a path for each change
    #[arg(long, group = "form")]
    name_status: bool,
    /// End with 1 if anything differs
    #[arg(long)]
    exit_code: bool,
}

impl Form {
    pub(super) fn request(&self, session: Option<String>) -> Result<Request, Error> {
        let paths = self.paths.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Request { session, all: self.all, paths })
    }

    pub(super) fn show(&self, cx: &Cx, compared: &Compared) -> Result<Exit, Error> {
        show(cx, compared, self.stat, self.name_status)?;
        let differs = self.exit_code && !compared.changes.is_empty();
        Ok(if differs { Exit::FAILED } else { Exit::DONE })
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = self.form.request(None)?;
        let compared = match &self.state {
            None => session_changes::run(&mut cx.ops, &request)?.compared,
            Some(state) => session_changes::between(&mut cx.ops, state, self.other.as_deref(), &request)?,
        };
        self.form.show(cx, &compared)
    }
}

fn parse(path: &OsString) -> Result<BytePath, OpsError> {
    let bad = |why| OpsError::BadPath { path: path.into(), why };
    BytePath::parse(path.as_bytes()).map_err(bad)
}

/// Prints what differs.
pub(super) fn show(cx: &Cx, changed: &Compared, stat: bool, name_status: bool) -> Result<(), Error> {
    let visible = changed.visible();
    if name_status && !cx.ui.json() {
        return match cx.ui.is_for_people() {
            true => Ok(cx.ui.show(&NameStatusView(visible.into_iter().map(ChangeView::new).collect()))?),
            false => Ok(cx.ui.raw(&visible.into_iter().flat_map(letter_and_path).collect::<Vec<u8>>())?),
        };
    }
    let files = visible.into_iter().map(|change| changed.look(change)).collect::<Result<Vec<_>, _>>()?;
    if cx.ui.json() {
        return Ok(cx.ui.list(&files.iter().map(ChangeView::counted).collect::<Vec<_>>())?);
    }
    if stat {
        return Ok(cx.ui.show(&StatView(files.iter().map(ChangeView::counted).collect()))?);
    }
    let patch: Vec<u8> = files.iter().flat_map(|file| file.patch()).collect();
    match cx.ui.is_for_people() {
        true => Ok(cx.ui.show(&PatchView(String::from_utf8_lossy(&patch).into_owned()))?),
        false => Ok(cx.ui.raw(&patch)?),
    }
}

/// A letter, a tab and the path, as `git diff --name-status` has it for programs.
pub(super) fn letter_and_path(change: &Change) -> Vec<u8> {
    let mut line = vec![change.kind.letter() as u8];
    if let ChangeKind::Renamed { from } = &change.kind {
        line.push(b'\t');
        line.extend(quoted(b"", from));
    }
    line.push(b'\t');
    line.extend(quoted(b"", &change.path));
    line.push(b'\n');
    line
}
