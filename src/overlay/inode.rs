//! Inodes of the delta: those that the session made or changed.

use crate::model::{Attr, DirRef, Ino, InodeRecord, Kind, Name, Origin, Xattrs};

use super::added::Added;
use super::cow_map::CowMap;
use super::extents::Dead;
use super::file_data::{Base, FileData};

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
}

/// The changed names of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct DirData {
    pub base: Option<DirRef>,
    pub names: CowMap<Name, Dentry>,
    /// Added names in the order they came, for listings.
    pub added: Added,
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
                self.added.push(cookie, name.clone());
                cookie
            }
        };
        self.names.insert(name, Dentry::new(Link { ino, kind, cookie }));
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
    pub attr: Attr,
    pub parent: Ino,
    pub body: InodeBody,
    pub xattrs: Option<Xattrs>,
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
        Self { attr, parent, body, xattrs: None }
    }

    /// Takes on new attributes; a smaller size drops data.
    pub fn update(&mut self, attr: Attr, parent: Ino, dead: &mut Dead) {
        if let InodeBody::File(file) = &mut self.body
            && attr.size < self.attr.size
        {
            file.truncate(attr.size, dead);
        }
        self.attr = attr;
        self.parent = parent;
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
        InodeRecord { attr: self.attr.clone(), parent: self.parent, origin, symlink }
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
