//! Operations on names: look up, make, link, remove, rename.

use crate::model::{Attr, Ino, InodeRecord, Kind, ROOT_INO};

use super::core::Overlay;
use super::nodes::Stop;
use super::txn::{Target, Txn};
use super::{Caller, Error, Lower, RenameMode, Upper};

impl<L: Lower, U: Upper> Overlay<L, U> {
    pub(super) fn do_lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        if name.len() > crate::model::Name::MAX {
            return Err(Error::NameTooLong);
        }
        self.view(|view| {
            let target = view.target(parent, name)?.ok_or(Error::NotFound)?;
            let (attr, location) = match target.frozen {
                Some((attr, location)) => (attr, Some(location)),
                None => (view.attr(target.ino)?, None),
            };
            self.count_lookup(&attr, location);
            Ok(attr)
        })
    }

    /// Makes an inode that `fill` completes, and counts the kernel's look-up of it.
    pub(super) fn make(
        &self,
        caller: Caller,
        (parent, name): (Ino, &[u8]),
        (kind, perm): (Kind, u16),
        fill: impl Fn(&mut InodeRecord),
    ) -> Result<Attr, Error> {
        let attr = self.change(caller, None, |txn| {
            let record = txn.create(parent, name, kind, perm)?;
            fill(record);
            Ok(record.attr.clone())
        })?;
        self.count_lookup(&attr, None);
        Ok(attr)
    }

    pub(super) fn do_link(&self, caller: Caller, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr, Error> {
        let attr = self.change(caller, None, |txn| {
            let attr = txn.attr(ino)?;
            if attr.kind == Kind::Dir {
                return Err(Error::NotPermitted.into());
            }
            let dir = txn.attr(parent)?;
            if dir.kind != Kind::Dir {
                return Err(Error::NotDir.into());
            }
            // A file without a name cannot get one again: its data may be on its way out.
            if attr.nlink == 0 || dir.nlink == 0 {
                return Err(Error::NotFound.into());
            }
            if attr.nlink >= MAX_LINKS {
                return Err(Error::TooManyLinks.into());
            }
            if txn.view.target(parent, name)?.is_some() {
                return Err(Error::Exists.into());
            }
            let now = txn.now();
            let draft = &mut txn.draft(ino)?.attr;
            draft.nlink += 1;
            draft.ctime = now;
            let attr = draft.clone();
            txn.touch_dir(parent, 0)?;
            txn.link(parent, name, ino, attr.kind, None)?;
            Ok(attr)
        })?;
        self.count_lookup(&attr, None);
        Ok(attr)
    }

    pub(super) fn do_unlink(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        self.change(caller, None, |txn| {
            let target = existing(txn, parent, name)?;
            if target.kind == Kind::Dir {
                return Err(Error::IsDir.into());
            }
            txn.touch_dir(parent, 0)?;
            learn(txn, &target);
            txn.drop_name(target.ino)?;
            txn.unlink(parent, name)
        })
    }

    pub(super) fn do_rmdir(&self, caller: Caller, parent: Ino, name: &[u8]) -> Result<(), Error> {
        self.change(caller, None, |txn| {
            let target = existing(txn, parent, name)?;
            if target.kind != Kind::Dir {
                return Err(Error::NotDir.into());
            }
            learn(txn, &target);
            if !txn.view.is_empty_dir(target.ino)? {
                return Err(Error::NotEmpty.into());
            }
            txn.touch_dir(parent, -1)?;
            txn.drop_name(target.ino)?;
            txn.unlink(parent, name)
        })
    }

    pub(super) fn do_rename(
        &self,
        caller: Caller,
        from: (Ino, &[u8]),
        to: (Ino, &[u8]),
        mode: RenameMode,
    ) -> Result<(), Error> {
        let both = RenameMode::NO_REPLACE | RenameMode::EXCHANGE;
        if mode.contains(both) || mode.contains(RenameMode::EXCHANGE | RenameMode::WHITEOUT) {
            return Err(Error::Invalid);
        }
        self.change(caller, None, |txn| {
            let source = existing(txn, from.0, from.1)?;
            learn(txn, &source);
            let target = txn.view.target(to.0, to.1)?;
            if let Some(target) = &target {
                learn(txn, target);
            }
            if txn.attr(to.0)?.nlink == 0 {
                return Err(Error::NotFound.into());
            }
            if mode.contains(RenameMode::NO_REPLACE) && target.is_some() {
                return Err(Error::Exists.into());
            }
            refuse_loop(txn, &source, to.0)?;
            if mode.contains(RenameMode::EXCHANGE) {
                let target = target.ok_or(Error::NotFound)?;
                refuse_loop(txn, &target, from.0)?;
                if target.ino == source.ino {
                    return Ok(());
                }
                return exchange(txn, from, &source, to, &target);
            }
            if target.as_ref().is_some_and(|target| target.ino == source.ino) {
                return Ok(());
            }
            replace(txn, from, &source, to, target.as_ref())?;
            if mode.contains(RenameMode::WHITEOUT) {
                whiteout_device(txn, from, &source)?;
            }
            Ok(())
        })
    }
}

