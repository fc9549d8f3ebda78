//! New files, written where nobody looks: in a directory of their own at the top of the target.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, fchmod, fchown, fsetxattr, fstat,
    fsync, futimens, linkat, mkdirat, mkfifoat, openat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::model::{Attr, Kind};
use crate::ops::changes::{Sides, SnapshotEntry, TreeView};
use crate::ops::error::Result;
use crate::ops::live::LiveError;
use crate::overlay::{SnapshotBody, Whence};

use super::links::LinkTo;
use super::place::{Place, Stamp};
use super::plan::{Step, cannot};

/// What the names of directories with new files begin with.
pub(super) const PREFIX: &str = ".aether-apply-";

/// New files, ready to be put where they belong.
#[derive(Debug)]
pub(super) struct Staged {
    /// The directory.
    pub(super) dir: OwnedFd,
    /// The number of the inode of each step's new file; `None` where there is none.
    pub(super) inos: Vec<Option<u64>>,
}

/// A name that nobody has.
pub(super) fn name(seed: &[u8; 32]) -> String {
    let hash = blake3::keyed_hash(seed, b"apply").to_hex();
    format!("{PREFIX}{}", &hash[..16])
}

/// The name that the new file of a step has there.
pub(super) fn slot(step: usize) -> String {
    format!("new-{step}")
}

/// Writes the new files of all steps, and makes them durable.
pub(super) fn stage(place: &Place, name: &str, steps: &[Step], sides: Sides<'_>) -> Result<Staged> {
    let top = crate::model::BytePath::root();
    mkdirat(&place.top, name, Mode::from_raw_mode(0o700)).map_err(|errno| cannot("written", place, &top, errno))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(&place.top, name, flags, Mode::empty()).map_err(|errno| cannot("opened", place, &top, errno))?;
    let mut inos = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let ino = match &step.new {
            Some(new) if !step.only_mode && new.attr.kind != Kind::Dir => {
                let linked = match &step.link {
                    Some(to) => link(place, dir.as_fd(), &slot(at), to),
                    None => None,
                };
                match linked {
                    Some(ino) => Some(ino),
                    None => Some(write(place, dir.as_fd(), &slot(at), step, (new, step.owner()), sides.new)?),
                }
            }
            _ => None,
        };
        inos.push(ino);
    }
    fsync(&dir).and_then(|()| fsync(&place.top)).map_err(|errno| cannot("synced", place, &top, errno))?;
    Ok(Staged { dir, inos })
}

/// Makes another name of a file; returns its number, or `None` where that cannot be: too many names, or a file of others.
fn link(place: &Place, dir: BorrowedFd<'_>, new: &str, to: &LinkTo) -> Option<u64> {
    match to {
        LinkTo::Step(at) => linkat(dir, slot(*at), dir, new, AtFlags::empty()).ok()?,
        LinkTo::There(path, stamp) => {
            let file = place.file(path).ok()?;
            if Stamp::of(&fstat(&file).ok()?) != *stamp {
                return None;
            }
            // By its descriptor, whatever has its name by now.
            let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, opened, dir, new, AtFlags::SYMLINK_FOLLOW).ok()?;
        }
    }
    Some(statat(dir, new, AtFlags::SYMLINK_NOFOLLOW).ok()?.st_ino)
}

/// Writes one file; returns its number.
fn write(
    place: &Place,
    dir: BorrowedFd<'_>,
    slot: &str,
    step: &Step,
    (new, owner): (&SnapshotEntry, Option<(u32, u32)>),
    view: &dyn TreeView,
) -> Result<u64> {
    let failed = |errno: Errno| cannot("written", place, &step.path, errno);
    match &new.body {
        SnapshotBody::Symlink(target) => {
            symlinkat(&target[..], dir, slot).map_err(failed)?;
            let times = times(&new.attr);
            utimensat(dir, slot, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        }
        SnapshotBody::File(_) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let fd = openat(dir, slot, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
            let mut file = File::from(fd);
            fill(&mut file, new, view, &|errno| failed(errno))?;
            dress(file.as_fd(), new, owner).map_err(failed)?;
            fsync(&file).map_err(failed)?;
        }
        SnapshotBody::Special | SnapshotBody::Dir(_) => {
            let mode = Mode::from_raw_mode(new.attr.perm.into());
            mkfifoat(dir, slot, mode).map_err(failed)?;
            // The mask of the process took bits away.
            chmodat(dir, slot, mode, AtFlags::empty()).map_err(failed)?;
            utimensat(dir, slot, &times(&new.attr), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        }
    }
    Ok(statat(dir, slot, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?.st_ino)
}

/// Writes the bytes; holes stay holes.
fn fill(
    file: &mut File,
    new: &SnapshotEntry,
    view: &dyn TreeView,
    failed: &dyn Fn(Errno) -> crate::ops::Error,
) -> Result<()> {
    const PIECE_BYTES: u64 = 1 << 20;
    let io = |error: std::io::Error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    let mut buf = vec![0; PIECE_BYTES.min(new.attr.size.max(1)) as usize];
    let mut at = 0;
    while let Some(data) = view.seek(new, at, Whence::Data).map_err(LiveError::from)? {
        let end = view.seek(new, data, Whence::Hole).map_err(LiveError::from)?.unwrap_or(new.attr.size);
        file.seek(SeekFrom::Start(data)).map_err(io)?;
        at = data;
        while at < end {
            let want = (end - at).min(PIECE_BYTES) as usize;
            let count = view.read(new, at, &mut buf[..want]).map_err(LiveError::from)?;
            if count == 0 {
                return Err(failed(Errno::IO));
            }
            file.write_all(&buf[..count]).map_err(io)?;
            at += count as u64;
        }
        if at >= new.attr.size {
            break;
        }
    }
    file.set_len(new.attr.size).map_err(io)
}

/// Gives a file or directory its owner, mode, extended attributes and times. Without the right to give it away, it stays
/// with whoever runs this; attributes that the file system does not have, or that need rights, are left out.
pub(super) fn dress(
    fd: BorrowedFd<'_>,
    new: &SnapshotEntry,
    owner: Option<(u32, u32)>,
) -> std::result::Result<(), Errno> {
    let (uid, gid) = owner.unwrap_or((new.attr.uid, new.attr.gid));
    match fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
        Err(Errno::PERM | Errno::INVAL) | Ok(()) => {}
        Err(errno) => return Err(errno),
    }
    for (name, value) in new.xattrs.iter().flat_map(|xattrs| xattrs.iter()) {
        match fsetxattr(fd, &name[..], value, XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) | Ok(()) => {}
            Err(errno) => return Err(errno),
        }
    }
    // After the owner, whose change takes set-uid bits away.
    fchmod(fd, Mode::from_raw_mode(new.attr.perm.into()))?;
    futimens(fd, &times(&new.attr))
}

fn times(attr: &Attr) -> Timestamps {
    let spec = |time: crate::model::Timestamp| Timespec { tv_sec: time.secs, tv_nsec: time.nanos.into() };
    Timestamps { last_access: spec(attr.mtime), last_modification: spec(attr.mtime) }
}
