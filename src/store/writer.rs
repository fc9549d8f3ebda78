//! Writing objects into packs.
//!
//! Threads share a writer: each hashes and compresses on its own, and only the copy into the open block and the append
//! to the pack are done one after the other. Chunks and nodes go to packs of their own, so that a walk over directories
//! reads few and dense blocks; a small writer makes do with one pack.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::Open;
use crate::model::{ChunkId, Node, NodeId, ObjectId, ObjectKind, Root, RootId};

use super::StoreError;
use super::handle::Inner;
use super::hold::Hold;
use super::pack::{BLOCK_TARGET_BYTES, BlockSeal, MAX_OBJECT_BYTES, OpenBlock, PackWriter, SealedBlock, SealedPack};
use super::pending::Pending;

/// What a writer has stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Objects that were new.
    pub objects: u64,
    /// Their bytes before compression.
    pub raw_bytes: u64,
    /// The bytes of the packs that hold them.
    pub stored_bytes: u64,
    /// Objects that the store, or this writer, had already.
    pub deduplicated: u64,
    /// The bytes of those.
    pub deduplicated_bytes: u64,
}

/// Takes objects. They can be read, and are durable, once [`Writer::finish`] has returned.
///
/// A writer that is dropped finishes what it has as well as it can, so that the same objects need not be stored again.
#[derive(Debug)]
pub struct Writer {
    inner: Arc<Inner>,
    pending: Pending,
    seal: BlockSeal,
    chunks: Stream,
    nodes: Stream,
    done: Mutex<Vec<SealedPack>>,
    failed: AtomicBool,
    finished: bool,
    counts: Counts,
    /// Packs that are known to be there, or not, by their number in the index; and which index that was.
    present: Mutex<(u64, HashMap<i64, bool>)>,
    /// Dropped last: what was taken is kept until then.
    _hold: Option<Hold>,
}

#[derive(Debug, Default)]
struct Stream {
    block: Mutex<OpenBlock>,
    pack: Mutex<Option<PackWriter>>,
}

#[derive(Debug, Default)]
struct Counts {
    objects: AtomicU64,
    raw_bytes: AtomicU64,
    deduplicated: AtomicU64,
    deduplicated_bytes: AtomicU64,
}

impl Writer {
    pub(super) fn new(inner: Arc<Inner>, hold: Option<Hold>) -> Self {
        Self {
            inner,
            pending: Pending::default(),
            seal: BlockSeal::default(),
            chunks: Stream::default(),
            nodes: Stream::default(),
            done: Mutex::default(),
            failed: AtomicBool::new(false),
            finished: false,
            counts: Counts::default(),
            present: Mutex::default(),
            _hold: hold,
        }
    }

    /// Stores a chunk of file content.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails; the writer is then of no more use.
    pub fn put_chunk(&self, bytes: &[u8]) -> Result<ChunkId, StoreError> {
        let id = ObjectId::of(ObjectKind::Chunk, bytes);
        self.put(ObjectKind::Chunk, id, bytes)?;
        Ok(ChunkId(id))
    }

    /// Stores a node.
    ///
    /// # Errors
    /// As [`Writer::put_chunk`].
    pub fn put_node(&self, node: &Node) -> Result<NodeId, StoreError> {
        let (id, bytes) = node.seal();
        self.put(ObjectKind::Node, id.0, &bytes)?;
        Ok(id)
    }

    /// Stores the root of a tree.
    ///
    /// # Errors
    /// As [`Writer::put_chunk`].
    pub fn put_root(&self, root: &Root) -> Result<RootId, StoreError> {
        Ok(RootId(self.put_node(&Node::Root(Box::new(root.clone())))?.0))
    }