/// The most names of one inode, as ext4 has it.
const MAX_LINKS: u32 = 65_000;

fn existing(txn: &Txn<'_>, parent: Ino, name: &[u8]) -> Result<Target, Stop> {
    Ok(txn.view.target(parent, name)?.ok_or(Error::NotFound)?)
}

/// Notes where a frozen inode stands, so that it can be copied up though the kernel has not looked it up by this name.
fn learn(txn: &Txn<'_>, target: &Target) {
    if let Some((_, location)) = &target.frozen {
        txn.view.known.lock().hint(target.ino, *location);
    }
}

/// A directory cannot move below itself.
fn refuse_loop(txn: &Txn<'_>, moved: &Target, new_parent: Ino) -> Result<(), Stop> {
    if moved.kind != Kind::Dir {
        return Ok(());
    }
    let mut at = new_parent;
    while at != ROOT_INO {
        if at == moved.ino {
            return Err(Error::IntoItself.into());
        }
        at = match txn.view.state.inodes.get(&at) {
            Some(inode) => inode.parent,
            None => txn.view.frozen(at, |_, parent| parent)?,
        };
    }
    Ok(())
}

/// Moves an inode to its new directory.
fn place(txn: &mut Txn<'_>, moved: &Target, parent: Ino) -> Result<(), Stop> {
    let now = txn.now();
    let draft = txn.draft(moved.ino)?;
    draft.parent = parent;
    draft.attr.ctime = now;
    Ok(())
}

fn replace(
    txn: &mut Txn<'_>,
    from: (Ino, &[u8]),
    source: &Target,
    to: (Ino, &[u8]),
    target: Option<&Target>,
) -> Result<(), Stop> {
    let (source_dir, target_dir) = (source.kind == Kind::Dir, target.map(|target| target.kind == Kind::Dir));
    match (source_dir, target_dir) {
        (true, Some(false)) => return Err(Error::NotDir.into()),
        (false, Some(true)) => return Err(Error::IsDir.into()),
        _ => {}
    }
    if let (Some(target), Some(true)) = (target, target_dir)
        && !txn.view.is_empty_dir(target.ino)?
    {
        return Err(Error::NotEmpty.into());
    }
    let moves_subdir = i32::from(source_dir);
    txn.touch_dir(from.0, -moves_subdir)?;
    txn.touch_dir(to.0, moves_subdir - i32::from(target_dir == Some(true)))?;
    if let Some(target) = target {
        txn.drop_name(target.ino)?;
    }
    place(txn, source, to.0)?;
    txn.unlink(from.0, from.1)?;
    txn.link(to.0, to.1, source.ino, source.kind, target)
}

fn exchange(
    txn: &mut Txn<'_>,
    from: (Ino, &[u8]),
    source: &Target,
    to: (Ino, &[u8]),
    target: &Target,
) -> Result<(), Stop> {
    let balance = i32::from(target.kind == Kind::Dir) - i32::from(source.kind == Kind::Dir);
    let across = from.0 != to.0;
    txn.touch_dir(from.0, if across { balance } else { 0 })?;
    txn.touch_dir(to.0, if across { -balance } else { 0 })?;
    place(txn, source, to.0)?;
    place(txn, target, from.0)?;
    txn.link(to.0, to.1, source.ino, source.kind, Some(target))?;
    txn.link(from.0, from.1, target.ino, target.kind, Some(source))
}

/// `RENAME_WHITEOUT` leaves a character device 0:0 where the file was.
fn whiteout_device(txn: &mut Txn<'_>, from: (Ino, &[u8]), source: &Target) -> Result<(), Stop> {
    let ino = txn.fresh_inode(from.0, Kind::CharDevice, 0)?;
    // The name was taken away in this change, so it hides nothing of the base any more.
    let gone = Target { hides_base: false, ..source.clone() };
    txn.link(from.0, from.1, ino, Kind::CharDevice, Some(&gone))
}
