//! What is wrong with a policy.

use crate::ops::Kind;

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is no TOML, or sets what does not exist.
    #[error("the policy `{file}`, line {line}: {why}")]
    Syntax {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A value that the key cannot have.
    #[error("the policy `{file}` sets `{key}` to a wrong value: {why}")]
    Wrong {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// The source has none.
    #[error("source `{source_name}` has no policy")]
    None {
        /// The source.
        source_name: String,
    },
    /// The session came from no source that is there.
    #[error("session `{session}` came from no source that could have a policy")]
    NoSource {
        /// The session.
        session: String,
    },
    /// The text editor failed, or there is none.
    #[error("the editor `{editor}` failed: {why}")]
    Editor {
        /// Its command.
        editor: String,
        /// What happened.
        why: String,
    },
}

impl PolicyError {
    pub(super) fn syntax(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let why = error.message().replace('\n', ", ");
        // What stands before the value that is wrong.
        let key = before.rsplit('\n').next().and_then(|line| line.split_once('='));
        let why = key.map_or_else(|| why.clone(), |(key, _)| format!("`{}`: {why}", key.trim()));
        Self::Syntax { file: file.to_owned(), line, why }
    }

    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Syntax { .. } | Self::Wrong { .. } => Kind::Usage,
            Self::None { .. } | Self::NoSource { .. } => Kind::NotFound,
            Self::Editor { .. } => Kind::Failed,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } | Self::Wrong { .. } => "bad-policy",
            Self::None { .. } => "no-policy",
            Self::NoSource { .. } => "no-source",
            Self::Editor { .. } => "editor",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::None { source_name } => vec![format!("`aether policy edit {source_name}` writes one")],
            Self::Syntax { .. } | Self::Wrong { .. } => vec!["`aether policy set --help` shows what there is".into()],
            Self::Editor { .. } => vec!["set EDITOR, or use `aether policy set --file`".into()],
            Self::NoSource { .. } => Vec::new(),
        }
    }
}
