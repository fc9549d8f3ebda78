//! Collection: deleting what nobody refers to, while others read and write.
//!
//! The order is what makes it safe, also when it is killed, or the power fails, between any two steps:
//!
//! 1. What a killed collection left is ended (`condemn`).
//! 2. The packs are listed, then the roots are read, and all that is reached from them is marked (`marks`).
//! 3. For each pack it is decided whether it stays, goes, or goes after what is alive in it has moved (`plan`).
//! 4. What is alive moves; the copies are durable before anything else happens (`relocate`).
//! 5. Packs that are to go are condemned: they lose their names, then the index forgets them. Look-ups no longer find
//!    what is in them, but readers do.
//! 6. A new generation begins, and holders of older ones are waited for. Whoever found something in a condemned pack
//!    has made his row by now, or never will.
//! 7. The roots are read again. A condemned pack that something alive turns up in becomes a pack again.
//! 8. The others are deleted: renamed, cut to nothing, removed.
//!
//! A reference that comes and goes between the two looks must not be lost on the second: someone may have built upon what
//! he read there. So the second look also sees every reference that was dropped since the first.
//!
//! A killed collection leaves packs that are condemned; the next writer or collection gives them their names back.

mod condemn;
mod marks;
mod plan;
mod relocate;

use std::time::{Duration, Instant};

use crate::disk::Open;
use crate::model::ObjectId;

pub use condemn::{Alone, NoCollection};

pub(super) use marks::{ByShort, Short};

use super::handle::{Inner, unless_index};
use super::{Store, StoreError, hold};
use marks::Marks;
use plan::{Fate, Plan};

/// Which time the roots are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The first: from now on references that are dropped are to be remembered.
    First,
    /// The second: what is referred to now, and what was since the first.
    Second,
}

/// Says what the roots are. It is asked with the lock of collections held.
pub type Roots<'a, E> = &'a mut dyn FnMut(Look) -> Result<Vec<ObjectId>, E>;

/// How a collection goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// A pack of which less than this is alive, in per cent, is given up after what is alive has moved.
    pub live_percent: u8,
    /// How long to wait for commands that store something.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { dry_run: false, live_percent: 60, wait: Duration::from_secs(600) }
    }
}

/// Told how the collection comes along.
pub trait Watch: Sync {
    /// Whether to stop.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// So many objects are known to be alive.
    fn marked(&self, objects: u64) {
        let _ = objects;
    }

    /// So many bytes of packs are to be looked through for what is alive.
    fn moving(&self, bytes: u64) {
        let _ = bytes;
    }

    /// So many more were.
    fn moved(&self, bytes: u64) {
        let _ = bytes;
    }

    /// It waits for commands that store something.
    fn waiting(&self) {}
}

/// Nobody wants to know.
impl Watch for () {}

/// What a collection did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects that are alive.
    pub live_objects: u64,
    /// Objects that are not, or are there once too often.
    pub dead_objects: u64,
    /// Packs before.
    pub packs: u64,
    /// Packs that were deleted.
    pub deleted_packs: u64,
    /// Of these, packs from which something was moved.
    pub moved_packs: u64,
    /// Packs that were to go, but that something alive turned up in.
    pub pardoned_packs: u64,
    /// Packs that are damaged and were left alone.
    pub damaged_packs: u64,
    /// Bytes of the packs that were deleted.
    pub deleted_bytes: u64,
    /// Bytes of the packs that were written.
    pub moved_bytes: u64,
    /// Nothing could be moved for want of space.
    pub no_space: bool,
}

impl Collected {
    /// Bytes that the packs take less than before.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.deleted_bytes.saturating_sub(self.moved_bytes)
    }
}

impl Store {
    /// Deletes what is not reached from the roots. They are asked for twice, each time to be read anew.
    ///
    /// # Errors
    /// What `roots` says; [`StoreError::InCollection`], [`StoreError::Held`], [`StoreError::Cancelled`]; damage of a
    /// node, since what it refers to cannot be known to be dead; or what the disk says. Nothing that is alive is deleted
    /// in any case.
    pub fn collect<E: From<StoreError>>(
        &self,
        roots: Roots<'_, E>,
        options: &Options,
        watch: &dyn Watch,
    ) -> Result<Collected, E> {
        let _lock = patiently(|| condemn::lock(&self.inner))?.ok_or(StoreError::InCollection)?;
        if !options.dry_run {
            condemn::recover(&self.inner, &condemn::leftovers(&self.inner)?)?;
            self.inner.salvage()?;
        }
        unless_index(self.inner.heal_after(Inner::follow_packs))?;
        let paths = plan::list(&self.inner)?;
        let mut marks = Marks::default();
        self.mark(&mut marks, roots(Look::First)?, watch)?;
        let plan = Plan::new(&self.inner, &paths, &mut marks, options)?;
        let mut done = summary(&plan);
        if options.dry_run {
            return Ok(done);
        }
        let from = plan.with(Fate::Move);
        watch.moving(from.iter().map(|at| plan.packs[*at].len).sum());
        let moved = relocate::relocate(&self.inner, &paths, &plan, &marks, &from, watch)?;
        done.no_space = moved.no_space;
        done.damaged_packs += moved.damaged.len() as u64;
        done.moved_packs = moved.from.len() as u64;
        done.moved_bytes = moved.to.iter().map(|pack| pack.len).sum();
        let mut going = plan.with(Fate::Delete);
        going.extend(&moved.from);
        let names: Vec<&str> = going.iter().map(|at| plan.packs[*at].name.as_str()).collect();
        if !names.is_empty() {
            self.take_away(&plan, &names, &moved)?;
        }
        let decided = self.decide_again(roots, &plan, &going, &mut marks, options, watch);
        let pardoned = match decided {
            Ok(pardoned) => pardoned,
            Err(error) => {
                condemn::pardon(&self.inner, &names)?;
                return Err(error);
            }
        };
        condemn::pardon(&self.inner, &pardoned)?;
        let names: Vec<&str> = names.into_iter().filter(|name| !pardoned.contains(name)).collect();
        done.pardoned_packs = pardoned.len() as u64;
        done.deleted_packs = names.len() as u64;
        done.deleted_bytes = condemn::delete(&self.inner, &names)?;
        unless_index(self.inner.heal_after(|inner| inner.index.shrink()))?;
        Ok(done)
    }

