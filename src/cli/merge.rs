//! `aether merge`

use crate::model::merge::ConflictStyle;
use crate::ops::merge::{self, Request};
use crate::ui::view::{MergeView, ResolvedView};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};
use super::names;

/// Bring what another session, a checkpoint or a revision has into a session
///
/// The merge is against the point where the two parted, or were merged last. What only one side changed is taken; files
/// that one side moved and the other edited end up moved and edited; text that both changed is merged by line. Where the
/// sides do not agree there are conflicts, with markers in text files: the session is in conflict then, the command ends
/// with 4, and `aether conflict` is how to go on. The state before is kept as a checkpoint. Scratch paths are left alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether merge login-bug --into fix-login
  aether merge login-bug --into fix-login --dry-run
  aether merge web@2 --into fix-login
  aether merge --abort --into fix-login")]
pub(crate) struct Args {
    /// What to merge: a session, `SESSION@CHECKPOINT`, or a revision of a source
    #[arg(required_unless_present = "abort", conflicts_with = "abort")]
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    from: Option<String>,
    /// The session that it comes into; the current one if it is left out
    #[arg(long, value_name = "SESSION", add = clap_complete::ArgValueCandidates::new(names::sessions))]
    into: Option<String>,
    /// Only say what would change, and where the sides do not agree
    #[arg(long, conflicts_with = "abort")]
    dry_run: bool,
    /// Show beside both sides of a conflict what they came from
    #[arg(long, conflicts_with = "abort")]
    diff3: bool,
    /// Take back the merge that has conflicts left
    #[arg(long)]
    abort: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let Some(from) = self.from else {
            let taken_back = merge::abort(&mut cx.ops, self.into.as_deref())?;
            cx.ui.show(&ResolvedView::new(&taken_back, true))?;
            return Ok(Exit::DONE);
        };
        let style = style(self.diff3);
        let report = merge::run(&mut cx.ops, &Request { from, into: self.into, dry_run: self.dry_run, style })?;
        cx.ui.show(&MergeView::new(&report))?;
        Ok(exit(&report))
    }
}

pub(super) fn style(diff3: bool) -> ConflictStyle {
    if diff3 { ConflictStyle::Diff3 } else { ConflictStyle::Merge }
}

/// Conflicts are for the user to look at and decide.
pub(super) fn exit(report: &merge::Report) -> Exit {
    if report.merged.is_clean() { Exit::DONE } else { Exit::CONFLICT }
}
