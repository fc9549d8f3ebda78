//! Importing a directory: its whole tree, with all metadata, becomes a frozen root in the store.
//!
//! An import goes through five steps, each a module: `walk` lists everything; `plan` orders it and joins hard
//! links; `read` stores what is not known from the previous import; `number` gives inode numbers; `build` writes the
//! directories and the root. It knows no catalog: the caller makes a revision of the root, if it differs from the last.
//!
//! Invariants: nothing is written to the origin, no symbolic link below its top is followed, and nothing but regular
//! files and directories is opened. The same tree gives the same root, however many threads there are.

mod build;
mod error;
mod file;
mod kernel_fs;
mod list;
mod number;
mod origin;
mod plan;
mod read;
mod rule_files;
mod stat;
mod walk;
mod xattr;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub(in crate::ops) use origin::Origin;
pub(in crate::ops) use stat::{Seen, same_stamp};
pub(in crate::ops) use xattr::read_xattrs_of;

pub use error::{ImportError, LeftOut, Unreadable, WhyLeftOut, WhyUnreadable};

use crate::model::{BytePath, Root, RootId};
use crate::ops::rules::Globs;
use crate::store::{Hold, Store, Writer, Written};

use plan::Plan;
use walk::{Context, Tree};

/// What to take, and how.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Globs of what to leave out, as [`Globs`] reads them.
    pub exclude: Vec<String>,
    /// Leave out what the tree's `.gitignore` and `.git/info/exclude` files ignore; `.git` itself stays. Without it,
    /// only `.aetherignore` files are heeded.
    pub respect_gitignore: bool,
    /// Heed no rule file of the tree at all.
    pub everything: bool,
    /// Leave out what cannot be read, instead of failing.
    pub skip_unreadable: bool,
    /// How many threads walk and read; `None` for one a processor, at least 2.
    pub threads: Option<usize>,
    /// The data directory, and others that must never be entered. One that is not there is passed over.
    pub data_dirs: Vec<PathBuf>,
    /// Where sessions are mounted, without symbolic links, as the kernel's mount table has it. These are not even
    /// asked for their attributes.
    pub mounts: Vec<PathBuf>,
}

/// Told how the import comes along, by several threads at once.
pub trait ImportProgress: Sync {
    /// The walk found so many more entries that are no directories, of so many bytes.
    fn found(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// The walk is done: `files` are to be read, of `bytes` in all.
    fn walked(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }

    /// So many more files were read, of so many bytes.
    fn stored(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }
}

/// Nobody wants to know.
impl ImportProgress for () {}

/// An import that succeeded. The root is durable.
#[derive(Debug)]
pub struct Imported {
    /// The tree. It equals the previous one if nothing changed; then there is no need for a revision.
    pub root: RootId,
    /// What was done.
    pub stats: ImportStats,
    /// Directories that were not entered, in the order of their paths.
    pub left_out: Vec<LeftOut>,
    /// What could not be read and was skipped, in the order of their paths.
    pub unreadable: Vec<Unreadable>,
}

/// Numbers of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportStats {
    /// Inodes in the tree that are no directories.
    pub files: u64,
    /// Directories in the tree, with its root.
    pub dirs: u64,
    /// Bytes of all files, hard links once.
    pub bytes: u64,
    /// Files that were opened and read; the others are as in the previous import.
    pub files_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Entries that the options or rule files left out, each directory as one.
    pub excluded: u64,
    /// Directories of the previous import that are damaged, so that nothing of them could be reused.
    pub damaged_dirs: u64,
    /// What the store took.
    pub written: Written,
}

