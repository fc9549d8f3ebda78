//! Checking packs and trees: every byte of the packs that is to be read, and every reference from the roots.
//!
//! It changes nothing, trusts nothing, and never stops at damage: what is wrong is listed. The packs are checked first;
//! then everything that is reached from the roots is looked for among what was found.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::model::{BytePath, Node, NodeId, ObjectId, ObjectKind};

use super::gc::{ByShort, Short};
use super::pack::{BlockRecord, Contents, Pack, finished_name};
use super::refs::{Ref, of_entry, references};
use super::{Store, StoreError};

/// How thoroughly to check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Also read chunks, and not only nodes.
    pub read_data: bool,
    /// Of the blocks of chunks so many per cent.
    pub sample_percent: u8,
    /// Chooses them.
    pub seed: u64,
}

/// Told how the check comes along, by several threads at once.
pub trait VerifyWatch: Sync {
    /// Whether to stop.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// So many bytes of packs are to be looked at.
    fn total(&self, bytes: u64) {
        let _ = bytes;
    }

    /// So many more were.
    fn checked(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// Nobody wants to know.
impl VerifyWatch for () {}

/// A pack that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPack {
    /// The name of its file.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// An object that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadObject {
    /// What it is.
    pub kind: ObjectKind,
    /// What is wrong with it.
    pub why: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Packs.
    pub packs: u64,
    /// Objects that packs say they have.
    pub objects: u64,
    /// Objects that were read and compared with their names.
    pub read_objects: u64,
    /// Objects that are reached from the roots.
    pub reached: u64,
    /// Packs that are not as they were written. Their objects may be in others, or whole all the same.
    pub bad_packs: Vec<BadPack>,
    /// Objects that are reached from the roots and cannot be had.
    pub broken: BTreeMap<ObjectId, BadObject>,
}

/// What is known of an object.
#[derive(Clone, Debug)]
enum State {
    /// A copy was read, and is right.
    Sound,
    /// A copy is there.
    Unread,
    /// All copies so far are wrong.
    Bad(String),
}

#[derive(Debug, Default)]
struct Survey {
    states: ByShort<State>,
    objects: u64,
    read_objects: u64,
    bad_packs: Vec<BadPack>,
}

impl Survey {
    fn note(&mut self, id: &ObjectId, state: State) {
        let known = self.states.entry(Short::of(id)).or_insert_with(|| state.clone());
        match (&known, &state) {
            (State::Sound, _) | (State::Unread, State::Bad(_)) => {}
            _ => *known = state,
        }
    }
}

/// A place in a tree that an object is needed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The object.
    pub object: ObjectId,
    /// The path: of a node of a directory, that directory.
    pub path: BytePath,
}

impl Store {
    /// Checks all packs, and that all is there that is reached from the roots. The caller has seen to it that nothing is
    /// collected meanwhile, and has read the roots after that.
    ///
    /// # Errors
    /// [`StoreError::Cancelled`], or what the disk says; damage is no error.
    pub fn verify(&self, roots: &[ObjectId], check: &Check, watch: &dyn VerifyWatch) -> Result<Verified, StoreError> {
        let mut paths = self.inner.disk.list(&self.inner.packs)?;
        paths.retain(|path| finished_name(path).is_some());
        paths.sort();
        let survey = Mutex::new(Survey::default());
        let sized = self.sizes(&paths, &survey)?;
        watch.total(sized.iter().map(|(_, pack)| pack.len()).sum());
        for (path, pack) in &sized {
            self.check_pack(path, pack, check, watch, &survey)?;
        }
        let survey = survey.into_inner();
        let mut found = Verified {
            packs: paths.len() as u64,
            objects: survey.objects,
            read_objects: survey.read_objects,
            bad_packs: survey.bad_packs.clone(),
            ..Verified::default()
        };
        self.reach(roots, &survey, watch, &mut found)?;
        Ok(found)
    }

    fn sizes(&self, paths: &[PathBuf], survey: &Mutex<Survey>) -> Result<Vec<(PathBuf, Pack)>, StoreError> {
        let mut packs = Vec::new();
        for path in paths {
            match Pack::open(&*self.inner.disk, path) {
                Ok(pack) => packs.push((path.clone(), pack)),
                Err(error) => {
                    let name = finished_name(path).unwrap_or_default().to_owned();
                    survey.lock().bad_packs.push(BadPack { name, why: error.to_string() });
                }
            }
        }
        Ok(packs)
    }

