//! Writing packs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, File, Open};
use crate::store::StoreError;

use super::{BlockRecord, Contents, HEADER_LEN, PACK_TARGET_BYTES, SUFFIX, SealedBlock, TMP_PREFIX, header};

/// A pack that is being written, under its lock and a name of its own.
#[derive(Debug)]
pub(in crate::store) struct PackWriter {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: File,
    end: u64,
    contents: Contents,
}

/// A pack that has its footer but not yet its name.
#[derive(Debug)]
pub(in crate::store) struct SealedPack {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: File,
    /// The file name it is to have.
    pub name: String,
    pub contents: Contents,
    /// Length of the file in bytes.
    pub len: u64,
}

fn is_there(disk: &dyn Disk, path: &Path) -> Result<bool, StoreError> {
    match disk.open(path, Open::Read) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl PackWriter {
    /// Starts a pack in this directory.
    pub fn create(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Self, StoreError> {
        loop {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(StoreError::Random)?;
            let path = dir.join(format!("{TMP_PREFIX}{:016x}{SUFFIX}", u64::from_le_bytes(random)));
            let file = disk.open(&path, Open::CreateNew)?;
            // Someone who salvages may have taken the lock in between; the empty file is then theirs to remove, and they
            // may have done so already, and have let go of it.
            if file.try_lock()? && is_there(&**disk, &path)? {
                file.write_at(0, &[&header()])?;
                return Ok(Self { disk: disk.clone(), path, file, end: HEADER_LEN, contents: Contents::default() });
            }
        }
    }

    /// Goes on with a pack whose first `end` bytes are these contents, in a file that the caller has locked.
    pub fn resume(disk: &Arc<dyn Disk>, path: PathBuf, file: File, contents: Contents, end: u64) -> Self {
        Self { disk: disk.clone(), path, file, end, contents }
    }

    /// Whether the block still belongs into this pack.
    pub fn has_room(&self, block: &SealedBlock) -> bool {
        self.contents.blocks.is_empty() || self.end + block.len() <= PACK_TARGET_BYTES
    }

    /// Appends a block. After an error the pack is as before.
    pub fn append(&mut self, block: SealedBlock) -> Result<(), StoreError> {
        self.file.write_at(self.end, &[&block.head_bytes, &block.table, &block.stored])?;
        let len = block.len();
        self.contents.blocks.push(BlockRecord { offset: self.end, head: block.head, objects: block.objects });
        self.end += len;
        Ok(())
    }

    /// Removes it.
    pub fn discard(self) {
        let _ = self.disk.remove(&self.path);
    }

    /// Writes the footer. Nothing is durable yet.
    pub fn seal(self) -> Result<SealedPack, StoreError> {
        let Self { disk, path, file, end, contents } = self;
        let (footer, name) = contents.encode(end);
        // A block that failed half-way may have left bytes behind the last one.
        file.set_len(end)?;
        file.write_at(end, &[&footer])?;
        Ok(SealedPack { disk, path, file, name, contents, len: end + footer.len() as u64 })
    }
}

impl SealedPack {
    /// Makes the pack's bytes durable. A pack of which that is not known is removed: reading it back would not show
    /// what the disk holds.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| {
            let _ = self.disk.remove(&self.path);
            StoreError::Io(error)
        })
    }

    /// Removes it. It has no name yet.
    pub fn discard(self) {
        let _ = self.disk.remove(&self.path);
    }

    /// Gives the pack its name, durable once the directory is synced.
    pub fn publish(&self) -> Result<(), StoreError> {
        Ok(self.disk.rename(&self.path, &self.path.with_file_name(&self.name))?)
    }
}
