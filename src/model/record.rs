//! The records of a session's journal: what the overlay writes down before the kernel is answered.
//!
//! A batch of records is one change: it is applied wholly or not at all. Applying the batches in order to an empty
//! overlay on the same base gives the session's state, live and after a crash by the same code. A record states an
//! outcome (`size is now 5`), never an intention, so that nothing in it depends on a clock or on the state of caches.

use super::{Attr, Body, CodecError, Content, ContentHash, DirRef, Ino, Kind, Name, NodeId, Reader, Timestamp, Writer};

/// Where data written by a session lies in its upper delta. Only the upper knows what the numbers mean.
///
/// Every file of a delta has one, so it is packed to 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct Place {
    /// Which file of the delta.
    pub file: u32,
    /// Byte offset in that file.
    pub offset: u64,
}

/// The part of an inode that comes from the frozen base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing does: the inode was made in this session.
    New,
    /// The file's base content: its first `len_bytes` bytes show through where nothing was written.
    File {
        /// The frozen content.
        content: Content,
        /// The length of the frozen file.
        len_bytes: u64,
    },
    /// The frozen directory whose entries show through.
    Dir(DirRef),
}

/// All of an inode but its written data: what copy-up, creation and `setattr` put into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InodeRecord {
    /// Attributes; the size is that of the file as it is now.
    pub attr: Attr,
    /// The directory that holds it: its only one for a directory, any one of them for a file with several names.
    pub parent: Ino,
    /// What comes from the base. It matters only the first time an inode is named; later records repeat it.
    pub origin: Origin,
    /// The target of a symbolic link, else empty.
    pub symlink: Box<[u8]>,
}

/// How much a tree holds; inodes with several names count once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Inodes that are not directories.
    pub files: u64,
    /// Directories, with the root.
    pub dirs: u64,
    /// Bytes of all regular files, holes and all.
    pub size_bytes: u64,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The inode comes to be in the delta with these attributes, or, where it is there already, takes them on: a
    /// smaller size drops the bytes beyond it, which read as zeros if the file grows again.
    Inode(Box<InodeRecord>),
    /// The name stands for this inode from now on.
    Link {
        /// The directory.
        parent: Ino,
        /// The name in it.
        name: Name,
        /// The inode.
        ino: Ino,
        /// Its kind, for directory listings.
        kind: Kind,
    },
    /// The name is gone (a whiteout where the base has it).
    Unlink {
        /// The directory.
        parent: Ino,
        /// The name in it.
        name: Name,
    },
    /// Bytes were written. The file grows to hold them; its mtime and ctime become `time`.
    Write {
        /// The file.
        ino: Ino,
        /// Where in the file.
        offset: u64,
        /// How many bytes.
        len_bytes: u64,
        /// Where in the delta.
        place: Place,
        /// When.
        time: Timestamp,
    },
    /// The range reads as zeros. It does not change the file's size or times: an [`Record::Inode`] beside it does.
    Zero {
        /// The file.
        ino: Ino,
        /// Where in the file.
        offset: u64,
        /// How many bytes.
        len_bytes: u64,
        /// Whether the range takes space (it was allocated) or none (it was punched); it is a hole either way.
        allocated: bool,
    },
    /// An extended attribute was set, or removed.
    Xattr {
        /// The inode.
        ino: Ino,
        /// The attribute's full name.
        name: Box<[u8]>,
        /// Its value; `None` removes it.
        value: Option<Box<[u8]>>,
    },
    /// How much the whole tree holds, for a journal that begins with a state instead of its history.
    Totals(Totals),
    /// The inode has no names and nobody holds it open: its data may go.
    Drop {
        /// The inode.
        ino: Ino,
    },
    /// Frozen directories that the session refers to may have inodes of all numbers below this one, which are free from
    /// here on.
    Rebased {
        /// A number above that of every frozen inode, and of every other that was ever given out.
        next_ino: Ino,
    },
    /// The batch is what this request of the kernel asked for. If the kernel asks again, since the answer did not reach
    /// it, this is how it is known that it was done.
    Served {
        /// The connection that the request came over; each mount has its own.
        connection: u32,
        /// The kernel's number of the request on that connection.
        request: u64,
        /// The inode that the answer is about; 0 when it is about none.
        ino: Ino,
    },
    /// The next name that is added to a directory gets this position in listings, for a journal that begins with a
    /// state: who is in the middle of a listing goes on where they were.
    NextCookie(u64),
}

