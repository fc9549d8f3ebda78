//! Inodes of the delta: those that the session made or changed.

use crate::model::{Attr, DirRef, Ino, InodeRecord, Kind, Name, Origin, ROOT_INO, Root, Timestamp, Xattrs};

use super::added::Added;
use super::cow_map::{CowMap, spread};
use super::extents::Dead;
use super::file_data::{Base, FileData};
use super::packed::{Packed, Wide};

/// Listing positions below this belong to `.`, `..` and the base's entries; added names come after.
pub(super) const FIRST_ADDED_COOKIE: u64 = 1 << 40;

/// What the delta says of one name: what it stands for, or that the base's entry is gone. Packed, for there are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dentry {
    ino: Ino,
    /// The code of the kind in the highest byte, 0 if the name is gone; below it the position in listings.
    place: u64,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub ino: Ino,
    pub kind: Kind,
    /// Where it is listed; 0 when the base has the name too, whose position it then keeps.
    pub cookie: u64,
}

/// The bits of a position. Positions are counted, from 2^40 on.
const COOKIE_BITS: u32 = 56;

impl Dentry {
    /// The base's entry is gone.
    pub const WHITEOUT: Self = Self { ino: 0, place: 0 };

    /// The name stands for this.
    pub fn new(link: Link) -> Self {
        debug_assert!(link.cookie >> COOKIE_BITS == 0, "positions are counted");
        Self { ino: link.ino, place: u64::from(link.kind.code()) << COOKIE_BITS | link.cookie }
    }

    /// What the name stands for, if it is there.
    pub fn link(&self) -> Option<Link> {
        let kind = Kind::from_code((self.place >> COOKIE_BITS) as u8)?;
        Some(Link { ino: self.ino, kind, cookie: self.place & ((1 << COOKIE_BITS) - 1) })
    }

    /// Whether it is listed at this position; a name that is gone is not.
    fn is_at(&self, cookie: u64) -> bool {
        self.place & ((1 << COOKIE_BITS) - 1) == cookie && self.place >> COOKIE_BITS != 0
    }
}

/// The changed names of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct DirData {
    pub base: Option<DirRef>,
    pub names: CowMap<Name, Dentry>,
    /// Added names in the order they came, for listings.
    added: Added,
    pub whiteouts: u64,
}

impl DirData {
    /// The name stands for this inode; `next_cookie` is used up when it is a new name.
    pub fn link(&mut self, name: Name, ino: Ino, kind: Kind, next_cookie: &mut u64) {
        let cookie = match self.names.get(&name).map(Dentry::link) {
            Some(Some(link)) => link.cookie,
            Some(None) => {
                self.whiteouts -= 1;
                0
            }
            None => {
                let cookie = *next_cookie;
                *next_cookie += 1;
                self.added.push(cookie, spread(&name));
                cookie
            }
        };
        self.names.insert(name, Dentry::new(Link { ino, kind, cookie }));
    }

    /// The added names that are listed from a position on, in order.
    pub fn added_from(&self, cookie: u64) -> impl Iterator<Item = (&Name, Link)> {
        let found =
            self.added.from(cookie).filter_map(|(at, spread)| self.names.find(spread, |dentry| dentry.is_at(at)));
        found.filter_map(|(name, dentry)| Some((name, dentry.link()?)))
    }

    /// Whether there are any.
    pub fn has_added(&self) -> bool {
        !self.added.is_empty()
    }

    /// The name is gone. A name that the delta does not know is the base's.
    pub fn unlink(&mut self, name: Name) {
        match self.names.get(&name).map(Dentry::link) {
            Some(None) => {}
            Some(Some(link)) if link.cookie != 0 => {
                self.added.remove(link.cookie);
                self.names.remove(&name);
            }
            Some(Some(_)) | None => {
                self.whiteouts += 1;
                self.names.insert(name, Dentry::WHITEOUT);
            }
        }
    }
}

/// What an inode is, beside its attributes.
#[derive(Clone, Debug)]
pub(super) enum InodeBody {
    File(FileData),
    Dir(Box<DirData>),
    /// Behind one pointer more, so that all others are smaller.
    Symlink(Box<Box<[u8]>>),
    Special,
}

/// An inode of the delta.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    packed: Packed,
    pub parent: Ino,
    pub body: InodeBody,
    rare: Option<Box<Rare>>,
}

/// What few inodes have.
#[derive(Clone, Debug, Default)]
struct Rare {
    xattrs: Option<Xattrs>,
    wide: Option<Wide>,
}

impl Inode {
    /// The inode that a record describes, without written data.
    pub fn new(record: InodeRecord) -> Self {
        let InodeRecord { attr, parent, origin, symlink } = record;
        let body = match (attr.kind, origin) {
            (Kind::File, Origin::File { content, len_bytes }) => {
                let data = FileData::over(Base { content, len: len_bytes }, len_bytes.min(attr.size));
                InodeBody::File(data)
            }
            (Kind::File, _) => InodeBody::File(FileData::default()),
            (Kind::Dir, Origin::Dir(dir)) => {
                InodeBody::Dir(Box::new(DirData { base: Some(dir), ..DirData::default() }))
            }
            (Kind::Dir, _) => InodeBody::Dir(Box::default()),
            (Kind::Symlink, _) => InodeBody::Symlink(Box::new(symlink)),
            _ => InodeBody::Special,
        };
        Self::with(&attr, parent, body)
    }

