//! Why a note cannot be made or changed.

use std::fmt::Display;

use crate::model::BytePath;
use crate::ops::Kind;

/// Why a note cannot be made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// It says nothing.
    #[error("a note without a text says nothing")]
    Empty,
    /// The text behind the colon names no lines.
    #[error("`{text}` names no lines: they are written as `7` or `7-9`")]
    BadLines {
        /// As the user wrote it.
        text: String,
    },
    /// There is nothing at the path.
    #[error("the session has no `{}`", .path.as_path().display())]
    NoPath {
        /// The path.
        path: BytePath,
    },
    /// What is at the path has no lines.
    #[error("`{}` is no text that has lines", .path.as_path().display())]
    NoText {
        /// The path.
        path: BytePath,
    },
    /// The file is shorter.
    #[error("`{}` has no line {line}: it has {lines}", .path.as_path().display())]
    NoLine {
        /// The path.
        path: BytePath,
        /// The line.
        line: u64,
        /// How many it has.
        lines: u64,
    },
    /// The content is not what was looked at.
    #[error("`{}` is not what was looked at any more: its hash is {}", .path.as_path().display(), .found.as_deref().unwrap_or("none"))]
    Stale {
        /// The path.
        path: BytePath,
        /// The hash of what it is.
        found: Option<String>,
    },
    /// It is what it was to become.
    #[error("annotation `{id}` is {} already", if *.is_open { "open" } else { "resolved" })]
    SoAlready {
        /// The note.
        id: String,
        /// Whether it is open.
        is_open: bool,
    },
    /// A file cannot be read.
    #[error("the file cannot be read: {why}")]
    Unreadable {
        /// What was said.
        why: String,
    },
}

impl AnnotationError {
    pub(super) fn unreadable(error: impl Display) -> Self {
        Self::Unreadable { why: error.to_string() }
    }

    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Empty | Self::BadLines { .. } => Kind::Usage,
            Self::NoPath { .. } | Self::NoLine { .. } => Kind::NotFound,
            Self::Stale { .. } | Self::SoAlready { .. } => Kind::Conflict,
            Self::NoText { .. } | Self::Unreadable { .. } => Kind::Failed,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::BadLines { .. } => "bad-lines",
            Self::NoPath { .. } => "no-path",
            Self::NoText { .. } => "no-text",
            Self::NoLine { .. } => "no-line",
            Self::Stale { .. } => "stale",
            Self::SoAlready { .. } => "so-already",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Stale { .. } => vec!["look again, then say it with the new hash".into()],
            Self::Empty => vec!["`-m TEXT` says something".into()],
            Self::BadLines { .. } => vec!["write it as `src/main.rs:7` or `src/main.rs:7-9`".into()],
            Self::NoPath { .. } => vec!["`aether ls` lists what is there; paths begin at the top of the tree".into()],
            Self::NoText { .. } => vec!["a note without lines is about the whole file".into()],
            Self::NoLine { path, .. } => vec![format!("`aether cat @:{}` prints it", path.as_path().display())],
            Self::SoAlready { .. } => vec!["`aether annotation list` shows them".into()],
            Self::Unreadable { .. } => vec!["`aether store verify` says what is damaged".into()],
        }
    }
}
