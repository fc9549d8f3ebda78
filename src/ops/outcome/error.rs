//! Why what a session would bring cannot be kept or handed on.

use crate::ops::Kind;
use crate::ops::apply::ApplyError;
use crate::ops::error::listed;

/// Why an outcome is refused.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// Changes cannot be written to a directory.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// There is nothing that the commit before it, or the base, has not.
    #[error("session `{name}` has nothing to commit: it is what {than} has")]
    NothingToCommit {
        /// The session.
        name: String,
        /// The commit or revision that it is the same as.
        than: String,
    },
    /// The session made no commit that could be replaced.
    #[error("session `{name}` has no commit of its own to amend")]
    NothingToAmend {
        /// The session.
        name: String,
    },
    /// Another command committed meanwhile.
    #[error("another commit of session `{name}` was made meanwhile")]
    Overtaken {
        /// The session.
        name: String,
    },
    /// Nothing was said of the commit.
    #[error("a commit needs a message")]
    NoMessage,
    /// The message has NUL characters.
    #[error("the message has NUL characters in it")]
    BadMessage,
    /// The message is not UTF-8.
    #[error("the message in `{file}` is no UTF-8 text")]
    NotText {
        /// Where it was read from.
        file: String,
    },
    /// The text names nobody.
    #[error("`{text}` is no author: one is written as `Ann` or `Ann <ann@example.org>`")]
    BadAuthor {
        /// As the user wrote it.
        text: String,
    },
    /// The session of the commit is deleted, so that it cannot be forked.
    #[error("session `{session}`, in which commit `{id}` was made, is not there any more")]
    SessionGone {
        /// The commit.
        id: String,
        /// The name that the session had.
        session: String,
    },
    /// The source moved on since.
    #[error("`{name}` stands on `{source_name}@{stands_on}`, and `{source_name}@{newest}` is the newest by now")]
    Behind {
        /// The session or commit.
        name: String,
        /// The source.
        source_name: String,
        /// The revision that it stands on; 0 if it stands on none.
        stands_on: u64,
        /// The newest one.
        newest: u64,
    },
    /// It came from elsewhere.
    #[error("`{name}` does not stand on a revision of source `{source_name}`")]
    OtherSource {
        /// The session or commit.
        name: String,
        /// The source.
        source_name: String,
    },
    /// The text names something else than a session or a commit.
    #[error("`{text}` is neither a session nor a commit")]
    NoOutcome {
        /// As the user wrote it.
        text: String,
    },
    /// A commit has only what is tracked.
    #[error("commit `{id}` has no scratch that could come along")]
    NoScratch {
        /// The commit.
        id: String,
    },
    /// The source came from no commit of git.
    #[error("`{name}` was made of no commit of git, so which one to follow has to be said")]
    NoGitBase {
        /// The session or commit.
        name: String,
    },
    /// The branch is somewhere else.
    #[error("branch `{branch}` is at {tip} already, from where the export is no step forward")]
    BranchMoved {
        /// The branch.
        branch: String,
        /// The commit that it is at.
        tip: String,
    },
    /// Somebody works on the branch.
    #[error("branch `{branch}` is checked out at `{}`", .at.display())]
    CheckedOut {
        /// The branch.
        branch: String,
        /// Where.
        at: std::path::PathBuf,
    },
    /// Sessions began with the commit.
    #[error("commit `{id}` is the beginning of {}", listed(.sessions))]
    CommitInUse {
        /// The commit.
        id: String,
        /// The names of the sessions.
        sessions: Vec<String>,
    },
}

impl From<ApplyError> for crate::ops::Error {
    fn from(error: ApplyError) -> Self {
        OutcomeError::Apply(error).into()
    }
}

impl OutcomeError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Apply(error) => error.kind(),
            Self::NothingToCommit { .. } => Kind::Failed,
            Self::NoMessage | Self::BadMessage | Self::NotText { .. } | Self::BadAuthor { .. } => Kind::Usage,
            Self::NothingToAmend { .. } | Self::SessionGone { .. } => Kind::NotFound,
            Self::Overtaken { .. } | Self::Behind { .. } => Kind::Conflict,
            Self::BranchMoved { .. } | Self::CheckedOut { .. } => Kind::Conflict,
            Self::OtherSource { .. } | Self::NoOutcome { .. } | Self::NoScratch { .. } | Self::NoGitBase { .. } => {
                Kind::Usage
            }
            Self::CommitInUse { .. } => Kind::Refused,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Apply(error) => error.code(),
            Self::NothingToCommit { .. } => "nothing-to-commit",
            Self::NothingToAmend { .. } => "nothing-to-amend",
            Self::Overtaken { .. } => "overtaken",
            Self::NoMessage => "no-message",
            Self::BadMessage | Self::NotText { .. } => "bad-message",
            Self::BadAuthor { .. } => "bad-author",
            Self::NoGitBase { .. } => "no-git-base",
            Self::BranchMoved { .. } => "branch-moved",
            Self::CheckedOut { .. } => "checked-out",
            Self::Behind { .. } => "behind",
            Self::OtherSource { .. } => "other-source",
            Self::NoOutcome { .. } => "no-outcome",
            Self::NoScratch { .. } => "no-scratch",
            Self::SessionGone { .. } => "session-gone",
            Self::CommitInUse { .. } => "commit-in-use",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Apply(error) => error.hints(),
            Self::NothingToCommit { name, .. } => {
                vec![format!("`aether status {name}` shows what is tracked; scratch paths are never committed")]
            }
            Self::NoMessage => vec!["`-m` says it, `-F` reads it from a file, `--summary` makes one".into()],
            Self::NothingToAmend { .. } => vec!["`aether commit list` lists the commits there are".into()],
            Self::Overtaken { name } => vec![format!("`aether commit list {name}` shows it")],
            Self::CommitInUse { .. } => {
                vec!["`--force` deletes it all the same; the sessions keep their content".into()]
            }
            Self::SessionGone { id, .. } => {
                vec![format!("`aether session create --commit {id}` makes a session of it")]
            }
            Self::Behind { name, .. } if name.starts_with("o-") => {
                vec![format!("`aether session create --commit {name}`, then `aether update` that, and promote it")]
            }
            Self::NoGitBase { .. } => vec!["`--onto REV` says it".into()],
            Self::BranchMoved { .. } => vec!["name another branch, or let it go from there with `--force`".into()],
            Self::CheckedOut { .. } => vec!["name another branch".into()],
            Self::Behind { name, .. } => vec![format!("`aether update {name}` brings it up")],
            Self::OtherSource { .. } | Self::NoOutcome { .. } | Self::NoScratch { .. } => Vec::new(),
            Self::BadMessage | Self::NotText { .. } | Self::BadAuthor { .. } => Vec::new(),
        }
    }
}