    /// The top of a tree in which nothing was changed.
    pub fn root(root: &Root) -> Self {
        let body = InodeBody::Dir(Box::new(DirData { base: Some(root.dir), ..DirData::default() }));
        let mut inode = Self::with(&root.attr, ROOT_INO, body);
        inode.set_xattrs(root.xattrs.clone());
        inode
    }

    fn with(attr: &Attr, parent: Ino, body: InodeBody) -> Self {
        let (packed, wide) = Packed::new(attr);
        let rare = wide.map(|wide| Box::new(Rare { xattrs: None, wide: Some(wide) }));
        Self { packed, parent, body, rare }
    }

    /// Takes on new attributes; a smaller size drops data.
    pub fn update(&mut self, attr: &Attr, parent: Ino, dead: &mut Dead) {
        if let InodeBody::File(file) = &mut self.body
            && attr.size < self.packed.size
        {
            file.truncate(attr.size, dead);
        }
        self.set_attr(attr);
        self.parent = parent;
    }

    fn set_attr(&mut self, attr: &Attr) {
        let (packed, wide) = Packed::new(attr);
        self.packed = packed;
        self.change_rare(wide.is_some(), |rare| rare.wide = wide);
    }

    /// A write of the bytes up to `end`. Returns by how much a file with a name grew.
    pub fn grow(&mut self, end: u64, time: Timestamp) -> u64 {
        let before = self.attr();
        let size = before.size.max(end);
        self.set_attr(&Attr { size, mtime: time, ctime: time, ..before });
        if before.nlink > 0 { size - before.size } else { 0 }
    }

    pub fn attr(&self) -> Attr {
        self.packed.attr(self.rare.as_ref().and_then(|rare| rare.wide.as_ref()))
    }

    pub fn ino(&self) -> Ino {
        self.packed.ino
    }

    pub fn size(&self) -> u64 {
        self.packed.size
    }

    /// Whether no name stands for it any more.
    pub fn is_unnamed(&self) -> bool {
        self.packed.nlink == 0
    }

    pub fn nlink(&self) -> u32 {
        self.packed.nlink
    }

    pub fn xattrs(&self) -> Option<&Xattrs> {
        self.rare.as_ref()?.xattrs.as_ref()
    }

    pub fn set_xattrs(&mut self, xattrs: Option<Xattrs>) {
        self.change_rare(xattrs.is_some(), |rare| rare.xattrs = xattrs);
    }

    /// Changes what few inodes have; `has_some` says whether there is more afterwards than nothing.
    fn change_rare(&mut self, has_some: bool, change: impl FnOnce(&mut Rare)) {
        if has_some || self.rare.is_some() {
            let mut rare = self.rare.take().unwrap_or_default();
            change(&mut rare);
            self.rare = (rare.xattrs.is_some() || rare.wide.is_some()).then_some(rare);
        }
    }

    /// The record that describes this inode, with its base in full.
    pub fn record(&self) -> InodeRecord {
        let (origin, symlink) = match &self.body {
            InodeBody::File(file) => match file.base() {
                Some(base) => (Origin::File { content: base.content, len_bytes: base.len }, Box::default()),
                None => (Origin::New, Box::default()),
            },
            InodeBody::Dir(dir) => (dir.base.map_or(Origin::New, Origin::Dir), Box::default()),
            InodeBody::Symlink(target) => (Origin::New, target.as_ref().clone()),
            InodeBody::Special => (Origin::New, Box::default()),
        };
        InodeRecord { attr: self.attr(), parent: self.parent, origin, symlink }
    }

    /// How many bytes of disk a file takes; nothing for all else.
    pub fn allocated_bytes(&self) -> u64 {
        self.file().map_or(0, FileData::allocated_bytes)
    }

    pub fn file(&self) -> Option<&FileData> {
        match &self.body {
            InodeBody::File(file) => Some(file),
            _ => None,
        }
    }

    pub fn dir(&self) -> Option<&DirData> {
        match &self.body {
            InodeBody::Dir(dir) => Some(dir),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_is_small() {
        assert!(size_of::<Inode>() <= 104, "{}", size_of::<Inode>());
    }

    #[test]
    fn attributes_of_any_kind_are_kept_beside_extended_ones() {
        let now = Timestamp::new(1_800_000_000, 5);
        let attr = Attr::new(9, Kind::CharDevice, 0o600, 0, 0, now);
        let record = |attr: &Attr| InodeRecord {
            attr: attr.clone(),
            parent: ROOT_INO,
            origin: Origin::New,
            symlink: Box::default(),
        };
        let mut inode = Inode::new(record(&attr));
        assert!(inode.rare.is_none());
        let xattrs: Xattrs = [(Box::from(&b"user.a"[..]), Box::from(&b"b"[..]))]
            .into_iter()
            .collect::<std::collections::BTreeMap<_, _>>()
            .into();
        let far = Attr { rdev: 0x105, mtime: Timestamp { secs: i64::MIN, nanos: 7 }, ..attr.clone() };
        for attr in [&far, &attr] {
            inode.update(attr, ROOT_INO, &mut Dead::new());
            inode.set_xattrs(Some(xattrs.clone()));
            assert_eq!((inode.attr(), inode.xattrs()), (attr.clone(), Some(&xattrs)));
            inode.set_xattrs(None);
            assert_eq!((inode.attr(), inode.xattrs()), (attr.clone(), None));
            assert_eq!(inode.record(), record(attr));
        }
        assert!(inode.rare.is_none());
    }
}