    fn check_pack(
        &self,
        path: &std::path::Path,
        pack: &Pack,
        check: &Check,
        watch: &dyn VerifyWatch,
        survey: &Mutex<Survey>,
    ) -> Result<(), StoreError> {
        let bad = |why: String| survey.lock().bad_packs.push(BadPack { name: pack.name.clone(), why });
        let contents = match pack.audit() {
            Ok(contents) => contents,
            Err(error) => {
                bad(reason(error));
                // Readers only need its footer, or else its blocks.
                let readable = self.inner.read_contents(path).unwrap_or_default();
                readable.map(|(_, contents)| contents).unwrap_or_default()
            }
        };
        survey.lock().objects += contents.objects();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(record) = contents.blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                if watch.is_cancelled() {
                    return;
                }
                if let Some(why) = self.check_block(pack, record, check, survey) {
                    bad(why);
                }
                watch.checked((record.head.rest_len() + record.objects.len()) as u64);
            }
        };
        std::thread::scope(|scope| {
            if contents.blocks.len() > 1 {
                scope.spawn(work);
            }
            work();
        });
        if watch.is_cancelled() { Err(StoreError::Cancelled) } else { Ok(()) }
    }

    /// Checks one block; says what is wrong with it as a whole.
    fn check_block(&self, pack: &Pack, record: &BlockRecord, check: &Check, survey: &Mutex<Survey>) -> Option<String> {
        let is_there = record.offset.saturating_add(record.head.rest_len() as u64) <= pack.len();
        let wanted = record.head.kind == ObjectKind::Node || check.read_data && chosen(pack, record, check);
        if !wanted {
            let state = if is_there { State::Unread } else { State::Bad("its pack is cut off".into()) };
            let mut survey = survey.lock();
            record.objects.iter().for_each(|(id, _)| survey.note(id, state.clone()));
            return None;
        }
        let whole = pack.raw_block(record);
        let block = match pack.block(record.offset, &record.head, &self.inner.decompress) {
            Ok(block) => block,
            Err(error) => {
                let why = reason(error);
                let mut survey = survey.lock();
                record.objects.iter().for_each(|(id, _)| survey.note(id, State::Bad(why.clone())));
                return Some(why);
            }
        };
        let mut start = 0u32;
        for (id, len) in &record.objects {
            let range = start..start.saturating_add(*len);
            start = range.end;
            let state = match block.verify(record.head.kind, id, &range) {
                Ok(()) => State::Sound,
                Err(why) => State::Bad(why.into()),
            };
            let mut survey = survey.lock();
            survey.read_objects += 1;
            survey.note(id, state);
        }
        match whole {
            Ok(Some(_)) => None,
            Ok(None) => Some(format!("block at {}: its checksum is wrong", record.offset)),
            Err(error) => Some(reason(error)),
        }
    }

    /// Looks for everything that the roots lead to.
    fn reach(
        &self,
        roots: &[ObjectId],
        survey: &Survey,
        watch: &dyn VerifyWatch,
        found: &mut Verified,
    ) -> Result<(), StoreError> {
        let mut seen: ByShort<()> = ByShort::default();
        let mut stack: Vec<ObjectId> = roots.to_vec();
        while let Some(id) = stack.pop() {
            if seen.insert(Short::of(&id), ()).is_some() {
                continue;
            }
            if watch.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            if let Some(why) = survey.lacks(&id) {
                found.broken.insert(id, BadObject { kind: ObjectKind::Node, why });
                continue;
            }
            match self.node(NodeId(id)) {
                Ok(node) => references(&node, |next| match next {
                    Ref::Node(next) => stack.push(next.0),
                    Ref::Chunk(next) => {
                        if seen.insert(Short::of(&next.0), ()).is_none()
                            && let Some(why) = survey.lacks(&next.0)
                        {
                            found.broken.insert(next.0, BadObject { kind: ObjectKind::Chunk, why });
                        }
                    }
                }),
                Err(error) => {
                    let why = reason(error.into());
                    found.broken.insert(id, BadObject { kind: ObjectKind::Node, why });
                }
            }
        }
        found.reached = seen.len() as u64;
        Ok(())
    }

    /// Names every place of a tree that one of these objects is needed for, as long as `take` says to go on. What
    /// cannot be read is passed over: it is one of them.
    pub fn touched(
        &self,
        root: ObjectId,
        broken: &BTreeMap<ObjectId, BadObject>,
        take: &mut dyn FnMut(Touched) -> bool,
    ) {
        let mut stack = vec![(BytePath::root(), NodeId(root))];
        while let Some((path, id)) = stack.pop() {
            if broken.contains_key(&id.0) {
                if !take(Touched { object: id.0, path }) {
                    return;
                }
                continue;
            }
            let Ok(node) = self.node(id) else { continue };
            let mut here = Vec::new();
            match &*node {
                Node::Leaf(leaf) => leaf.entries.iter().for_each(|entry| {
                    of_entry(entry, &mut |next| here.push((path.join(&entry.name), next)));
                }),
                other => references(other, |next| here.push((path.clone(), next))),
            }
            for (path, next) in here {
                match next {
                    Ref::Node(id) => stack.push((path, id)),
                    Ref::Chunk(id) if broken.contains_key(&id.0) => {
                        if !take(Touched { object: id.0, path }) {
                            return;
                        }
                    }
                    Ref::Chunk(_) => {}
                }
            }
        }
    }
}

impl Survey {
    /// Why there is no such object; `None` if there is.
    fn lacks(&self, id: &ObjectId) -> Option<String> {
        match self.states.get(&Short::of(id)) {
            Some(State::Sound | State::Unread) => None,
            Some(State::Bad(why)) => Some(why.clone()),
            None => Some("it is in no pack".into()),
        }
    }
}

/// Whether the block is in the sample.
fn chosen(pack: &Pack, record: &BlockRecord, check: &Check) -> bool {
    let mut hasher = xxhash_rust::xxh3::Xxh3::with_seed(check.seed);
    hasher.update(pack.name.as_bytes());
    hasher.update(&record.offset.to_le_bytes());
    hasher.digest() % 100 < u64::from(check.sample_percent)
}

fn reason(error: StoreError) -> String {
    match error {
        StoreError::Damaged { why, .. } | StoreError::DamagedPack { why, .. } => why,
        other => other.to_string(),
    }
}

impl Pack {
    /// What is in the pack, if everything but its blocks is as it was written.
    fn audit(&self) -> Result<Contents, StoreError> {
        self.check_whole_header()?;
        let contents = self.footer()?;
        self.check_frame(&contents)?;
        Ok(contents)
    }
}
