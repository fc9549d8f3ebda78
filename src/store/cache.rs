//! What the store keeps in memory, each kind bounded by its share of the budget.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};

use crate::model::{Node, NodeId, ObjectId};

use super::index::Location;
use super::pack::{BLOCK_TARGET_BYTES, Block, Pack};

/// Which block: the pack's number in the index, and the block's offset.
pub(super) type BlockKey = (i64, u64);

/// Packs kept open.
const OPEN_PACKS: usize = 128;

/// Roughly the memory of one remembered place, with what the cache itself needs.
const LOCATION_BYTES: u64 = 128;

#[derive(Clone, Debug)]
pub(super) struct ByWeight;

impl Weighter<NodeId, Arc<Node>> for ByWeight {
    fn weight(&self, _: &NodeId, node: &Arc<Node>) -> u64 {
        node.weight_bytes() as u64 + 96
    }
}

impl Weighter<BlockKey, Arc<Block>> for ByWeight {
    fn weight(&self, _: &BlockKey, block: &Arc<Block>) -> u64 {
        block.weight_bytes() as u64 + 96
    }
}

/// The caches. Each can be asked under a lock: none waits for the disk.
pub(super) struct Caches {
    /// Decoded nodes; they were checked.
    pub nodes: Cache<NodeId, Arc<Node>, ByWeight>,
    /// Decompressed blocks; each remembers which of its objects were checked.
    pub blocks: Cache<BlockKey, Arc<Block>, ByWeight>,
    /// Places of the objects in blocks that were read, so that neighbours need not ask the index.
    pub locations: Cache<ObjectId, Location>,
    /// Open packs by number.
    pub packs: Cache<i64, Arc<Pack>>,
}

impl std::fmt::Debug for Caches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caches").field("nodes", &self.nodes.weight()).field("blocks", &self.blocks.weight()).finish()
    }
}

impl Caches {
    /// Of so many bytes for all, those for blocks that are made ahead.
    pub fn ahead_bytes(bytes: u64) -> u64 {
        bytes / 16 * 2
    }

    /// Caches that take about `bytes` together when they are full, with what is made ahead.
    pub fn new(bytes: u64) -> Self {
        let places = (bytes / 16 / LOCATION_BYTES).max(16);
        Self {
            nodes: by_weight(bytes / 2, 8 << 10),
            blocks: by_weight(bytes / 16 * 5, BLOCK_TARGET_BYTES as u64),
            locations: Cache::new(usize::try_from(places).unwrap_or(usize::MAX)),
            packs: Cache::new(OPEN_PACKS),
        }
    }
}

fn by_weight<K, V>(bytes: u64, item_bytes: u64) -> Cache<K, V, ByWeight>
where
    K: Eq + std::hash::Hash,
    V: Clone,
    ByWeight: Weighter<K, V>,
{
    // Few shards: one must have room for the largest block.
    let options = OptionsBuilder::new()
        .shards(4)
        .weight_capacity(bytes)
        .estimated_items_capacity(usize::try_from(bytes / item_bytes).unwrap_or(usize::MAX).max(16))
        .build()
        .expect("all that has no default is set");
    Cache::with_options(options, ByWeight, Default::default(), Default::default())
}
