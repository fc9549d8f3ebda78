//! A session as it was at one moment, to be compared, listed and sealed while the session goes on.
//!
//! Taking one costs a pointer for some hundred inodes of the delta, under the journal's lock, so it holds every change
//! that was answered before and none that was answered later. It keeps what it needs: shared inodes, and a pin on the
//! data.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::{Attr, Body, Content, DirRef, Entry, Ino, Name, Node, NodeId, ROOT_INO, Totals, Xattrs};

use super::core::Overlay;
use super::data_ops::Plan;
use super::inode::{Inode, InodeBody};
use super::links::Links;
use super::state::State;
use super::{Error, Lower, LowerError, Pin, Upper, Whence};

/// A directory of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotDir {
    /// Nothing below it differs from the base.
    Frozen(DirRef),
    /// Something in it or below it may differ.
    Changed {
        /// The directory's inode.
        ino: Ino,
        /// What of it is frozen.
        base: Option<DirRef>,
    },
}

/// What an entry of a snapshot is, beside its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotBody {
    /// A file with its frozen content, or `None` when it was written to: then [`Snapshot::read`] has the bytes.
    File(Option<Content>),
    /// A directory.
    Dir(SnapshotDir),
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A fifo, socket or device node.
    Special,
}

/// An entry of a snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotEntry {
    /// The name; that of the root has no meaning.
    pub name: Name,
    /// The inode's attributes.
    pub attr: Attr,
    /// Extended attributes, if any.
    pub xattrs: Option<Xattrs>,
    /// The inode's content.
    pub body: SnapshotBody,
}

impl SnapshotEntry {
    /// Where a symbolic link leads.
    #[must_use]
    pub fn target(&self) -> Option<&[u8]> {
        match &self.body {
            SnapshotBody::Symlink(target) => Some(target),
            _ => None,
        }
    }
}

/// A session at one moment.
#[derive(Debug)]
pub struct Snapshot<L, U> {
    pub(super) state: State,
    pub(super) lower: Arc<L>,
    upper: Arc<U>,
    _pin: Pin,
    /// Frozen directories outside the delta that hold a name of a changed inode, and those above them.
    linking: FxHashSet<Ino>,
}

impl<L: Lower, U: Upper> Overlay<L, U> {
    /// The session at this moment.
    ///
    /// # Errors
    /// [`Error::Lower`] when a frozen directory cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot<L, U>, Error> {
        let pin = self.upper.pin();
        self.snapshot_of_all(self.frozen_state(), pin)
    }

    /// A snapshot of this state.
    pub(super) fn snapshot_of_all(&self, state: State, pin: Pin) -> Result<Snapshot<L, U>, Error> {
        let mut snapshot = self.snapshot_of(state, pin);
        let all: Vec<Ino> = snapshot.state.inodes.keys().copied().collect();
        let mut links = Links::default();
        links.follow(&snapshot, all)?;
        snapshot.linking = links.into_dirs();
        Ok(snapshot)
    }

    /// As [`Self::snapshot`], of which [`Snapshot::touched`] says what changed since the last call of this function. A
    /// seal that fails has to say so with [`Self::seal_failed`]. `links` is what earlier calls found.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn snapshot_to_seal(&self, links: &mut Links) -> Result<Snapshot<L, U>, Error> {
        let pin = self.upper.pin();
        let mut snapshot = self.snapshot_of(self.state_to_seal(), pin);
        match snapshot.follow(links) {
            Ok(()) => Ok(snapshot),
            Err(error) => {
                self.seal_failed(&snapshot);
                Err(error)
            }
        }
    }

    /// What a snapshot would have sealed is still to be sealed.
    pub fn seal_failed(&self, snapshot: &Snapshot<L, U>) {
        let mut state = self.state.write();
        for (ino, data) in snapshot.state.touched.iter() {
            state.touched.note(ino, data);
        }
    }

    /// A snapshot of this state that does not know yet where what changed has other names.
    pub(super) fn snapshot_of(&self, state: State, pin: Pin) -> Snapshot<L, U> {
        let (lower, upper) = (self.lower.clone(), self.upper.clone());
        Snapshot { state, lower, upper, _pin: pin, linking: FxHashSet::default() }
    }
}

