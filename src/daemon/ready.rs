//! How a mount process says that it is ready, or why not: one line of JSON on a pipe.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Failure, path_text};

/// The longest message, in bytes.
pub(super) const MAX_READY_BYTES: usize = 64 * 1024;

/// A mount that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The process that serves it.
    pub pid: u32,
    /// Where.
    #[serde(with = "path_text")]
    pub mount_point: PathBuf,
}

/// The line on the pipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Message {
    Ready(Ready),
    Error(Failure),
}

/// Who is told when the mount answers.
pub enum Announce {
    /// Whoever reads this pipe.
    Pipe(File),
    /// A function of this process, which serves in the foreground.
    Call(Box<dyn FnOnce(&Ready) + Send>),
}

impl std::fmt::Debug for Announce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pipe(_) => "Pipe",
            Self::Call(_) => "Call",
        })
    }
}

impl Announce {
    pub(super) fn ready(self, ready: Ready) {
        match self {
            Self::Pipe(pipe) => write(pipe, &Message::Ready(ready)),
            Self::Call(call) => call(&ready),
        }
    }

    /// In the foreground the error is returned, not announced.
    pub(super) fn failed(self, failure: &Failure) {
        if let Self::Pipe(pipe) = self {
            write(pipe, &Message::Error(failure.clone()));
        }
    }
}

fn write(mut pipe: File, message: &Message) {
    // Whoever started this process may have given up on it; the mount is there all the same.
    if let Ok(mut line) = serde_json::to_vec(message) {
        line.push(b'\n');
        let _nobody_reads = pipe.write_all(&line);
    }
}
