//! Why an approval cannot be asked for, or answered.

use crate::catalog::ApprovalState;
use crate::ops::Kind;

/// Why an approval cannot be asked for, or answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Nothing was ever asked about the session.
    #[error("no approval was asked for of session `{session}`")]
    NoneAsked {
        /// The session.
        session: String,
    },
    /// Several questions about the session are open.
    #[error("more than one approval is pending of session `{session}`: {}", .candidates.join(", "))]
    SeveralAsked {
        /// The session.
        session: String,
        /// Those that it could be, each as `id (action)`.
        candidates: Vec<String>,
    },
    /// The text cannot be the word of an action.
    #[error(
        "`{word}` is no word for an action: it needs 1 to 60 small letters, digits, `-`, `_`, `.` or `:`, a letter first"
    )]
    BadAction {
        /// As the user wrote it.
        word: String,
    },
    /// The details are no JSON object.
    #[error("the details are no JSON object: {why}")]
    BadDetails {
        /// What is wrong with them.
        why: String,
    },
    /// The same question is open.
    #[error("approval `{id}` asks for {action} of this content already")]
    AskedAlready {
        /// The approval.
        id: String,
        /// The action.
        action: String,
    },
    /// It was decided.
    #[error("approval `{id}` is not pending any more: it is {}", .state.word())]
    NotPending {
        /// The approval.
        id: String,
        /// Where it stands.
        state: ApprovalState,
    },
    /// Grants have to come from different actors.
    #[error("`{actor}` granted approval `{id}` already, and somebody else has to, too")]
    GrantedAlready {
        /// The approval.
        id: String,
        /// The actor.
        actor: String,
    },
}

impl ApprovalError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadAction { .. } | Self::BadDetails { .. } => Kind::Usage,
            Self::NoneAsked { .. } | Self::SeveralAsked { .. } => Kind::NotFound,
            Self::AskedAlready { .. } | Self::NotPending { .. } | Self::GrantedAlready { .. } => Kind::Conflict,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoneAsked { .. } => "not-found",
            Self::SeveralAsked { .. } => "ambiguous",
            Self::BadAction { .. } => "bad-action",
            Self::BadDetails { .. } => "bad-details",
            Self::AskedAlready { .. } => "asked-already",
            Self::NotPending { .. } => "not-pending",
            Self::GrantedAlready { .. } => "granted-already",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::BadAction { .. } => {
                vec!["actions are commit, merge, promote, apply, delete, or a word of your own".into()]
            }
            Self::NoneAsked { session } => {
                vec![format!("`aether approval request commit -s {session}` asks for one")]
            }
            Self::SeveralAsked { .. } => vec!["write the id".into()],
            Self::BadDetails { .. } => vec!["`--details '{\"ticket\": 7}'`".into()],
            Self::AskedAlready { id, .. } => vec![format!("`aether approval wait {id}` waits for the decision")],
            Self::NotPending { id, .. } | Self::GrantedAlready { id, .. } => {
                vec![format!("`aether approval show {id}` shows what was answered")]
            }
        }
    }
}
