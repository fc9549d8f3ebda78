//! Why what a session would bring cannot be kept or handed on.

use crate::ops::Kind;
use crate::ops::error::listed;

/// Why an outcome is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
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
    /// Sessions began with the commit.
    #[error("commit `{id}` is the beginning of {}", listed(.sessions))]
    CommitInUse {
        /// The commit.
        id: String,
        /// The names of the sessions.
        sessions: Vec<String>,
    },
}

impl OutcomeError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NothingToCommit { .. } => Kind::Failed,
            Self::NoMessage | Self::BadMessage | Self::NotText { .. } | Self::BadAuthor { .. } => Kind::Usage,
            Self::NothingToAmend { .. } | Self::SessionGone { .. } => Kind::NotFound,
            Self::Overtaken { .. } => Kind::Conflict,
            Self::CommitInUse { .. } => Kind::Refused,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingToCommit { .. } => "nothing-to-commit",
            Self::NothingToAmend { .. } => "nothing-to-amend",
            Self::Overtaken { .. } => "overtaken",
            Self::NoMessage => "no-message",
            Self::BadMessage | Self::NotText { .. } => "bad-message",
            Self::BadAuthor { .. } => "bad-author",
            Self::SessionGone { .. } => "session-gone",
            Self::CommitInUse { .. } => "commit-in-use",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
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
            Self::BadMessage | Self::NotText { .. } | Self::BadAuthor { .. } => Vec::new(),
        }
    }
}
