//! Blocks that are likely to be asked for next, made ready beside those who serve.
//!
//! Packs hold objects in the order of the tree that they came from, so whoever reads a tree from end to end reads packs
//! from front to back. Once a block was asked for right behind another one, a *run* has begun: the blocks behind it are
//! read, decompressed and checked on threads of their own, the further ahead the more of them turned out to be wanted.
//!
//! What is made ahead is held here and not in the cache, which would soon drop what nobody asked for, and counts against
//! the same budget. Nothing is made ahead for who jumps about. Errors are left for whoever asks for the block to meet.

use std::sync::{Arc, Weak};
use std::thread;

use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;

use super::cache::BlockKey;
use super::handle::Inner;
use super::pack::Block;

/// How many readers can be followed at a time.
const MAX_RUNS: usize = 4;

/// How far ahead of a reader a new run is, in bytes before compression; doubled with each block that was wanted.
const FIRST_WINDOW_BYTES: u64 = 512 << 10;

/// Blocks are not quite in order, since several threads write them, and large files hold one of these up: a reader may go
/// this far back in the pack, or leave this much out, in stored bytes, and is still the same.
const BACK_BYTES: u64 = 4 << 20;
const FORTH_BYTES: u64 = 1 << 20;

/// A block that was not asked for while so many others were is not wanted.
const PATIENCE_BLOCKS: u64 = 192;

/// The longest stretch of a pack that the disk is asked for at a time, in bytes, and how early.
const FETCH_BYTES: u64 = 2 << 20;

/// What is made ahead, by whom, and for whom.
#[derive(Debug)]
pub(super) struct Ahead {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The most threads that work ahead.
    threads: usize,
    /// The most bytes that may be ready or in the making.
    budget_bytes: u64,
    state: Mutex<State>,
    /// There is something to make, or the store is gone.
    wanted: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The one that was followed last comes last.
    runs: Vec<Run>,
    /// What nobody has asked for so far.
    ready: FxHashMap<BlockKey, Ready>,
    /// Bytes of the blocks that are ready or in the making.
    held_bytes: u64,
    threads: usize,
    idle: usize,
    ended: bool,
    next_run: u64,
    /// How many blocks were made ahead.
    made: u64,
    /// How many of them were asked for.
    used: u64,
}

#[derive(Debug)]
struct Ready {
    block: Arc<Block>,
    end: u64,
    run: u64,
    /// How many blocks its reader had asked for when it was made.
    asked: u64,
}

/// A reader that goes from one block to the next.
#[derive(Debug)]
struct Run {
    number: u64,
    pack: i64,
    /// Where the last block ends that was asked for.
    next: u64,
    /// Where the first block begins that is neither ready nor in the making.
    upto: u64,
    /// Up to where the disk was asked for the pack.
    fetched: u64,
    /// How many blocks were asked for.
    asked: u64,
    /// Bytes of its blocks that are ready or in the making, and how many these may be.
    held_bytes: u64,
    window_bytes: u64,
    /// Somebody is finding out where the next block ends.
    claiming: bool,
    /// The pack has no more blocks, or none that can be read.
    ended: bool,
}

/// A block to be made.
struct Job {
    run: u64,
    key: BlockKey,
    /// Where the disk is to be asked to read ahead, and for how many bytes.
    fetch: Option<(u64, u64)>,
}

impl Ahead {
    /// With at most so many threads, which start when they are needed, and so many bytes of blocks.
    pub fn new(threads: usize, budget_bytes: u64) -> Self {
        let (state, wanted) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { threads, budget_bytes, state, wanted }) }
    }

    /// The block, if it was made ahead, and where the next one begins. It is no longer held here.
    pub fn take(&self, key: BlockKey) -> Option<(Arc<Block>, u64)> {
        if self.shared.threads == 0 {
            return None;
        }
        let mut state = self.shared.state.lock();
        let ready = state.ready.remove(&key)?;
        state.let_go(ready.run, ready.block.len_bytes());
        state.used += 1;
        Some((ready.block, ready.end))
    }

    /// A block was asked for that was not in the cache; `end` is where the next one begins, `was_ready` whether it was made
    /// ahead.
    pub fn entered(&self, inner: &Arc<Inner>, key: BlockKey, end: u64, was_ready: bool) {
        if self.shared.threads == 0 {
            return;
        }
        let mut state = self.shared.state.lock();
        state.follow(key, end, was_ready, self.shared.budget_bytes);
        let (held_bytes, budget_bytes) = (state.held_bytes, self.shared.budget_bytes);
        if !state.runs.iter().any(|run| run.wants_more(held_bytes, budget_bytes)) {
            return;
        }
        if state.idle > 0 {
            self.shared.wanted.notify_one();
        } else if state.threads < self.shared.threads {
            state.threads += 1;
            drop(state);
            let (shared, store) = (Arc::clone(&self.shared), Arc::downgrade(inner));
            let started = thread::Builder::new()
                .name("read-ahead".into())
                .stack_size(256 * 1024)
                .spawn(move || shared.work(&store));
            if let Err(error) = started {
                log::debug!("nothing is read ahead: {error}");
                self.shared.state.lock().threads -= 1;
            }
        }
    }

    /// Forgets everything: packs have other numbers from now on.
    pub fn clear(&self) {
        let mut state = self.shared.state.lock();
        state.runs.clear();
        state.ready.clear();
        state.held_bytes = 0;
    }

    /// How many blocks were made ahead, and how many of them were asked for.
    #[cfg(test)]
    pub fn counts(&self) -> (u64, u64) {
        let state = self.shared.state.lock();
        (state.made, state.used)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.state.lock().ended = true;
        self.shared.wanted.notify_all();
    }
}

