//! Why an action may not happen.

use crate::ops::Kind;

use super::Action;

/// Why an action may not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A merge left conflicts in the session.
    #[error("{action} of session `{name}` is refused: it has conflicts that are not resolved")]
    InConflict {
        /// What was to happen.
        action: Action,
        /// The session.
        name: String,
    },
    /// Somebody looks at the session.
    #[error("{action} of session `{name}` is refused: it is in review")]
    InReview {
        /// What was to happen.
        action: Action,
        /// The session.
        name: String,
    },
}

impl GateError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::InConflict { .. } => Kind::Conflict,
            Self::InReview { .. } => Kind::Refused,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InConflict { .. } => "in-conflict",
            Self::InReview { .. } => "in-review",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::InConflict { name, .. } => vec![format!("`aether conflict list {name}` lists them")],
            Self::InReview { .. } => vec!["a decision ends the review".into()],
        }
    }
}
