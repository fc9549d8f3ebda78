//! What is to become of each pack.

use std::path::PathBuf;

use crate::store::handle::Inner;
use crate::store::pack::{BlockRecord, Contents, PACK_TARGET_BYTES, Pack, finished_name};
use crate::store::{StoreError, gc::Options};

use super::marks::Marks;

/// A pack of less than this is small, in bytes.
const SMALL_BYTES: u64 = PACK_TARGET_BYTES / 16;
/// So many small packs are put together.
const MANY_SMALL: usize = 32;

/// What is to become of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// Nothing in it is alive.
    Delete,
    /// What is alive in it moves to another pack, or is in one already.
    Move,
    /// It cannot be read as a pack: nobody knows what it may still be good for.
    Damaged,
}

/// A pack and what is to become of it.
#[derive(Debug)]
pub(super) struct Planned {
    pub name: String,
    pub len: u64,
    pub fate: Fate,
    /// About the bytes of the file that are alive.
    pub live_bytes: u64,
    pub objects: u64,
    pub live_objects: u64,
    /// Live objects that this pack is to keep.
    owned: u64,
    owned_bytes: u64,
}

impl Planned {
    /// Live objects that are to be found in this pack, or where they move from it.
    pub fn kept_objects(&self) -> u64 {
        self.owned
    }

    /// About their bytes in a file.
    pub fn kept_bytes(&self) -> u64 {
        self.owned_bytes
    }
}

/// All packs.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub packs: Vec<Planned>,
}

/// The packs there are now, in the order of their names. This comes before the roots are read: a pack that comes later
/// is none of the collection's business.
pub(super) fn list(inner: &Inner) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths: Vec<_> = inner.disk.list(&inner.packs)?;
    paths.retain(|path| finished_name(path).is_some());
    paths.sort();
    Ok(paths)
}

impl Plan {
    pub fn new(inner: &Inner, paths: &[PathBuf], marks: &mut Marks, options: &Options) -> Result<Self, StoreError> {
        let mut plan = Self::default();
        for path in paths {
            plan.packs.push(survey(inner, path, marks)?);
        }
        // The pack that is most alive keeps an object that is in several.
        let mut order: Vec<usize> = (0..plan.packs.len()).filter(|at| plan.packs[*at].live_objects > 0).collect();
        order.sort_by_key(|at| {
            let pack = &plan.packs[*at];
            std::cmp::Reverse(pack.live_bytes.saturating_mul(1000) / pack.len.max(1))
        });
        for at in order {
            plan.claim(inner, &paths[at], at, marks)?;
        }
        plan.decide(options);
        Ok(plan)
    }

    fn claim(&mut self, inner: &Inner, path: &std::path::Path, at: usize, marks: &mut Marks) -> Result<(), StoreError> {
        let Some((_, contents)) = inner.read_contents(path)? else { return Ok(()) };
        let planned = &mut self.packs[at];
        for block in &contents.blocks {
            for (id, _) in &block.objects {
                marks.claim(id, at);
            }
            let is_owned = |id: &_| marks.owner(id) == Some(Some(at));
            planned.owned += block.objects.iter().filter(|(id, _)| is_owned(id)).count() as u64;
            planned.owned_bytes += share(block, is_owned);
        }
        Ok(())
    }

    fn decide(&mut self, options: &Options) {
        for pack in self.packs.iter_mut().filter(|pack| pack.fate != Fate::Damaged) {
            let percent = pack.owned_bytes.saturating_mul(100) / pack.len.max(1);
            pack.fate = match pack.live_objects {
                0 => Fate::Delete,
                _ if pack.owned == 0 || percent < u64::from(options.live_percent) => Fate::Move,
                _ => Fate::Keep,
            };
        }
        let is_small = |pack: &&mut Planned| pack.fate == Fate::Keep && pack.len < SMALL_BYTES;
        if self.packs.iter_mut().filter(is_small).count() >= MANY_SMALL {
            self.packs.iter_mut().filter(is_small).for_each(|pack| pack.fate = Fate::Move);
        }
    }

    /// The places of the packs with this fate.
    pub fn with(&self, fate: Fate) -> Vec<usize> {
        (0..self.packs.len()).filter(|at| self.packs[*at].fate == fate).collect()
    }
}

fn survey(inner: &Inner, path: &std::path::Path, marks: &Marks) -> Result<Planned, StoreError> {
    let name = finished_name(path).unwrap_or_default().to_owned();
    let none = Planned {
        name,
        len: 0,
        fate: Fate::Damaged,
        live_bytes: 0,
        objects: 0,
        live_objects: 0,
        owned: 0,
        owned_bytes: 0,
    };
    let Some((pack, contents)) = whole(inner, path)? else { return Ok(none) };
    let live = |id: &_| marks.has(id);
    let live_objects = contents.blocks.iter().flat_map(|block| &block.objects).filter(|(id, _)| live(id)).count();
    Ok(Planned {
        len: pack.len(),
        fate: Fate::Keep,
        live_bytes: contents.blocks.iter().map(|block| share(block, live)).sum(),
        objects: contents.objects(),
        live_objects: live_objects as u64,
        ..none
    })
}

/// The pack, if its footer tells what is in it.
fn whole(inner: &Inner, path: &std::path::Path) -> Result<Option<(Pack, Contents)>, StoreError> {
    let pack = match Pack::open(&*inner.disk, path) {
        Ok(pack) => pack,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match pack.footer() {
        Ok(contents) => Ok(Some((pack, contents))),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}

/// About the bytes in the file of those of a block's objects that `is_wanted`.
fn share(block: &BlockRecord, is_wanted: impl Fn(&crate::model::ObjectId) -> bool) -> u64 {
    let wanted = block.objects.iter().filter(|(id, _)| is_wanted(id));
    let (count, raw) = wanted.fold((0u64, 0u64), |(count, raw), (_, len)| (count + 1, raw + u64::from(*len)));
    let tables = count * 72;
    tables + raw.saturating_mul(block.head.stored_len.into()) / u64::from(block.head.raw_len).max(1)
}
