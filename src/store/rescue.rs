//! Taking what is whole out of damaged packs, and putting these aside.
//!
//! A pack that is not as it was written still holds objects that are. They are copied to new packs, durably; then the
//! damaged one goes to `objects/damaged/`, where nobody looks for objects, and where it stays for whoever wants to try
//! more. From then on what was lost counts as not stored, so that an import of the same content stores it again.
//! A pack that cannot be read for another reason than damage stays where it is.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::gc::Alone;
use super::pack::Pack;
use super::verify::{BadPack, VerifyWatch};
use super::{Store, StoreError, Writer};

/// What was taken out of damaged packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Where the packs are now.
    pub set_aside: Vec<PathBuf>,
    /// Packs that stay where they are, and why.
    pub left: Vec<BadPack>,
    /// Objects that were copied out of them.
    pub objects: u64,
    /// Objects that were found damaged in them. They may be whole elsewhere.
    pub lost_objects: u64,
}

impl Store {
    /// Takes everything that is whole out of these packs, puts them aside, and makes the index anew from the packs that
    /// there are then. Killed at any point, it has lost nothing, and can be done again.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`], or what the disk says.
    pub fn rescue(&self, _alone: &Alone, bad: &[BadPack], watch: &dyn VerifyWatch) -> Result<Rescued, StoreError> {
        let inner = &self.inner;
        inner.salvage()?;
        let mut rescued = Rescued::default();
        let writer = Writer::new(inner.clone(), None);
        let mut going = Vec::new();
        for pack in bad {
            if watch.is_cancelled() {
                writer.discard();
                return Err(StoreError::Cancelled);
            }
            match self.take_out(&pack.name, &writer, &mut rescued) {
                Ok(()) => going.push(pack.name.as_str()),
                Err(StoreError::Io(error)) if error.kind() == std::io::ErrorKind::StorageFull => {
                    writer.discard();
                    return Err(StoreError::Io(error));
                }
                Err(error) => rescued.left.push(BadPack { name: pack.name.clone(), why: error.to_string() }),
            }
        }
        let written = writer.finish_packs()?;
        // One that was only damaged around its blocks has been replaced by its new copy.
        going.retain(|name| written.iter().all(|pack| pack.name != *name));
        self.set_aside(&going, &mut rescued)?;
        inner.reindex(true)?;
        Ok(rescued)
    }

    /// Copies the objects of a pack that are what their names say.
    fn take_out(&self, name: &str, writer: &Writer, rescued: &mut Rescued) -> Result<(), StoreError> {
        let inner = &self.inner;
        let pack = Pack::open(&*inner.disk, &inner.packs.join(name))?;
        let mut records = match pack.contents() {
            Ok(contents) => contents.blocks,
            Err(error) if error.is_damage() => Vec::new(),
            Err(error) => return Err(error),
        };
        // Blocks behind a damaged one, where the footer is damaged, too: the index remembers where they begin.
        let known: BTreeSet<u64> = records.iter().map(|record| record.offset).collect();
        let indexed = inner.index.blocks_of(name).unwrap_or_default();
        for offset in indexed.into_iter().filter(|offset| !known.contains(offset)) {
            match pack.block_at(offset) {
                Ok(record) => records.extend(record),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        for record in &records {
            let whole = sound(pack.raw_block(record))?.flatten();
            let Some(block) = sound(pack.block(record.offset, &record.head, &inner.decompress))? else {
                rescued.lost_objects += record.objects.len() as u64;
                continue;
            };
            let kind = record.head.kind;
            let mut start = 0u32;
            let mut good = Vec::with_capacity(record.objects.len());
            for (id, len) in &record.objects {
                let range = start..start.saturating_add(*len);
                start = range.end;
                if block.verify(kind, id, &range).is_ok() {
                    good.push((*id, range));
                }
            }
            rescued.objects += good.len() as u64;
            rescued.lost_objects += (record.objects.len() - good.len()) as u64;
            match whole {
                Some(whole) if good.len() == record.objects.len() => writer.take_block(whole)?,
                _ => {
                    for (id, range) in good {
                        writer.take(kind, id, block.bytes(range.start as usize..range.end as usize))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn set_aside(&self, names: &[&str], rescued: &mut Rescued) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let inner = &self.inner;
        let dir = inner.dir.join("damaged");
        inner.disk.create_dir(&dir)?;
        for name in names {
            let to = dir.join(name);
            inner.disk.rename(&inner.packs.join(name), &to)?;
            rescued.set_aside.push(to);
        }
        [&dir, &inner.dir, &inner.packs].into_iter().try_for_each(|dir| Ok(inner.disk.sync_dir(dir)?))
    }
}

/// Nothing, where it is damaged.
fn sound<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}
