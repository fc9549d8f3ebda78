//! Programs that work at the same time, on one mount and on many, with every byte checked.
//!
//! `AETHER_TEST_STRESS_SECONDS` says how long (default 3). Each worker knows what its files must hold: a file's bytes
//! follow from its name, its generation and the offset, so that a byte of another file, of another time or of nobody is
//! seen at once. What workers share, they share in ways whose outcome is certain.

use std::ffi::c_void;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

use crate::fixture::skipped;
use crate::generated::rng::Rng;
use crate::workspace::Workspace;

const PROT_READ_WRITE: i32 = 3;
const MAP_SHARED: i32 = 1;
const MS_SYNC: i32 = 4;

// Of the C library, which every program has anyway.
unsafe extern "C" {
    fn mmap(at: *mut c_void, len: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut c_void;
    fn msync(at: *mut c_void, len: usize, flags: i32) -> i32;
    fn munmap(at: *mut c_void, len: usize) -> i32;
}

#[allow(clippy::disallowed_methods)]
fn lasting() -> Duration {
    let seconds = std::env::var("AETHER_TEST_STRESS_SECONDS").map_or(3, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// What a file holds at an offset in a generation.
fn byte(file: u64, generation: u64, offset: u64) -> u8 {
    let mixed = (file << 40 ^ generation << 20 ^ offset >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (8 * (offset & 7))) as u8
}

fn content(file: u64, generation: u64, range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|offset| byte(file, generation, offset)).collect()
}

/// A file that one worker owns, and what is in it: runs of bytes by the generation that wrote them; 0 is a hole.
struct Own {
    path: PathBuf,
    id: u64,
    generation: u64,
    /// The generation of each 512-byte block; the file's size is a multiple of that.
    blocks: Vec<u64>,
}

const BLOCK: u64 = 512;
const MAX_BLOCKS: u64 = 600;

impl Own {
    fn expected(&self, from: u64, to: u64) -> Vec<u8> {
        let block = |at: u64| match self.blocks[at as usize] {
            0 => vec![0; BLOCK as usize],
            generation => content(self.id, generation, at * BLOCK..(at + 1) * BLOCK),
        };
        (from..to).flat_map(block).collect()
    }

    fn check(&self) {
        let got = fs::read(&self.path).unwrap();
        assert_same(&got, &self.expected(0, self.blocks.len() as u64), &self.path);
    }

    fn step(&mut self, rng: &mut Rng) {
        let from = rng.below(MAX_BLOCKS);
        let to = (from + 1 + rng.below(40)).min(MAX_BLOCKS);
        self.generation += 1;
        let file = OpenOptions::new().read(true).write(true).open(&self.path).unwrap();
        match rng.below(9) {
            0..3 => {
                file.write_all_at(&content(self.id, self.generation, from * BLOCK..to * BLOCK), from * BLOCK).unwrap();
                self.put(from, to, self.generation);
            }
            3 => {
                file.set_len(to * BLOCK).unwrap();
                self.blocks.resize(to as usize, 0);
            }
            4 => {
                let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                fallocate(&file, how, from * BLOCK, (to - from) * BLOCK).unwrap();
                let end = to.min(self.blocks.len() as u64);
                if from < end {
                    self.blocks[from as usize..end as usize].fill(0);
                }
            }
            5 => self.map(&file, from, to),
            6 => file.sync_all().unwrap(),
            7 => {
                let end = to.min(self.blocks.len() as u64);
                if from < end {
                    let mut got = vec![0; ((end - from) * BLOCK) as usize];
                    file.read_exact_at(&mut got, from * BLOCK).unwrap();
                    assert_same(&got, &self.expected(from, end), &self.path);
                }
            }
            _ => {
                // An editor's way to save: a new file over the old one.
                let fresh = self.path.with_extension("new");
                fs::write(&fresh, content(self.id, self.generation, 0..to * BLOCK)).unwrap();
                fs::rename(&fresh, &self.path).unwrap();
                self.blocks = vec![self.generation; to as usize];
            }
        }
    }

    fn put(&mut self, from: u64, to: u64, generation: u64) {
        if self.blocks.len() < to as usize {
            self.blocks.resize(to as usize, 0);
        }
        self.blocks[from as usize..to as usize].fill(generation);
    }

    /// Writes through a shared mapping.
    fn map(&mut self, file: &File, from: u64, to: u64) {
        let to = to.min(self.blocks.len() as u64);
        if from >= to {
            return;
        }
        let len = (self.blocks.len() as u64 * BLOCK) as usize;
        let fresh = content(self.id, self.generation, from * BLOCK..to * BLOCK);
        // SAFETY: the mapping is of `len` bytes, which the file has; it is this thread's alone and gone at the end.
        unsafe {
            let map = mmap(std::ptr::null_mut(), len, PROT_READ_WRITE, MAP_SHARED, file.as_raw_fd(), 0);
            assert!(map as isize != -1, "{}", std::io::Error::last_os_error());
            std::ptr::copy_nonoverlapping(fresh.as_ptr(), map.cast::<u8>().add((from * BLOCK) as usize), fresh.len());
            if self.generation.is_multiple_of(2) {
                assert_eq!(msync(map, len, MS_SYNC), 0, "{}", std::io::Error::last_os_error());
            }
            assert_eq!(munmap(map, len), 0);
        }
        self.put(from, to, self.generation);
    }
}

#[track_caller]
fn assert_same(got: &[u8], want: &[u8], path: &Path) {
    assert_eq!(got.len(), want.len(), "the size of {}", path.display());
    if let Some(at) = (0..got.len()).find(|&at| got[at] != want[at]) {
        panic!("{}: byte {at} is {:#x} instead of {:#x}", path.display(), got[at], want[at]);
    }
}

/// Changes files of its own, new ones and some of the source.
fn own_files(root: &Path, worker: u64, deadline: Instant) -> u64 {
    let mut rng = Rng::new(worker);
    let fresh = (0..3).map(|number| root.join(format!("own-{worker}-{number}")));
    let base = (0..2).map(|number| root.join(format!("base/{}", worker * 2 + number)));
    let mut files: Vec<Own> = fresh
        .chain(base)
        .enumerate()
        .map(|(at, path)| {
            let id = worker * 16 + at as u64;
            let blocks = fs::metadata(&path).map_or(0, |meta| meta.len() / BLOCK);
            OpenOptions::new().create(true).append(true).open(&path).unwrap();
            // Files of the source were made by `source_tree`, in generation 1.
            let id = if blocks > 0 { SOURCE_ID + worker * 2 + at as u64 - 3 } else { id };
            Own { path, id, generation: 1, blocks: vec![1; blocks as usize] }
        })
        .collect();
    let mut steps = 0;
    while Instant::now() < deadline {
        let at = rng.below(files.len() as u64) as usize;
        files[at].step(&mut rng);
        steps += 1;
        if steps % 64 == 0 {
            files[at].check();
        }
    }
    files.iter().for_each(Own::check);
    steps
}

const SOURCE_ID: u64 = 1 << 20;

fn source_tree(origin: &Path, workers: u64) {
    fs::create_dir_all(origin.join("base")).unwrap();
    for number in 0..workers * 2 {
        let bytes = content(SOURCE_ID + number, 1, 0..(100 + 40 * (number % 10)) * BLOCK);
        fs::write(origin.join(format!("base/{number}")), bytes).unwrap();
    }
}

const LINE: usize = 64;

fn line(worker: u64, number: u64) -> String {
    format!("{:<1$}\n", format!("{worker} {number}"), LINE - 1)
}

/// Appends lines to a file that all append to, and adds to a number that all add to, under a lock.
fn shared_files(root: &Path, worker: u64, deadline: Instant) -> u64 {
    let mut log = OpenOptions::new().create(true).append(true).open(root.join("shared-log")).unwrap();
    let mut count =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(root.join("count")).unwrap();
    let mut number = 0;
    while Instant::now() < deadline {
        log.write_all(line(worker, number).as_bytes()).unwrap();
        flock(&count, FlockOperation::LockExclusive).unwrap();
        let mut text = String::new();
        count.rewind().unwrap();
        count.read_to_string(&mut text).unwrap();
        let next = text.trim().parse::<u64>().unwrap_or(0) + 1;
        count.rewind().unwrap();
        count.write_all(format!("{next}\n").as_bytes()).unwrap();
        flock(&count, FlockOperation::Unlock).unwrap();
        number += 1;
    }
    number
}

/// Every line of every worker is there once, in order, and whole; the sum is right.
fn check_shared(root: &Path, written: &[(u64, u64)]) {
    check_names(&root.join("churn"));
    let log = fs::read(root.join("shared-log")).unwrap();
    let mut next: std::collections::BTreeMap<u64, u64> = written.iter().map(|&(worker, _)| (worker, 0)).collect();
    for got in log.chunks(LINE) {
        let text = std::str::from_utf8(got).unwrap();
        let worker = text.split(' ').next().unwrap().parse::<u64>().unwrap();
        let number = next.get_mut(&worker).unwrap();
        assert_eq!(text, line(worker, *number));
        *number += 1;
    }
    assert_eq!(next.into_iter().collect::<Vec<_>>(), written);
    let sum: u64 = written.iter().map(|(_, lines)| lines).sum();
    assert_eq!(fs::read_to_string(root.join("count")).unwrap().trim(), sum.to_string());
}

/// Makes, renames, links and removes in directories that others churn too; a name is always whole or not there.
fn churn(root: &Path, worker: u64, deadline: Instant) -> u64 {
    let mut rng = Rng::new(worker ^ 0xc0ffee);
    let place = root.join("churn");
    let _made_by_another = fs::create_dir(&place);
    let mut steps = 0;
    while Instant::now() < deadline {
        steps += 1;
        let dir = place.join(format!("{}", rng.below(3)));
        let name = |rng: &mut Rng| dir.join(format!("{}", rng.below(8)));
        let _perhaps_there = fs::create_dir(&dir);
        let (one, other) = (name(&mut rng), name(&mut rng));
        // Each may find that another one was faster; what it finds must be one of the few things that can be.
        let allowed = |result: std::io::Result<()>| {
            if let Err(error) = result {
                use std::io::ErrorKind as E;
                let kind = error.kind();
                let known = matches!(kind, E::NotFound | E::AlreadyExists | E::DirectoryNotEmpty);
                assert!(known, "{}: {error}", one.display());
            }
        };
        match rng.below(6) {
            0 | 1 => {
                let temporary = dir.join(format!("tmp-{worker}"));
                allowed(fs::write(&temporary, content(7, worker, 0..3000)));
                allowed(fs::rename(&temporary, &one));
            }
            2 => allowed(fs::rename(&one, &other)),
            3 => allowed(fs::hard_link(&one, &other)),
            4 => allowed(fs::remove_file(&one)),
            _ => match fs::read(&one) {
                Ok(bytes) => {
                    let writer = (0..64).find(|&writer| bytes == content(7, writer, 0..3000));
                    assert!(writer.is_some(), "{}: {} bytes of nobody", one.display(), bytes.len());
                }
                Err(error) => allowed(Err(error)),
            },
        }
        if steps % 32 == 0 {
            allowed(fs::remove_dir_all(place.join(format!("gone-{worker}"))));
            allowed(fs::rename(&dir, place.join(format!("gone-{worker}"))));
        }
    }
    steps
}

/// A directory lists each name once. While names go and come again, one may be listed as it was and as it is.
fn check_names(place: &Path) {
    let mut names: Vec<_> = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "a name is listed twice: {names:?}");
}

/// All of it, by threads of this process; returns the lines that each wrote into the shared log.
fn threads(root: &Path, workers: std::ops::Range<u64>, deadline: Instant) -> Vec<(u64, u64)> {
    thread::scope(|scope| {
        let shared: Vec<_> =
            workers.clone().map(|id| (id, scope.spawn(move || shared_files(root, id, deadline)))).collect();
        let others: Vec<_> = workers
            .flat_map(|id| {
                [scope.spawn(move || own_files(root, id, deadline)), scope.spawn(move || churn(root, id, deadline))]
            })
            .collect();
        assert!(others.into_iter().all(|work| work.join().unwrap() > 0));
        shared.into_iter().map(|(id, work)| (id, work.join().unwrap())).collect()
    })
}

/// Not a test of its own: what the test program runs when a test has started it again as another process.
#[test]
#[allow(clippy::disallowed_methods)]
fn entry_of_a_worker_process() {
    let Some(root) = std::env::var_os("AETHER_TEST_STRESS_ROOT") else { return };
    let first: u64 = std::env::var("AETHER_TEST_STRESS_FIRST").unwrap().parse().unwrap();
    let lines = threads(Path::new(&root), first..first + 2, Instant::now() + lasting());
    let text: String = lines.iter().map(|(worker, count)| format!("lines {worker} {count}\n")).collect();
    fs::write(Path::new(&root).join(format!("result-{first}")), text).unwrap();
}

fn start_process(root: &Path, first: u64) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stress::entry_of_a_worker_process", "--nocapture"]);
    command.env("AETHER_TEST_STRESS_ROOT", root).env("AETHER_TEST_STRESS_FIRST", first.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn threads_and_processes_on_one_mount_find_every_byte_as_they_wrote_it() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    source_tree(&origin, 6);
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let root = mount.root();
    let processes: Vec<_> = [2, 4].map(|first| (first, start_process(root, first))).into_iter().collect();
    let mut lines = threads(root, 0..2, Instant::now() + lasting());
    for (first, mut process) in processes {
        assert!(process.wait().unwrap().success(), "the process of workers {first} and on");
        let result = fs::read_to_string(root.join(format!("result-{first}"))).unwrap();
        lines.extend(result.lines().map(|line| {
            let (worker, count) = line.strip_prefix("lines ").unwrap().split_once(' ').unwrap();
            (worker.parse::<u64>().unwrap(), count.parse::<u64>().unwrap())
        }));
    }
    lines.sort_unstable();
    check_shared(root, &lines);
    // And so it is after unmounting and mounting.
    mount.end();
    let mount = workspace.mount();
    check_shared(mount.root(), &lines);
    mount.end();
}

/// How many mounts are up at once.
const MOUNTS: u64 = 100;

#[test]
fn a_hundred_mounts_at_once_do_not_mix() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    source_tree(&origin, 1);
    workspace.session_on(&origin);
    let name = |number: u64| format!("many-{number}");
    let point = |number: u64| workspace.path(&name(number));
    let each = |work: &(dyn Fn(u64) + Sync)| {
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= MOUNTS {
                            return;
                        }
                        work(number);
                    }
                });
            }
        });
    };
    each(&|number| {
        workspace.aether(&["session", "create", &name(number), "--source", "base"]);
        workspace.aether(&["session", "mount", &name(number), point(number).to_str().unwrap()]);
    });
    let devices: std::collections::BTreeSet<u64> =
        (0..MOUNTS).map(|number| fs::metadata(point(number)).unwrap().dev()).collect();
    assert_eq!(devices.len() as u64, MOUNTS);
    let deadline = Instant::now() + lasting();
    let mut round = 0;
    while round < 2 || Instant::now() < deadline {
        round += 1;
        each(&|number| {
            let file = point(number).join("base/0");
            if round > 1 {
                assert_same(&fs::read(&file).unwrap(), &content(number, round - 1, 0..20_000), &file);
            }
            fs::write(&file, content(number, round, 0..20_000)).unwrap();
        });
    }
    each(&|number| {
        let other = point(number).join("base/1");
        let len = fs::metadata(&other).unwrap().len();
        assert_same(&fs::read(&other).unwrap(), &content(SOURCE_ID + 1, 1, 0..len), &other);
        let file = point(number).join("base/0");
        assert_same(&fs::read(&file).unwrap(), &content(number, round, 0..20_000), &file);
        workspace.aether(&["session", "unmount", &name(number)]);
    });
}
