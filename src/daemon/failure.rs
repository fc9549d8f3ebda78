//! An error on its way to another process.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fuse::{Hold, Holder, MountError};

/// What went wrong, in a form that survives a pipe or socket. The message is escaped where it quotes names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A stable word for the kind of error.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// What can be done about it, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// What the code's meaning asks for, such as the holders of a busy mount.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl Failure {
    /// A failure without hints.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hints: Vec::new(), details: Value::Null }
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// An I/O error about a path.
    #[must_use]
    pub fn io(path: &Path, error: &io::Error) -> Self {
        Self::new("io", format!("`{}`: {error}", path.display().to_string().escape_debug()))
    }
}

/// A process that keeps a mount busy; names are escaped.
fn holder_view(holder: &Holder) -> Value {
    let (how, path) = match &holder.hold {
        Hold::WorkingDirectory(path) => ("cwd", path),
        Hold::Root(path) => ("root", path),
        Hold::Program(path) => ("program", path),
        Hold::OpenFile(path) => ("file", path),
        Hold::Mapped(path) => ("mapped", path),
        Hold::Mount(path) => ("mount", path),
    };
    let escaped = |name: &OsStr| name.as_bytes().escape_ascii().to_string();
    json!({
        "pid": holder.pid,
        "command": escaped(&holder.command),
        "holds": how,
        "path": escaped(path.as_os_str()),
    })
}

impl From<MountError> for Failure {
    fn from(error: MountError) -> Self {
        let mut failure = Self::new(error.code(), error.to_string());
        failure.hints = error.hints();
        if let MountError::Busy { holders, .. } = &error {
            failure.details = holders.iter().map(holder_view).collect();
        }
        failure
    }
}
