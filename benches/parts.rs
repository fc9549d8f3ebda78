//! The parts without the kernel: what chunking, packing, trees, the delta and the overlay cost by themselves.
//!
//! `cargo bench` runs all of them, `cargo bench -- delta` those of the delta. What a mount costs beside them is for
//! `benches/compare.sh` to show.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aether::delta::{Delta, Settings};
use aether::disk::{Disk, RealDisk};
use aether::model::{Attr, Body, Content, DirRef, Entry, FIRST_INO, Kind, Name, ROOT_INO, RootId, Timestamp};
use aether::ops::import::{ImportOptions, import_dir};
use aether::overlay::{Caller, Files, Overlay, Replay};
use aether::store::{Store, StoreOptions, content, tree};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tempfile::TempDir;

const FILES: usize = 2000;
const FILE_BYTES: usize = 4096;
const LARGE_BYTES: usize = 32 << 20;

fn main() {
    divan::main();
}

/// A directory with an empty store.
struct Bench {
    dir: TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the bench");
        let store = Store::open(Arc::new(RealDisk), &dir.path().join("objects"), StoreOptions::default());
        Self { store: store.expect("a store"), dir }
    }

    /// Imports a directory, as the first revision or upon another.
    fn import(&self, origin: &Path, previous: Option<RootId>) -> RootId {
        let hold = self.store.hold().expect("a hold");
        let options = ImportOptions::default();
        import_dir(&hold, origin, previous, &options, &(), &AtomicBool::new(false)).expect("an import").root
    }

    /// A directory of small files.
    fn origin(&self) -> std::path::PathBuf {
        let origin = self.dir.path().join("origin");
        for index in 0..FILES {
            let dir = origin.join(format!("d{}", index / 100));
            fs::create_dir_all(&dir).expect("a directory");
            fs::write(dir.join(format!("f{index}")), noise(FILE_BYTES, index as u64)).expect("a file");
        }
        origin
    }

    /// A session on the tree.
    fn session(&self, root: RootId, settings: Settings) -> Overlay<Store, Delta> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let delta = Delta::create(&disk, &self.dir.path().join("delta"), settings).expect("a delta");
        let root = self.store.root(root).expect("the root");
        Replay::new(&root).finish(Arc::new(self.store.clone()), Arc::new(delta))
    }
}

/// Bytes that do not compress, the same for the same seed.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn caller() -> Caller {
    Caller { uid: 0, gid: 0, umask: 0o022, now: Timestamp::new(1, 0), request: 0 }
}

#[divan::bench(sample_count = 10)]
fn chunking_of_a_large_file(bencher: Bencher) {
    let bytes = noise(LARGE_BYTES, 1);
    bencher.counter(BytesCount::new(LARGE_BYTES)).with_inputs(Bench::new).bench_local_refs(|bench| {
        let writer = bench.store.hold().expect("a hold").writer().expect("a writer");
        black_box(content::put(&writer, &bytes).expect("content"));
    });
}

#[divan::bench(sample_count = 10)]
fn packing_of_small_files(bencher: Bencher) {
    let files: Vec<_> = (0..FILES).map(|index| noise(FILE_BYTES, index as u64)).collect();
    bencher.counter(ItemsCount::new(FILES)).with_inputs(Bench::new).bench_local_refs(|bench| {
        let writer = bench.store.hold().expect("a hold").writer().expect("a writer");
        for bytes in &files {
            content::put(&writer, bytes).expect("content");
        }
        writer.finish().expect("packs that are durable");
    });
}

fn entries() -> Vec<Entry> {
    let entry = |index: usize| {
        let name = Name::new(format!("file-{index:06}").as_bytes()).expect("a name");
        let attr = Attr::new(FIRST_INO + index as u64, Kind::File, 0o644, 0, 0, Timestamp::new(1, 0));
        Entry { name, attr, body: Body::File(Content::Hole), xattrs: None }
    };
    (0..FILES).map(entry).collect()
}

#[divan::bench]
fn tree_of_a_directory_written(bencher: Bencher) {
    let bench = Bench::new();
    let writer = bench.store.hold().expect("a hold").writer().expect("a writer");
    bencher
        .counter(ItemsCount::new(FILES))
        .with_inputs(entries)
        .bench_local_values(|entries| tree::write_dir(&writer, entries).expect("a directory"));
}