impl State {
    /// Notes where a reader is.
    fn follow(&mut self, (pack, offset): BlockKey, end: u64, was_ready: bool, budget_bytes: u64) {
        let met = |run: &Run| run.pack == pack && offset + BACK_BYTES >= run.next && offset <= run.upto + FORTH_BYTES;
        let Some(at) = self.runs.iter().position(met) else {
            if self.runs.len() == MAX_RUNS {
                let oldest = self.runs.remove(0).number;
                self.drop_ready(|ready| ready.run == oldest);
            }
            self.next_run += 1;
            self.runs.push(Run::new(self.next_run, pack, end));
            return;
        };
        let mut run = self.runs.remove(at);
        run.asked += 1;
        run.next = run.next.max(end);
        if offset == run.upto || run.upto + BACK_BYTES < run.next {
            run.upto = run.next;
        }
        run.window_bytes = match (run.window_bytes, was_ready) {
            (0, _) => FIRST_WINDOW_BYTES,
            (bytes, true) => bytes * 2,
            (bytes, false) => bytes,
        };
        let (number, asked) = (run.number, run.asked);
        let dropped = self.drop_ready(|ready| ready.run == number && ready.asked + PATIENCE_BLOCKS < asked);
        if dropped > 0 {
            run.window_bytes /= 4;
            run.held_bytes = run.held_bytes.saturating_sub(dropped);
        }
        run.window_bytes = run.window_bytes.max(FIRST_WINDOW_BYTES).min(budget_bytes / 4 * 3);
        self.runs.push(run);
    }

    /// Drops blocks that nobody asked for; returns their bytes.
    fn drop_ready(&mut self, is_dropped: impl Fn(&Ready) -> bool) -> u64 {
        let mut bytes = 0;
        self.ready.retain(|_, ready| {
            let drop = is_dropped(ready);
            bytes += if drop { ready.block.len_bytes() } else { 0 };
            !drop
        });
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        bytes
    }

    fn run(&mut self, number: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.number == number)
    }

    /// Bytes of a run are held no more.
    fn let_go(&mut self, run: u64, bytes: u64) {
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
        if let Some(run) = self.run(run) {
            run.held_bytes = run.held_bytes.saturating_sub(bytes);
        }
    }

    /// The block that is to be made next; who takes it has to [`claim`](Self::claim) it.
    fn next_job(&mut self, budget_bytes: u64) -> Option<Job> {
        let held_bytes = self.held_bytes;
        let run = self.runs.iter_mut().rev().find(|run| run.wants_more(held_bytes, budget_bytes))?;
        run.claiming = true;
        let is_far = run.upto + FETCH_BYTES / 2 > run.fetched;
        let fetch = is_far.then(|| (run.fetched.max(run.upto), FETCH_BYTES));
        if let Some((from, len)) = fetch {
            run.fetched = from + len;
        }
        Some(Job { run: run.number, key: (run.pack, run.upto), fetch })
    }

    /// A block of this many bytes, up to an offset, is to be made; `None` if there is none. Returns whether it is wanted,
    /// which it is not if it `is_there` already.
    fn claim(&mut self, job: &Job, block: Option<(u64, u64)>, is_there: bool) -> bool {
        let Some(run) = self.run(job.run) else { return false };
        run.claiming = false;
        let Some((bytes, end)) = block else {
            run.ended = true;
            return false;
        };
        if run.upto != job.key.1 {
            // The reader came past it meanwhile.
            return false;
        }
        run.upto = end;
        if is_there {
            return false;
        }
        run.held_bytes += bytes;
        self.held_bytes += bytes;
        true
    }

    /// The block that was claimed is made, or cannot be.
    fn finish(&mut self, job: &Job, bytes: u64, block: Option<(Arc<Block>, u64)>) {
        let asked = self.run(job.run).map(|run| run.asked);
        match (block, asked) {
            (Some((block, end)), Some(asked)) => {
                self.made += 1;
                self.ready.insert(job.key, Ready { block, end, run: job.run, asked });
            }
            _ => self.let_go(job.run, bytes),
        }
    }
}

