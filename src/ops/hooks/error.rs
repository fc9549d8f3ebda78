//! Why a hook keeps something from happening, or is not run.

use std::path::PathBuf;
use std::time::Duration;

use crate::ops::Kind;

use super::{End, Ran};

/// Why a hook keeps something from happening, or is not run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HookError {
    /// It said no, or did not come to an answer.
    #[error("hook `{hook}` {}", ended(.ran, *.limit))]
    Failed {
        /// Its name.
        hook: &'static str,
        /// Its file.
        path: PathBuf,
        /// What came of it.
        ran: Box<Ran>,
        /// How long it had.
        limit: Duration,
    },
    /// It cannot be run.
    #[error("hook `{hook}` cannot be run: {why}")]
    CannotRun {
        /// Its name.
        hook: &'static str,
        /// Its file.
        path: PathBuf,
        /// Why not.
        why: String,
        /// What helps.
        hint: Option<String>,
    },
    /// There is no view of the state that it speaks of.
    #[error("hook `{hook}` cannot be shown the state that it speaks of: {why}")]
    NoView {
        /// Its name.
        hook: &'static str,
        /// Why not.
        why: String,
    },
    /// Hooks call aether, which calls hooks, and so on.
    #[error("hook `{hook}` is not run: hooks call each other more than {limit} deep")]
    TooDeep {
        /// Its name.
        hook: &'static str,
        /// How deep they may.
        limit: u32,
    },
    /// The actor may not leave hooks out.
    #[error("`{actor}` may not leave out hook `{hook}`: the policy of the source lets {whom}")]
    MayNotSkip {
        /// Its name.
        hook: &'static str,
        /// The actor.
        actor: String,
        /// Who may, in half a sentence.
        whom: &'static str,
    },
    /// What is to happen is not what the hook looked at.
    #[error("session `{name}` changed after hook `{hook}` had looked at it")]
    Overtaken {
        /// Its name.
        hook: &'static str,
        /// The session.
        name: String,
    },
    /// There is no hook of this name.
    #[error("`{name}` is no hook")]
    Unknown {
        /// As the user wrote it.
        name: String,
    },
    /// Nothing of this name is installed there.
    #[error("no hook `{name}` is installed {place}")]
    NotInstalled {
        /// Its name.
        name: String,
        /// Where, in half a sentence.
        place: String,
    },
    /// Something of this name is installed there.
    #[error("a hook `{name}` is installed {place} already")]
    Installed {
        /// Its name.
        name: String,
        /// Where, in half a sentence.
        place: String,
    },
    /// What is to be installed cannot be a hook.
    #[error("`{}` cannot be a hook: {why}", .path.display())]
    NoProgram {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// A git hook is not what was installed.
    #[error("`{}` is left alone: {why}", .path.display())]
    ForeignGitHook {
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        why: &'static str,
    },
}

fn ended(ran: &Ran, limit: Duration) -> String {
    match ran.end {
        End::Code(0) => "ended well".into(),
        End::Code(code) => format!("says no: it ended with exit code {code}"),
        End::Signal(signal) => format!("was ended by signal {signal}"),
        End::TimedOut => format!("did not end within {limit:?}, and was killed"),
        End::Interrupted => "was interrupted".into(),
    }
}

impl HookError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Failed { ran, .. } => match ran.end {
                End::TimedOut => Kind::Busy,
                End::Interrupted => Kind::Interrupted,
                End::Code(_) | End::Signal(_) => Kind::Refused,
            },
            Self::CannotRun { .. } | Self::NoView { .. } | Self::TooDeep { .. } | Self::MayNotSkip { .. } => {
                Kind::Refused
            }
            Self::Overtaken { .. } | Self::Installed { .. } | Self::ForeignGitHook { .. } => Kind::Conflict,
            Self::Unknown { .. } | Self::NoProgram { .. } => Kind::Usage,
            Self::NotInstalled { .. } => Kind::NotFound,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { ran, .. } => match ran.end {
                End::TimedOut => "hook-timed-out",
                End::Interrupted => "interrupted",
                End::Code(_) | End::Signal(_) => "hook-refused",
            },
            Self::CannotRun { .. } => "hook-cannot-run",
            Self::NoView { .. } => "hook-no-view",
            Self::TooDeep { .. } => "hook-too-deep",
            Self::MayNotSkip { .. } => "hook-may-not-skip",
            Self::Overtaken { .. } => "hook-overtaken",
            Self::Unknown { .. } => "no-such-hook",
            Self::NotInstalled { .. } => "hook-not-installed",
            Self::Installed { .. } => "hook-installed",
            Self::NoProgram { .. } => "hook-no-program",
            Self::ForeignGitHook { .. } => "git-hook-foreign",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Failed { path, ran, .. } => match ran.end {
                End::TimedOut => vec!["`hooks.timeout_s` in the config says how long hooks may take".into()],
                End::Interrupted => Vec::new(),
                End::Code(_) | End::Signal(_) => vec![format!("the hook is `{}`", path.display())],
            },
            Self::CannotRun { path, hint, .. } => {
                let own = hint.clone().unwrap_or_else(|| format!("the hook is `{}`", path.display()));
                vec![own]
            }
            Self::Overtaken { .. } => vec!["try again, at best while nobody writes into it".into()],
            Self::Unknown { .. } => vec!["`aether hook install --help` lists those that there are".into()],
            Self::Installed { .. } => vec!["`--replace` puts the new one in its place".into()],
            Self::NotInstalled { .. } => vec!["`aether hook list` lists them".into()],
            Self::NoView { .. }
            | Self::TooDeep { .. }
            | Self::MayNotSkip { .. }
            | Self::NoProgram { .. }
            | Self::ForeignGitHook { .. } => Vec::new(),
        }
    }

    /// What the hook printed, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Failed { ran, .. } => lines(ran),
            _ => Vec::new(),
        }
    }
}

/// What a hook printed, a line each, with a word where the beginning is missing.
pub(super) fn lines(ran: &Ran) -> Vec<String> {
    let text = String::from_utf8_lossy(&ran.output);
    let cut = ran.is_cut.then(|| format!("(only the last {} KiB)", super::MAX_OUTPUT_BYTES >> 10));
    cut.into_iter().chain(text.lines().map(str::to_owned)).collect()
}
