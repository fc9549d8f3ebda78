//! Operations on an inode's attributes, extended ones included.

use std::sync::Arc;

use crate::model::{Attr, Ino, Kind, Record, Xattrs};

use super::acl;
use super::core::Overlay;
use super::txn::{Txn, without_privileges};
use super::{Caller, Error, Lower, SetAttr, SetTime, Upper, XattrMode};

/// The longest file, in bytes: what a signed 64-bit offset can reach.
pub(super) const MAX_SIZE: u64 = i64::MAX as u64;

/// The most bytes that an extended attribute's name, and its value, may have (`XATTR_NAME_MAX`, `XATTR_SIZE_MAX`).
const MAX_XATTR_NAME: usize = 255;
const MAX_XATTR_VALUE: usize = 65_536;

/// The most bytes that the list of an inode's attributes may have (`XATTR_LIST_MAX`).
const MAX_XATTR_LIST: usize = 65_536;

impl<L: Lower, U: Upper> Overlay<L, U> {
    pub(super) fn do_setattr(&self, caller: Caller, ino: Ino, set: &SetAttr) -> Result<Attr, Error> {
        self.change(caller, None, |txn| {
            let before = txn.attr(ino)?;
            if set.size.is_some() && before.kind == Kind::Dir {
                return Err(Error::IsDir.into());
            }
            if set.size.is_some() && before.kind != Kind::File {
                return Err(Error::Invalid.into());
            }
            if set.size.is_some_and(|size| size > MAX_SIZE) {
                return Err(Error::TooLarge.into());
            }
            if *set == SetAttr::default() {
                return Ok(before);
            }
            let attr = &mut txn.draft(ino)?.attr;
            apply(attr, set, caller);
            let attr = attr.clone();
            if set.perm.is_some() {
                acl::follow_mode(txn, &attr)?;
            }
            Ok(attr)
        })
    }

    pub(super) fn do_getxattr(&self, ino: Ino, name: &[u8]) -> Result<Arc<[u8]>, Error> {
        self.view(|view| {
            let xattrs = view.xattrs(ino)?;
            let value = xattrs.as_ref().and_then(|map| map.get(name)).ok_or(Error::NoAttr)?;
            Ok(Arc::from(&**value))
        })
    }

    pub(super) fn do_listxattr(&self, ino: Ino) -> Result<Vec<Box<[u8]>>, Error> {
        self.view(|view| Ok(view.xattrs(ino)?.iter().flat_map(|map| map.keys().cloned()).collect()))
    }

    pub(super) fn do_setxattr(
        &self,
        caller: Caller,
        ino: Ino,
        name: &[u8],
        value: &[u8],
        mode: XattrMode,
    ) -> Result<(), Error> {
        if name.is_empty() || name.len() > MAX_XATTR_NAME {
            return Err(Error::Range);
        }
        if value.len() > MAX_XATTR_VALUE {
            return Err(Error::TooBig);
        }
        self.change(caller, None, |txn| {
            let present = txn.view.xattrs(ino)?;
            let there = present.as_ref().is_some_and(|map| map.contains_key(name));
            match mode {
                XattrMode::Create if there => return Err(Error::Exists.into()),
                XattrMode::Replace if !there => return Err(Error::NoAttr.into()),
                _ => {}
            }
            if !there && list_bytes(present.as_ref()) + name.len() + 1 > MAX_XATTR_LIST {
                return Err(Error::TooBig.into());
            }
            touch_ctime(txn, ino)?;
            let value = if name == acl::ACCESS { acl::set_access(txn, ino, value)? } else { Some(value.into()) };
            txn.push(Record::Xattr { ino, name: name.into(), value });
            Ok(())
        })
    }

    pub(super) fn do_removexattr(&self, caller: Caller, ino: Ino, name: &[u8]) -> Result<(), Error> {
        self.change(caller, None, |txn| {
            if !txn.view.xattrs(ino)?.is_some_and(|map| map.contains_key(name)) {
                // To take away an ACL where there is none is no error.
                if name == acl::ACCESS || name == acl::DEFAULT {
                    return Ok(());
                }
                return Err(Error::NoAttr.into());
            }
            touch_ctime(txn, ino)?;
            txn.push(Record::Xattr { ino, name: name.into(), value: None });
            Ok(())
        })
    }
}

fn touch_ctime(txn: &mut Txn<'_>, ino: Ino) -> Result<(), super::nodes::Stop> {
    let now = txn.now();
    txn.draft(ino)?.attr.ctime = now;
    Ok(())
}

fn list_bytes(xattrs: Option<&Xattrs>) -> usize {
    xattrs.map_or(0, |map| map.keys().map(|name| name.len() + 1).sum())
}

fn apply(attr: &mut Attr, set: &SetAttr, caller: Caller) {
    let at = |time: SetTime| match time {
        SetTime::Now => caller.now,
        SetTime::At(time) => time,
    };
    let owner_set = set.uid.is_some() || set.gid.is_some();
    if (owner_set || set.kill_priv) && attr.kind != Kind::Dir {
        attr.perm = without_privileges(attr, caller);
    }
    attr.uid = set.uid.unwrap_or(attr.uid);
    attr.gid = set.gid.unwrap_or(attr.gid);
    if let Some(size) = set.size {
        if caller.uid != 0 {
            attr.perm = without_privileges(attr, caller);
        }
        attr.mtime = caller.now;
        attr.size = size;
    }
    attr.perm = set.perm.map_or(attr.perm, |perm| perm & 0o7777);
    attr.atime = set.atime.map_or(attr.atime, at);
    attr.mtime = set.mtime.map_or(attr.mtime, at);
    attr.ctime = set.ctime.unwrap_or(caller.now);
}
