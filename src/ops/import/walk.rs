//! The walk: every directory of the origin is listed once, by several threads, into memory.
//!
//! No file is opened here (but rule files), so the totals are known soon. What a tree takes in memory is about 250
//! bytes a file. The queue is a stack, so that what waits in it is bounded by the depth of the tree times the width of
//! a directory.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashSet;

use crate::model::{Attr, Body, BytePath, Content, DirRef, Entry, Ino, Name, Root, Xattrs};
use crate::ops::rules::Globs;
use crate::overlay::Lower;

use super::list::Lister;
use super::origin::Origin;
use super::rule_files::RuleSet;
use super::stat::{Identity, Seen};
use super::{ImportError, ImportProgress, LeftOut, Unreadable};
use crate::ops::parallel::in_parallel;

/// Position of a directory in [`Tree::dirs`]. The root is 0; a directory's is above that of the one it is in.
pub(super) type DirId = usize;

/// What the parts of an import share.
pub(super) struct Context<'a> {
    pub(super) origin: Origin,
    pub(super) lower: &'a dyn Lower,
    pub(super) previous: Option<&'a Root>,
    pub(super) exclude: Globs,
    pub(super) respect_gitignore: bool,
    pub(super) everything: bool,
    pub(super) data_dirs: FxHashSet<Identity>,
    /// Paths in the tree where sessions are mounted.
    pub(super) mounts: FxHashSet<BytePath>,
    pub(super) progress: &'a dyn ImportProgress,
    pub(super) cancel: &'a AtomicBool,
    pub(super) threads: usize,
}

impl Context<'_> {
    pub(super) fn check_cancelled(&self) -> Result<(), ImportError> {
        if self.cancel.load(Ordering::Relaxed) { Err(ImportError::Interrupted) } else { Ok(()) }
    }
}

/// A directory as it was listed.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) path: BytePath,
    pub(super) seen: Seen,
    pub(super) xattrs: Option<Xattrs>,
    /// Its state in the previous import.
    pub(super) previous: Option<(Ino, DirRef)>,
    /// Whether attributes (but the link count) and extended attributes are those of the previous import.
    pub(super) same_self: bool,
    /// Whether the names are those of the previous import, and so is everything of the entries that are no directories.
    pub(super) same_entries: bool,
    /// In the order of the names' bytes.
    pub(super) entries: Vec<Found>,
}

/// An entry of a directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: Name,
    pub(super) item: Item,
}

#[derive(Debug)]
pub(super) enum Item {
    Dir(DirId),
    Inode(Box<Inode>),
}

/// An inode that is no directory.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) seen: Seen,
    /// The number that the entry had in the previous import.
    pub(super) previous_ino: Option<Ino>,
    pub(super) body: State,
    pub(super) xattrs: Option<Xattrs>,
}

/// What is known of an inode's content.
#[derive(Debug)]
pub(super) enum State {
    /// A file yet to be read.
    Unread,
    /// A file that is stored, in this import or in the previous one.
    Stored(Content),
    Symlink(Box<[u8]>),
    Special,
    /// It turned out to be gone or unreadable; the entry is dropped.
    Dropped,
}

/// The origin as it was listed.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// `None` for a directory that is gone, left out or unreadable.
    pub(super) dirs: Vec<Option<Listing>>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) unreadable: Vec<Unreadable>,
    /// Entries left out by the options or by rule files.
    pub(super) excluded: u64,
    /// Directories of the previous import that could not be read.
    pub(super) damaged_dirs: u64,
}

/// A directory to list.
pub(super) struct Job {
    pub(super) id: DirId,
    pub(super) path: BytePath,
    pub(super) parent_dev: u64,
    pub(super) previous: Option<PreviousDir>,
    /// The rules that hold in the directory above.
    pub(super) rules: RuleSet,
}

/// A directory of the previous import.
pub(super) struct PreviousDir {
    pub(super) attr: Attr,
    pub(super) xattrs: Option<Xattrs>,
    pub(super) dir: DirRef,
}

impl PreviousDir {
    fn of_root(root: &Root) -> Self {
        Self { attr: root.attr.clone(), xattrs: root.xattrs.clone(), dir: root.dir }
    }

    /// `None` for what is no directory.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let Body::Dir(dir) = entry.body else { return None };
        Some(Self { attr: entry.attr.clone(), xattrs: entry.xattrs.clone(), dir })
    }
}

struct Queue {
    jobs: Vec<Job>,
    /// Threads that list a directory now, and so may add jobs.
    busy: usize,
    failed: bool,
}

struct Shared<'a> {
    context: &'a Context<'a>,
    queue: Mutex<Queue>,
    changed: Condvar,
    next_id: AtomicUsize,
}

/// Walks the whole origin.
pub(super) fn walk(context: &Context<'_>) -> Result<Tree, ImportError> {
    let root = Job {
        id: 0,
        path: BytePath::root(),
        parent_dev: context.origin.seen.dev,
        previous: context.previous.map(PreviousDir::of_root),
        rules: RuleSet::default(),
    };
    let shared = Shared {
        context,
        queue: Mutex::new(Queue { jobs: vec![root], busy: 0, failed: false }),
        changed: Condvar::new(),
        next_id: AtomicUsize::new(1),
    };
    let results = in_parallel(context.threads, || shared.work());
    let mut tree = Tree::default();
    tree.dirs.resize_with(shared.next_id.into_inner(), || None);
    for result in results {
        let part = result?;
        for (id, listing) in part.listings {
            tree.dirs[id] = Some(listing);
        }
        tree.left_out.extend(part.left_out);
        tree.unreadable.extend(part.unreadable);
        tree.excluded += part.excluded;
        tree.damaged_dirs += part.damaged_dirs;
    }
    Ok(tree)
}

impl Shared<'_> {
    fn work(&self) -> Result<Part, ImportError> {
        let mut lister = Lister::new(self.context, &self.next_id);
        let mut part = Part::default();
        let _release = ReleaseOthers(self);
        while let Some(job) = self.take() {
            let listed = self.context.check_cancelled().and_then(|()| lister.list(&job, &mut part));
            self.give(listed.as_ref().is_err(), &mut lister.found_dirs);
            listed?;
        }
        Ok(part)
    }

    /// The next job; `None` when there is none and no thread is left that could add one.
    fn take(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if queue.failed {
                return None;
            }
            if let Some(job) = queue.jobs.pop() {
                queue.busy += 1;
                return Some(job);
            }
            if queue.busy == 0 {
                return None;
            }
            self.changed.wait(&mut queue);
        }
    }

    fn give(&self, failed: bool, jobs: &mut Vec<Job>) {
        let mut queue = self.queue.lock();
        queue.busy -= 1;
        queue.failed |= failed;
        let added = jobs.len();
        // The stack gives the first name first.
        queue.jobs.extend(jobs.drain(..).rev());
        if added > 1 || queue.failed || queue.busy == 0 {
            self.changed.notify_all();
        }
    }
}

/// Sees to it that a panic of one thread does not leave the others waiting for the jobs that it will never add.
struct ReleaseOthers<'a>(&'a Shared<'a>);

impl Drop for ReleaseOthers<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue.lock().failed = true;
            self.0.changed.notify_all();
        }
    }
}

/// What one thread found.
#[derive(Default)]
pub(super) struct Part {
    pub(super) listings: Vec<(DirId, Listing)>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) excluded: u64,
    pub(super) damaged_dirs: u64,
}
