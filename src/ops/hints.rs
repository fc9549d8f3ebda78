//! What helps against failures that have a hint of one line.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

use super::Error;
use super::import::{Unreadable, WhyUnreadable};
use super::session_run::RunError;

/// What helps when the system refuses a file.
pub(super) fn of_io(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::NotFound => "look at the path again; it is taken from the working directory",
        ErrorKind::PermissionDenied => "`namei -l PATH` shows whose directories lead to it",
        ErrorKind::AlreadyExists => "name another place, or move away what is there",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space: `aether du` says who needs how much, `aether store gc` gives back what nobody needs"
        }
        ErrorKind::ReadOnlyFilesystem => "name a place that can be written",
        ErrorKind::IsADirectory => "name a file",
        ErrorKind::NotADirectory => "name a directory",
        ErrorKind::InvalidFilename => "a name has at most 255 bytes, a path at most 4095",
        // Not from the system.
        ErrorKind::Other | ErrorKind::InvalidData => return None,
        _ => "`aether doctor` checks what aether needs from this machine",
    })
}

/// What helps when files of an origin cannot be read.
pub(super) fn of_unreadable(files: &[Unreadable]) -> Vec<String> {
    let is_denied = |file: &Unreadable| file.why == WhyUnreadable::Content(Errno::ACCESS);
    let chmod = files.iter().any(is_denied).then_some("`chmod -R u+rX` lets you read those that are your own");
    let skip = "`--exclude` leaves them out for good, `--skip-unreadable` takes all the others";
    chmod.into_iter().chain([skip]).map(Into::into).collect()
}

/// What helps against all else that is not told by its part.
pub(super) fn plain(error: &Error) -> Vec<String> {
    let hint = match error {
        Error::Run(RunError::NoPlace { .. }) => "without `--same-path` it runs in the session's own mount".into(),
        Error::NoOrigin { name } => format!("`aether source promote {name} --from SESSION` makes revisions of it"),
        Error::NoEarlierRevision { .. } => "`aether source log` lists the revisions".into(),
        Error::NotForKind { .. } => "`aether source create --help` says what is for which kind".into(),
        Error::BadRevision { .. } => {
            "a revision is written as `SOURCE@NUMBER`, a checkpoint as `SESSION@NUMBER`".into()
        }
        Error::OtherSession { name, .. } => format!("`aether checkpoint list {name}` lists its checkpoints"),
        Error::NoPath { state, .. } => format!("`aether ls {state}` lists what is there"),
        Error::OutsideTree { .. } | Error::BadPath { .. } => {
            "write paths from the top of the tree, as `src/main.rs`".into()
        }
        Error::NotShown { .. } => "`aether doctor` checks what aether needs from this machine".into(),
        _ => return Vec::new(),
    };
    vec![hint]
}
