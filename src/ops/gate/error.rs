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
    /// Somebody said no to this very content.
    #[error("{action} of session `{name}` is refused: approval `{approval}` of this content was denied")]
    Denied {
        /// What was to happen.
        action: Action,
        /// The session.
        name: String,
        /// The approval.
        approval: String,
    },
    /// Nobody answered yet, or not enough did.
    #[error("{action} of session `{name}` is refused: approval `{approval}` of this content is pending")]
    Pending {
        /// What was to happen.
        action: Action,
        /// The session.
        name: String,
        /// The approval.
        approval: String,
    },
    /// Somebody asked about the content after it was looked at.
    #[error("{action} of session `{name}` was stopped: an approval was asked for meanwhile")]
    AskedMeanwhile {
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
            Self::InConflict { .. } | Self::AskedMeanwhile { .. } => Kind::Conflict,
            Self::InReview { .. } | Self::Denied { .. } | Self::Pending { .. } => Kind::Refused,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InConflict { .. } => "in-conflict",
            Self::InReview { .. } => "in-review",
            Self::Denied { .. } => "denied",
            Self::Pending { .. } => "approval-pending",
            Self::AskedMeanwhile { .. } => "asked-meanwhile",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::InConflict { name, .. } => vec![format!("`aether conflict list {name}` lists them")],
            Self::InReview { name, .. } => {
                vec![format!("`aether approval list --session {name}` shows the review; a decision ends it")]
            }
            Self::Denied { approval, .. } => vec![format!("`aether approval show {approval}` shows why")],
            Self::Pending { approval, .. } => vec![format!("`aether approval wait {approval}` waits for the decision")],
            Self::AskedMeanwhile { .. } => vec!["try again".into()],
        }
    }
}
