//! Reading any state without a mount: one file, or what is in a directory.

use crate::model::{BytePath, Kind};
use crate::overlay::{SnapshotBody, SnapshotEntry};

use super::changes::TreeView;
use super::error::Result;
use super::live::LiveError;
use super::states::{StateView, resolve_path};
use super::{Context, Error};

/// How much of a file is read at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A path that was looked at.
#[derive(Debug)]
pub struct Listed {
    /// The state and the path, as one could write them.
    pub shown: String,
    /// The entries of the directory, in the order of their names' bytes; or the one that is no directory.
    pub entries: Vec<SnapshotEntry>,
}

/// Reads a file named as `STATE:PATH`, and hands it to `take` piece by piece.
///
/// # Errors
/// It is not there or no file, it cannot be read, or what `take` says.
pub fn cat(cx: &mut Context, what: &[u8], take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let (named, path) = resolve_path(cx, what)?;
    let view = StateView::open(cx, &named)?;
    let (_, entry) = view.find(&path, true)?.ok_or_else(|| absent(&named.name(), &path))?;
    if entry.attr.kind != Kind::File {
        return Err(Error::NotAFile { state: named.name(), path });
    }
    let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(entry.attr.size).unwrap_or(PIECE_BYTES))];
    let mut at = 0;
    while at < entry.attr.size {
        let count = view.read(&entry, at, &mut piece).map_err(LiveError::from)?;
        if count == 0 {
            break;
        }
        take(&piece[..count])?;
        at += count as u64;
    }
    Ok(())
}

/// Lists a directory, or one file, named as `STATE:PATH`.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn list(cx: &mut Context, what: &[u8]) -> Result<Listed> {
    let (named, path) = resolve_path(cx, what)?;
    let view = StateView::open(cx, &named)?;
    let (_, entry) = view.find(&path, false)?.ok_or_else(|| absent(&named.name(), &path))?;
    let shown = format!("{}:{}", named.name(), path.as_path().display());
    match entry.body {
        SnapshotBody::Dir(dir) => Ok(Listed { shown, entries: view.list(dir).map_err(LiveError::from)? }),
        _ => Ok(Listed { shown, entries: vec![entry] }),
    }
}

fn absent(state: &str, path: &BytePath) -> Error {
    Error::NoPath { state: state.to_owned(), path: path.clone() }
}
