//! POSIX access control lists (`acl(5)`), as far as a file system has to do with them: the kernel checks them, and leaves
//! it to the file system to keep them and the mode in step and to hand default ones down to what is made.
//!
//! The encoding is the kernel's for `system.posix_acl_access` and `system.posix_acl_default`
//! (`include/uapi/linux/posix_acl_xattr.h`): a version, then entries of a tag, permissions and an id.

use crate::model::{Attr, Ino, Kind, Record};

use super::nodes::Stop;
use super::txn::{S_ISGID, Txn};
use super::{Caller, Error};

pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: u32 = 2;
const USER_OBJ: u16 = 0x01;
const GROUP_OBJ: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// Read, write and execute of one class.
const RWX: u16 = 0o7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    perm: u16,
    id: u32,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acl(Vec<Entry>);

impl Acl {
    /// Reads the value of an attribute; `None` if it is no list that a mode could be taken from.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (version, entries) = value.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*version) != VERSION {
            return None;
        }
        let (entries, []) = entries.as_chunks::<8>() else { return None };
        let read = |[a, b, c, d, id @ ..]: &[u8; 8]| Entry {
            tag: u16::from_le_bytes([*a, *b]),
            perm: u16::from_le_bytes([*c, *d]) & RWX,
            id: u32::from_le_bytes(*id),
        };
        let acl = Self(entries.iter().map(read).collect());
        [USER_OBJ, GROUP_OBJ, OTHER].into_iter().all(|tag| acl.perm(tag).is_some()).then_some(acl)
    }

    /// The value of the attribute.
    pub fn encode(&self) -> Box<[u8]> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            value.extend(entry.tag.to_le_bytes());
            value.extend(entry.perm.to_le_bytes());
            value.extend(entry.id.to_le_bytes());
        }
        value.into()
    }

    fn perm(&self, tag: u16) -> Option<u16> {
        self.0.iter().find(|entry| entry.tag == tag).map(|entry| entry.perm)
    }

    /// The entry that the group bits of the mode stand for.
    fn group_tag(&self) -> u16 {
        if self.perm(MASK).is_some() { MASK } else { GROUP_OBJ }
    }

    /// The permission bits that `ls` shows of it.
    pub fn mode(&self) -> u16 {
        let perm = |tag| self.perm(tag).unwrap_or_default();
        perm(USER_OBJ) << 6 | perm(self.group_tag()) << 3 | perm(OTHER)
    }

    /// Whether it says no more than a mode does.
    pub fn is_mode(&self) -> bool {
        self.0.iter().all(|entry| matches!(entry.tag, USER_OBJ | GROUP_OBJ | OTHER))
    }

    /// Puts the permission bits of a mode in, as `chmod(2)` does.
    pub fn set_mode(&mut self, mode: u16) {
        let group = self.group_tag();
        for entry in &mut self.0 {
            match entry.tag {
                USER_OBJ => entry.perm = mode >> 6 & RWX,
                OTHER => entry.perm = mode & RWX,
                tag if tag == group => entry.perm = mode >> 3 & RWX,
                _ => {}
            }
        }
    }
}

/// The caller sets an access list: the mode follows it. Returns the value to be stored; none if the mode says it all.
pub(super) fn set_access(txn: &mut Txn<'_>, ino: Ino, value: &[u8]) -> Result<Option<Box<[u8]>>, Stop> {
    let acl = Acl::parse(value).ok_or(Error::Invalid)?;
    let Caller { uid, gid, .. } = txn.caller;
    let attr = &mut txn.draft(ino)?.attr;
    attr.perm = attr.perm & 0o7000 | acl.mode();
    if uid != 0 && gid != attr.gid {
        attr.perm &= !S_ISGID;
    }
    Ok((!acl.is_mode()).then(|| value.into()))
}

/// The mode of a drafted inode was set: the access list follows it, if there is one.
pub(super) fn follow_mode(txn: &mut Txn<'_>, attr: &Attr) -> Result<(), Stop> {
    let Some(xattrs) = txn.view.xattrs(attr.ino)? else { return Ok(()) };
    if let Some(mut acl) = xattrs.get(ACCESS).and_then(|value| Acl::parse(value)) {
        acl.set_mode(attr.perm);
        txn.push(Record::Xattr { ino: attr.ino, name: ACCESS.into(), value: Some(acl.encode()) });
    }
    Ok(())
}

/// Gives a new inode its permissions: those asked for without the umask, or what the directory's default list says.
pub(super) fn inherit(txn: &mut Txn<'_>, parent: Ino, ino: Ino) -> Result<(), Stop> {
    let umask = txn.caller.umask;
    let xattrs = txn.view.xattrs(parent)?;
    let value = xattrs.as_ref().and_then(|xattrs| xattrs.get(DEFAULT));
    let attr = &mut txn.draft(ino)?.attr;
    if attr.kind == Kind::Symlink {
        return Ok(());
    }
    let Some((value, mut acl)) = value.and_then(|value| Some((value, Acl::parse(value)?))) else {
        attr.perm &= !umask;
        return Ok(());
    };
    let is_dir = attr.kind == Kind::Dir;
    acl.set_mode(acl.mode() & attr.perm);
    attr.perm = attr.perm & 0o7000 | acl.mode();
    if !acl.is_mode() {
        txn.push(Record::Xattr { ino, name: ACCESS.into(), value: Some(acl.encode()) });
    }
    if is_dir {
        txn.push(Record::Xattr { ino, name: DEFAULT.into(), value: Some(value.clone()) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(u16, u16)]) -> Acl {
        Acl(entries.iter().map(|&(tag, perm)| Entry { tag, perm, id: u32::MAX }).collect())
    }

    #[test]
    fn the_encoding_is_the_kernels() {
        let list = acl(&[(USER_OBJ, 6), (GROUP_OBJ, 4), (OTHER, 0)]);
        let value = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
        assert_eq!(*list.encode(), value[..]);
        assert_eq!(Acl::parse(value), Some(list));
        for bad in [&value[..3], &value[..27], &value[..20], b"\x01\0\0\0", b""] {
            assert_eq!(Acl::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_group_bits_are_the_mask_where_there_is_one() {
        let mut plain = acl(&[(USER_OBJ, 7), (GROUP_OBJ, 5), (OTHER, 1)]);
        assert_eq!((plain.mode(), plain.is_mode()), (0o751, true));
        plain.set_mode(0o640);
        assert_eq!(plain, acl(&[(USER_OBJ, 6), (GROUP_OBJ, 4), (OTHER, 0)]));
        let mut masked = acl(&[(USER_OBJ, 7), (0x02, 7), (GROUP_OBJ, 5), (MASK, 6), (OTHER, 0)]);
        assert_eq!((masked.mode(), masked.is_mode()), (0o760, false));
        masked.set_mode(0o644);
        assert_eq!(masked, acl(&[(USER_OBJ, 6), (0x02, 7), (GROUP_OBJ, 5), (MASK, 4), (OTHER, 4)]));
    }
}
