//! Lists one directory of the origin: names, attributes, and what is known of them from the previous import.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{FileType, RawDir, fstatfs, readlinkat};
use rustix::io::Errno;

use crate::model::{Attr, Body, BytePath, Entry, Ino, Kind, Name, ROOT_INO, Xattrs};
use crate::store::tree::{self, EntryRef};

use super::kernel_fs::is_kernel_file_system;
use super::rule_files::RuleSet;
use super::stat::{Seen, same_stamp};
use super::walk::{Context, Found, Inode, Item, Job, Listing, Part, PreviousDir, State};
use super::xattr::{self, Target};
use super::{ImportError, LeftOut, Unreadable, WhyLeftOut, WhyUnreadable};

/// What a thread of the walk needs for one directory after the other.
pub(super) struct Lister<'a> {
    context: &'a Context<'a>,
    next_id: &'a AtomicUsize,
    buf: Vec<MaybeUninit<u8>>,
    /// The subdirectories found by the last call of [`Lister::list`], for the caller to take.
    pub(super) found_dirs: Vec<Job>,
}

/// A name as the directory has it.
struct Listed {
    name: Name,
    is_dir: Option<bool>,
    ino: Ino,
}

/// An entry with its state; directories are looked at when they are listed themselves.
struct Looked {
    name: Name,
    seen: Option<Seen>,
}

/// The directory at hand.
struct Here<'a> {
    job: &'a Job,
    fd: OwnedFd,
    rules: RuleSet,
}

