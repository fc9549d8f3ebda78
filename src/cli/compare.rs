//! `aether compare`

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, names};
use crate::ops::session_changes::Request;
use crate::ops::session_compare::{self, build, parse_take};
use crate::ui::view::{CompareView, SessionAction, SessionView};

/// Show what several sessions changed, path by path, or build a new one out of their best parts
///
/// Each session is compared with the revision that it stands on. Behind the letter of the change stands a number: sessions with
/// the same number made the same of the path. With `--into`, a new session is made on what the first one stands on, with
/// the paths that `--take` names as that session has them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether compare fix-login login-bug
  aether compare fix-login login-bug --json
  aether run login-bug -- sh -c 'echo >>lib/app.js'
  aether compare fix-login login-bug --take lib/app.js=login-bug --into best")]
pub(crate) struct Args {
    /// The sessions
    #[arg(required = true, num_args = 1.., add = clap_complete::ArgValueCandidates::new(names::sessions))]
    sessions: Vec<String>,
    /// Scratch paths too
    #[arg(long)]
    all: bool,
    /// Take a path, and what is below it, from a session; can be given more than once
    #[arg(long, value_name = "PATH=SESSION", requires = "into")]
    take: Vec<OsString>,
    /// The name of the session to make of what is taken
    #[arg(long, value_name = "NAME", requires = "take")]
    into: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = Request { all: self.all || self.into.is_some(), ..Request::default() };
        let table = session_compare::run(&mut cx.ops, &self.sessions, &request)?;
        let Some(name) = self.into else {
            cx.ui.show(&CompareView::new(&table))?;
            return Ok(Exit::DONE);
        };
        let takes: Vec<_> =
            self.take.iter().map(|text| parse_take(&table, text.as_bytes())).collect::<Result<_, _>>()?;
        let made = build(&mut cx.ops, &name, &table.sessions[0], &takes)?;
        let info = crate::ops::session_list::show(&mut cx.ops, Some(&made.id))?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Created))?;
        Ok(Exit::DONE)
    }
}
