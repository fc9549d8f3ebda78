//! What an import reports: the reason it failed, and what it did not take.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::model::BytePath;
use crate::ops::assemble::AssembleError;
use crate::ops::rules::BadGlob;
use crate::store::StoreError;

/// Why an import did not come about. Nothing of it is visible then; what was stored is reused by the next one.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The origin cannot be opened.
    #[error("cannot open `{}`: {source}", path.display())]
    Origin {
        /// The path as it was given.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The origin is no directory.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The origin is the data directory or lies in it.
    #[error("`{}` is part of the data directory and cannot be imported", path.display())]
    InsideDataDirectory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A glob of the options.
    #[error(transparent)]
    Glob(#[from] BadGlob),
    /// Some files could not be read, and they were not to be skipped.
    #[error("{} could not be read, first {}", count(files.len()), files.first().map_or(String::new(), Unreadable::to_string))]
    Unreadable {
        /// Every one of them, in the order of their paths.
        files: Vec<Unreadable>,
    },
    /// The origin was removed while it was imported.
    #[error("the directory vanished while it was imported")]
    Vanished,
    /// What is to be imported is neither a directory nor anything else that is known.
    #[error("`{}` is no directory, git repository, bundle or tar archive", path.display())]
    Unrecognised {
        /// The path as it was given.
        path: PathBuf,
    },
    /// An archive could not be read.
    #[error("the archive cannot be read{}: {source}", at.as_ref().map_or(String::new(), |at| format!(" at `{}`", at.escape_ascii())))]
    Archive {
        /// The entry, if it is known.
        at: Option<Box<[u8]>>,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// An archive or repository has an entry that no tree can have.
    #[error("refused: {0}")]
    Entry(#[source] AssembleError),
    /// There is more than was allowed.
    #[error("there is more than the {max_bytes} bytes that are allowed")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// Git could not do what it was asked for.
    #[error("git {what}: {why}")]
    Git {
        /// What it was to do.
        what: String,
        /// What it said.
        why: String,
    },
    /// The import was cancelled.
    #[error("the import was interrupted")]
    Interrupted,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// A file, directory or attribute that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it is in the tree.
    pub path: BytePath,
    /// What is wrong with it.
    pub why: WhyUnreadable,
}

/// What makes a file unreadable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyUnreadable {
    /// The system refuses the content of a file or the list of a directory.
    Content(Errno),
    /// An extended attribute, or the list of them, cannot be read. When unreadable files are skipped the file is
    /// taken without it.
    Xattr {
        /// The attribute's name; `None` for the list.
        name: Option<Box<[u8]>>,
        /// What the system says.
        error: Errno,
    },
    /// It was being written all the time that it was read.
    Changing,
    /// The name is longer than 255 bytes, which no session could show.
    NameTooLong,
}

impl fmt::Display for WhyUnreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(error) => error.fmt(f),
            Self::Xattr { name: Some(name), error } => write!(f, "attribute `{}`: {error}", name.escape_ascii()),
            Self::Xattr { name: None, error } => write!(f, "list of attributes: {error}"),
            Self::Changing => f.write_str("it changes while it is read"),
            Self::NameTooLong => f.write_str("its name is longer than 255 bytes"),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_root() { b"." } else { self.path.as_bytes() };
        write!(f, "`{}`: {}", path.escape_ascii(), self.why)
    }
}

/// A directory that an import does not enter, without having been told so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Where it is in the tree.
    pub path: BytePath,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why a directory is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyLeftOut {
    /// It holds the store that the import writes to.
    DataDirectory,
    /// A session is mounted there.
    OwnMount,
    /// What is mounted there shows the state of the kernel, not files.
    KernelFileSystem,
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DataDirectory => "it is the data directory",
            Self::OwnMount => "a session is mounted there",
            Self::KernelFileSystem => "a kernel file system is mounted there",
        })
    }
}
