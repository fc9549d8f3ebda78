//! A session that becomes trees it was before, in whole and in parts, against the reference model.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aether::model::{BytePath, Ino, Kind, ROOT_INO, Root};
use aether::overlay::{Caller, Files, Overlay, SetAttr, SetTime, Stale, Switch};

use super::freeze::{freeze, totals};
use super::generator::{Profile, base_tree, generate};
use super::memory::{MemoryLower, MemoryUpper};
use super::model::{Model, State};
use super::operation::Op;
use super::runner::{Runner, time_of};
use super::shrink;
use super::tree::{Check, Item, Tree, capture, read_tree};

type Subject = Overlay<MemoryLower, MemoryUpper>;

/// A tree that the session can become.
struct Checkpoint {
    root: Root,
    tree: Tree,
    state: State,
}

struct Bench {
    root: Root,
    lower: Arc<MemoryLower>,
    model: Runner<Model>,
    subject: Runner<Subject>,
    check: Check,
    checkpoints: Vec<Checkpoint>,
}

impl Bench {
    fn new(start: &State, miss_percent: u64) -> Self {
        let (root, lower) = freeze(start, miss_percent);
        let lower = Arc::new(lower);
        let model = Runner::new(Model::from_state(start.clone()));
        let subject = Runner::new(Overlay::open(lower.clone(), Arc::default(), &root, []));
        Self { root, lower, model, subject, check: Check::default(), checkpoints: Vec::new() }
    }

    fn open(&self, batches: usize) -> Subject {
        let upper = self.subject.files.upper().cut(batches);
        let journal = upper.batches();
        Overlay::open(self.lower.clone(), Arc::new(upper), &self.root, journal)
    }

    /// Freezes what the session is now, as a seal would.
    fn checkpoint(&mut self) -> Result<(), String> {
        let say = |error: aether::overlay::Error| format!("the session cannot be read: {error}");
        let state = capture(&self.subject.files).map_err(say)?;
        let (mut root, lower) = freeze(&state, 0);
        root.next_ino = self.subject.files.snapshot().map_err(say)?.next_ino();
        self.lower.extend(lower);
        let tree = read_tree(&self.subject.files).map_err(say)?;
        self.checkpoints.push(Checkpoint { root, tree, state });
        if self.checkpoints.len() > 4 {
            self.checkpoints.remove(1);
        }
        Ok(())
    }

    fn step(&mut self, step: usize, op: &Op) -> Result<(), String> {
        if matches!(op, Op::Remount) {
            let model = Model::from_state(self.model.files.state());
            model.remount();
            self.model.reset(model);
            self.subject.reset(self.open(self.subject.files.upper().len()));
        }
        let got = self.subject.run(step, op);
        let want = self.model.run(step, op);
        self.check.outcome(&self.model, op, &want, &got)
    }

    fn compare(&mut self) -> Result<(), String> {
        let want = read_tree(&self.model.files).unwrap();
        let got = read_tree(&self.subject.files).map_err(|error| format!("the tree cannot be read: {error}"))?;
        self.check.trees(&want, &got)
    }