/// Imports the directory `origin`. What is as it was in `previous`, by size, times and inode, is not opened. The hold
/// was taken before `previous` was looked up, and is kept until a row refers to the new root.
///
/// # Errors
/// [`ImportError`]. What was stored until then stays in the store, for the next import to find.
pub fn import_dir(
    hold: &Hold,
    origin: &Path,
    previous: Option<RootId>,
    options: &ImportOptions,
    progress: &dyn ImportProgress,
    cancel: &AtomicBool,
) -> Result<Imported, ImportError> {
    let store = hold.store();
    // A previous root that is damaged is none: the import then reads everything.
    let previous = previous.and_then(|id| store.root(id).ok());
    let context = context(store, origin, previous.as_ref(), options, progress, cancel)?;
    let mut tree = walk::walk(&context)?;
    if tree.dirs.first().is_none_or(Option::is_none) {
        // Without the top there is nothing to import.
        check_unreadable(&mut tree, false)?;
        return Err(ImportError::Vanished);
    }
    let plan = Plan::new(&tree);

    let writer = hold.writer()?;
    match store_tree(&context, &writer, &mut tree, &plan, options.skip_unreadable) {
        Ok((root, mut stats)) => {
            stats.written = writer.finish()?;
            stats.excluded = tree.excluded;
            stats.damaged_dirs = tree.damaged_dirs;
            tree.left_out.sort();
            Ok(Imported { root, stats, left_out: tree.left_out, unreadable: tree.unreadable })
        }
        Err(error) => {
            // What is stored need not be stored again; the first error is the one that counts.
            let _ = writer.finish();
            Err(error)
        }
    }
}

fn store_tree(
    context: &Context<'_>,
    writer: &Writer,
    tree: &mut Tree,
    plan: &Plan,
    skip_unreadable: bool,
) -> Result<(RootId, ImportStats), ImportError> {
    let read = read::read_files(context, writer, tree, plan)?;
    check_unreadable(tree, skip_unreadable)?;
    let previous_next = context.previous.map(|root| root.next_ino);
    let numbered = number::number(tree, plan, context.origin.seen.dev, previous_next);
    let (root, dirs) = build::build(context, writer, tree, plan, numbered)?;
    let stats = ImportStats {
        files: numbered.files,
        dirs,
        bytes: numbered.bytes,
        files_read: read.files,
        bytes_read: read.bytes,
        ..ImportStats::default()
    };
    Ok((root, stats))
}

/// Fails if something could not be read and was not to be skipped.
fn check_unreadable(tree: &mut Tree, skip: bool) -> Result<(), ImportError> {
    tree.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
    if skip || tree.unreadable.is_empty() {
        return Ok(());
    }
    Err(ImportError::Unreadable { files: std::mem::take(&mut tree.unreadable) })
}

fn context<'a>(
    store: &'a Store,
    path: &Path,
    previous: Option<&'a Root>,
    options: &ImportOptions,
    progress: &'a dyn ImportProgress,
    cancel: &'a AtomicBool,
) -> Result<Context<'a>, ImportError> {
    let origin = Origin::open(path)?;
    let is_inside = |dir: &PathBuf| dir.canonicalize().is_ok_and(|dir| origin.real_path.starts_with(dir));
    if options.data_dirs.iter().any(is_inside) {
        return Err(ImportError::InsideDataDirectory { path: path.to_owned() });
    }
    let data_dirs = options.data_dirs.iter().filter_map(|dir| {
        let dir = dir.canonicalize().ok()?;
        Seen::at(rustix::fs::CWD, dir.as_os_str().as_bytes()).ok()
    });
    let mounts = options.mounts.iter().filter_map(|mount| {
        let inside = mount.strip_prefix(&origin.real_path).ok()?;
        BytePath::parse(inside.as_os_str().as_bytes()).ok().filter(|path| !path.is_root())
    });
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(Context {
        lower: store,
        previous,
        exclude: Globs::new(&options.exclude)?,
        respect_gitignore: options.respect_gitignore,
        everything: options.everything,
        data_dirs: data_dirs.map(|seen| seen.identity()).collect(),
        mounts: mounts.collect(),
        progress,
        cancel,
        threads: options.threads.unwrap_or(processors).clamp(if options.threads.is_some() { 1 } else { 2 }, 16),
        origin,
    })
}
