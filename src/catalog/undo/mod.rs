//! Reversing operations.
//!
//! Triggers note every change of a row ([`capture`]). To undo an operation is to put back what it changed, in an
//! operation of its own, whose changes are noted in the same way; to redo is to reverse that one. So nothing has to be
//! written for a new command or table.
//!
//! - Undone is the newest command that is in effect; so two undos go back two commands.
//! - What was changed again since is not overwritten: that is [`UndoError::Changed`], with the operation that did it.
//! - A row that was made is not removed where its table has a trash: it goes there.
//! - Numbers that are never given out twice (`next_*`) are not wound back.

pub(super) mod capture;
mod choose;
pub(super) mod functions;
mod reverse;
mod row;

pub use choose::Reversal;
pub use row::RowChange;
pub(super) use row::{Image, sql};

/// Why an operation cannot be undone or redone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// No command is left, or there never was one.
    #[error("there is nothing to undo")]
    NothingToUndo,
    /// Nothing was undone, or something was done since.
    #[error("there is nothing to redo")]
    NothingToRedo,
    /// There is no operation of this number.
    #[error("there is no operation {seq}")]
    NoOperation {
        /// As the user wrote it.
        seq: i64,
    },
    /// It was undone before.
    #[error("operation {seq} (`{command}`) was undone by operation {by}")]
    Undone {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
        /// The operation that undid it.
        by: i64,
    },
    /// An undo that was itself reversed.
    #[error("operation {seq} (`{command}`) is not in effect: operation {by} came after it")]
    Superseded {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
        /// The operation that reversed it.
        by: i64,
    },
    /// It changed no row.
    #[error("operation {seq} (`{command}`) changed nothing that could be put back")]
    Empty {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
    },
    /// What it needs is not there any more.
    #[error("operation {seq} (`{command}`) cannot be undone: {why}")]
    Gone {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
        /// Why.
        why: String,
    },
    /// A later operation changed the same.
    #[error("operation {seq} (`{command}`) cannot be undone: {what} was changed again{}", later(.by.as_ref()))]
    Changed {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
        /// What was changed.
        what: String,
        /// The operation that changed it, with its command.
        by: Option<(i64, String)>,
    },
    /// Something stands on what would go.
    #[error("operation {seq} (`{command}`) cannot be undone: {what} is the base of session {}", .sessions.join(", "))]
    InUse {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
        /// What would go.
        what: String,
        /// The names of the sessions that stand on it.
        sessions: Vec<String>,
    },
    /// Its name belongs to another object by now.
    #[error("operation {seq} (`{command}`) cannot be undone: the name of {what} was taken by another since")]
    NameTaken {
        /// The operation.
        seq: i64,
        /// What it did.
        command: String,
        /// The object that is to have the name.
        what: String,
    },
}

fn later(by: Option<&(i64, String)>) -> String {
    by.map(|(seq, command)| format!(" by operation {seq} (`{command}`)")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
