//! What the cache, the locks, the bus and health have in common: why they refuse, and bytes that users hand in.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::error::Result;
use super::{Error, Kind};

/// Why the cache, a lock, the bus or health refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoordinationError {
    /// A text that cannot be a key, a topic, a path pattern or a message.
    #[error("{what} cannot be used: {why}")]
    BadText {
        /// What it was to be.
        what: &'static str,
        /// The rule it breaks.
        why: String,
    },
    /// More bytes than there may be.
    #[error("{what} has more than {max_mib} MiB")]
    TooLarge {
        /// What has.
        what: &'static str,
        /// How many there may be.
        max_mib: usize,
    },
    /// The session has no such entry.
    #[error("session `{session}` has no cache entry `{key}`")]
    NoEntry {
        /// The session.
        session: String,
        /// The key.
        key: String,
    },
    /// Somebody changed the entry meanwhile, or made it first.
    #[error("cache entry `{key}` {}", version_text(.present))]
    Stale {
        /// The key.
        key: String,
        /// The version that it has; 0: it is not there.
        present: u64,
    },
    /// A line of an import cannot be read.
    #[error("line {line} cannot be imported: {why}")]
    BadLine {
        /// Its number.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Somebody else holds a path.
    #[error("`{path}` is locked by {holder} (`{pattern}`, until {until}){}", for_what(.message))]
    Locked {
        /// The path that was to be touched or locked.
        path: String,
        /// The lock's path or pattern.
        pattern: String,
        /// Who holds it.
        holder: String,
        /// Until when.
        until: String,
        /// What for.
        message: String,
    },
    /// Somebody holds a lock, and did not let go of it in time.
    #[error("{0}, and its holder did not let go of it in time")]
    StillLocked(Box<Self>),
    /// No lock has this token any more.
    #[error("no lock has the token `{token}`: it was released or broken, or it has expired")]
    LockLost {
        /// The token.
        token: String,
    },
    /// No lock has this pattern.
    #[error("nothing is locked as `{pattern}`")]
    NotLocked {
        /// As the user wrote it.
        pattern: String,
    },
    /// A session that came from no source has nobody to share locks with.
    #[error("session `{session}` came from no source, and locks belong to one")]
    NoSource {
        /// The session.
        session: String,
    },
    /// A report that is none.
    #[error("`{}` is no JUnit report: {why}", .path.display())]
    BadReport {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What was said and what was measured differ.
    #[error("the result is said to be `pass`, but {why}")]
    NotPassing {
        /// What was measured.
        why: String,
    },
    /// Neither a word nor a report nor an exit code.
    #[error("it is not said whether the tests passed")]
    NoResult,
}

fn version_text(version: &u64) -> String {
    match version {
        0 => "is not there".into(),
        version => format!("has version {version}"),
    }
}

fn for_what(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl CoordinationError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadText { .. } | Self::BadLine { .. } | Self::NoResult | Self::NotPassing { .. } => Kind::Usage,
            Self::TooLarge { .. } | Self::NoSource { .. } | Self::BadReport { .. } => Kind::Failed,
            Self::NoEntry { .. } | Self::NotLocked { .. } => Kind::NotFound,
            Self::Stale { .. } | Self::LockLost { .. } => Kind::Conflict,
            Self::Locked { .. } => Kind::Refused,
            Self::StillLocked(_) => Kind::Busy,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadText { .. } => "bad-text",
            Self::TooLarge { .. } => "too-large",
            Self::NoEntry { .. } => "no-entry",
            Self::Stale { .. } => "stale",
            Self::BadLine { .. } => "bad-line",
            Self::Locked { .. } => "locked",
            Self::StillLocked(_) => "still-locked",
            Self::LockLost { .. } => "lock-lost",
            Self::NotLocked { .. } => "not-locked",
            Self::NoSource { .. } => "no-source",
            Self::BadReport { .. } => "bad-report",
            Self::NotPassing { .. } => "not-passing",
            Self::NoResult => "no-result",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoEntry { .. } => vec!["`aether cache list` lists the entries".into()],
            Self::Stale { present: 0, .. } => vec!["`--if-absent` makes it".into()],
            Self::Stale { key, present } => {
                vec![format!("look at it again with `aether cache get {key}`, then `--if-version {present}`")]
            }
            Self::Locked { .. } => {
                vec!["`aether lock list` lists the locks; `aether lock break` takes one away".into()]
            }
            Self::StillLocked(locked) => locked.hints(),
            Self::LockLost { .. } => vec!["`aether lock acquire` takes a new one".into()],
            Self::NotLocked { .. } => vec!["`aether lock list` lists the locks".into()],
            Self::NoResult => vec!["say `pass` or `fail`, or give `--file` or `--exit-code`".into()],
            _ => Vec::new(),
        }
    }
}

/// Where bytes come from.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Here they are.
    Bytes(Vec<u8>),
    /// What a file holds.
    File(PathBuf),
    /// What comes on standard input.
    Stdin,
}

impl Payload {
    /// The bytes.
    ///
    /// # Errors
    /// They cannot be read, or there are more than `max`.
    pub fn read(self, what: &'static str, max: usize) -> Result<Vec<u8>> {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            Self::File(path) => {
                let read = File::open(&path).and_then(|file| at_most(file, max));
                read.map_err(|source| Error::Io { path, source })?
            }
            Self::Stdin => at_most(io::stdin().lock(), max)
                .map_err(|source| Error::Io { path: "standard input".into(), source })?,
        };
        if bytes.len() > max {
            return Err(CoordinationError::TooLarge { what, max_mib: max >> 20 }.into());
        }
        Ok(bytes)
    }
}

/// All bytes, or one more than `max`.
fn at_most(from: impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Checks a short text that names something.
pub(super) fn check_text(what: &'static str, text: &str, max_bytes: usize) -> Result<()> {
    let why = match text {
        "" => "it is empty".to_owned(),
        text if text.len() > max_bytes => format!("it has more than {max_bytes} bytes"),
        text if text.contains('\0') => "it has a NUL character in it".to_owned(),
        _ => return Ok(()),
    };
    Err(CoordinationError::BadText { what, why }.into())
}
