//! Reading objects: from the caches, by the index, or else by asking every pack.

use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::model::{ChunkId, Node, NodeId, ObjectId, ObjectKind, Root, RootId};
use crate::overlay::LowerError;

use super::cache::BlockKey;
use super::handle::{Inner, unless_index};
use super::index::Location;
use super::pack::{Block, BlockRecord, Pack};
use super::{Store, StoreError};

/// The checked bytes of an object, shared with the cache.
#[derive(Clone, Debug)]
pub struct Chunk {
    block: Arc<Block>,
    range: Range<usize>,
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.block.bytes(self.range.clone())
    }
}

impl Store {
    /// The bytes of a chunk.
    ///
    /// # Errors
    /// [`LowerError`] when it is missing, damaged or unreadable.
    pub fn chunk(&self, id: ChunkId) -> Result<Chunk, LowerError> {
        Ok(self.inner.object(ObjectKind::Chunk, id.0)?)
    }

    /// A node.
    ///
    /// # Errors
    /// [`LowerError`] when it is missing, damaged or unreadable.
    pub fn node(&self, id: NodeId) -> Result<Arc<Node>, LowerError> {
        if let Some(node) = self.inner.caches.nodes.get(&id) {
            return Ok(node);
        }
        let bytes = self.inner.object(ObjectKind::Node, id.0)?;
        let node = Node::decode(&bytes).map_err(|error| LowerError::Damaged { id: id.0, why: error.to_string() })?;
        let node = Arc::new(node);
        self.inner.caches.nodes.insert(id, node.clone());
        Ok(node)
    }

    /// The root of a tree.
    ///
    /// # Errors
    /// [`LowerError`] when it is missing, damaged or unreadable.
    pub fn root(&self, id: RootId) -> Result<Root, LowerError> {
        super::tree::root(self, id)
    }

    /// Whether the store says that it has the object. It is not read.
    ///
    /// # Errors
    /// [`StoreError`] when the index cannot be read.
    pub fn contains(&self, id: ObjectId) -> Result<bool, StoreError> {
        Ok(self.inner.heal_after(|inner| inner.index.locate(&id))?.is_some())
    }
}

impl Inner {
    /// The object, checked. Each way to find it is tried once, the next only if what was found is damaged.
    fn object(self: &Arc<Self>, kind: ObjectKind, id: ObjectId) -> Result<Chunk, StoreError> {
        let mut damage = None;
        let remembered = self.caches.locations.get(&id);
        if let Some(at) = remembered {
            match self.at(kind, id, at) {
                Err(error) if error.is_damage() => damage = Some(error),
                Err(StoreError::Index { .. }) => {}
                other => return other,
            }
        }
        // Whatever ails the index, the packs can still be read.
        let indexed = self.heal_after(|inner| inner.index.locate(&id)).unwrap_or(None);
        if let Some(at) = indexed.filter(|at| Some(*at) != remembered) {
            match self.at(kind, id, at) {
                Err(error) if error.is_damage() => damage = Some(error),
                Err(StoreError::Index { .. }) => {}
                other => return other,
            }
        }
        self.caches.locations.remove(&id);
        // A collection may have moved it, or another process have made a new index.
        self.index.follow_file();
        unless_index(self.heal_after(Self::follow_packs))?;
        let again = self.index.locate(&id).unwrap_or(None);
        if let Some(at) = again.filter(|at| Some(*at) != indexed || Some(*at) != remembered) {
            match self.at(kind, id, at) {
                Err(error) if error.is_damage() => damage = Some(error),
                Err(StoreError::Index { .. }) => {}
                other => return other,
            }
        }
        self.search(kind, id, damage)
    }

    /// The object at a place that may be wrong.
    fn at(self: &Arc<Self>, kind: ObjectKind, id: ObjectId, at: Location) -> Result<Chunk, StoreError> {
        let key = (at.pack, at.block);
        let block = match self.caches.blocks.get(&key) {
            Some(block) => block,
            None => self.enter_block(id, key)?,
        };
        let range = at.start..at.start.saturating_add(at.len);
        if let Err(why) = block.verify(kind, &id, &range) {
            self.caches.blocks.remove(&key);
            let pack = self.index.pack_name(at.pack).ok().flatten();
            return Err(StoreError::Damaged { id, pack, why: why.into() });
        }
        Ok(Chunk { block, range: range.start as usize..range.end as usize })
    }

    /// Puts the block into the cache: one that was made ahead, or else from the disk.
    fn enter_block(self: &Arc<Self>, id: ObjectId, key: BlockKey) -> Result<Arc<Block>, StoreError> {
        let ready = self.ahead.take(key);
        let was_ready = ready.is_some();
        let (block, end) = match ready {
            Some(ready) => ready,
            None => self.load_block(id, key)?,
        };
        self.caches.blocks.insert(key, block.clone());
        self.ahead.entered(self, key, end, was_ready);
        Ok(block)
    }