impl Record {
    /// Appends the record's encoding.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Inode(inode) => {
                writer.byte(1);
                encode_inode(writer, inode);
            }
            Self::Link { parent, name, ino, kind } => {
                writer.byte(2);
                writer.uint(*parent);
                writer.bytes(name);
                writer.uint(*ino);
                writer.byte(kind.code());
            }
            Self::Unlink { parent, name } => {
                writer.byte(3);
                writer.uint(*parent);
                writer.bytes(name);
            }
            Self::Write { ino, offset, len_bytes, place, time } => {
                writer.byte(4);
                for value in [*ino, *offset, *len_bytes, place.file.into(), place.offset] {
                    writer.uint(value);
                }
                writer.time(*time);
            }
            Self::Zero { ino, offset, len_bytes, allocated } => {
                writer.byte(5);
                for value in [*ino, *offset, *len_bytes, u64::from(*allocated)] {
                    writer.uint(value);
                }
            }
            Self::Xattr { ino, name, value } => {
                writer.byte(if value.is_some() { 6 } else { 7 });
                writer.uint(*ino);
                writer.bytes(name);
                if let Some(value) = value {
                    writer.bytes(value);
                }
            }
            Self::Drop { ino } => {
                writer.byte(8);
                writer.uint(*ino);
            }
            Self::Rebased { next_ino } => {
                writer.byte(10);
                writer.uint(*next_ino);
            }
            Self::Totals(totals) => {
                writer.byte(9);
                for value in [totals.files, totals.dirs, totals.size_bytes] {
                    writer.uint(value);
                }
            }
            Self::Served { connection, request, ino } => {
                writer.byte(11);
                for value in [u64::from(*connection), *request, *ino] {
                    writer.uint(value);
                }
            }
            Self::NextCookie(cookie) => {
                writer.byte(12);
                writer.uint(*cookie);
            }
        }
    }

    /// Takes one record off the reader.
    ///
    /// # Errors
    /// [`CodecError`] for anything [`Record::encode`] does not write.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match reader.byte()? {
            1 => Self::Inode(Box::new(decode_inode(reader)?)),
            2 => Self::Link {
                parent: reader.uint()?,
                name: decode_name(reader)?,
                ino: reader.uint()?,
                kind: decode_kind(reader)?,
            },
            3 => Self::Unlink { parent: reader.uint()?, name: decode_name(reader)? },
            4 => {
                let (ino, offset, len_bytes) = (reader.uint()?, reader.uint()?, reader.uint()?);
                offset.checked_add(len_bytes).ok_or(CodecError::Invalid("write range"))?;
                let place = Place { file: reader.uint_as("data file")?, offset: reader.uint()? };
                Self::Write { ino, offset, len_bytes, place, time: reader.time()? }
            }
            5 => {
                let (ino, offset, len_bytes) = (reader.uint()?, reader.uint()?, reader.uint()?);
                offset.checked_add(len_bytes).ok_or(CodecError::Invalid("zero range"))?;
                let allocated = match reader.uint()? {
                    0 => false,
                    1 => true,
                    _ => return Err(CodecError::Invalid("zero range")),
                };
                Self::Zero { ino, offset, len_bytes, allocated }
            }
            6 => Self::Xattr { ino: reader.uint()?, name: reader.bytes()?.into(), value: Some(reader.bytes()?.into()) },
            7 => Self::Xattr { ino: reader.uint()?, name: reader.bytes()?.into(), value: None },
            8 => Self::Drop { ino: reader.uint()? },
            9 => Self::Totals(Totals { files: reader.uint()?, dirs: reader.uint()?, size_bytes: reader.uint()? }),
            10 => Self::Rebased { next_ino: reader.uint()? },
            11 => {
                Self::Served { connection: reader.uint_as("connection")?, request: reader.uint()?, ino: reader.uint()? }
            }
            12 => Self::NextCookie(reader.uint()?),
            _ => return Err(CodecError::Invalid("record kind")),
        })
    }
}

fn encode_inode(writer: &mut Writer, inode: &InodeRecord) {
    let attr = &inode.attr;
    writer.byte(attr.kind.code());
    for value in [attr.ino, inode.parent, attr.perm.into(), attr.nlink.into(), attr.uid.into(), attr.gid.into()] {
        writer.uint(value);
    }
    writer.uint(attr.rdev.into());
    writer.uint(attr.size);
    for time in [attr.atime, attr.mtime, attr.ctime, attr.btime] {
        writer.time(time);
    }
    match &inode.origin {
        Origin::New => writer.byte(0),
        Origin::File { content, len_bytes } => {
            writer.byte(1);
            writer.uint(*len_bytes);
            content.encode(writer);
        }
        Origin::Dir(dir) => {
            writer.byte(2);
            writer.id(&dir.node.0);
            writer.id(&dir.content.0);
        }
    }
    writer.bytes(&inode.symlink);
}

fn decode_inode(reader: &mut Reader<'_>) -> Result<InodeRecord, CodecError> {
    let kind = decode_kind(reader)?;
    let (ino, parent, perm) = (reader.uint()?, reader.uint()?, reader.uint_as::<u16>("mode")?);
    let (nlink, uid, gid) = (reader.uint_as("link count")?, reader.uint_as("owner")?, reader.uint_as("group")?);
    let (rdev, size) = (reader.uint_as("device number")?, reader.uint()?);
    let (atime, mtime, ctime, btime) = (reader.time()?, reader.time()?, reader.time()?, reader.time()?);
    let origin = match reader.byte()? {
        0 => Origin::New,
        1 => Origin::File { len_bytes: reader.uint()?, content: Content::decode(reader)? },
        2 => Origin::Dir(DirRef { node: NodeId(reader.id()?), content: ContentHash(reader.id()?) }),
        _ => return Err(CodecError::Invalid("origin")),
    };
    let symlink = reader.bytes()?.into();
    let attr = Attr { ino, kind, perm, nlink, uid, gid, rdev, size, atime, mtime, ctime, btime };
    Ok(InodeRecord { attr, parent, origin, symlink })
}

fn decode_kind(reader: &mut Reader<'_>) -> Result<Kind, CodecError> {
    Kind::from_code(reader.byte()?).ok_or(CodecError::Invalid("kind"))
}

fn decode_name(reader: &mut Reader<'_>) -> Result<Name, CodecError> {
    Name::new(reader.bytes()?).map_err(|_| CodecError::Invalid("name"))
}

impl Origin {
    /// What of a frozen entry's body shows through once the inode is in the delta.
    #[must_use]
    pub fn of(body: &Body, size_bytes: u64) -> Self {
        match body {
            Body::File(content) => Self::File { content: *content, len_bytes: size_bytes },
            Body::Dir(dir) => Self::Dir(*dir),
            Body::Symlink(_) | Body::Special => Self::New,
        }
    }
}
