//! `aether annotation reply`, `resolve`, `reopen` and `delete`

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::annotation::{self, Deed};
use crate::ui::view::AnnotationView;

/// Answer a note
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether annotation reply \"$(aether -s fix-login annotation add -m 'why?' -q)\" -m 'because'")]
pub(crate) struct Reply {
    #[command(flatten)]
    note: KeyArg,
    /// What is said
    #[arg(short, long, value_name = "TEXT")]
    message: String,
}

/// Say that a note is done with
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether annotation resolve \"$(aether -s fix-login annotation add -m 'why?' -q)\"")]
pub(crate) struct Resolve {
    #[command(flatten)]
    note: KeyArg,
}

/// Say that a note is not done with, after all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  n=$(aether -s fix-login annotation add -m 'why?' -q); aether annotation resolve $n; aether annotation reopen $n")]
pub(crate) struct Reopen {
    #[command(flatten)]
    note: KeyArg,
}

/// Delete a note with its answers
///
/// `aether undo` and `aether trash restore` bring it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether annotation delete \"$(aether -s fix-login annotation add -m 'why?' -q)\"")]
pub(crate) struct Delete {
    #[command(flatten)]
    note: KeyArg,
}

impl Run for Reply {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        change(cx, &self.note, &Deed::Reply(self.message), "Answered")
    }
}

impl Run for Resolve {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        change(cx, &self.note, &Deed::Resolve, "Resolved")
    }
}

impl Run for Reopen {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        change(cx, &self.note, &Deed::Reopen, "Reopened")
    }
}

impl Run for Delete {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        change(cx, &self.note, &Deed::Delete, "Deleted")
    }
}

fn change(cx: &mut Cx, note: &KeyArg, deed: &Deed, verb: &'static str) -> Result<Exit, Error> {
    let info = annotation::change(&mut cx.ops, &note.key, deed)?;
    cx.ui.show(&AnnotationView::new(&info, Some(verb)))?;
    Ok(Exit::DONE)
}
