//! Finishing packs whose writer died, so that its work is not lost.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, Open};
use crate::store::StoreError;

use super::{Pack, PackWriter, SealedPack, is_unfinished};

/// Finishes the abandoned packs of a directory, up to the first block that is not whole. Packs that someone still
/// writes are left alone. What is returned is sealed, but neither durable nor named.
pub(in crate::store) fn salvage(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Vec<SealedPack>, StoreError> {
    let mut packs = Vec::new();
    for path in disk.list(dir)?.into_iter().filter(|path| is_unfinished(path)) {
        packs.extend(salvage_one(disk, &path)?);
    }
    Ok(packs)
}

fn salvage_one(disk: &Arc<dyn Disk>, path: &Path) -> Result<Option<SealedPack>, StoreError> {
    let file = match disk.open(path, Open::Write) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.try_lock()? {
        return Ok(None);
    }
    // Its writer may have finished between the two calls above: then it has its name, and the lock is for nothing.
    match disk.open(path, Open::Read) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let pack = Pack::of_file(path, file.clone())?;
    match pack.sound_blocks() {
        Ok((contents, end)) if !contents.blocks.is_empty() => {
            Ok(Some(PackWriter::resume(disk, path.to_owned(), file, contents, end).seal()?))
        }
        Ok(_) => {
            disk.remove(path)?;
            Ok(None)
        }
        Err(error) if error.is_damage() => {
            disk.remove(path)?;
            Ok(None)
        }
        Err(StoreError::NewerPack { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
