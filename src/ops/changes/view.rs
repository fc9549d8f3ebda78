//! Trees to compare: frozen ones, and sessions at one moment.

use crate::model::{Body, Entry, Root, Timestamp};
use crate::overlay::{Error, Lower, Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry, Upper, Whence};
use crate::store::tree;

/// A tree that can be listed and read, and does not change meanwhile.
///
/// What it lists says what is frozen, so that equal parts are skipped without being read: a directory with everything
/// below it ([`SnapshotDir::Frozen`]), or the content of a file.
pub trait TreeView: Sync {
    /// The root directory; its name has no meaning.
    ///
    /// # Errors
    /// [`Error`] when it cannot be read.
    fn root(&self) -> Result<SnapshotEntry, Error>;

    /// The entries of a directory, in the order of their names' bytes.
    ///
    /// # Errors
    /// [`Error`] when it cannot be read.
    fn list(&self, dir: SnapshotDir) -> Result<Vec<SnapshotEntry>, Error>;

    /// Reads from a file of this tree; returns how many bytes there were.
    ///
    /// # Errors
    /// [`Error`] when they cannot be read.
    fn read(&self, file: &SnapshotEntry, offset: u64, buf: &mut [u8]) -> Result<usize, Error>;

    /// The first data (or hole) of a file at or after `offset`; `None` if there is none before its end.
    ///
    /// # Errors
    /// [`Error`] when that cannot be found out.
    fn seek(&self, file: &SnapshotEntry, offset: u64, what: Whence) -> Result<Option<u64>, Error>;
}

/// A frozen tree.
#[derive(Clone, Copy, Debug)]
pub struct Frozen<'a> {
    lower: &'a dyn Lower,
    root: &'a Root,
}

impl<'a> Frozen<'a> {
    /// The tree of this root.
    #[must_use]
    pub fn new(lower: &'a dyn Lower, root: &'a Root) -> Self {
        Self { lower, root }
    }
}

fn frozen_entry(entry: &Entry) -> SnapshotEntry {
    let body = match &entry.body {
        Body::File(content) => SnapshotBody::File(Some(*content)),
        Body::Dir(dir) => SnapshotBody::Dir(SnapshotDir::Frozen(*dir)),
        Body::Symlink(target) => SnapshotBody::Symlink(target.clone()),
        Body::Special => SnapshotBody::Special,
    };
    SnapshotEntry { name: entry.name.clone(), attr: entry.attr.clone(), xattrs: entry.xattrs.clone(), body }
}

impl TreeView for Frozen<'_> {
    fn root(&self) -> Result<SnapshotEntry, Error> {
        Ok(frozen_entry(&self.root.as_entry()))
    }

    fn list(&self, dir: SnapshotDir) -> Result<Vec<SnapshotEntry>, Error> {
        let SnapshotDir::Frozen(dir) = dir else { return Err(Error::Stale) };
        tree::entries(self.lower, dir).map(|entry| Ok(frozen_entry(&*entry?))).collect()
    }

    fn read(&self, file: &SnapshotEntry, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let SnapshotBody::File(Some(content)) = &file.body else { return Err(Error::Stale) };
        let count = file.attr.size.saturating_sub(offset).min(buf.len() as u64) as usize;
        self.lower.read(content, file.attr.size, offset, &mut buf[..count])?;
        Ok(count)
    }

    fn seek(&self, file: &SnapshotEntry, offset: u64, what: Whence) -> Result<Option<u64>, Error> {
        let SnapshotBody::File(Some(content)) = &file.body else { return Err(Error::Stale) };
        if offset >= file.attr.size {
            return Ok(None);
        }
        Ok(self.lower.seek(content, file.attr.size, offset, what)?)
    }
}

impl<L: Lower, U: Upper> TreeView for Snapshot<L, U> {
    fn root(&self) -> Result<SnapshotEntry, Error> {
        Ok(Snapshot::root(self))
    }

    fn list(&self, dir: SnapshotDir) -> Result<Vec<SnapshotEntry>, Error> {
        Snapshot::list(self, dir)
    }

    fn read(&self, file: &SnapshotEntry, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        Snapshot::read(self, file, offset, buf)
    }

    fn seek(&self, file: &SnapshotEntry, offset: u64, what: Whence) -> Result<Option<u64>, Error> {
        Snapshot::seek(self, file, offset, what)
    }
}

/// A tree with nothing in it, for what stands on nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty;

impl TreeView for Empty {
    fn root(&self) -> Result<SnapshotEntry, Error> {
        use crate::model::{Attr, Kind, Name, ROOT_INO};
        let name = Name::new(b"root").expect("a constant that is a valid name");
        let attr = Attr::new(ROOT_INO, Kind::Dir, 0o755, 0, 0, Timestamp::default());
        Ok(SnapshotEntry { name, attr, xattrs: None, body: SnapshotBody::Dir(NOTHING) })
    }

    fn list(&self, _dir: SnapshotDir) -> Result<Vec<SnapshotEntry>, Error> {
        Ok(Vec::new())
    }

    fn read(&self, _file: &SnapshotEntry, _offset: u64, _buf: &mut [u8]) -> Result<usize, Error> {
        Err(Error::Stale)
    }

    fn seek(&self, _file: &SnapshotEntry, _offset: u64, _what: Whence) -> Result<Option<u64>, Error> {
        Err(Error::Stale)
    }
}

const NOTHING: SnapshotDir = SnapshotDir::Changed { ino: crate::model::ROOT_INO, base: None };