    /// Makes the session the checkpoint, in whole or in these paths, and checks that it is.
    fn switch(&mut self, step: usize, number: usize, paths: &[BytePath], draw: [u8; 32]) -> Result<(), String> {
        let read = |files: &Subject| read_tree(files).map_err(|error| format!("the tree cannot be read: {error}"));
        if draw[5] < 128 {
            // Else the kernel goes on knowing everything that it ever looked up.
            let _ = self.subject.run(step, &Op::Forget);
            let _ = self.model.run(step, &Op::Forget);
        }
        let (held, batches) = (self.subject.held(), self.subject.files.upper().len());
        let before = read(&self.subject.files)?;
        let slots = self.open_files()?;
        let checkpoint = &self.checkpoints[number];
        let files = &self.subject.files;
        let mut asked = false;
        let meddled = std::cell::Cell::new(false);
        let meddle = std::cell::Cell::new(paths.is_empty() && draw[6] < 60);
        let open = |inos: &rustc_hash::FxHashSet<Ino>| {
            if meddle.take() {
                meddled.set(true);
                // A program changes something while the session is compared.
                let set = SetAttr { perm: Some(0o711), mtime: Some(SetTime::Now), ..SetAttr::default() };
                let caller = Caller { uid: 0, gid: 0, umask: 0, now: time_of(step), request: 0 };
                for ino in inos.iter().chain([&ROOT_INO]) {
                    let _ = files.setattr(caller, *ino, &set);
                    let _ = files.write(caller, *ino, 3, b"meddling", false);
                }
            }
            inos.iter().filter(|ino| (*ino ^ u64::from(draw[7])) % 3 == 0).copied().collect()
        };
        let writers: BTreeSet<Ino> = held.iter().filter(|ino| (*ino ^ u64::from(draw[7])) % 3 == 0).copied().collect();
        let switch = Switch { target: &checkpoint.root, paths, now: time_of(step) };
        let done = match files.switch(&switch, &open) {
            Ok((done, _)) => done,
            // A path leads through what is a file now.
            Err(aether::overlay::Error::NotDir) if !paths.is_empty() => {
                return same_tree(&before, &read(&self.subject.files)?, &BTreeSet::new());
            }
            Err(error) => return Err(format!("refused: {error}")),
        };
        asked |= done.changed;
        let after = read(files)?;
        if paths.is_empty() {
            same_tree(&checkpoint.tree, &after, &held)?;
        } else {
            same_parts(&checkpoint.tree, &before, &after, paths)?;
        }
        consistent(&after)?;
        let got = files.snapshot().map_err(|error| error.to_string())?.totals();
        let want = totals(&capture(files).map_err(|error| error.to_string())?);
        if got != want {
            return Err(format!("the totals should be {want:?}, but are {got:?}"));
        }
        told(&done.stale, &before, &after, &held)?;
        for (ino, item) in slots {
            if !meddled.get() {
                check_open(files, ino, &item, &after, &writers)?;
            }
        }
        // All of it is in one batch, or nothing.
        let now = self.subject.files.upper().len();
        if usize::from(asked) + batches > now {
            return Err("there is no batch".into());
        }
        let reopened = read(&self.open(now))?;
        if reopened != after {
            same_tree(&after, &reopened, &BTreeSet::new()).map_err(|fault| format!("reopened: {fault}"))?;
        }
        if !asked || batches + 1 == now {
            let cut = read(&self.open(batches))?;
            same_tree(&before, &cut, &BTreeSet::new()).map_err(|fault| format!("cut before it: {fault}"))?;
        }
        self.go_on(number, paths)
    }

    /// What is open, and what is in it.
    fn open_files(&self) -> Result<BTreeMap<Ino, Item>, String> {
        let mut open = BTreeMap::new();
        for ino in self.subject.open() {
            let item =
                super::tree::item_of(&self.subject.files, ino).map_err(|error| format!("open {ino}: {error}"))?;
            open.insert(ino, item);
        }
        Ok(open)
    }

    /// The model goes on with what the session is now.
    fn go_on(&mut self, number: usize, paths: &[BytePath]) -> Result<(), String> {
        self.subject.close_all();
        let state = if paths.is_empty() {
            self.checkpoints[number].state.clone()
        } else {
            capture(&self.subject.files).map_err(|error| format!("the session cannot be read: {error}"))?
        };
        self.model.reset(Model::from_state(state));
        self.check = Check::default();
        self.compare()
    }
}

/// The session is exactly this. A number may only be another where it was in use.
fn same_tree(want: &Tree, got: &Tree, held: &BTreeSet<Ino>) -> Result<(), String> {
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    for (path, item) in want {
        let name = path.escape_ascii();
        let found = got.get(path).ok_or_else(|| format!("`{name}` is missing"))?;
        let (ino, is) = (item.attr.ino, found.attr.ino);
        if ino != is && !held.contains(&ino) {
            return Err(format!("`{name}` should have number {ino}, but has {is}"));
        }
        if *there.entry(ino).or_insert(is) != is || *back.entry(is).or_insert(ino) != ino {
            return Err(format!("`{name}`: the hard links of {ino} are not what they were"));
        }
        let mut item = item.clone();
        item.attr.ino = is;
        if item != *found {
            return Err(format!("`{name}` should be {item:?}, but is {found:?}"));
        }
    }
    match got.keys().find(|path| !want.contains_key(*path)) {
        Some(path) => Err(format!("`{}` should not be there", path.escape_ascii())),
        None => Ok(()),
    }
}