    fn put(&self, kind: ObjectKind, id: ObjectId, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(StoreError::TooLarge { bytes: bytes.len() });
        }
        if self.failed.load(Ordering::Relaxed) {
            return Err(StoreError::WriterFailed);
        }
        if !self.is_new(id)? {
            self.counts.deduplicated.fetch_add(1, Ordering::Relaxed);
            self.counts.deduplicated_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            return Ok(());
        }
        self.take(kind, id, bytes)
    }

    /// Stores an object without asking whether it is stored. The caller has checked that it has this name.
    pub(super) fn take(&self, kind: ObjectKind, id: ObjectId, bytes: &[u8]) -> Result<(), StoreError> {
        self.counts.objects.fetch_add(1, Ordering::Relaxed);
        self.counts.raw_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let full = if bytes.len() > BLOCK_TARGET_BYTES / 2 {
            let mut own = OpenBlock::default();
            own.push(id, bytes);
            Some(own)
        } else {
            let mut block = self.stream(kind).block.lock();
            block.push(id, bytes);
            block.is_full().then(|| mem::take(&mut *block))
        };
        match full {
            Some(block) => self.append(kind, self.stream(kind), block),
            None => Ok(()),
        }
    }

    /// Whether neither this writer nor the store has the object. From now on this writer has it.
    fn is_new(&self, id: ObjectId) -> Result<bool, StoreError> {
        if !self.pending.insert(id) {
            return Ok(false);
        }
        let known = self.inner.heal_after(|inner| inner.index.locate(&id));
        match known.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))? {
            Some(at) => Ok(!self.is_present(at.pack)?),
            None => Ok(true),
        }
    }

    /// Whether the pack has its name since this writer's hold was taken. The index may still tell of one that a
    /// collection took away before.
    fn is_present(&self, pack: i64) -> Result<bool, StoreError> {
        let mut present = self.present.lock();
        let file = self.inner.index.file_no();
        if present.0 != file {
            *present = (file, HashMap::new());
        }
        if let Some(known) = present.1.get(&pack) {
            return Ok(*known);
        }
        let found = match self.inner.index.pack_name(pack)? {
            Some(name) => match self.inner.disk.open(&self.inner.packs.join(name), Open::Read) {
                Ok(_) => true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
                Err(error) => return Err(error.into()),
            },
            None => false,
        };
        present.1.insert(pack, found);
        Ok(found)
    }

    fn stream(&self, kind: ObjectKind) -> &Stream {
        match kind {
            ObjectKind::Chunk => &self.chunks,
            ObjectKind::Node => &self.nodes,
        }
    }

    /// Compresses the block and appends it to the stream's pack. Objects whose block was lost count as taken, so after
    /// a failure nothing this writer was given can be trusted to be there.
    fn append(&self, kind: ObjectKind, stream: &Stream, block: OpenBlock) -> Result<(), StoreError> {
        let appended = self
            .seal
            .seal(kind, block)
            .map_err(StoreError::from)
            .and_then(|block| append_to(&self.inner, &self.done, stream, block));
        if appended.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        appended
    }

    /// Stores a whole block as it is in another pack.
    pub(super) fn take_block(&self, block: SealedBlock) -> Result<(), StoreError> {
        let stream = self.stream(block.head.kind);
        let appended = append_to(&self.inner, &self.done, stream, block);
        appended.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }

    /// As [`Writer::finish`], and tells which packs there are now.
    pub(super) fn finish_packs(mut self) -> Result<Vec<SealedPack>, StoreError> {
        self.finished = true;
        match self.failed.load(Ordering::Relaxed) {
            true => Err(StoreError::WriterFailed),
            false => self.close(),
        }
    }

    /// Removes what was written so far.
    pub(super) fn discard(mut self) {
        self.finished = true;
        self.done.lock().drain(..).for_each(SealedPack::discard);
        for stream in [&self.chunks, &self.nodes] {
            if let Some(pack) = stream.pack.lock().take() {
                pack.discard();
            }
        }
    }

    /// Makes all that was taken durable, and readable in this store and others.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails, now or before. Nothing may then refer to what was taken.
    pub fn finish(mut self) -> Result<Written, StoreError> {
        self.finished = true;
        if self.failed.load(Ordering::Relaxed) {
            let _ = self.close();
            return Err(StoreError::WriterFailed);
        }
        let stored_bytes = self.close()?.iter().map(|pack| pack.len).sum();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Ok(Written {
            objects: read(&self.counts.objects),
            raw_bytes: read(&self.counts.raw_bytes),
            stored_bytes,
            deduplicated: read(&self.counts.deduplicated),
            deduplicated_bytes: read(&self.counts.deduplicated_bytes),
        })
    }

    /// Appends what is open, and finishes the packs.
    fn close(&self) -> Result<Vec<SealedPack>, StoreError> {
        let failed = self.failed.load(Ordering::Relaxed);
        for kind in [ObjectKind::Chunk, ObjectKind::Node] {
            let block = mem::take(&mut *self.stream(kind).block.lock());
            if !block.is_empty() && !failed {
                self.append(kind, self.last_stream(kind), block)?;
            }
        }
        let mut packs = mem::take(&mut *self.done.lock());
        for stream in [&self.chunks, &self.nodes] {
            if let Some(pack) = stream.pack.lock().take() {
                packs.push(pack.seal()?);
            }
        }
        self.inner.publish(&packs)?;
        Ok(packs)
    }

    /// The stream for the last block of a kind: the nodes share the chunks' pack if they need none of their own.
    fn last_stream(&self, kind: ObjectKind) -> &Stream {
        if self.nodes.pack.lock().is_some() { self.stream(kind) } else { &self.chunks }
    }
}

/// Appends a block to the stream's pack, or to a new one when that is full.
fn append_to(
    inner: &Inner,
    done: &Mutex<Vec<SealedPack>>,
    stream: &Stream,
    block: SealedBlock,
) -> Result<(), StoreError> {
    let mut slot = stream.pack.lock();
    let mut pack = match slot.take() {
        Some(pack) if pack.has_room(&block) => pack,
        full => {
            if let Some(full) = full {
                done.lock().push(full.seal()?);
            }
            PackWriter::create(&inner.disk, &inner.packs)?
        }
    };
    let appended = pack.append(block);
    *slot = Some(pack);
    appended
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody was told that it is stored, so nobody has to be told that it is not.
            let _ = self.close();
        }
    }
}
