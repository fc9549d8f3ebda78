//! `aether session expire`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::{retention, session_archive, time};
use crate::ui::view::{AppliedView, SessionAction, SessionView};

/// Say when a session is to be archived by itself
///
/// Nothing runs in the background: what is due is done by `store gc`, and by `--due`. It archives sessions whose time is
/// over, moves them to the trash some days later, and thins out automatic checkpoints, as the settings `retention.…` say.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session expire fix-login 7d
  aether session expire fix-login never
  aether session expire --due")]
pub(crate) struct Args {
    /// The session; `@` is the current one
    #[arg(required_unless_present = "due", add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// How long from now, as `12h` or `7d`; or `never`
    #[arg(value_name = "DURATION", required_unless_present = "due")]
    after: Option<String>,
    /// Do what is due by now
    #[arg(long, conflicts_with_all = ["session", "after"])]
    due: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let Some(after) = self.after else {
            let applied = apply_retention(cx)?;
            cx.ui.show(&applied)?;
            return Ok(Exit::DONE);
        };
        let expires_ns = expiry(cx, &after)?;
        let info = session_archive::expire(&mut cx.ops, self.session.as_deref(), expires_ns)?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Expires))?;
        Ok(Exit::DONE)
    }
}

/// Does what is due, and warns of what could not be done.
pub(in crate::cli) fn apply_retention(cx: &mut Cx) -> Result<AppliedView, Error> {
    let rules = cx.config.retention;
    let applied = retention::apply(&mut cx.ops, &rules)?;
    for (name, why) in &applied.busy {
        cx.ui.warn(&format!("session {name} is due, and stays for now: {why}"));
    }
    Ok(AppliedView::new(&applied))
}

/// What is due, without doing it.
pub(in crate::cli) fn preview_retention(cx: &mut Cx) -> Result<AppliedView, Error> {
    let rules = cx.config.retention;
    Ok(AppliedView::new(&retention::preview(&mut cx.ops, &rules)?))
}

/// The moment that is so far from now; `never` is none.
pub(super) fn expiry(cx: &Cx, text: &str) -> Result<Option<i64>, Error> {
    Ok(match text {
        "never" => None,
        _ => Some(cx.ops.now_ns.saturating_add(time::duration(text)?)),
    })
}
