//! Tree nodes: frozen directories, content-addressed and encoded in exactly one way.
//!
//! A small directory is one [`Leaf`]; a large one is a [`Branch`] over leaves, cut where the names say so, so that one
//! more entry rewrites one leaf. A [`Root`] names the tree and carries what belongs to the tree as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Attr, CodecError, Content, ContentHash, Ino, Kind, Manifest, Name, NodeId, ObjectId, ObjectKind, Reader, RootId,
    Timestamp, Totals, Writer,
};

/// Extended attributes by name. Shared, because most inodes have none and many have the same.
pub type Xattrs = Arc<BTreeMap<Box<[u8]>, Box<[u8]>>>;

/// A frozen directory: its node, and the hash of all content below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DirRef {
    /// The leaf or branch that holds the entries.
    pub node: NodeId,
    /// Names, kinds, modes and contents below, and nothing else.
    pub content: ContentHash,
}

/// What an entry holds beside its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A regular file.
    File(Content),
    /// A directory.
    Dir(DirRef),
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A fifo, socket or device node.
    Special,
}

/// One entry of a frozen directory, with all of its inode. Hard links repeat the inode in every entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name in the directory.
    pub name: Name,
    /// The inode's attributes.
    pub attr: Attr,
    /// The inode's content.
    pub body: Body,
    /// Extended attributes, if any.
    pub xattrs: Option<Xattrs>,
}

/// The entries of a directory, or of one range of a large one, in the order of their names' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    /// Sorted by name, each name once.
    pub entries: Vec<Entry>,
}

impl Leaf {
    /// The position of a name.
    #[must_use]
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_bytes().cmp(name)).ok()
    }
}

/// One range of a large directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The first name in the range.
    pub first: Name,
    /// The leaf or branch that holds it.
    pub node: NodeId,
    /// How many entries it has in all.
    pub entries: u64,
}

/// A large directory: ranges of names in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// Sorted by first name; never empty.
    pub children: Vec<Child>,
}

impl Branch {
    /// How many entries the directory (or this range of it) has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.children.iter().map(|child| child.entries).sum()
    }

    /// The child whose range holds `name`, with the number of entries before it.
    #[must_use]
    pub fn child_of(&self, name: &[u8]) -> Option<(&Child, u64)> {
        let at = self.children.partition_point(|child| child.first.as_bytes() <= name).checked_sub(1)?;
        let before = self.children[..at].iter().map(|child| child.entries).sum();
        Some((&self.children[at], before))
    }
}

/// A whole frozen tree: what a revision, checkpoint, fork or commit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Attributes of the root directory; its number is [`super::ROOT_INO`].
    pub attr: Attr,
    /// The root directory.
    pub dir: DirRef,
    /// Extended attributes of the root directory.
    pub xattrs: Option<Xattrs>,
    /// A number above that of every inode in the tree: where new ones start.
    pub next_ino: Ino,
    /// How much the tree holds.
    pub totals: Totals,
}

impl Root {
    /// The root's entry as if a directory above held it, for code that walks trees. The name has no meaning.
    #[must_use]
    pub fn as_entry(&self) -> Entry {
        Entry {
            name: Name::new(b"root").expect("a constant that is a valid name"),
            attr: self.attr.clone(),
            body: Body::Dir(self.dir),
            xattrs: self.xattrs.clone(),
        }
    }
}

/// Which form a stored node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NodeKind {
    Leaf,
    Branch,
    Manifest,
    Root,
}

/// A decoded node. Everything in the store that is not a chunk of content is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Node {
    Leaf(Leaf),
    Branch(Branch),
    Manifest(Manifest),
    Root(Box<Root>),
}

/// First byte of every encoded node: the version of the encoding.
const FORMAT: u8 = 1;

/// Bits of an entry's flag byte, above the three bits of its kind.
const HAS_XATTRS: u8 = 1 << 3;
const HAS_ATIME: u8 = 1 << 4;
const HAS_RDEV: u8 = 1 << 5;