impl Run {
    fn new(number: u64, pack: i64, next: u64) -> Self {
        let (fetched, asked, held_bytes, window_bytes) = (0, 0, 0, 0);
        Self { number, pack, next, upto: next, fetched, asked, held_bytes, window_bytes, claiming: false, ended: false }
    }

    fn wants_more(&self, held_bytes: u64, budget_bytes: u64) -> bool {
        !self.claiming && !self.ended && self.held_bytes < self.window_bytes && held_bytes < budget_bytes
    }
}

impl Shared {
    /// Makes blocks until the store is gone.
    fn work(&self, store: &Weak<Inner>) {
        while let Some(job) = self.wait() {
            let Some(inner) = store.upgrade() else { return };
            self.make(&inner, &job);
        }
    }

    fn wait(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.next_job(self.budget_bytes) {
                return Some(job);
            }
            state.idle += 1;
            self.wanted.wait(&mut state);
            state.idle -= 1;
        }
    }

    fn make(&self, inner: &Inner, job: &Job) {
        // One that is not open any more is not read any more.
        let pack = inner.caches.packs.get(&job.key.0);
        if let (Some(pack), Some((from, len))) = (&pack, job.fetch) {
            pack.fetch(from, len);
        }
        let head = pack.as_ref().and_then(|pack| pack.head(job.key.1).ok());
        let bytes = head.as_ref().map_or(0, |head| u64::from(head.raw_len));
        let end = head.as_ref().map_or(0, |head| head.end_of(job.key.1));
        let is_there = inner.caches.blocks.peek(&job.key).is_some();
        let another = {
            let mut state = self.state.lock();
            let fits = bytes > 0 && bytes <= self.budget_bytes / 2;
            if !state.claim(job, fits.then_some((bytes, end)), is_there) {
                return;
            }
            state.idle > 0
        };
        if another {
            self.wanted.notify_one();
        }
        let made = pack.zip(head).and_then(|(pack, head)| {
            let block = pack.block(job.key.1, &head, &inner.decompress).ok()?;
            block.verify_all(head.kind);
            Some(Arc::new(block))
        });
        if let Some(block) = &made {
            inner.remember_places(job.key, block);
        }
        self.state.lock().finish(job, bytes, made.map(|block| (block, end)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::disk::RealDisk;
    use crate::store::{Store, StoreOptions};

    const BLOCK: u64 = 100_000;
    const BUDGET: u64 = 4 << 20;

    /// A reader, and a pack whose blocks all have the same length, stored as they are.
    #[derive(Default)]
    struct Scene {
        state: State,
        making: Vec<Job>,
    }

    impl Scene {
        /// The block is asked for; says whether it was ready.
        fn read(&mut self, number: u64) -> bool {
            let key = (1, number * BLOCK);
            let ready = self.state.ready.remove(&key);
            if let Some(ready) = &ready {
                self.state.let_go(ready.run, BLOCK);
            }
            self.state.follow(key, key.1 + BLOCK, ready.is_some(), BUDGET);
            ready.is_some()
        }

        /// Everything that is wanted is made; says how many blocks that were.
        fn make(&mut self) -> usize {
            while let Some(job) = self.state.next_job(BUDGET) {
                if self.state.claim(&job, Some((BLOCK, job.key.1 + BLOCK)), false) {
                    self.making.push(job);
                }
            }
            let made = self.making.len();
            for job in self.making.drain(..) {
                let block = Arc::new(Block::of_zeros(BLOCK as usize));
                self.state.finish(&job, BLOCK, Some((block, job.key.1 + BLOCK)));
            }
            made
        }
    }

    #[test]
    fn who_reads_on_finds_everything_ready_and_more_and_more_of_it() {
        let mut scene = Scene::default();
        assert!(!scene.read(0));
        assert_eq!(scene.make(), 0, "one block is no direction");
        assert!(!scene.read(1));
        let first = scene.make() as u64;
        assert_eq!(first, FIRST_WINDOW_BYTES.div_ceil(BLOCK));
        for number in 2..200 {
            assert!(scene.read(number), "{number}");
            scene.make();
            assert!(scene.state.held_bytes <= BUDGET / 4 * 3 + BLOCK);
        }
        assert!(scene.state.ready.len() as u64 > 3 * first);
    }

    #[test]
    fn who_jumps_about_gets_nothing_made() {
        let mut scene = Scene::default();
        for number in [50, 900, 70, 330, 600, 20, 110] {
            assert!(!scene.read(number));
            assert_eq!(scene.make(), 0);
        }
        assert_eq!(scene.state.runs.len(), MAX_RUNS);
    }

    #[test]
    fn several_readers_are_followed_and_what_the_oldest_left_is_dropped() {
        let mut scene = Scene::default();
        for reader in 0..=MAX_RUNS as u64 {
            scene.read(reader * 1000);
            scene.read(reader * 1000 + 1);
            assert!(scene.make() > 0);
        }
        assert!(scene.read(4002) && scene.read(1002));
        assert!(!scene.read(2), "the first reader was forgotten");
        let held: u64 = scene.state.runs.iter().map(|run| run.held_bytes).sum();
        assert_eq!(held, scene.state.held_bytes);
        assert_eq!(held, scene.state.ready.len() as u64 * BLOCK);
    }

    #[test]
    fn what_nobody_asks_for_is_dropped_and_less_is_made() {
        let mut scene = Scene::default();
        (0..40).for_each(|number| {
            scene.read(number);
            scene.make();
        });
        let window = scene.state.runs[0].window_bytes;
        let left_out = scene.state.ready.keys().map(|key| key.1 / BLOCK).min().expect("much is ready");
        (left_out + 1..left_out + 2 * PATIENCE_BLOCKS).for_each(|number| {
            scene.read(number);
            scene.make();
        });
        assert!(!scene.state.ready.contains_key(&(1, left_out * BLOCK)));
        assert_eq!(scene.state.held_bytes, scene.state.ready.len() as u64 * BLOCK);
        assert_eq!(scene.state.runs.len(), 1);
        assert!(scene.state.runs[0].window_bytes <= window);
    }

    #[test]
    fn blocks_that_are_not_quite_in_order_are_ready_all_the_same() {
        let mut scene = Scene::default();
        let mut missed = 0;
        for number in (0..100).flat_map(|three| [three * 3 + 1, three * 3, three * 3 + 2]) {
            missed += usize::from(!scene.read(number));
            scene.make();
        }
        assert!(missed < 5, "{missed}");
        assert_eq!(scene.state.runs.len(), 1);
    }

    #[test]
    fn a_store_that_is_read_in_order_has_blocks_ready_and_gives_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let open = |threads_ahead| {
            let options = StoreOptions { cache_bytes: 64 << 20, threads_ahead };
            Store::open(Arc::new(RealDisk), dir.path(), options).unwrap()
        };
        let chunk = |number: u32| -> Vec<u8> { (0..50_000u32).map(|at| ((at ^ number) % 251) as u8).collect() };
        let writer = open(0).hold().unwrap().writer().unwrap();
        let ids: Vec<_> = (0..200).map(|number| writer.put_chunk(&chunk(number)).unwrap()).collect();
        writer.finish().unwrap();
        let store = open(2);
        let enough = Instant::now() + Duration::from_secs(20);
        for (number, id) in (0..).zip(&ids) {
            // Whoever reads is slower than who works ahead.
            while number > 20 && store.inner.ahead.counts().0 < u64::from(number / 10) && Instant::now() < enough {
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(*store.chunk(*id).unwrap(), *chunk(number));
        }
        let (made, used) = store.inner.ahead.counts();
        assert!(used > 10 && used <= made, "{used} of {made}");
    }

    #[test]
    fn a_block_whose_reader_was_forgotten_is_not_kept() {
        let mut scene = Scene::default();
        scene.read(0);
        scene.read(1);
        let job = scene.state.next_job(BUDGET).expect("a block is wanted");
        assert!(scene.state.claim(&job, Some((BLOCK, job.key.1 + BLOCK)), false));
        (1..=MAX_RUNS as u64).for_each(|reader| assert!(!scene.read(reader * 1000)));
        scene.state.finish(&job, BLOCK, Some((Arc::new(Block::of_zeros(1)), job.key.1 + BLOCK)));
        assert!(scene.state.ready.is_empty());
        assert_eq!(scene.state.held_bytes, 0);
    }
}
