//! A lower tree and an upper journal in memory, which misbehave where the real ones may: the lower forgets nodes at
//! random, and the upper overwrites what was released.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, RwLock};

use aether::model::{ChunkId, Content, Manifest, Node, NodeId, PartRef, Place, Record};
use aether::overlay::{Lower, LowerError, Payload, Pin, Space, Upper, Whence};

use super::rng::Rng;

/// A frozen tree in memory.
#[derive(Debug)]
pub struct MemoryLower {
    nodes: RwLock<HashMap<NodeId, Arc<Node>>>,
    chunks: RwLock<HashMap<ChunkId, Vec<u8>>>,
    miss_percent: u64,
    rng: Mutex<Rng>,
}

impl MemoryLower {
    /// `miss_percent` of all nodes asked for from memory are not there.
    pub fn new(nodes: HashMap<NodeId, Arc<Node>>, chunks: HashMap<ChunkId, Vec<u8>>, miss_percent: u64) -> Self {
        let (nodes, chunks) = (RwLock::new(nodes), RwLock::new(chunks));
        Self { nodes, chunks, miss_percent, rng: Mutex::new(Rng::new(1)) }
    }

    /// Takes on what another tree is made of.
    pub fn extend(&self, other: Self) {
        self.nodes.write().unwrap().extend(other.nodes.into_inner().unwrap());
        self.chunks.write().unwrap().extend(other.chunks.into_inner().unwrap());
    }

    fn manifest(&self, id: NodeId) -> Manifest {
        match &*self.nodes.read().unwrap()[&id] {
            Node::Manifest(manifest) => manifest.clone(),
            other => panic!("{id:?} should be a manifest, but is {other:?}"),
        }
    }

    /// Fills `buf` from a chunk, which must have all of the bytes.
    fn read_chunk(&self, id: ChunkId, offset: u64, buf: &mut [u8]) {
        buf.copy_from_slice(&self.chunks.read().unwrap()[&id][offset as usize..offset as usize + buf.len()]);
    }

    fn read_parts(&self, id: NodeId, mut offset: u64, mut buf: &mut [u8]) {
        for part in &self.manifest(id).parts {
            if buf.is_empty() {
                return;
            }
            if offset >= part.len_bytes {
                offset -= part.len_bytes;
                continue;
            }
            let (head, rest) = buf.split_at_mut((part.len_bytes - offset).min(buf.len() as u64) as usize);
            match part.target {
                PartRef::Hole => head.fill(0),
                PartRef::Chunk(id) => self.read_chunk(id, offset, head),
                PartRef::Manifest(id) => self.read_parts(id, offset, head),
            }
            (buf, offset) = (rest, 0);
        }
        assert!(buf.is_empty(), "a read goes past the end of {id:?}");
    }

    /// The ranges of data and holes, in order.
    fn ranges(&self, id: NodeId, out: &mut Vec<(u64, bool)>) {
        for part in &self.manifest(id).parts {
            match part.target {
                PartRef::Hole => out.push((part.len_bytes, false)),
                PartRef::Chunk(_) => out.push((part.len_bytes, true)),
                PartRef::Manifest(id) => self.ranges(id, out),
            }
        }
    }
}

impl Lower for MemoryLower {
    fn cached(&self, id: NodeId) -> Option<Arc<Node>> {
        if self.rng.lock().unwrap().chance(self.miss_percent) {
            None
        } else {
            self.nodes.read().unwrap().get(&id).cloned()
        }
    }

    fn load(&self, id: NodeId) -> Result<Arc<Node>, LowerError> {
        let node = self.nodes.read().unwrap().get(&id).cloned();
        node.ok_or_else(|| LowerError::Damaged { id: id.0, why: "is missing".into() })
    }

    fn read(&self, content: &Content, len_bytes: u64, offset: u64, buf: &mut [u8]) -> Result<(), LowerError> {
        assert!(offset + buf.len() as u64 <= len_bytes, "a read of the lower goes past the end of the file");
        match content {
            Content::Hole => buf.fill(0),
            Content::Chunk(id) => self.read_chunk(*id, offset, buf),
            Content::Manifest(id) | Content::Sparse { manifest: id, .. } => self.read_parts(*id, offset, buf),
        }
        Ok(())
    }