impl Node {
    /// Which form it has.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        match self {
            Self::Leaf(_) => NodeKind::Leaf,
            Self::Branch(_) => NodeKind::Branch,
            Self::Manifest(_) => NodeKind::Manifest,
            Self::Root(_) => NodeKind::Root,
        }
    }

    /// The one encoding of this node.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(self.weight_bytes() / 2));
        writer.byte(FORMAT);
        match self {
            Self::Leaf(leaf) => {
                writer.byte(1);
                writer.uint(leaf.entries.len() as u64);
                for entry in &leaf.entries {
                    writer.bytes(&entry.name);
                    encode_inode(&mut writer, &entry.attr, &entry.body, entry.xattrs.as_ref());
                }
            }
            Self::Branch(branch) => {
                writer.byte(2);
                writer.uint(branch.children.len() as u64);
                for child in &branch.children {
                    writer.bytes(&child.first);
                    writer.id(&child.node.0);
                    writer.uint(child.entries);
                }
            }
            Self::Manifest(manifest) => {
                writer.byte(3);
                manifest.encode(&mut writer);
            }
            Self::Root(root) => {
                writer.byte(4);
                encode_inode(&mut writer, &root.attr, &Body::Dir(root.dir), root.xattrs.as_ref());
                writer.uint(root.next_ino);
                for value in [root.totals.files, root.totals.dirs, root.totals.size_bytes] {
                    writer.uint(value);
                }
            }
        }
        writer.0
    }

    /// Reads a node back. The caller has checked the bytes against their hash.
    ///
    /// # Errors
    /// [`CodecError`] for anything [`Node::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return Err(CodecError::Invalid("format version"));
        }
        let node = match reader.byte()? {
            1 => Self::Leaf(decode_leaf(&mut reader)?),
            2 => Self::Branch(decode_branch(&mut reader)?),
            3 => Self::Manifest(Manifest::decode(&mut reader)?),
            4 => Self::Root(Box::new(decode_root(&mut reader)?)),
            _ => return Err(CodecError::Invalid("node kind")),
        };
        reader.finish()?;
        Ok(node)
    }

    /// The node's name, with the bytes it is the name of.
    #[must_use]
    pub fn seal(&self) -> (NodeId, Vec<u8>) {
        let bytes = self.encode();
        (NodeId(ObjectId::of(ObjectKind::Node, &bytes)), bytes)
    }

    /// Roughly how much memory the node takes, for bounded caches.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        match self {
            Self::Leaf(leaf) => 64 + leaf.entries.len() * (size_of::<Entry>() + 24),
            Self::Branch(branch) => 64 + branch.children.len() * (size_of::<Child>() + 24),
            Self::Manifest(manifest) => 64 + manifest.parts.len() * size_of::<super::Part>(),
            Self::Root(_) => 64 + size_of::<Root>(),
        }
    }
}

impl From<RootId> for NodeId {
    fn from(root: RootId) -> Self {
        Self(root.0)
    }
}

fn encode_inode(writer: &mut Writer, attr: &Attr, body: &Body, xattrs: Option<&Xattrs>) {
    let xattrs = xattrs.filter(|map| !map.is_empty());
    let mut flags = attr.kind.code();
    flags |= if xattrs.is_some() { HAS_XATTRS } else { 0 };
    flags |= if attr.atime != attr.mtime { HAS_ATIME } else { 0 };
    flags |= if attr.rdev != 0 { HAS_RDEV } else { 0 };
    writer.byte(flags);
    writer.uint(attr.ino);
    writer.uint(attr.perm.into());
    writer.uint(attr.nlink.into());
    writer.uint(attr.uid.into());
    writer.uint(attr.gid.into());
    writer.uint(attr.size);
    writer.time(attr.mtime);
    writer.time(attr.ctime);
    writer.time(attr.btime);
    if attr.atime != attr.mtime {
        writer.time(attr.atime);
    }
    if attr.rdev != 0 {
        writer.uint(attr.rdev.into());
    }
    match body {
        Body::File(content) => content.encode(writer),
        Body::Dir(dir) => {
            writer.id(&dir.node.0);
            writer.id(&dir.content.0);
        }
        Body::Symlink(target) => writer.bytes(target),
        Body::Special => {}
    }
    if let Some(xattrs) = xattrs {
        writer.uint(xattrs.len() as u64);
        for (name, value) in xattrs.iter() {
            writer.bytes(name);
            writer.bytes(value);
        }
    }
}

fn decode_inode(reader: &mut Reader<'_>) -> Result<(Attr, Body, Option<Xattrs>), CodecError> {
    let flags = reader.byte()?;
    if flags >= 1 << 6 {
        return Err(CodecError::Invalid("entry flags"));
    }
    let kind = Kind::from_code(flags & 7).ok_or(CodecError::Invalid("kind"))?;
    let ino = reader.uint()?;
    let perm = reader.uint_as::<u16>("mode")?;
    if perm > 0o7777 {
        return Err(CodecError::Invalid("mode"));
    }
    let (nlink, uid, gid) = (reader.uint_as("link count")?, reader.uint_as("owner")?, reader.uint_as("group")?);
    let size = reader.uint()?;
    let (mtime, ctime, btime): (Timestamp, _, _) = (reader.time()?, reader.time()?, reader.time()?);
    let atime = if flags & HAS_ATIME != 0 { reader.time()? } else { mtime };
    let rdev = if flags & HAS_RDEV != 0 { reader.uint_as("device number")? } else { 0 };
    if flags & HAS_ATIME != 0 && atime == mtime || flags & HAS_RDEV != 0 && rdev == 0 {
        return Err(CodecError::Invalid("entry flags"));
    }
    let body = match kind {
        Kind::File => Body::File(Content::decode(reader)?),
        Kind::Dir => Body::Dir(DirRef { node: NodeId(reader.id()?), content: ContentHash(reader.id()?) }),
        Kind::Symlink => Body::Symlink(reader.bytes()?.into()),
        Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => Body::Special,
    };
    let xattrs = if flags & HAS_XATTRS != 0 { Some(decode_xattrs(reader)?) } else { None };
    Ok((Attr { ino, kind, perm, nlink, uid, gid, rdev, size, atime, mtime, ctime, btime }, body, xattrs))
}

