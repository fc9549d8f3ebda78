//! Why a session cannot go to a plain directory, or come back from one.

use std::path::PathBuf;

use crate::model::BytePath;

/// So many paths are named in a sentence.
const SHOWN: usize = 5;

/// Why a session cannot be written to a directory, or one absorbed.
#[derive(Debug, thiserror::Error)]
pub enum PlainError {
    /// A directory that has to be empty is not.
    #[error("`{}` is there and is not empty", .path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// A session and a directory changed the same paths in different ways.
    #[error("the session changed {} as well", listed(.paths))]
    BothChanged {
        /// Which.
        paths: Vec<BytePath>,
    },
}

impl PlainError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotEmpty { .. } => "not-empty",
            Self::BothChanged { .. } => "both-changed",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::NotEmpty { .. } => "name a directory that is not there yet".into(),
            Self::BothChanged { .. } => {
                "`--force` has the directory win; the session's state before is kept as a checkpoint".into()
            }
        }]
    }
}

/// Paths in a sentence.
fn listed(paths: &[BytePath]) -> String {
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("`{}`", path.as_path().display())).collect();
    match paths.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} and {more} more paths", shown.join(", ")),
        _ => shown.join(", "),
    }
}