impl<L: Lower, U: Upper> Snapshot<L, U> {
    /// Looks where in frozen directories what changed has other names, so that the snapshot can be sealed. `links` is what
    /// was found for those before it.
    ///
    /// # Errors
    /// [`Error::Lower`] when a frozen directory cannot be read.
    pub fn follow(&mut self, links: &mut Links) -> Result<(), Error> {
        let touched: Vec<Ino> = self.state.touched.iter().map(|(ino, _)| ino).collect();
        links.follow(self, touched)?;
        self.linking = links.dirs().clone();
        Ok(())
    }

    /// What is below the session.
    #[must_use]
    pub fn lower(&self) -> &L {
        &self.lower
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> SnapshotEntry {
        let name = Name::new(b"root").expect("a constant that is a valid name");
        self.changed_entry(name, &self.state.inodes[&ROOT_INO])
    }

    /// A number above that of every inode.
    #[must_use]
    pub fn next_ino(&self) -> Ino {
        self.state.next_ino
    }

    /// How much the tree holds.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.state.totals
    }

    /// The inodes that changed since the last seal, and whether their data did; a directory changes with its names.
    pub fn touched(&self) -> impl Iterator<Item = (Ino, bool)> {
        self.state.touched.iter()
    }

    /// Frozen directories with a name of a file that is in the delta, and those above them.
    pub fn linking(&self) -> impl Iterator<Item = Ino> {
        self.linking.iter().copied()
    }

    /// The directory of an inode of the delta; of a file with several names, one of them that it has or had.
    #[must_use]
    pub fn parent_of(&self, ino: Ino) -> Option<Ino> {
        self.state.inodes.get(&ino).map(|inode| inode.parent)
    }

    /// How many inodes the delta has.
    #[must_use]
    pub fn inode_count(&self) -> usize {
        self.state.inodes.len()
    }

    /// A file by its number, if it has names and data of its own. The entry's name has no meaning.
    #[must_use]
    pub fn written(&self, ino: Ino) -> Option<SnapshotEntry> {
        let inode = self.state.inodes.get(&ino).filter(|inode| !inode.is_unnamed())?;
        let file = inode.file()?;
        if file.unchanged(inode.size()).is_some() {
            return None;
        }
        Some(self.changed_entry(Name::new(b"file").expect("a constant that is a valid name"), inode))
    }

