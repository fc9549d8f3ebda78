//! Why an action may not happen.

use crate::ops::Kind;

use super::{Action, Lack};

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
    /// A rule, or somebody's word, is against it.
    #[error("{action} of session `{name}` is refused: {}", .lacks.first().map(ToString::to_string).unwrap_or_default())]
    Refused {
        /// What was to happen.
        action: Action,
        /// The session.
        name: String,
        /// All that is missing; at least one.
        lacks: Vec<Lack>,
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
            Self::InReview { .. } | Self::Refused { .. } => Kind::Refused,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InConflict { .. } => "in-conflict",
            Self::InReview { .. } => "in-review",
            Self::Refused { lacks, .. } => lacks.first().map_or("refused", Lack::code),
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
            Self::Refused { lacks, .. } => {
                let mut hints: Vec<String> = lacks.iter().filter_map(Lack::hint).collect();
                hints.dedup();
                hints
            }
            Self::AskedMeanwhile { .. } => vec!["try again".into()],
        }
    }

    /// What the sentence could not name, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Refused { lacks, .. } => lacks.iter().skip(1).map(|lack| format!("also: {lack}")).collect(),
            _ => Vec::new(),
        }
    }
}
