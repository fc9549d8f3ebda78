//! Checks of what aether needs from the machine, each in a file of its own and each with its remedy.
//!
//! Checks only look: they create nothing and repair nothing, also when nothing was ever set up.

mod acceleration;
mod catalog;
mod dev_fuse;
mod disk_space;
mod file_system;
mod fusermount;
mod kernel;
mod permissions;
mod stale;
mod user_allow_other;

use super::Context;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, but something is missing or slow.
    Warning,
    /// Something will not work.
    Failed,
}

/// What one check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The check's stable name.
    pub check: &'static str,
    /// How it ended.
    pub level: Level,
    /// What was found, in one sentence without a full stop.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Good, found: found.into(), remedy: None }
    }

    fn warning(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn failed(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Failed, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Whether this process may mount by itself.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs every check. `exe` is this program.
#[must_use]
pub fn run(cx: &Context, path_variable: Option<&std::ffi::OsStr>, exe: &std::path::Path) -> Vec<Finding> {
    vec![
        dev_fuse::check(),
        fusermount::check(path_variable),
        user_allow_other::check(),
        kernel::check(),
        acceleration::check(&cx.paths.data, exe),
        file_system::check(&cx.paths.data),
        disk_space::check(&cx.paths.data),
        permissions::check(&cx.paths.data),
        permissions::check_runtime(&cx.paths),
        stale::check_mounts(&cx.paths.runtime),
        stale::check_sockets(&cx.paths.runtime),
        catalog::check(&cx.paths.data),
    ]
}

/// The path itself, or the nearest directory above it that exists.
fn nearest_existing(path: &std::path::Path) -> &std::path::Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(std::path::Path::new("/"))
}
