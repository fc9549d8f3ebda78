//! Going on where another process was killed, on the same connection to the kernel.
//!
//! What the kernel remembers of the process before has to mean the same to this one:
//!
//! - **Inode numbers** are in the journal. Where a frozen inode stands is not, so the base is indexed by number when the
//!   first one is asked for by number alone.
//! - **Look-up counts** are lost. An inode that was there counts as held; when it has no name and look-ups of it are
//!   taken back, the kernel is asked whether it holds it still. Only then is it dropped, so that an unlinked file which
//!   somebody has open is never lost.
//! - **Requests** that were not answered are sent again. Most can be done twice. One that makes or removes a name cannot,
//!   so its batch says which request it served, and the answer is given from what is there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Attr, Body, Ino, Name, Node, NodeId, Record};

use super::core::Overlay;
use super::known::Location;
use super::nodes::Shown;
use super::{Error, Lower, LowerError, Upper};

/// How many requests are remembered. Each thread that serves has at most one that is done and not answered; a thread
/// may be held up between the two while others go on.
const REMEMBERED: usize = 4096;

/// How many of them a journal that begins with a state repeats.
const REPEATED: usize = 256;

/// The requests that were served last: connection, number, inode.
#[derive(Debug, Default)]
pub(super) struct Answered(VecDeque<(u32, u64, Ino)>);

impl Answered {
    /// Takes note of a record, if it is of this kind.
    pub fn note(&mut self, record: &Record) {
        if let Record::Served { connection, request, ino } = *record {
            if self.0.len() == REMEMBERED {
                self.0.pop_front();
            }
            self.0.push_back((connection, request, ino));
        }
    }

    pub fn keep_of(&mut self, connection: u32) {
        self.0.retain(|(of, ..)| *of == connection);
    }

    pub fn by_request(&self) -> FxHashMap<u64, Ino> {
        self.0.iter().map(|&(_, request, ino)| (request, ino)).collect()
    }

    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let skipped = self.0.len().saturating_sub(REPEATED);
        let record = |&(connection, request, ino): &_| Record::Served { connection, request, ino };
        self.0.iter().skip(skipped).map(record)
    }
}

/// What is kept of the process before.
#[derive(Debug, Default)]
pub(super) struct Resumed {
    /// The connection that is served; 0 for none.
    connection: AtomicU32,
    taken_over: bool,
    /// Requests that were done, and perhaps not answered.
    served: FxHashMap<u64, Ino>,
    /// Inodes without a name of which only the kernel knows whether it holds them.
    doubtful: Mutex<Vec<Ino>>,
    /// Valid until the session is put on other frozen directories, which is counted.
    index: Mutex<Option<(u64, Arc<FrozenIndex>)>>,
}

impl Resumed {
    pub fn new(connection: u32, served: FxHashMap<u64, Ino>, orphans: Vec<Ino>) -> Self {
        let doubtful = Mutex::new(orphans);
        Self { connection: AtomicU32::new(connection), taken_over: true, served, doubtful, index: Mutex::default() }
    }

    pub fn is_resumed(&self) -> bool {
        self.taken_over
    }

    /// The record that goes with a batch which serves this request; 0 stands for one that can be done twice.
    pub fn answered(&self, batch: &[Record], request: u64) -> Option<Record> {
        let connection = self.connection.load(Ordering::Relaxed);
        let named = |record: &Record| match record {
            Record::Link { ino, .. } => Some(*ino),
            _ => None,
        };
        let ino = batch.iter().rev().find_map(named).unwrap_or(0);
        (connection != 0 && request != 0).then_some(Record::Served { connection, request, ino })
    }

    pub fn doubt(&self, ino: Ino) {
        self.doubtful.lock().push(ino);
    }

    /// Where the frozen directories that show have an inode; `rebased` counts how often they became others.
    pub fn find(
        &self,
        lower: &dyn Lower,
        shown: &Shown,
        rebased: u64,
        ino: Ino,
    ) -> Result<Option<Location>, LowerError> {
        // Whoever comes while it is made needs it, too.
        let mut kept = self.index.lock();
        if let Some((of, index)) = &*kept
            && *of == rebased
        {
            return Ok(index.find(ino));
        }
        let index = Arc::new(FrozenIndex::of(lower, shown)?);
        *kept = Some((rebased, Arc::clone(&index)));
        Ok(index.find(ino))
    }
}

impl<L: Lower, U: Upper> Overlay<L, U> {
    /// Says which connection is served from now on, so that batches name the requests that they serve.
    pub fn begin_connection(&self, connection: u32) {
        self.resumed.connection.store(connection, Ordering::Relaxed);
    }

    /// The inode that a request was about which was done already, and perhaps not answered; 0 if it was about none.
    pub(super) fn already_served(&self, request: u64) -> Option<Ino> {
        self.resumed.served.get(&request).copied()
    }

    /// Answers once more for an inode that was made or linked.
    pub(super) fn do_recall(&self, ino: Ino) -> Result<Attr, Error> {
        let attr = self.view(|view| view.attr(ino))?;
        self.count_lookup(&attr, None);
        Ok(attr)
    }

    /// The inodes without a name of which the kernel has to be asked whether it holds them.
    pub(super) fn take_doubtful(&self) -> Vec<Ino> {
        std::mem::take(&mut *self.resumed.doubtful.lock())
    }

    /// The kernel does not hold the inode. Without a name it can never be looked up again.
    pub(super) fn not_held(&self, ino: Ino) {
        self.known.lock().released(ino);
        self.drop_unnamed(ino, || true);
    }
}

/// Where each inode of a frozen tree stands, by number.
#[derive(Debug)]
struct FrozenIndex {
    /// Sorted by number: inode, directory, leaf (as an index into `leaves`), position.
    entries: Vec<(Ino, Ino, u32, u32)>,
    leaves: Vec<NodeId>,
}

impl FrozenIndex {
    fn of(lower: &dyn Lower, shown: &Shown) -> Result<Self, LowerError> {
        let (mut entries, mut leaves) = (Vec::new(), Vec::new());
        let dirs = shown.dirs.iter().map(|(dir, base, hidden)| (*dir, base.node, Some(hidden)));
        let mut todo: Vec<(Ino, NodeId, Option<&FxHashSet<Name>>)> = dirs.collect();
        while let Some((parent, id, hidden)) = todo.pop() {
            match &*lower.load(id)? {
                Node::Branch(branch) => todo.extend(branch.children.iter().map(|child| (parent, child.node, hidden))),
                Node::Leaf(leaf) => {
                    let number = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
                    leaves.push(id);
                    for (position, entry) in (0..).zip(&leaf.entries) {
                        if hidden.is_some_and(|hidden| hidden.contains(&entry.name)) {
                            continue;
                        }
                        entries.push((entry.attr.ino, parent, number, position));
                        if let Body::Dir(dir) = &entry.body
                            && !shown.inodes.contains(&entry.attr.ino)
                        {
                            todo.push((entry.attr.ino, dir.node, None));
                        }
                    }
                }
                Node::Manifest(_) | Node::Root(_) => {
                    return Err(LowerError::Damaged { id: id.0, why: "is no directory".to_owned() });
                }
            }
        }
        entries.sort_unstable();
        Ok(Self { entries, leaves })
    }

    fn find(&self, ino: Ino) -> Option<Location> {
        let at = self.entries.partition_point(|entry| entry.0 < ino);
        let &(found, parent, leaf, index) = self.entries.get(at)?;
        let leaf = *self.leaves.get(leaf as usize)?;
        (found == ino).then_some(Location { parent, leaf, index })
    }
}
