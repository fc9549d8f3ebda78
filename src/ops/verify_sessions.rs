//! Checking what sessions have beside the store: their journals, and the data that these name.
//!
//! A session that is mounted is asked for a snapshot, and read through its mount process, which compares every block with
//! the checksum that the journal has of it; one that is not is opened and read here in the same way. So programs can go on
//! writing. Nothing is read of what is frozen: that is the store's.

use crate::catalog::Session;
use crate::model::BytePath;
use crate::overlay::{Error as ReadError, SnapshotBody, SnapshotDir, SnapshotEntry};

use super::changes::TreeView;
use super::error::Result;
use super::live::{self, LiveError};
use super::states::StateView;
use super::store_verify::VerifyReport;
use super::{Context, Error};

/// How much is read at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// How many files of one session are named.
const MAX_FILES: usize = 100;

/// Checks the live files of all sessions; with `read_data` every byte that was written.
pub(super) fn check(cx: &mut Context, read_data: bool, report: &mut VerifyReport) -> Result<()> {
    for session in cx.catalog()?.view().sessions()? {
        let dir = live::session_dir(&cx.paths.data, &session.id);
        if !live::has_files(&dir, session.delta) {
            continue;
        }
        match look(cx, &session, read_data) {
            Ok(bad) => report.sessions.extend(bad.into_iter().map(|why| (session.name.clone(), why))),
            Err(Error::Live(LiveError::InUse { .. })) => report.skipped.push(session.name),
            Err(error) if matches!(error.code(), "control-unreachable" | "accelerated") => {
                report.skipped.push(session.name)
            }
            // Damage of the tree below is told of already.
            Err(Error::Live(LiveError::Store(_) | LiveError::Lower(_))) => {}
            Err(Error::Live(error)) => report.sessions.push((session.name, error.to_string())),
            // It may have been deleted meanwhile.
            Err(_) => {}
        }
    }
    Ok(())
}

/// What is wrong with the files of a session.
fn look(cx: &mut Context, session: &Session, read_data: bool) -> Result<Vec<String>> {
    let view = StateView::session(cx, session)?;
    let mut bad = Vec::new();
    if !read_data {
        return Ok(bad);
    }
    let mut name = |path: &BytePath, error: &ReadError| {
        if bad.len() < MAX_FILES {
            bad.push(format!("`{}`: {error}", path.as_path().display()));
        }
    };
    let root = view.root().map_err(LiveError::from)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut stack = vec![(BytePath::root(), root)];
    while let Some((path, entry)) = stack.pop() {
        match &entry.body {
            SnapshotBody::Dir(dir @ SnapshotDir::Changed { .. }) => match view.list(*dir) {
                Ok(entries) => stack.extend(entries.into_iter().map(|entry| (path.join(&entry.name), entry))),
                Err(ReadError::Lower(_)) => {}
                Err(error) => name(&path, &error),
            },
            SnapshotBody::File(None) => match read(&view, &entry, &mut piece) {
                Ok(()) | Err(ReadError::Lower(_)) => {}
                Err(error) => name(&path, &error),
            },
            _ => {}
        }
    }
    Ok(bad)
}

fn read(view: &StateView, file: &SnapshotEntry, piece: &mut [u8]) -> std::result::Result<(), ReadError> {
    let mut at = 0;
    while at < file.attr.size {
        let want = piece.len().min(usize::try_from(file.attr.size - at).unwrap_or(PIECE_BYTES));
        match view.read(file, at, &mut piece[..want])? {
            0 => return Err(ReadError::Upper(std::io::ErrorKind::UnexpectedEof.into())),
            count => at += count as u64,
        }
    }
    Ok(())
}
