//! What of a session's tree differs from its base, as a value that can be sent between processes.
//!
//! It lists every directory that has changes in or below it, whole; all else is frozen and found in the store. The
//! content of written files stays where it is, and is asked for by inode.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{
    Attr, Body, CodecError, Content, ContentHash, DirRef, Entry, Ino, Leaf, Node, NodeId, ObjectId, ROOT_INO, Reader,
    Writer, Xattrs,
};
use crate::overlay::{Error, Lower, Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry, Upper};

/// A directory reference that stands for nothing: the directory is listed in the tree.
const LISTED: DirRef = DirRef { node: NodeId(ObjectId([0; 32])), content: ContentHash(ObjectId([0; 32])) };

/// The changed part of a session's tree.
#[derive(Clone, Debug)]
pub struct LiveTree {
    root: (Attr, Option<Xattrs>),
    dirs: FxHashMap<Ino, Leaf>,
    written: FxHashSet<Ino>,
}

impl LiveTree {
    /// Lists a snapshot.
    ///
    /// # Errors
    /// [`Error::Lower`] when a frozen directory cannot be read.
    pub fn of<L: Lower, U: Upper>(snapshot: &Snapshot<L, U>) -> Result<Self, Error> {
        let root = snapshot.root();
        let mut tree =
            Self { root: (root.attr, root.xattrs), dirs: FxHashMap::default(), written: FxHashSet::default() };
        let mut todo = match root.body {
            SnapshotBody::Dir(dir) => vec![(ROOT_INO, dir)],
            _ => return Err(Error::NotDir),
        };
        while let Some((ino, dir)) = todo.pop() {
            let mut entries = Vec::new();
            for entry in snapshot.list(dir)? {
                if let SnapshotBody::Dir(below @ SnapshotDir::Changed { .. }) = entry.body {
                    todo.push((entry.attr.ino, below));
                }
                entries.push(tree.take(entry));
            }
            tree.dirs.insert(ino, Leaf { entries });
        }
        Ok(tree)
    }

    fn take(&mut self, entry: SnapshotEntry) -> Entry {
        let body = match entry.body {
            SnapshotBody::File(Some(content)) => Body::File(content),
            SnapshotBody::File(None) => {
                self.written.insert(entry.attr.ino);
                Body::File(Content::Hole)
            }
            SnapshotBody::Dir(SnapshotDir::Frozen(dir)) => Body::Dir(dir),
            SnapshotBody::Dir(SnapshotDir::Changed { .. }) => Body::Dir(LISTED),
            SnapshotBody::Symlink(target) => Body::Symlink(target),
            SnapshotBody::Special => Body::Special,
        };
        Entry { name: entry.name, attr: entry.attr, body, xattrs: entry.xattrs }
    }

    /// The root directory's attributes.
    #[must_use]
    pub fn root(&self) -> (&Attr, Option<&Xattrs>) {
        (&self.root.0, self.root.1.as_ref())
    }

    /// The entries of a directory, if it is listed: anything in it or below it may differ from the base.
    #[must_use]
    pub fn dir(&self, ino: Ino) -> Option<&[Entry]> {
        self.dirs.get(&ino).map(|leaf| leaf.entries.as_slice())
    }

    /// Whether a file was written to, so that the content in its entry has no meaning.
    #[must_use]
    pub fn is_written(&self, ino: Ino) -> bool {
        self.written.contains(&ino)
    }

    /// Encodes the tree for a process of the same version.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut writer = Writer::default();
        let top = Entry {
            name: crate::model::Name::new(b"root").expect("a constant that is a valid name"),
            attr: self.root.0,
            body: Body::Dir(LISTED),
            xattrs: self.root.1,
        };
        writer.bytes(&Node::Leaf(Leaf { entries: vec![top] }).encode());
        writer.uint(self.written.len() as u64);
        self.written.iter().for_each(|ino| writer.uint(*ino));
        writer.uint(self.dirs.len() as u64);
        for (ino, leaf) in self.dirs {
            writer.uint(ino);
            writer.bytes(&Node::Leaf(leaf).encode());
        }
        writer.0
    }

    /// Reads a tree back.
    ///
    /// # Errors
    /// [`CodecError`] for anything [`LiveTree::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let top = decode_leaf(&mut reader)?.entries.pop().ok_or(CodecError::Truncated)?;
        let written = (0..reader.uint()?).map(|_| reader.uint()).collect::<Result<_, _>>()?;
        let mut dirs = FxHashMap::default();
        for _ in 0..reader.uint()? {
            dirs.insert(reader.uint()?, decode_leaf(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { root: (top.attr, top.xattrs), dirs, written })
    }
}

fn decode_leaf(reader: &mut Reader<'_>) -> Result<Leaf, CodecError> {
    match Node::decode(reader.bytes()?)? {
        Node::Leaf(leaf) => Ok(leaf),
        _ => Err(CodecError::Invalid("directory")),
    }
}