fn decode_xattrs(reader: &mut Reader<'_>) -> Result<Xattrs, CodecError> {
    let count = reader.uint_as::<usize>("attribute count")?;
    let mut map: BTreeMap<Box<[u8]>, Box<[u8]>> = BTreeMap::new();
    for _ in 0..count {
        let name: Box<[u8]> = reader.bytes()?.into();
        if map.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(CodecError::Invalid("attribute order"));
        }
        map.insert(name, reader.bytes()?.into());
    }
    if map.is_empty() {
        return Err(CodecError::Invalid("attribute count"));
    }
    Ok(Arc::new(map))
}

fn decode_name(reader: &mut Reader<'_>) -> Result<Name, CodecError> {
    Name::new(reader.bytes()?).map_err(|_| CodecError::Invalid("name"))
}

fn decode_leaf(reader: &mut Reader<'_>) -> Result<Leaf, CodecError> {
    let count = reader.uint_as::<usize>("entry count")?;
    let mut entries: Vec<Entry> = Vec::with_capacity(count.min(1 << 16));
    for _ in 0..count {
        let name = decode_name(reader)?;
        if entries.last().is_some_and(|last| last.name >= name) {
            return Err(CodecError::Invalid("entry order"));
        }
        let (attr, body, xattrs) = decode_inode(reader)?;
        entries.push(Entry { name, attr, body, xattrs });
    }
    Ok(Leaf { entries })
}

fn decode_branch(reader: &mut Reader<'_>) -> Result<Branch, CodecError> {
    let count = reader.uint_as::<usize>("child count")?;
    let mut children: Vec<Child> = Vec::with_capacity(count.min(1 << 16));
    for _ in 0..count {
        let first = decode_name(reader)?;
        if children.last().is_some_and(|last| last.first >= first) {
            return Err(CodecError::Invalid("child order"));
        }
        let (node, entries) = (NodeId(reader.id()?), reader.uint()?);
        if entries == 0 {
            return Err(CodecError::Invalid("entry count"));
        }
        children.push(Child { first, node, entries });
    }
    if children.is_empty() {
        return Err(CodecError::Invalid("child count"));
    }
    Ok(Branch { children })
}

fn decode_root(reader: &mut Reader<'_>) -> Result<Root, CodecError> {
    let (attr, body, xattrs) = decode_inode(reader)?;
    let Body::Dir(dir) = body else { return Err(CodecError::Invalid("root kind")) };
    let next_ino = reader.uint()?;
    let totals = Totals { files: reader.uint()?, dirs: reader.uint()?, size_bytes: reader.uint()? };
    Ok(Root { attr, dir, xattrs, next_ino, totals })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8], ino: Ino) -> Entry {
        let mut attr = Attr::new(ino, Kind::File, 0o644, 1000, 1000, Timestamp::new(1_700_000_000, 42));
        attr.size = 10;
        attr.atime = Timestamp::new(-5, 1);
        let xattrs = BTreeMap::from([(b"user.k".to_vec().into_boxed_slice(), b"v".to_vec().into_boxed_slice())]);
        Entry {
            name: Name::new(name).unwrap(),
            attr,
            body: Body::File(Content::Chunk(super::super::ChunkId(ObjectId::of(ObjectKind::Chunk, name)))),
            xattrs: Some(Arc::new(xattrs)),
        }
    }

    #[test]
    fn a_leaf_survives_the_round_trip() {
        let leaf = Node::Leaf(Leaf { entries: vec![entry(b"a\xff", 7), entry(b"b", u64::MAX)] });
        assert_eq!(Node::decode(&leaf.encode()).unwrap(), leaf);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = Node::Leaf(Leaf { entries: vec![entry(b"a", 7)] }).encode();
        for cut in 0..bytes.len() {
            assert!(Node::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn entries_out_of_order_are_refused() {
        let bytes = Node::Leaf(Leaf { entries: vec![entry(b"b", 7), entry(b"a", 8)] }).encode();
        assert_eq!(Node::decode(&bytes), Err(CodecError::Invalid("entry order")));
    }

    #[test]
    fn the_encoding_of_a_leaf_is_fixed() {
        let leaf = Node::Leaf(Leaf { entries: vec![entry(b"a", 7)] });
        assert_eq!(
            leaf.seal().0.0.to_hex(),
            "d5528871afb732009c8420fd33e3d9d3c4fb621d12d0efcc8685e7ffb06db5ed",
            "the on-disk format changed: that needs a new format version"
        );
    }
}
