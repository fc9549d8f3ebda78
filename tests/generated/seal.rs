//! Sealed sessions against the reference model: whatever happened, the sealed tree holds all of it, and a session that
//! goes on from there does not notice.

use std::sync::Arc;

use aether::disk::RealDisk;
use aether::model::{FIRST_INO, Ino, Kind, Root, RootId, Timestamp};
use aether::ops::seal::{Memo, seal};
use aether::overlay::{Caller, Error, Falloc, Files, Overlay, SetAttr, Whence};
use aether::store::tree::write_dir;
use aether::store::{Store, StoreOptions};
use tempfile::TempDir;

use super::freeze::totals;
use super::generator::{Profile, base_tree, generate};
use super::memory::MemoryUpper;
use super::model::{Model, State};
use super::operation::Op;
use super::rng::Rng;
use super::runner::{Failure, Runner};
use super::shrink;
use super::tree::{Check, read_tree};

type Subject = Overlay<Store, MemoryUpper>;

struct Bench {
    store: Store,
    root: Root,
    memo: Memo,
    model: Runner<Model>,
    subject: Runner<Subject>,
    check: Check,
    _dir: TempDir,
}

fn on(store: &Store, root: &Root) -> Subject {
    Overlay::open(Arc::new(store.clone()), Arc::default(), root, [])
}

/// Where a file says that its data begins and ends.
fn ranges(files: &impl Files, ino: Ino, size: u64) -> Result<Vec<u64>, Error> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < size {
        match files.seek(ino, at, Whence::Data) {
            Ok(data) => found.push(data),
            Err(Error::NoData) => break,
            Err(error) => return Err(error),
        }
        at = files.seek(ino, found[found.len() - 1], Whence::Hole)?;
        found.push(at);
    }
    Ok(found)
}

impl Bench {
    fn new(start: &State) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Arc::new(RealDisk), &dir.path().join("objects"), StoreOptions::default()).unwrap();
        let writer = store.hold().unwrap().writer().unwrap();
        let empty = write_dir(&writer, Vec::new()).unwrap();
        let attr = start.inodes[&aether::model::ROOT_INO].attr.clone();
        let root = Root { attr, dir: empty, xattrs: None, next_ino: FIRST_INO, totals: totals(start) };
        writer.finish().unwrap();
        let model = Runner::new(Model::from_state(start.clone()));
        let subject = Runner::new(on(&store, &root));
        Self { store, root, memo: Memo::default(), model, subject, check: Check::default(), _dir: dir }
    }

    fn remount(&mut self) {
        let model = Model::from_state(self.model.files.state());
        model.remount();
        self.model.reset(model);
    }

    /// Ends the session's process; the next one reads the journal.
    fn reopen(&mut self) {
        self.remount();
        let upper = self.subject.files.upper().cut(self.subject.files.upper().len());
        let journal = upper.batches();
        let lower = Arc::new(self.store.clone());
        self.subject.reset(Overlay::open(lower, Arc::new(upper), &self.root, journal));
        self.memo = Memo::default();
    }

    /// Seals, and holds the tree against the model.
    fn seal(&mut self) -> Result<Root, String> {
        let root = self.store_state()?;
        self.compare(&root)?;
        Ok(root)
    }

    /// Seals, and holds the tree against the one that a seal without a memory gives.
    fn store_state(&mut self) -> Result<Root, String> {
        let failed = |error: &dyn std::fmt::Display| format!("it cannot be sealed: {error}");
        let overlay = &self.subject.files;
        let snapshot = overlay.snapshot_to_seal(&mut self.memo.links).map_err(|error| failed(&error))?;
        let writer = self.store.hold().unwrap().writer().unwrap();
        let (root, stored) = seal(&snapshot, &writer, &self.memo, 2).map_err(|error| failed(&error))?;
        let id = writer.put_root(&root).unwrap();
        writer.finish().unwrap();
        self.memo.adopt(stored, &snapshot);

        let writer = self.store.hold().unwrap().writer().unwrap();
        let whole = overlay.snapshot().map_err(|error| failed(&error))?;
        let (again, _) = seal(&whole, &writer, &Memo::default(), 1).map_err(|error| failed(&error))?;
        let again: RootId = writer.put_root(&again).unwrap();
        let written = writer.finish().unwrap();
        if again != id || written.objects != 0 {
            return Err(format!("sealed from scratch it is another tree, with {written:?}"));
        }
        Ok(root)
    }

    fn compare(&mut self, root: &Root) -> Result<(), String> {
        let fresh = on(&self.store, root);
        let want = read_tree(&self.model.files).unwrap();
        let got = read_tree(&fresh).map_err(|error| format!("the sealed tree cannot be read: {error}"))?;
        self.check.trees(&want, &got).map_err(|fault| format!("in the sealed tree, {fault}"))?;
        if root.totals != totals(&self.model.files.state()) {
            return Err(format!("the sealed tree holds {:?}", root.totals));
        }
        if let Some(above) = got.values().find(|item| item.attr.ino >= root.next_ino) {
            return Err(format!("inode {} was given out again", above.attr.ino));
        }
        for (path, item) in got.iter().filter(|(_, item)| item.attr.kind == Kind::File) {
            let (ino, size) = (item.attr.ino, item.attr.size);
            let (live, sealed) = (ranges(&self.subject.files, ino, size), ranges(&fresh, ino, size));
            let (live, sealed) = (live.map_err(|e| e.to_string())?, sealed.map_err(|e| e.to_string())?);
            if live != sealed {
                return Err(format!("`{}` has its data at {sealed:?} and not at {live:?}", path.escape_ascii()));
            }
        }
        Ok(())
    }

    /// Goes on from the sealed tree, with an empty delta.
    fn fold(&mut self) -> Result<(), String> {
        self.root = self.seal()?;
        self.remount();
        self.subject.reset(on(&self.store, &self.root));
        self.memo = Memo::default();
        Ok(())
    }

    fn step(&mut self, step: usize, op: &Op) -> Result<(), String> {
        // What happens beside the operations follows from them, so that a shorter list has the same.
        let draw = blake3::hash(format!("{op:?}").as_bytes()).as_bytes()[0];
        match op {
            Op::Remount if draw.is_multiple_of(2) => self.fold()?,
            Op::Remount => self.reopen(),
            _ if draw < 40 => self.seal().map(|_| ())?,
            _ => {}
        }
        let got = self.subject.run(step, op);
        if let Err(Failure::Upper(_)) = got {
            return Ok(());
        }
        let want = self.model.run(step, op);
        self.check.outcome(&self.model, op, &want, &got)
    }
}