#[divan::bench]
fn tree_of_a_directory_searched(bencher: Bencher) {
    let bench = Bench::new();
    let writer = bench.store.hold().expect("a hold").writer().expect("a writer");
    let dir: DirRef = tree::write_dir(&writer, entries()).expect("a directory");
    writer.finish().expect("a pack that is durable");
    let mut index = 0;
    bencher.bench_local(|| {
        index = (index + 7919) % FILES;
        let name = format!("file-{index:06}");
        black_box(tree::lookup(&bench.store, dir, name.as_bytes()).expect("an answer").is_some())
    });
}

#[divan::bench(sample_count = 10)]
fn import_of_a_directory(bencher: Bencher) {
    let with_origin = || {
        let bench = Bench::new();
        let origin = bench.origin();
        (bench, origin)
    };
    bencher
        .counter(ItemsCount::new(FILES))
        .with_inputs(with_origin)
        .bench_local_refs(|(bench, origin)| bench.import(origin, None));
}

#[divan::bench]
fn import_again_of_a_directory(bencher: Bencher) {
    let bench = Bench::new();
    let origin = bench.origin();
    let root = bench.import(&origin, None);
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| bench.import(&origin, Some(root)));
}

/// A session on an empty directory, and its overlay.
fn empty_session() -> (Bench, Overlay<Store, Delta>) {
    let bench = Bench::new();
    let origin = bench.dir.path().join("empty");
    fs::create_dir(&origin).expect("a directory");
    let root = bench.import(&origin, None);
    let overlay = bench.session(root, Settings::default());
    (bench, overlay)
}

fn create_files(overlay: &Overlay<Store, Delta>) {
    let bytes = [7; FILE_BYTES];
    for index in 0..FILES {
        let name = format!("f{index}");
        // What the kernel asks for when a program creates a file.
        let _absent = overlay.lookup(ROOT_INO, name.as_bytes());
        let file = overlay.mknod(caller(), ROOT_INO, name.as_bytes(), Kind::File, 0o644, 0).expect("a file");
        overlay.write(caller(), file.ino, 0, &bytes, false).expect("a write");
    }
}

#[divan::bench(sample_count = 10)]
fn overlay_creates_files(bencher: Bencher) {
    bencher
        .counter(ItemsCount::new(FILES))
        .with_inputs(empty_session)
        .bench_local_refs(|(_bench, overlay)| create_files(overlay));
}

#[divan::bench(sample_count = 10)]
fn overlay_removes_files(bencher: Bencher) {
    let full = || {
        let made = empty_session();
        create_files(&made.1);
        made
    };
    bencher.counter(ItemsCount::new(FILES)).with_inputs(full).bench_local_refs(|(_bench, overlay)| {
        for index in 0..FILES {
            overlay.unlink(caller(), ROOT_INO, format!("f{index}").as_bytes()).expect("a file to remove");
        }
    });
}

#[divan::bench(sample_count = 10, args = [4 << 10, 128 << 10, 1 << 20])]
fn delta_takes_writes(bencher: Bencher, piece: usize) {
    let bytes = noise(piece, 3);
    bencher.counter(BytesCount::new(LARGE_BYTES)).with_inputs(empty_session).bench_local_refs(|(_bench, overlay)| {
        let file = overlay.mknod(caller(), ROOT_INO, b"large", Kind::File, 0o644, 0).expect("a file");
        for at in (0..LARGE_BYTES).step_by(piece) {
            overlay.write(caller(), file.ino, at as u64, &bytes, false).expect("a write");
        }
    });
}

#[divan::bench]
fn overlay_reads_frozen_files(bencher: Bencher) {
    let bench = Bench::new();
    let origin = bench.origin();
    let overlay = bench.session(bench.import(&origin, None), Settings::default());
    let files: Vec<_> = (0..FILES)
        .map(|index| {
            let dir = overlay.lookup(ROOT_INO, format!("d{}", index / 100).as_bytes()).expect("a directory");
            overlay.lookup(dir.ino, format!("f{index}").as_bytes()).expect("a file").ino
        })
        .collect();
    let mut buf = vec![0; FILE_BYTES];
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| {
        for &ino in &files {
            assert_eq!(overlay.read(ino, 0, &mut buf).expect("a read"), FILE_BYTES);
        }
    });
}
