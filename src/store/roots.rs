//! Looking for trees without knowing their names: what is left to go by when the catalog is lost.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use crate::model::{Node, ObjectKind, Root, RootId};

use super::pack::finished_name;
use super::{Store, StoreError};

/// A tree that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRoot {
    /// Its name.
    pub id: RootId,
    /// What it says of the tree.
    pub root: Root,
    /// When the pack was written that it is in, in nanoseconds since the Unix epoch: about when the tree was stored, or
    /// when a collection moved it.
    pub stored_ns: i64,
}

impl Store {
    /// Reads all nodes, and names the root of every tree, those stored first at the beginning. Damage is passed over.
    ///
    /// # Errors
    /// What the disk says.
    pub fn find_roots(&self) -> Result<Vec<FoundRoot>, StoreError> {
        let inner = &self.inner;
        let mut found: BTreeMap<RootId, FoundRoot> = BTreeMap::new();
        for path in inner.disk.list(&inner.packs)?.into_iter().filter(|path| finished_name(path).is_some()) {
            let Some((pack, contents)) = inner.read_contents(&path)? else { continue };
            let stored_ns = std::fs::metadata(&path).map_or(0, |meta| meta.mtime() * 1_000_000_000 + meta.mtime_nsec());
            for record in contents.blocks.iter().filter(|record| record.head.kind == ObjectKind::Node) {
                let block = match pack.block(record.offset, &record.head, &inner.decompress) {
                    Ok(block) => block,
                    Err(error) if error.is_damage() => continue,
                    Err(error) => return Err(error),
                };
                for (id, range) in block.objects() {
                    if block.verify(ObjectKind::Node, id, range).is_err() {
                        continue;
                    }
                    let bytes = block.bytes(range.start as usize..range.end as usize);
                    if let Ok(Node::Root(root)) = Node::decode(bytes) {
                        let new = FoundRoot { id: RootId(*id), root: *root, stored_ns };
                        let known = found.entry(new.id).or_insert_with(|| new.clone());
                        known.stored_ns = known.stored_ns.min(stored_ns);
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|found| (found.stored_ns, found.id));
        Ok(found)
    }
}
