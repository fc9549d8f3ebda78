//! Moving what is alive out of packs that are mostly dead.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::model::{ObjectId, ObjectKind};
use crate::store::handle::Inner;
use crate::store::pack::{Block, BlockRecord, Contents, Pack, SealedPack};
use crate::store::{StoreError, Writer};

use super::Watch;
use super::marks::Marks;
use super::plan::Plan;

/// What was moved.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// The places in the plan of the packs that nothing depends on any more.
    pub from: Vec<usize>,
    /// Those that turned out to be damaged. They stay.
    pub damaged: Vec<usize>,
    /// The new packs.
    pub to: Vec<SealedPack>,
    /// The places of the packs that have another copy of something that was not moved for that reason.
    pub owners: Vec<usize>,
    /// There was no space to move anything.
    pub no_space: bool,
}

/// Moves what is alive out of these packs. When it returns the copies are durable and can be found.
pub(super) fn relocate(
    inner: &std::sync::Arc<Inner>,
    paths: &[PathBuf],
    plan: &Plan,
    marks: &Marks,
    from: &[usize],
    watch: &dyn Watch,
) -> Result<Moved, StoreError> {
    let mut moved = Moved::default();
    if from.is_empty() {
        return Ok(moved);
    }
    let mut mover =
        Mover { inner, paths, marks, writer: Writer::new(inner.clone(), None), owner: None, owners: Vec::new() };
    for &at in from {
        if watch.is_cancelled() {
            mover.writer.discard();
            return Err(StoreError::Cancelled);
        }
        match mover.pack(at) {
            Ok(()) => moved.from.push(at),
            Err(error) if error.is_damage() => moved.damaged.push(at),
            Err(error) => {
                mover.writer.discard();
                return after_failure(error);
            }
        }
        watch.moved(plan.packs[at].len);
    }
    moved.owners = std::mem::take(&mut mover.owners);
    match mover.writer.finish_packs() {
        Ok(packs) => moved.to = packs,
        Err(error) => return after_failure(error),
    }
    Ok(moved)
}

/// On a full disk nothing is moved, and what is wholly dead can still be deleted.
fn after_failure(error: StoreError) -> Result<Moved, StoreError> {
    match &error {
        StoreError::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => {
            Ok(Moved { no_space: true, ..Moved::default() })
        }
        _ => Err(error),
    }
}

struct Mover<'a> {
    inner: &'a Inner,
    paths: &'a [PathBuf],
    marks: &'a Marks,
    writer: Writer,
    /// The pack that was last asked for another copy.
    owner: Option<Owner>,
    owners: Vec<usize>,
}

/// A pack that has other copies.
struct Owner {
    at: usize,
    pack: Option<(Pack, Contents)>,
    /// The block and the range in it of each object.
    places: HashMap<ObjectId, (usize, std::ops::Range<u32>)>,
    block: Option<(usize, Block)>,
}

impl Mover<'_> {
    fn pack(&mut self, at: usize) -> Result<(), StoreError> {
        let pack = Pack::open(&*self.inner.disk, &self.paths[at])?;
        for record in &pack.footer()?.blocks {
            self.block(at, &pack, record)?;
        }
        Ok(())
    }

    fn block(&mut self, at: usize, pack: &Pack, record: &BlockRecord) -> Result<(), StoreError> {
        let mut wanted = Vec::with_capacity(record.objects.len());
        for (id, _) in &record.objects {
            wanted.push(match self.marks.owner(id) {
                None => false,
                Some(Some(owner)) if owner != at => !self.has_copy(owner, record.head.kind, id)?,
                Some(_) => true,
            });
        }
        if !wanted.contains(&true) {
            return Ok(());
        }
        if !wanted.contains(&false)
            && let Some(block) = pack.raw_block(record)?
        {
            return self.writer.take_block(block);
        }
        let block = pack.block(record.offset, &record.head, &self.inner.decompress)?;
        let mut start = 0u32;
        for ((id, len), wanted) in record.objects.iter().zip(wanted) {
            let range = start..start.saturating_add(*len);
            start = range.end;
            if !wanted {
                continue;
            }
            block.verify(record.head.kind, id, &range).map_err(|why| StoreError::Damaged {
                id: *id,
                pack: Some(pack.name.clone()),
                why: why.into(),
            })?;
            self.writer.take(record.head.kind, *id, block.bytes(range.start as usize..range.end as usize))?;
        }
        Ok(())
    }

    /// Whether this pack has a sound copy of the object.
    fn has_copy(&mut self, owner: usize, kind: ObjectKind, id: &ObjectId) -> Result<bool, StoreError> {
        if self.owner.as_ref().is_none_or(|known| known.at != owner) {
            self.owner = Some(Owner::open(self.inner, &self.paths[owner], owner)?);
        }
        let inner = self.inner;
        let found = self.owner.as_mut().is_some_and(|known| known.has(inner, kind, id));
        if found && !self.owners.contains(&owner) {
            self.owners.push(owner);
        }
        Ok(found)
    }
}

impl Owner {
    fn open(inner: &Inner, path: &std::path::Path, at: usize) -> Result<Self, StoreError> {
        let pack = inner.read_contents(path)?;
        let mut places = HashMap::new();
        for (number, record) in pack.iter().flat_map(|(_, contents)| contents.blocks.iter().enumerate()) {
            let mut start = 0u32;
            for (id, len) in &record.objects {
                places.insert(*id, (number, start..start.saturating_add(*len)));
                start = start.saturating_add(*len);
            }
        }
        Ok(Self { at, pack, places, block: None })
    }

    fn has(&mut self, inner: &Inner, kind: ObjectKind, id: &ObjectId) -> bool {
        let Some((number, range)) = self.places.get(id).cloned() else { return false };
        let Some((pack, contents)) = &self.pack else { return false };
        let record = &contents.blocks[number];
        if self.block.as_ref().is_none_or(|(known, _)| *known != number) {
            self.block = pack.block(record.offset, &record.head, &inner.decompress).ok().map(|block| (number, block));
        }
        let block = self.block.as_ref().filter(|_| record.head.kind == kind);
        block.is_some_and(|(_, block)| block.verify(kind, id, &range).is_ok())
    }
}