fn run(start: &State, ops: &[Op]) -> Result<(), String> {
    let mut bench = Bench::new(start);
    for (step, op) in ops.iter().enumerate() {
        bench.step(step, op).map_err(|fault| format!("step {step}, {op:?}: {fault}"))?;
    }
    bench.fold()?;
    bench.compare(&bench.root.clone())
}

#[test]
fn a_sealed_session_is_what_the_model_is_and_goes_on_from_there() {
    for seed in shrink::seeds(20, 20) {
        let start = base_tree(seed, 0);
        let profile = Profile { far: seed.is_multiple_of(2), ..Profile::all(220) };
        let ops = generate(seed, start.clone(), profile);
        shrink::check(seed, ops, &|ops| run(&start, ops));
    }
}

/// Of a file of some MiB, only what changed is cut anew: the result must be that of cutting all of it.
#[test]
fn a_large_file_that_changes_in_places_is_stored_as_if_it_was_stored_whole() {
    const MIB: u64 = 1 << 20;
    let caller = Caller { uid: 0, gid: 0, umask: 0, now: Timestamp::new(7, 7), request: 0 };
    for seed in shrink::seeds(3, 3) {
        let mut bench = Bench::new(&base_tree(seed, 0));
        let mut rng = Rng::new(seed);
        let made = bench.subject.files.mknod(caller, aether::model::ROOT_INO, b"big", Kind::File, 0o644, 0).unwrap();
        let ino = made.ino;
        for at in 0..9 {
            bench.subject.files.write(caller, ino, at * MIB, &rng.bytes(MIB as usize), false).unwrap();
        }
        for round in 0..12 {
            let files = &bench.subject.files;
            let size = files.lookup(aether::model::ROOT_INO, b"big").unwrap().size;
            for _ in 0..rng.below(4) {
                let (at, len) = (rng.below(size), rng.below(400_000) + 1);
                match rng.below(8) {
                    0 => drop(
                        files
                            .setattr(caller, ino, &SetAttr { size: Some(5 * MIB + at), ..SetAttr::default() })
                            .unwrap(),
                    ),
                    1 => files.fallocate(caller, ino, at, len, Falloc::PUNCH_HOLE | Falloc::KEEP_SIZE).unwrap(),
                    _ => files.write(caller, ino, at, &rng.bytes(len as usize), false).unwrap(),
                }
            }
            bench.root = bench.store_state().unwrap_or_else(|fault| panic!("seed {seed}, round {round}: {fault}"));
            if rng.chance(20) {
                // On from there, with the file in the base.
                bench.subject.reset(on(&bench.store, &bench.root));
                bench.memo = Memo::default();
            }
        }
    }
}