    /// Reads the block, and says where the next one begins.
    fn load_block(&self, id: ObjectId, key: BlockKey) -> Result<(Arc<Block>, u64), StoreError> {
        let pack = self.open_pack(id, key.0)?;
        let read = pack.head(key.1).and_then(|head| Ok((pack.block(key.1, &head, &self.decompress)?, head)));
        // The file may be gone, and only be kept from being freed by this.
        let (block, head) = read.inspect_err(|_| drop(self.caches.packs.remove(&key.0)))?;
        self.remember_places(key, &block);
        Ok((Arc::new(block), head.end_of(key.1)))
    }

    /// Remembers where the objects of a block are.
    pub(super) fn remember_places(&self, key: BlockKey, block: &Block) {
        for (id, range) in block.objects() {
            let at = Location { pack: key.0, block: key.1, start: range.start, len: range.end - range.start };
            self.caches.locations.insert(*id, at);
        }
    }

    fn open_pack(&self, id: ObjectId, no: i64) -> Result<Arc<Pack>, StoreError> {
        if let Some(pack) = self.caches.packs.get(&no) {
            return Ok(pack);
        }
        let missing = |pack| StoreError::Damaged { id, pack, why: "its pack is missing".into() };
        let name = self.heal_after(|inner| inner.index.pack_name(no))?.ok_or_else(|| missing(None))?;
        let pack = self.open_named(&name).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(Some(name)),
            _ => error.into(),
        })?;
        let pack = Arc::new(pack);
        self.caches.packs.insert(no, pack.clone());
        Ok(pack)
    }

    /// Looks for the object in all packs: slow, and only done when the index did not lead to it. While a collection
    /// gives packs other names a look may miss one, so the look counts that saw the same packs as the one after it.
    fn search(&self, kind: ObjectKind, id: ObjectId, damage: Option<StoreError>) -> Result<Chunk, StoreError> {
        let mut damage = damage;
        let mut unread = None;
        let mut paths = self.readable_paths()?;
        loop {
            for path in &paths {
                match self.search_in(path, kind, id) {
                    Ok(Some(chunk)) => return Ok(chunk),
                    Ok(None) => {}
                    Err(error) if error.is_damage() => damage = damage.or(Some(error)),
                    Err(error) => unread = Some(error),
                }
            }
            let now = self.readable_paths()?;
            if now == paths {
                break;
            }
            paths = now;
        }
        // It may be whole where nothing could be read: that is no reason to call it damaged.
        Err(match unread.or(damage) {
            Some(StoreError::DamagedPack { pack, why }) => StoreError::Damaged { id, pack: Some(pack), why },
            Some(error) => error,
            None => StoreError::Damaged { id, pack: None, why: "it is in no pack".into() },
        })
    }

    /// The object, if it is in this pack.
    fn search_in(&self, path: &Path, kind: ObjectKind, id: ObjectId) -> Result<Option<Chunk>, StoreError> {
        let Some((pack, contents)) = self.read_contents(path)? else { return Ok(None) };
        let mut failed = None;
        for record in contents.blocks.iter().filter(|record| record.head.kind == kind) {
            match self.in_record(&pack, record, id) {
                Some(Ok(chunk)) => {
                    self.remember(&pack, record, id, &chunk);
                    return Ok(Some(chunk));
                }
                Some(Err(error)) => failed = Some(error),
                None => {}
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Keeps what a search found, so that the next read of it is none.
    fn remember(&self, pack: &Pack, record: &BlockRecord, id: ObjectId, chunk: &Chunk) {
        let number = || self.index.packs().ok()?.get(&pack.name).copied();
        let Some(no) = number() else { return };
        let (start, len) = (chunk.range.start as u32, chunk.range.len() as u32);
        let at = Location { pack: no, block: record.offset, start, len };
        let is_misled = match self.index.locate(&id) {
            Ok(known) => known.is_none_or(|known| known.pack == no && known != at),
            Err(_) => false,
        };
        if is_misled && !self.distrusted.swap(true, Ordering::Relaxed) {
            let _ = self.reindex(true);
        }
        let Some(no) = number() else { return };
        self.caches.blocks.insert((no, record.offset), chunk.block.clone());
        self.caches.locations.insert(id, Location { pack: no, ..at });
    }

    fn in_record(&self, pack: &Pack, record: &BlockRecord, id: ObjectId) -> Option<Result<Chunk, StoreError>> {
        let position = record.objects.iter().position(|(known, _)| *known == id)?;
        let start = record.objects[..position].iter().fold(0u32, |sum, (_, len)| sum.saturating_add(*len));
        let range = start..start.saturating_add(record.objects[position].1);
        Some(pack.block(record.offset, &record.head, &self.decompress).and_then(|block| {
            block.verify(record.head.kind, &id, &range).map_err(|why| StoreError::Damaged {
                id,
                pack: Some(pack.name.clone()),
                why: why.into(),
            })?;
            Ok(Chunk { block: Arc::new(block), range: range.start as usize..range.end as usize })
        }))
    }
}