/// These paths are as in the target, all others as before.
fn same_parts(target: &Tree, before: &Tree, after: &Tree, paths: &[BytePath]) -> Result<(), String> {
    let path_of = |path: &Vec<u8>| BytePath::parse(path).unwrap();
    let inside = |path: &Vec<u8>| paths.iter().any(|wanted| path_of(path).starts_with(wanted));
    let above = |path: &Vec<u8>| paths.iter().any(|wanted| wanted.starts_with(&path_of(path)));
    let all: BTreeSet<&Vec<u8>> = target.keys().chain(before.keys()).chain(after.keys()).collect();
    for path in all {
        let name = path.escape_ascii();
        let is = after.get(path);
        let (want, in_scope) = match (inside(path), above(path)) {
            (true, _) => (target.get(path), true),
            (false, false) => (before.get(path), false),
            // Directories on the way come to be, and are touched.
            (false, true) => {
                if before.contains_key(path) && is.is_none() {
                    return Err(format!("`{name}` is above what was switched, and is gone"));
                }
                continue;
            }
        };
        let (Some(want), Some(is)) = (want, is) else {
            if want.is_some() != is.is_some() {
                return Err(format!("`{name}` should be {want:?}, but is {is:?}"));
            }
            continue;
        };
        let mut want = want.clone();
        if in_scope {
            want.attr.ino = is.attr.ino;
        }
        if want.attr.kind != Kind::Dir {
            (want.attr.nlink, want.attr.ctime) = (is.attr.nlink, is.attr.ctime);
        }
        if want != *is {
            return Err(format!("`{name}` should be {want:?}, but is {is:?}"));
        }
    }
    Ok(())
}

/// Link counts are what the names say.
fn consistent(tree: &Tree) -> Result<(), String> {
    let mut names: HashMap<Ino, u32> = HashMap::new();
    for (path, item) in tree {
        *names.entry(item.attr.ino).or_default() += 1;
        if item.attr.kind == Kind::Dir {
            let below =
                |other: &Vec<u8>| other.len() > path.len() && other.starts_with(path) && other[path.len()] == b'/';
            let subdirs = tree.iter().filter(|(other, item)| {
                item.attr.kind == Kind::Dir && below(other) && !other[path.len() + 1..].contains(&b'/')
            });
            let want = 2 + subdirs.count() as u32;
            if item.attr.nlink != want {
                return Err(format!("`{}` should have {want} links: {:?}", path.escape_ascii(), item.attr));
            }
        }
    }
    let wrong = tree.values().find(|item| item.attr.kind != Kind::Dir && names[&item.attr.ino] != item.attr.nlink);
    match wrong {
        Some(item) => Err(format!("{} names: {:?}", names[&item.attr.ino], item.attr)),
        None => Ok(()),
    }
}

/// What each name in each directory stands for.
fn names(tree: &Tree) -> BTreeMap<(Ino, Vec<u8>), Ino> {
    let entries = tree.iter().filter_map(|(path, item)| {
        let at = path.iter().rposition(|byte| *byte == b'/')?;
        Some(((tree[&path[..at]].attr.ino, path[at + 1..].to_vec()), item.attr.ino))
    });
    entries.collect()
}

/// The kernel was told of all that it remembers otherwise.
fn told(stale: &[Stale], before: &Tree, after: &Tree, held: &BTreeSet<Ino>) -> Result<(), String> {
    let mut entries = BTreeSet::new();
    let mut inodes: BTreeMap<Ino, bool> = BTreeMap::new();
    for stale in stale {
        match stale {
            Stale::Entry { parent, name } | Stale::Gone { parent, name, .. } => {
                entries.insert((*parent, name.as_bytes().to_vec()));
            }
            Stale::Attributes(ino) => {
                inodes.entry(*ino).or_default();
            }
            Stale::Content(ino) => {
                inodes.insert(*ino, true);
            }
        }
    }
    let (was, is) = (names(before), names(after));
    let all: BTreeSet<&(Ino, Vec<u8>)> = was.keys().chain(is.keys()).collect();
    let untold =
        |key: &&&(Ino, Vec<u8>)| held.contains(&key.0) && was.get(key) != is.get(key) && !entries.contains(**key);
    if let Some((dir, name)) = all.iter().find(untold) {
        return Err(format!("the kernel was not told of the name `{}` in {dir}", name.escape_ascii()));
    }
    let by_ino =
        |tree: &Tree| -> HashMap<Ino, Item> { tree.values().map(|item| (item.attr.ino, item.clone())).collect() };
    let (before, after) = (by_ino(before), by_ino(after));
    for (ino, was) in before.iter().filter(|(ino, _)| held.contains(ino)) {
        let Some(is) = after.get(ino) else { continue };
        let content = was.content != is.content;
        if was != is && !inodes.get(ino).is_some_and(|told| *told || !content) {
            return Err(format!("the kernel was not told of inode {ino}: {was:?}, {is:?}"));
        }
    }
    Ok(())
}