    fn mark(&self, marks: &mut Marks, roots: Vec<ObjectId>, watch: &dyn Watch) -> Result<(), StoreError> {
        roots.into_iter().try_for_each(|root| marks.walk(self, root, watch))
    }

    /// Condemns packs, gives what is elsewhere its other place, and begins a new generation.
    fn take_away(&self, plan: &Plan, names: &[&str], moved: &relocate::Moved) -> Result<(), StoreError> {
        let inner = &self.inner;
        condemn::condemn(inner, names)?;
        let mut owners = Vec::new();
        for at in &moved.owners {
            let name = plan.packs[*at].name.as_str();
            if let Some((_, contents)) = inner.read_contents(&inner.packs.join(name))? {
                owners.push((name, contents));
            }
        }
        let new = moved.to.iter().map(|pack| (pack.name.as_str(), &pack.contents));
        let others: Vec<_> = new.chain(owners.iter().map(|(name, contents)| (*name, contents))).collect();
        inner.caches.locations.clear();
        unless_index(inner.heal_after(|inner| inner.index.retire(names, &others)))?;
        hold::renew(&*inner.disk, &inner.dir)
    }

    /// Waits for those who may have found something in a condemned pack, looks for references again, and names the
    /// packs that cannot go.
    fn decide_again<'p, E: From<StoreError>>(
        &self,
        roots: Roots<'_, E>,
        plan: &'p Plan,
        going: &[usize],
        marks: &mut Marks,
        options: &Options,
        watch: &dyn Watch,
    ) -> Result<Vec<&'p str>, E> {
        let mut pardoned = Vec::new();
        if going.is_empty() {
            return Ok(pardoned);
        }
        wait_for_holders(&self.inner, options, watch)?;
        let before = marks.len();
        self.mark(marks, roots(Look::Second)?, watch)?;
        if marks.len() == before {
            return Ok(pardoned);
        }
        for &at in going {
            let name = plan.packs[at].name.as_str();
            let path = self.inner.packs.join(format!("{}{name}", super::pack::GONE_PREFIX));
            let contents = self.inner.read_contents(&path)?.map(|(_, contents)| contents).unwrap_or_default();
            // What was alive before has an owner: it was moved, or is in another pack.
            let is_needed = |id: &ObjectId| marks.owner(id) == Some(None);
            // One that can no longer be read as it could is not deleted either.
            if contents.objects() != plan.packs[at].objects
                || contents.blocks.iter().flat_map(|block| &block.objects).any(|(id, _)| is_needed(id))
            {
                pardoned.push(name);
            }
        }
        Ok(pardoned)
    }
}

fn summary(plan: &Plan) -> Collected {
    let mut sums = Collected { packs: plan.packs.len() as u64, ..Collected::default() };
    for pack in &plan.packs {
        let live = pack.kept_objects();
        sums.live_objects += live;
        sums.dead_objects += pack.objects - live;
        match pack.fate {
            Fate::Keep => {}
            Fate::Damaged => sums.damaged_packs += 1,
            Fate::Delete => {
                sums.deleted_packs += 1;
                sums.deleted_bytes += pack.len;
            }
            Fate::Move => {
                sums.deleted_packs += 1;
                sums.moved_packs += 1;
                sums.deleted_bytes += pack.len;
                sums.moved_bytes += pack.kept_bytes();
            }
        }
    }
    sums
}

/// Waits until nobody has a hold of an older generation.
fn wait_for_holders(inner: &Inner, options: &Options, watch: &dyn Watch) -> Result<(), StoreError> {
    let started = Instant::now();
    let mut told = false;
    for path in hold::older(&*inner.disk, &inner.dir)? {
        let lock = match inner.disk.open(&path, Open::Write) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other?,
        };
        while !lock.try_lock()? {
            if watch.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            if started.elapsed() > options.wait {
                return Err(StoreError::Held);
            }
            if !told {
                watch.waiting();
                told = true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        inner.disk.remove(&path)?;
    }
    Ok(())
}

/// Asks for a lock for some time: whoever has it may only be clearing up.
fn patiently<T>(ask: impl Fn() -> Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    for _ in 0..100 {
        if let Some(lock) = ask()? {
            return Ok(Some(lock));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ask()
}

impl Inner {
    /// Ends what a killed collection left, unless one is running.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let left = condemn::leftovers(self)?;
        if left.is_empty() {
            return Ok(());
        }
        match condemn::lock(self)? {
            // Between the look and the lock another may have done it.
            Some(_lock) => condemn::recover(self, &condemn::leftovers(self)?),
            None => Ok(()),
        }
    }
}
