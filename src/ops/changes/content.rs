//! Whether two files hold the same bytes, and reading them whole.

use std::io::Write;

use crate::model::Content;
use crate::overlay::{Error, SnapshotBody, SnapshotEntry, Whence};

use super::{PatchError, TreeView};

const BLOCK_BYTES: usize = 1 << 20;

/// A file of a tree.
#[derive(Clone, Copy)]
pub(super) struct FileOf<'a> {
    pub(super) view: &'a dyn TreeView,
    pub(super) entry: &'a SnapshotEntry,
}

impl FileOf<'_> {
    fn frozen(&self) -> Option<Content> {
        match self.entry.body {
            SnapshotBody::File(content) => content,
            _ => None,
        }
    }

    /// Whether a file with this content could hold holes: one chunk cannot.
    fn has_holes(&self) -> Result<bool, Error> {
        match self.frozen() {
            Some(Content::Chunk(_)) => Ok(false),
            _ => Ok(self.view.seek(self.entry, 0, Whence::Hole)?.is_some_and(|at| at < self.entry.attr.size)),
        }
    }

    /// How many bytes the file has.
    pub(super) fn len(self) -> u64 {
        self.entry.attr.size
    }

    /// Hands the bytes of the file to `take`, piece by piece. Those of a long hole are not read.
    pub(super) fn pieces<E: From<Error>>(self, take: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut buf = vec![0; BLOCK_BYTES.min(self.len() as usize)];
        let mut at = 0;
        while at < self.len() {
            let count = self.fill(at, &mut buf)?;
            if count == 0 {
                break;
            }
            take(&buf[..count])?;
            at += count as u64;
            if !is_zero(&buf[..count]) {
                continue;
            }
            let data = self.next_data(at)?;
            while at < data {
                let count = (data - at).min(count as u64);
                take(&buf[..count as usize])?;
                at += count;
            }
        }
        Ok(())
    }

    /// Where the data goes on at or behind `at`; the end of the file if only a hole is left.
    fn next_data(self, at: u64) -> Result<u64, Error> {
        match at < self.len() {
            true => Ok(self.view.seek(self.entry, at, Whence::Data)?.unwrap_or(self.len())),
            false => Ok(self.len()),
        }
    }

    /// All bytes of the file.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.entry.attr.size as usize];
        let count = self.fill(0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// BLAKE3 of the bytes.
    pub(super) fn digest(&self) -> Result<[u8; 32], Error> {
        let mut hasher = blake3::Hasher::new();
        self.pieces(&mut |piece| {
            hasher.update(piece);
            Ok::<_, Error>(())
        })?;
        Ok(*hasher.finalize().as_bytes())
    }

    /// Reads until `buf` is full or the file ends.
    fn fill(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        while done < buf.len() {
            match self.view.read(self.entry, offset + done as u64, &mut buf[done..])? {
                0 => break,
                count => done += count,
            }
        }
        Ok(done)
    }
}

/// Writes the content of a file, or the target of a symbolic link.
///
/// # Errors
/// [`PatchError`].
pub fn copy_content(view: &dyn TreeView, entry: &SnapshotEntry, out: &mut dyn Write) -> Result<(), PatchError> {
    if let SnapshotBody::Symlink(target) = &entry.body {
        return Ok(out.write_all(target)?);
    }
    FileOf { view, entry }.pieces(&mut |piece| Ok::<_, PatchError>(out.write_all(piece)?))
}

/// Whether the bytes are the same. Frozen files are told apart by what they are named after; bytes are read only of a
/// file that was written since, or where holes may be what makes the difference.
pub(super) fn same_bytes(a: FileOf<'_>, b: FileOf<'_>) -> Result<bool, Error> {
    if a.entry.attr.size != b.entry.attr.size {
        return Ok(false);
    }
    if let (Some(left), Some(right)) = (a.frozen(), b.frozen()) {
        if left == right {
            return Ok(true);
        }
        // Equal bytes with equal holes have equal content, so without holes the bytes differ.
        if !a.has_holes()? && !b.has_holes()? {
            return Ok(false);
        }
    }
    let len = a.entry.attr.size;
    let block = BLOCK_BYTES.min(len as usize);
    let (mut left, mut right) = (vec![0; block], vec![0; block]);
    let mut at = 0;
    while at < len {
        let (count, other) = (a.fill(at, &mut left)?, b.fill(at, &mut right)?);
        if left[..count] != right[..other] {
            return Ok(false);
        }
        if count == 0 {
            break;
        }
        at += count as u64;
        if is_zero(&left[..count]) {
            at = a.next_data(at)?.min(b.next_data(at)?);
        }
    }
    Ok(true)
}

/// Whether these could be the bytes of a hole.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