/// An open file is the one that has its number in the tree, or goes on without a name.
fn check_open(files: &Subject, ino: Ino, was: &Item, after: &Tree, writers: &BTreeSet<Ino>) -> Result<(), String> {
    let is = super::tree::item_of(files, ino).map_err(|error| format!("the open inode {ino} is lost: {error}"))?;
    match after.values().find(|item| item.attr.ino == ino) {
        Some(item) if *item != is => Err(format!("the open inode {ino} is not the one in the tree")),
        Some(item) if writers.contains(&ino) && item.content != was.content => {
            Err(format!("the bytes of {ino} changed under who writes to it"))
        }
        Some(_) => Ok(()),
        None if is.attr.nlink != 0 => Err(format!("the open inode {ino} has no name, but {} links", is.attr.nlink)),
        None if is.content != was.content || is.target != was.target || is.xattrs != was.xattrs => {
            Err(format!("the open inode {ino} lost what was in it"))
        }
        None => Ok(()),
    }
}

fn run(start: &State, ops: &[Op], miss_percent: u64) -> Result<(), String> {
    let mut bench = Bench::new(start, miss_percent);
    bench.checkpoint()?;
    for (step, op) in ops.iter().enumerate() {
        let say = |fault: String| format!("step {step}, {op:?}: {fault}");
        bench.step(step, op).map_err(say)?;
        // What else happens follows from the operation, so that a shorter list does the same.
        let draw = *blake3::hash(format!("{op:?}{}", op_salt(op)).as_bytes()).as_bytes();
        let number = draw[1] as usize % bench.checkpoints.len();
        match draw[0] {
            0..12 => bench.checkpoint().map_err(|fault| say(format!("checkpoint: {fault}")))?,
            12..24 => {
                bench.switch(step, number, &[], draw).map_err(|fault| say(format!("all to {number}: {fault}")))?;
            }
            24..40 => {
                let paths = paths(&bench, number, draw);
                let result = bench.switch(step, number, &paths, draw);
                result.map_err(|fault| say(format!("{paths:?} to {number}: {fault}")))?;
            }
            _ => {}
        }
    }
    bench.compare().map_err(|fault| format!("at the end: {fault}"))
}

fn op_salt(op: &Op) -> usize {
    std::mem::size_of_val(op)
}

/// Some paths that one of the trees has.
fn paths(bench: &Bench, number: usize, draw: [u8; 32]) -> Vec<BytePath> {
    let live = read_tree(&bench.subject.files).unwrap();
    let all: BTreeSet<&Vec<u8>> = live.keys().chain(bench.checkpoints[number].tree.keys()).collect();
    let all: Vec<&Vec<u8>> = all.into_iter().filter(|path| !path.is_empty()).collect();
    if all.is_empty() {
        return vec![BytePath::parse(b"a").unwrap()];
    }
    let count = 1 + draw[2] as usize % 3;
    let pick = |at: usize| all[(usize::from(draw[10 + 2 * at]) * 256 + usize::from(draw[11 + 2 * at])) % all.len()];
    (0..count).map(|at| BytePath::parse(pick(at)).unwrap()).collect()
}

fn check(kind: u64, count: u64, base: usize, miss_percent: u64) {
    for seed in shrink::seeds(kind, count) {
        let start = base_tree(seed, base);
        let ops = generate(seed, start.clone(), Profile { far: false, ..Profile::all(200) });
        shrink::check(seed, ops, &|ops| run(&start, ops, miss_percent));
    }
}

#[test]
fn a_session_becomes_what_it_was() {
    check(20, 30, 120, 0);
}

#[test]
fn a_session_on_an_empty_base_becomes_what_it_was() {
    check(21, 15, 0, 0);
}

#[test]
fn a_session_whose_nodes_are_not_in_memory_becomes_what_it_was() {
    check(22, 10, 150, 50);
}
