//! Why something about reviews failed: gates, approvals, policies, annotations.

use super::annotation::AnnotationError;
use super::approval::ApprovalError;
use super::gate::GateError;
use super::policy::PolicyError;
use super::{Error, Kind};

/// Why something about reviews failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// A rule, or somebody's word, stands against an action.
    #[error(transparent)]
    Gate(GateError),
    /// An approval cannot be asked for, or answered.
    #[error(transparent)]
    Approval(ApprovalError),
    /// A policy cannot be read, or is not there.
    #[error(transparent)]
    Policy(PolicyError),
    /// A note cannot be made or changed.
    #[error(transparent)]
    Annotation(AnnotationError),
}

impl ReviewError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Gate(error) => error.kind(),
            Self::Approval(error) => error.kind(),
            Self::Policy(error) => error.kind(),
            Self::Annotation(error) => error.kind(),
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gate(error) => error.code(),
            Self::Approval(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Annotation(error) => error.code(),
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Gate(error) => error.hints(),
            Self::Approval(error) => error.hints(),
            Self::Policy(error) => error.hints(),
            Self::Annotation(error) => error.hints(),
        }
    }

    /// What the sentence could not name, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Gate(error) => error.details(),
            Self::Approval(_) | Self::Policy(_) | Self::Annotation(_) => Vec::new(),
        }
    }
}

impl From<GateError> for Error {
    fn from(error: GateError) -> Self {
        Self::Review(ReviewError::Gate(error))
    }
}

impl From<ApprovalError> for Error {
    fn from(error: ApprovalError) -> Self {
        Self::Review(ReviewError::Approval(error))
    }
}

impl From<PolicyError> for Error {
    fn from(error: PolicyError) -> Self {
        Self::Review(ReviewError::Policy(error))
    }
}

impl From<AnnotationError> for Error {
    fn from(error: AnnotationError) -> Self {
        Self::Review(ReviewError::Annotation(error))
    }
}