    fn seek(&self, content: &Content, len_bytes: u64, offset: u64, what: Whence) -> Result<Option<u64>, LowerError> {
        let mut ranges = Vec::new();
        match content {
            Content::Hole => ranges.push((len_bytes, false)),
            Content::Chunk(_) => ranges.push((len_bytes, true)),
            Content::Manifest(id) | Content::Sparse { manifest: id, .. } => self.ranges(*id, &mut ranges),
        }
        let mut start = 0;
        for (len, data) in ranges {
            if data == (what == Whence::Data) && start + len > offset && start.max(offset) < len_bytes {
                return Ok(Some(start.max(offset)));
            }
            start += len;
        }
        Ok(None)
    }
}

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryUpper(Mutex<Journal>);

#[derive(Clone, Debug, Default)]
struct Journal {
    batches: Vec<Vec<Record>>,
    /// All data ever written.
    data: Vec<u8>,
    /// What readers get: `data`, with noise in the place of what was released.
    shown: Vec<u8>,
    pins: Vec<Pin>,
    released: Vec<(Place, u64)>,
    /// Calls until one fails.
    fail_in: Option<u64>,
}

impl Journal {
    fn put(&mut self, bytes: &[u8]) -> Place {
        let place = Place { file: 7, offset: self.data.len() as u64 };
        self.data.extend_from_slice(bytes);
        self.shown.extend_from_slice(bytes);
        // A gap, so that places of two writes never touch by chance only.
        self.data.push(0xaa);
        self.shown.push(0xaa);
        place
    }

    fn tick(&mut self) -> io::Result<()> {
        match &mut self.fail_in {
            Some(0) => {
                self.fail_in = None;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn overwrite_released(&mut self) {
        self.pins.retain(|pin| Arc::strong_count(&pin.0) > 1);
        if !self.pins.is_empty() {
            return;
        }
        for (place, len) in std::mem::take(&mut self.released) {
            self.shown[place.offset as usize..(place.offset + len) as usize].fill(0xdb);
        }
    }
}

impl MemoryUpper {
    /// A journal that goes on after the first `count` batches of this one.
    pub fn cut(&self, count: usize) -> Self {
        let whole = self.0.lock().unwrap();
        let data = whole.data.clone();
        Self(Mutex::new(Journal {
            batches: whole.batches[..count].to_vec(),
            shown: data.clone(),
            data,
            ..Journal::default()
        }))
    }

    pub fn batches(&self) -> Vec<Vec<Record>> {
        self.0.lock().unwrap().batches.clone()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().batches.len()
    }

    /// Lets the call after the next `calls` fail once.
    pub fn fail_in(&self, calls: Option<u64>) {
        self.0.lock().unwrap().fail_in = calls;
    }
}

impl Upper for MemoryUpper {
    fn stage(&self, bytes: &[u8]) -> io::Result<Place> {
        let mut journal = self.0.lock().unwrap();
        journal.tick()?;
        Ok(journal.put(bytes))
    }

    fn append(&self, batch: &[Record], payload: Option<Payload<'_>>) -> io::Result<Option<Place>> {
        assert!(!batch.is_empty() || payload.is_some(), "an empty batch is no change");
        let mut journal = self.0.lock().unwrap();
        journal.tick()?;
        let mut batch = batch.to_vec();
        let place = payload.map(|payload| {
            let place = journal.put(payload.bytes);
            let Payload { ino, offset, bytes, time } = payload;
            batch.push(Record::Write { ino, offset, len_bytes: bytes.len() as u64, place, time });
            place
        });
        journal.batches.push(batch);
        Ok(place)
    }

    fn read(&self, place: Place, buf: &mut [u8]) -> io::Result<()> {
        let journal = self.0.lock().unwrap();
        let start = place.offset as usize;
        buf.copy_from_slice(journal.shown.get(start..start + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn pin(&self) -> Pin {
        let pin = Pin(Arc::default());
        self.0.lock().unwrap().pins.push(pin.clone());
        pin
    }

    fn release(&self, ranges: &[(Place, u64)]) {
        let mut journal = self.0.lock().unwrap();
        journal.released.extend_from_slice(ranges);
        journal.overwrite_released();
    }

    fn sync(&self) -> io::Result<()> {
        let mut journal = self.0.lock().unwrap();
        journal.tick()?;
        journal.overwrite_released();
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(Space {
            block_bytes: 4096,
            blocks: 1 << 50,
            blocks_free: 1 << 50,
            blocks_available: 1 << 50,
            ..Space::default()
        })
    }
}
