//! Reads the files of the origin into the store, by several threads that take them in order.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::io::Errno;

use crate::store::Writer;

use super::file::{BLOCK_BYTES, OneFile, Outcome, outcome_of};
use super::plan::{Place, Plan};
use super::walk::{Context, DirId, Part, State, Tree};
use super::{ImportError, Unreadable};
use crate::ops::parallel::in_parallel;

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReadTotals {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Reads all that the walk left unread, and puts the outcome into the tree.
pub(super) fn read_files(
    context: &Context<'_>,
    writer: &Writer,
    tree: &mut Tree,
    plan: &Plan,
) -> Result<ReadTotals, ImportError> {
    let places = plan.unread(tree);
    let bytes = places.iter().filter_map(|&place| tree.inode(place)).map(|inode| inode.seen.attr.size).sum();
    context.progress.walked(places.len() as u64, bytes);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let reading = Reading { context, writer, tree, places: &places, next, stop };
    let results = in_parallel(context.threads.min(places.len().max(1)), || reading.work());
    let mut totals = ReadTotals::default();
    for result in results {
        let (outcomes, part) = result?;
        tree.unreadable.extend(part.unreadable);
        for (place, outcome) in outcomes {
            if let Outcome::Stored { seen, .. } = &outcome {
                totals.files += 1;
                totals.bytes += seen.attr.size;
            }
            record(tree, plan, place, outcome);
        }
    }
    Ok(totals)
}

/// Puts the outcome into every entry of the inode.
fn record(tree: &mut Tree, plan: &Plan, first: Place, outcome: Outcome) {
    let Some(inode) = tree.inode(first) else { return };
    let places = plan.links_of(inode).map_or_else(|| vec![first], <[Place]>::to_vec);
    // Of a name that was alone at the walk, links made since then are not in the tree.
    let is_alone = inode.seen.attr.nlink <= 1;
    for &place in &places {
        let Some(inode) = tree.inode_mut(place) else { continue };
        match &outcome {
            Outcome::Stored { seen, content, xattrs } => {
                inode.seen = seen.clone();
                inode.body = State::Stored(*content);
                inode.xattrs.clone_from(xattrs);
                if is_alone {
                    inode.seen.attr.nlink = 1;
                }
            }
            Outcome::Gone | Outcome::Unreadable(_) => inode.body = State::Dropped,
        }
    }
    if let Outcome::Unreadable(why) = outcome {
        let paths: Vec<_> = places.iter().filter_map(|&place| tree.path(place)).collect();
        tree.unreadable.extend(paths.into_iter().map(|path| Unreadable { path, why: why.clone() }));
    }
}

struct Reading<'a> {
    context: &'a Context<'a>,
    writer: &'a Writer,
    tree: &'a Tree,
    places: &'a [Place],
    next: AtomicUsize,
    stop: AtomicBool,
}

/// The directory that a thread reads files of.
struct OpenDir {
    id: DirId,
    fd: Result<OwnedFd, Errno>,
}

impl Reading<'_> {
    fn work(&self) -> Result<(Vec<(Place, Outcome)>, Part), ImportError> {
        let result = self.read_all();
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn read_all(&self) -> Result<(Vec<(Place, Outcome)>, Part), ImportError> {
        let (mut outcomes, mut part) = (Vec::new(), Part::default());
        let mut buf = vec![0; BLOCK_BYTES];
        let mut dir: Option<OpenDir> = None;
        while let Some(&place) = self.places.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.context.check_cancelled()?;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let Some((listing, found, inode)) = self.tree.find(place) else { continue };
            let dir = match dir.take_if(|dir| dir.id == place.dir) {
                Some(same) => dir.insert(same),
                None => dir.insert(OpenDir { id: place.dir, fd: self.context.origin.open_dir(&listing.path) }),
            };
            let outcome = match &dir.fd {
                Ok(fd) => {
                    let (context, writer, dir) = (self.context, self.writer, fd.as_fd());
                    let file = OneFile { context, writer, dir, name: &found.name, dir_path: &listing.path };
                    file.read(&inode.seen, &mut buf, &mut part)?
                }
                Err(errno) => outcome_of(*errno),
            };
            let bytes = if let Outcome::Stored { seen, .. } = &outcome { seen.attr.size } else { 0 };
            self.context.progress.stored(1, bytes);
            outcomes.push((place, outcome));
        }
        Ok((outcomes, part))
    }
}
