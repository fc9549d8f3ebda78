//! Writing changes into a plain directory, with proof.
//!
//! 1. Every target is compared with what it was: kind and content, which a file whose number and times are those of the
//!    import has for sure. What is something else by now is a conflict, and left alone (`plan`).
//! 2. All new files are written into a directory of their own at the top of the target, with mode, owner, times and
//!    extended attributes, and synced (`stage`). What is one file with several names in the session is one there, too
//!    (`links`). Until then nothing can be seen.
//! 3. They are exchanged with their targets, one rename each, and what comes out is looked at: if it is not what was
//!    compared, it goes back (`publish`). So a file that somebody writes at this very moment is not lost either.
//!
//! A journal in the data directory is written before the second and the third step. Whoever applies next finds it and
//! cleans up: each path is then wholly old or wholly new, nothing of others is gone, and the new run does what is left
//! (`journal`).
//!
//! Nothing outside of the target is reached: its directories are opened from its top, without following symbolic links
//! and without leaving its file system.

mod error;
mod journal;
mod links;
mod place;
mod plan;
mod publish;
mod stage;

use std::path::{Path, PathBuf};

use crate::model::BytePath;
use crate::ops::changes::{Change, Sides};
use crate::ops::error::Result;

pub use error::ApplyError;
pub use plan::Conflict;

use journal::Journal;
use place::Place;

/// What became of the paths of an apply.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Paths that were written, or removed.
    pub done: Vec<BytePath>,
    /// Paths that had it all already.
    pub already: Vec<BytePath>,
    /// Directories that are not removed, because something is in them.
    pub kept: Vec<BytePath>,
    /// Paths that were left alone.
    pub conflicts: Vec<Conflict>,
    /// Whether one that was interrupted was cleaned up first.
    pub recovered: bool,
}

/// Where and how to apply.
#[derive(Clone, Copy, Debug)]
pub(super) struct To<'a> {
    /// The directory.
    pub(super) target: &'a Path,
    /// The file of the journal; nobody else has it at the same time.
    pub(super) journal: &'a Path,
    /// Random bytes for a name.
    pub(super) seed: &'a [u8; 32],
    /// Only say what would happen.
    pub(super) dry_run: bool,
}

/// Writes changes between two trees into a directory that has the first one, or most of it.
///
/// # Errors
/// [`ApplyError`]. What had been written by then stays, and every path is wholly old or wholly new.
pub(super) fn run(changes: &[Change], sides: Sides<'_>, to: &To<'_>) -> Result<Applied> {
    let place = Place::open(to.target)?;
    if to.dry_run {
        let plan = plan::plan(&place, changes, sides)?;
        return Ok(plan.into_applied());
    }
    let mut journal = Journal::open(to.journal)?;
    let recovered = journal.recover(false)?;
    let plan = plan::plan(&place, changes, sides)?;
    if plan.steps.is_empty() {
        return Ok(Applied { recovered, ..plan.into_applied() });
    }
    let name = stage::name(to.seed);
    journal.begin(&place, &name, &plan.steps)?;
    let staged = stage::stage(&place, &name, &plan.steps, sides);
    let published = match staged {
        Ok(staged) => journal.commit(&staged).and_then(|()| publish::publish(&place, &staged, &plan)),
        Err(error) => Err(error),
    };
    // Also after a failure: what was staged goes, what was exchanged is settled.
    journal.recover(published.is_ok())?;
    let mut applied = plan.into_applied();
    let outcome = published?;
    (applied.done, applied.kept, applied.recovered) = (outcome.done, outcome.kept, recovered);
    applied.conflicts.extend(outcome.conflicts);
    applied.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(applied)
}

/// The file of the journal of a session.
pub(super) fn journal_file(data_dir: &Path, session_id: &str) -> PathBuf {
    data_dir.join("apply").join(session_id)
}