    /// Whether nothing differs from the base.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.state.is_clean()
    }

    /// The entries of a directory in the order of their names' bytes.
    ///
    /// # Errors
    /// [`Error::Lower`] when a frozen directory cannot be read.
    pub fn list(&self, dir: SnapshotDir) -> Result<Vec<SnapshotEntry>, Error> {
        let (base, delta) = match dir {
            SnapshotDir::Frozen(base) => (Some(base), None),
            SnapshotDir::Changed { ino, base } => (base, self.state.inodes.get(&ino).and_then(|inode| inode.dir())),
        };
        let mut out = Vec::new();
        if let Some(base) = base {
            self.each_frozen(base.node, &mut |entry| match delta.and_then(|delta| delta.names.get(&entry.name)) {
                Some(dentry) => out.extend(dentry.link().and_then(|link| self.linked(&entry.name, link.ino))),
                None => out.push(self.entry(entry)),
            })?;
        }
        let added = delta.into_iter().flat_map(|delta| delta.added_from(0));
        out.extend(added.filter_map(|(name, link)| self.linked(name, link.ino)));
        out.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// Reads from a file, whether it was changed or not, as [`super::Files::read`] does.
    ///
    /// # Errors
    /// As [`super::Files::read`].
    pub fn read(&self, file: &SnapshotEntry, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        self.plan(file, offset, buf.len() as u64).fetch(&*self.lower, &*self.upper, offset, buf)
    }

    /// Reads from a written file by its number; nothing from one that was not written.
    ///
    /// # Errors
    /// As [`super::Files::read`].
    pub fn read_written(&self, ino: Ino, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        match self.state.inodes.get(&ino).and_then(|inode| Some((inode.file()?, inode.size()))) {
            Some((file, size)) => {
                Plan::new(file, size, offset, buf.len() as u64).fetch(&*self.lower, &*self.upper, offset, buf)
            }
            None => Ok(0),
        }
    }

    /// The first data (or hole) of a file at or after `offset`; `None` if there is none before its end.
    ///
    /// # Errors
    /// As [`super::Files::seek`].
    pub fn seek(&self, file: &SnapshotEntry, offset: u64, what: Whence) -> Result<Option<u64>, Error> {
        self.plan(file, offset, file.attr.size.saturating_sub(offset)).seek(&*self.lower, what)
    }

    /// As [`Snapshot::seek`], of a file that was written, by its number.
    ///
    /// # Errors
    /// As [`super::Files::seek`].
    pub fn seek_written(&self, ino: Ino, offset: u64, what: Whence) -> Result<Option<u64>, Error> {
        match self.state.inodes.get(&ino).and_then(|inode| Some((inode.file()?, inode.size()))) {
            Some((file, size)) => Plan::new(file, size, offset, size.saturating_sub(offset)).seek(&*self.lower, what),
            None => Ok(None),
        }
    }

    fn plan(&self, file: &SnapshotEntry, offset: u64, len: u64) -> Plan {
        use super::file_data::FileData;
        let size = file.attr.size;
        match (&file.body, self.state.inodes.get(&file.attr.ino).and_then(|inode| inode.file())) {
            (SnapshotBody::File(Some(content)), _) => {
                Plan::new(&FileData::frozen(&Body::File(*content), size), size, offset, len)
            }
            (SnapshotBody::File(None), Some(data)) => Plan::new(data, size, offset, len),
            _ => Plan::new(&FileData::default(), 0, offset, 0),
        }
    }

    fn linked(&self, name: &Name, ino: Ino) -> Option<SnapshotEntry> {
        self.state.inodes.get(&ino).map(|inode| self.changed_entry(name.clone(), inode))
    }

    /// A frozen entry, as the delta has its inode if it has it.
    fn entry(&self, entry: &Entry) -> SnapshotEntry {
        if let Some(inode) = self.state.inodes.get(&entry.attr.ino) {
            return self.changed_entry(entry.name.clone(), inode);
        }
        let body = match &entry.body {
            Body::File(content) => SnapshotBody::File(Some(*content)),
            Body::Dir(dir) if self.linking.contains(&entry.attr.ino) => {
                SnapshotBody::Dir(SnapshotDir::Changed { ino: entry.attr.ino, base: Some(*dir) })
            }
            Body::Dir(dir) => SnapshotBody::Dir(SnapshotDir::Frozen(*dir)),
            Body::Symlink(target) => SnapshotBody::Symlink(target.clone()),
            Body::Special => SnapshotBody::Special,
        };
        SnapshotEntry { name: entry.name.clone(), attr: entry.attr.clone(), xattrs: entry.xattrs.clone(), body }
    }

    pub(super) fn changed_entry(&self, name: Name, inode: &Inode) -> SnapshotEntry {
        let body = match &inode.body {
            InodeBody::File(file) => SnapshotBody::File(file.unchanged(inode.size())),
            InodeBody::Dir(dir) => SnapshotBody::Dir(SnapshotDir::Changed { ino: inode.ino(), base: dir.base }),
            InodeBody::Symlink(target) => SnapshotBody::Symlink(target.as_ref().clone()),
            InodeBody::Special => SnapshotBody::Special,
        };
        SnapshotEntry { name, attr: inode.attr(), xattrs: inode.xattrs().cloned(), body }
    }

    pub(super) fn each_frozen(&self, node: NodeId, each: &mut dyn FnMut(&Entry)) -> Result<(), LowerError> {
        match &*self.lower.load(node)? {
            Node::Leaf(leaf) => leaf.entries.iter().for_each(each),
            Node::Branch(branch) => {
                for child in &branch.children {
                    self.each_frozen(child.node, each)?;
                }
            }
            Node::Manifest(_) | Node::Root(_) => {
                return Err(LowerError::Damaged { id: node.0, why: "is no directory".to_owned() });
            }
        }
        Ok(())
    }
}
