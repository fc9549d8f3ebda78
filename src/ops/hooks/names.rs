//! Which hooks there are.

/// What hooks are about. Most have one before and one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A session is made.
    Create,
    /// A session is forked.
    Fork,
    /// A checkpoint is made that somebody asked for.
    Checkpoint,
    /// A session becomes one of its checkpoints.
    Restore,
    /// Tracked changes become a commit.
    Commit,
    /// Work of others comes into a session.
    Merge,
    /// A session is put on another revision of its source.
    Update,
    /// A merge that left conflicts is taken back.
    MergeAbort,
    /// It is said how conflicts are to be.
    Resolve,
    /// What happened in a plain directory comes back into a session.
    Absorb,
    /// What a command did is taken back.
    Undo,
    /// What was taken back is done again.
    Redo,
    /// Work becomes a revision of a source.
    Promote,
    /// Changes are written back to a directory.
    Apply,
    /// Work is written as an archive, a patch or a commit of git.
    Export,
    /// A tree is written to a plain directory.
    Materialize,
    /// A session goes to the trash.
    Delete,
    /// A session is put away.
    Archive,
    /// A session comes back.
    Activate,
    /// A session is mounted.
    Mount,
    /// A session is unmounted.
    Unmount,
    /// An approval was asked for.
    ApprovalRequested,
    /// An approval was granted, denied or cancelled.
    ApprovalDecided,
}

/// Before something happens, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A hook can refuse it.
    Before,
    /// A hook can only look.
    After,
}

use Transition::{
    Absorb, Activate, Apply, ApprovalDecided, ApprovalRequested, Archive, Checkpoint, Commit, Create, Delete, Export,
    Fork, Materialize, Merge, MergeAbort, Mount, Promote, Redo, Resolve, Restore, Undo, Unmount, Update,
};

/// Each transition with its word, and the names of its hooks.
const TABLE: [(Transition, &str, Option<&str>, &str); 23] = [
    (Create, "create", Some("pre-create"), "post-create"),
    (Fork, "fork", Some("pre-fork"), "post-fork"),
    (Checkpoint, "checkpoint", Some("pre-checkpoint"), "post-checkpoint"),
    (Restore, "restore", Some("pre-restore"), "post-restore"),
    (Commit, "commit", Some("pre-commit"), "post-commit"),
    (Merge, "merge", Some("pre-merge"), "post-merge"),
    (Update, "update", Some("pre-update"), "post-update"),
    (MergeAbort, "merge-abort", Some("pre-merge-abort"), "post-merge-abort"),
    (Resolve, "resolve", Some("pre-resolve"), "post-resolve"),
    (Promote, "promote", Some("pre-promote"), "post-promote"),
    (Apply, "apply", Some("pre-apply"), "post-apply"),
    (Export, "export", Some("pre-export"), "post-export"),
    (Materialize, "materialize", Some("pre-materialize"), "post-materialize"),
    (Absorb, "absorb", Some("pre-absorb"), "post-absorb"),
    (Delete, "delete", Some("pre-delete"), "post-delete"),
    (Archive, "archive", Some("pre-archive"), "post-archive"),
    (Activate, "activate", Some("pre-activate"), "post-activate"),
    (Mount, "mount", Some("pre-mount"), "post-mount"),
    (Unmount, "unmount", Some("pre-unmount"), "post-unmount"),
    (Undo, "undo", Some("pre-undo"), "post-undo"),
    (Redo, "redo", Some("pre-redo"), "post-redo"),
    (ApprovalRequested, "approval-requested", None, "approval-requested"),
    (ApprovalDecided, "approval-decided", None, "approval-decided"),
];

impl Transition {
    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// The name of its hook; an approval has none before it.
    #[must_use]
    pub fn hook(self, phase: Phase) -> Option<&'static str> {
        match phase {
            Phase::Before => self.row().2,
            Phase::After => Some(self.row().3),
        }
    }

    fn row(self) -> (Self, &'static str, Option<&'static str>, &'static str) {
        let found = TABLE.into_iter().find(|row| row.0 == self);
        found.expect("the table has every transition")
    }
}

/// The names of all hooks, in the order of the transitions.
pub fn all() -> impl Iterator<Item = (&'static str, Transition, Phase)> {
    TABLE.into_iter().flat_map(|(transition, _, before, after)| {
        let before = before.map(|name| (name, transition, Phase::Before));
        before.into_iter().chain([(after, transition, Phase::After)])
    })
}

/// What the hook of this name is about.
#[must_use]
pub fn named(name: &str) -> Option<(&'static str, Transition, Phase)> {
    all().find(|hook| hook.0 == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_one_hook() {
        assert_eq!(all().count(), 44);
        for (name, transition, phase) in all() {
            assert_eq!(named(name), Some((name, transition, phase)));
            assert_eq!(transition.hook(phase), Some(name));
        }
        assert_eq!(named("pre-approval-requested"), None);
    }
}
