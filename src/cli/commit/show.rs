//! `aether commit show`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::annotation::{self, Filter};
use crate::ops::session_changes::{self, Request};
use crate::ops::{self, commit_list};
use crate::ui::view::{AnnotationView, ChangeView, CommitAction, CommitView};

/// Show a commit: what was said of it, by whom, and the paths that it changed
///
/// The paths are those that differ from the commit before; of the first one, from what its session stood on. The notes
/// that it carries are those of its session, as they were when it was made; they stay with it when the session is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether commit show \"$(aether commit list -q | head -n 1)\"
  aether commit show --annotations \"$(aether commit list -q | head -n 1)\"
  aether commit show --json \"$(aether commit list -q fix-login | head -n 1)\"")]
pub(crate) struct Args {
    /// The commit
    #[arg(value_name = "COMMIT", add = clap_complete::ArgValueCandidates::new(names::commits))]
    commit: String,
    /// Show the notes that it carries, too
    #[arg(long)]
    annotations: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = commit_list::show(&mut cx.ops, &self.commit)?;
        let compared = session_changes::of_commit(&mut cx.ops, &info.commit, false, &Request::default())?;
        let files: Vec<_> = compared.visible();
        let files = files.into_iter().map(|change| compared.look(change)).collect::<Result<Vec<_>, ops::Error>>()?;
        let changes = files.iter().map(ChangeView::counted).collect();
        let mut view = CommitView::new(&info, CommitAction::Shown).with_changes(changes);
        if self.annotations {
            let notes = annotation::carried(&mut cx.ops, &info.commit.id, None, &Filter::default())?;
            view = view.with_notes(notes.iter().map(|note| AnnotationView::new(note, None)).collect());
        }
        cx.ui.show(&view)?;
        Ok(Exit::DONE)
    }
}