/// Why a directory could not be listed.
enum Failed {
    System(Errno),
    Import(ImportError),
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<ImportError> for Failed {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

impl<'a> Lister<'a> {
    pub(super) fn new(context: &'a Context<'a>, next_id: &'a AtomicUsize) -> Self {
        Self { context, next_id, buf: vec![MaybeUninit::uninit(); 64 << 10], found_dirs: Vec::new() }
    }

    /// Lists the directory of `job` and adds what it found to `part`.
    pub(super) fn list(&mut self, job: &Job, part: &mut Part) -> Result<(), ImportError> {
        match self.try_list(job, part) {
            Ok(Some(listing)) => part.listings.push((job.id, listing)),
            Ok(None) => {}
            // Gone, or replaced by something else, since its name was read.
            Err(Failed::System(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE)) if job.id != 0 => {}
            Err(Failed::System(errno)) => {
                let why = WhyUnreadable::Content(errno);
                part.unreadable.push(Unreadable { path: job.path.clone(), why });
            }
            Err(Failed::Import(error)) => return Err(error),
        }
        Ok(())
    }

    fn try_list(&mut self, job: &Job, part: &mut Part) -> Result<Option<Listing>, Failed> {
        let fd = self.context.origin.open_dir(&job.path)?;
        let seen = Seen::at(&fd, b"")?;
        if let Some(why) = self.why_left_out(&seen, job, &fd)? {
            part.left_out.push(LeftOut { path: job.path.clone(), why });
            return Ok(None);
        }
        let mut listed = self.read_names(&fd, &job.path, part)?;
        let names = listed.iter().map(|listed| listed.name.as_bytes());
        let rules = match self.context.everything {
            true => RuleSet::default(),
            false => job.rules.inside(&self.context.origin, &job.path, names, self.context.respect_gitignore),
        };
        let here = Here { job, fd, rules };

        // The order of inode numbers is the order on the disk, more or less.
        listed.sort_unstable_by_key(|listed| listed.ino);
        let mut looked = Vec::with_capacity(listed.len());
        for (index, listed) in listed.into_iter().enumerate() {
            if index % 1024 == 1023 {
                self.context.check_cancelled()?;
            }
            looked.extend(self.look_at(&here, listed, part)?);
        }
        looked.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(self.compare(&here, seen, looked, part)))
    }

    fn why_left_out(&self, seen: &Seen, job: &Job, fd: &OwnedFd) -> Result<Option<WhyLeftOut>, Errno> {
        if self.context.data_dirs.contains(&seen.identity()) {
            return Ok(Some(WhyLeftOut::DataDirectory));
        }
        if seen.dev == job.parent_dev {
            return Ok(None);
        }
        let magic = fstatfs(fd)?.f_type as u64 & 0xffff_ffff;
        Ok(is_kernel_file_system(magic).then_some(WhyLeftOut::KernelFileSystem))
    }

    fn read_names(&mut self, fd: &OwnedFd, path: &BytePath, part: &mut Part) -> Result<Vec<Listed>, Errno> {
        let mut names = Vec::new();
        let mut dir = RawDir::new(fd, &mut self.buf);
        while let Some(entry) = dir.next() {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if bytes == b"." || bytes == b".." {
                continue;
            }
            let is_dir = match entry.file_type() {
                FileType::Unknown => None,
                file_type => Some(file_type == FileType::Directory),
            };
            match Name::new(bytes) {
                Ok(name) => names.push(Listed { name, is_dir, ino: entry.ino() }),
                Err(_) => part.unreadable.push(Unreadable { path: path.join(bytes), why: WhyUnreadable::NameTooLong }),
            }
        }
        Ok(names)
    }

    /// The state of an entry; `None` if it is left out or gone.
    fn look_at(&self, here: &Here<'_>, listed: Listed, part: &mut Part) -> Result<Option<Looked>, Failed> {
        // A session's mount must not even be asked for its attributes: if its process hangs, so would the import.
        if !self.context.mounts.is_empty() {
            let path = here.job.path.join(&listed.name);
            if self.context.mounts.contains(&path) {
                part.left_out.push(LeftOut { path, why: WhyLeftOut::OwnMount });
                return Ok(None);
            }
        }
        let seen = match listed.is_dir {
            Some(true) => None,
            _ => match Seen::at(&here.fd, &listed.name) {
                Ok(seen) => Some(seen).filter(|seen| seen.attr.kind != Kind::Dir),
                Err(Errno::NOENT | Errno::STALE) => return Ok(None),
                Err(errno) => {
                    let path = here.job.path.join(&listed.name);
                    part.unreadable.push(Unreadable { path, why: WhyUnreadable::Content(errno) });
                    return Ok(None);
                }
            },
        };
        if self.is_excluded(here, &listed.name, seen.is_none()) {
            part.excluded += 1;
            return Ok(None);
        }
        Ok(Some(Looked { name: listed.name, seen }))
    }

    fn is_excluded(&self, here: &Here<'_>, name: &Name, is_dir: bool) -> bool {
        if self.context.exclude.is_empty() && here.rules.is_empty() {
            return false;
        }
        let path = here.job.path.join(name);
        self.context.exclude.matches(path.as_bytes(), is_dir) || here.rules.leaves_out(path.as_bytes(), name, is_dir)
    }

    /// Joins what was found with the entries of the previous import, by name.
    fn compare(&mut self, here: &Here<'_>, seen: Seen, looked: Vec<Looked>, part: &mut Part) -> Listing {
        let same_self = is_same_dir(here.job, &seen, self.context.origin.seen.dev);
        let before = self.previous_entries(here.job, part);
        let xattrs = match &here.job.previous {
            Some(before) if same_self => before.xattrs.clone(),
            _ => read_xattrs(Target::Open(here.fd.as_fd()), || here.job.path.clone(), part),
        };
        let previous = here.job.previous.as_ref().map(|dir| (dir.attr.ino, dir.dir));
        let mut same_entries = previous.is_some() && before.len() == looked.len();
        let mut before = before.into_iter().peekable();
        let (mut entries, mut files, mut bytes) = (Vec::with_capacity(looked.len()), 0, 0);
        for looked in looked {
            while before.next_if(|entry| entry.name < looked.name).is_some() {}
            let entry = before.next_if(|entry| entry.name == looked.name);
            let item = match looked.seen {
                None => {
                    let previous = entry.and_then(|entry| PreviousDir::of(&entry));
                    same_entries &= previous.is_some();
                    self.found_dir(here, &looked.name, seen.dev, previous)
                }
                Some(inode) => {
                    files += 1;
                    bytes += inode.attr.size;
                    let (inode, same) = self.found_inode(here, &looked.name, inode, entry.as_deref(), part);
                    same_entries &= same;
                    Item::Inode(Box::new(inode))
                }
            };
            entries.push(Found { name: looked.name, item });
        }
        self.context.progress.found(files, bytes);
        Listing { path: here.job.path.clone(), seen, xattrs, previous, same_self, same_entries, entries }
    }

    /// A directory of the previous import that is damaged is none: the import then reads what it could not reuse.
    fn previous_entries(&self, job: &Job, part: &mut Part) -> Vec<EntryRef> {
        let Some(previous) = &job.previous else { return Vec::new() };
        tree::entries(self.context.lower, previous.dir).collect::<Result<_, _>>().unwrap_or_else(|_| {
            part.damaged_dirs += 1;
            Vec::new()
        })
    }

    fn found_dir(&mut self, here: &Here<'_>, name: &Name, parent_dev: u64, previous: Option<PreviousDir>) -> Item {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let path = here.job.path.join(name);
        self.found_dirs.push(Job { id, path, parent_dev, previous, rules: here.rules.clone() });
        Item::Dir(id)
    }

    /// The inode, and whether it is as it was in every respect.
    fn found_inode(
        &self,
        here: &Here<'_>,
        name: &Name,
        mut seen: Seen,
        previous: Option<&Entry>,
        part: &mut Part,
    ) -> (Inode, bool) {
        let keeps_ino = seen.keeps_ino(self.context.origin.seen.dev);
        let previous_ino = previous.map(|entry| entry.attr.ino);
        let untouched = previous.filter(|entry| {
            // A number that was given out tells nothing; the change time has to do.
            same_stamp(&entry.attr, &seen.attr) && (!keeps_ino || entry.attr.ino == seen.attr.ino)
        });
        if let Some(entry) = untouched {
            let body = match &entry.body {
                Body::File(content) => State::Stored(*content),
                Body::Symlink(target) => State::Symlink(target.clone()),
                Body::Special | Body::Dir(_) => State::Special,
            };
            let same = keeps_ino && entry.attr == seen.attr && seen.attr.nlink == 1;
            return (Inode { seen, previous_ino, body, xattrs: entry.xattrs.clone() }, same);
        }
        let body = match seen.attr.kind {
            Kind::File => State::Unread,
            Kind::Symlink => match readlinkat(&here.fd, name.as_bytes(), Vec::new()) {
                Ok(target) => {
                    let target = target.into_bytes();
                    seen.attr.size = target.len() as u64;
                    State::Symlink(target.into())
                }
                Err(Errno::NOENT | Errno::INVAL) => State::Dropped,
                Err(errno) => {
                    let path = here.job.path.join(name);
                    part.unreadable.push(Unreadable { path, why: WhyUnreadable::Content(errno) });
                    State::Dropped
                }
            },
            _ => State::Special,
        };
        let xattrs = match &body {
            State::Symlink(_) | State::Special => {
                read_xattrs(Target::Named(here.fd.as_fd(), name), || here.job.path.join(name), part)
            }
            _ => None,
        };
        (Inode { seen, previous_ino, body, xattrs }, false)
    }
}

/// Whether the previous import has the same of the directory itself, but for the link count.
fn is_same_dir(job: &Job, seen: &Seen, origin_dev: u64) -> bool {
    let Some(PreviousDir { attr, .. }) = &job.previous else { return false };
    let ino = if job.id == 0 { ROOT_INO } else { seen.attr.ino };
    let now = Attr { ino, nlink: attr.nlink, ..seen.attr.clone() };
    (job.id == 0 || seen.keeps_ino(origin_dev)) && now == *attr
}

/// The attributes of what is at `path`; those that cannot be read are reported.
pub(super) fn read_xattrs(target: Target<'_>, path: impl Fn() -> BytePath, part: &mut Part) -> Option<Xattrs> {
    xattr::read_all(target, |failed| {
        let why = WhyUnreadable::Xattr { name: failed.name, error: failed.errno };
        part.unreadable.push(Unreadable { path: path(), why });
    })
}
