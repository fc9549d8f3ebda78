//! From a recording to what is left of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::state::{BLOCK_BYTES, Number, SimInode, State};

const SECTOR_BYTES: usize = 512;

/// Something that changed the disk, or made a change durable. `file` is the file's number, which stays with it whatever
/// its name; `path` is the one it was opened by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    Create {
        path: PathBuf,
        file: u64,
    },
    Write {
        file: u64,
        path: PathBuf,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        file: u64,
        path: PathBuf,
        len_bytes: u64,
    },
    Punch {
        file: u64,
        path: PathBuf,
        offset: u64,
        len_bytes: u64,
    },
    /// A sync of a file; `done` is false when it failed.
    SyncData {
        file: u64,
        path: PathBuf,
        done: bool,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    CreateDir {
        path: PathBuf,
    },
    RemoveDir {
        path: PathBuf,
    },
    SyncDir {
        path: PathBuf,
    },
}

impl Event {
    /// Changes the bytes as the event does.
    pub(super) fn apply_to(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes, .. } => {
                let offset = *offset as usize;
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::SetLen { len_bytes, .. } => content.resize(*len_bytes as usize, 0),
            Self::Punch { offset, len_bytes, .. } => {
                let end = content.len().min((offset + len_bytes) as usize);
                if let Some(hole) = content.get_mut(*offset as usize..end) {
                    hole.fill(0);
                }
            }
            _ => {}
        }
    }

    fn file(&self) -> Option<Number> {
        match self {
            Self::Write { file, .. }
            | Self::SetLen { file, .. }
            | Self::Punch { file, .. }
            | Self::SyncData { file, .. } => Some(*file),
            _ => None,
        }
    }

    /// The directory that a change of names belongs to.
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Create { path, .. }
            | Self::Remove { path }
            | Self::CreateDir { path }
            | Self::RemoveDir { path }
            | Self::Rename { to: path, .. } => path.parent(),
            _ => None,
        }
    }
}

/// A small generator of random numbers (xorshift64*), so that a seed is all there is to a power cut.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// How the unsynced bytes of one file fare.
#[derive(Clone, Copy)]
enum Fate {
    Lost,
    Kept,
    /// Each sector is in any of the states it was in.
    Sectors,
    /// All sectors of a page share a state.
    Pages,
}

/// The bytes of one file on the platter, while the events pass by.
struct Platter {
    /// What a process sees.
    seen: Vec<u8>,
    /// What would be left now.
    left: Vec<u8>,
    left_len: usize,
    /// Sectors changed since the last sync, successful or not: the next sync writes them.
    dirty: BTreeSet<usize>,
    len_dirty: bool,
    /// The length as of the last successful sync.
    synced_len: usize,
    /// How many states each unsynced unit went through, to choose among them evenly.
    states: HashMap<usize, u64>,
    fate: Fate,
}

impl Platter {
    fn new(random: &mut Random) -> Self {
        let fate = match random.below(6) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2 | 3 => Fate::Sectors,
            _ => Fate::Pages,
        };
        Self {
            seen: Vec::new(),
            left: Vec::new(),
            left_len: 0,
            dirty: BTreeSet::new(),
            len_dirty: false,
            synced_len: 0,
            states: HashMap::new(),
            fate,
        }
    }

    fn copy_sector(&mut self, sector: usize) {
        let start = sector * SECTOR_BYTES;
        let end = start + SECTOR_BYTES;
        self.left.resize(self.left.len().max(end), 0);
        let have = self.seen.len().clamp(start, end);
        if start < have {
            self.left[start..have].copy_from_slice(&self.seen[start..have]);
        }
        self.left[have..end].fill(0);
    }

    fn chosen(&mut self, unit: usize, random: &mut Random) -> bool {
        match self.fate {
            Fate::Lost => false,
            Fate::Kept => true,
            Fate::Sectors | Fate::Pages => {
                // Reservoir: after n states beyond the synced one, each of the n + 1 is the chosen one as likely.
                let states = self.states.entry(unit).or_insert(1);
                *states += 1;
                random.below(*states) == 0
            }
        }
    }

    fn change(&mut self, event: &Event, random: &mut Random) {
        let old_len = self.seen.len();
        event.apply_to(&mut self.seen);
        let new_len = self.seen.len();
        let (from, to) = match event {
            Event::Write { offset, bytes, .. } => (*offset as usize, *offset as usize + bytes.len()),
            Event::Punch { offset, len_bytes, .. } => (*offset as usize, (offset + len_bytes) as usize),
            _ => (old_len.min(new_len), old_len.max(new_len)),
        };
        let sectors = from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES);
        let per_page = BLOCK_BYTES as usize / SECTOR_BYTES;
        let mut last_page = None;
        for sector in sectors {
            self.dirty.insert(sector);
            let take = match self.fate {
                Fate::Pages => match last_page {
                    Some((page, take)) if page == sector / per_page => take,
                    _ => {
                        let take = self.chosen(sector / per_page, random);
                        last_page = Some((sector / per_page, take));
                        take
                    }
                },
                _ => self.chosen(sector, random),
            };
            if take {
                self.copy_sector(sector);
            }
        }
        // Bytes that are synced can be read, so writing beyond what the disk knows of concerns the length too.
        self.len_dirty |= old_len != new_len || matches!(event, Event::Write { .. }) && to > self.synced_len;
        if old_len != new_len && self.chosen(usize::MAX, random) {
            self.left_len = new_len;
        }
    }

    fn sync(&mut self, done: bool) {
        let dirty = std::mem::take(&mut self.dirty);
        if done {
            for sector in dirty {
                self.copy_sector(sector);
                self.states.remove(&sector);
            }
            if matches!(self.fate, Fate::Pages) {
                self.states.clear();
            }
            if self.len_dirty {
                self.left_len = self.seen.len();
                self.synced_len = self.left_len;
                self.states.remove(&usize::MAX);
            }
        }
        self.len_dirty = false;
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.left.resize(self.left_len, 0);
        self.left
    }
}

fn content_after(events: &[Event], random: &mut Random) -> BTreeMap<Number, Vec<u8>> {
    let mut platters: BTreeMap<Number, Platter> = BTreeMap::new();
    for event in events {
        let Some(number) = event.file() else { continue };
        let platter = platters.entry(number).or_insert_with(|| Platter::new(random));
        match event {
            Event::SyncData { done, .. } => platter.sync(*done),
            _ => platter.change(event, random),
        }
    }
    platters.into_iter().map(|(number, platter)| (number, platter.into_bytes())).collect()
}

/// Which changes of names are left: a prefix of their order, at least to the last that was synced.
fn names_left(events: &[Event], random: &mut Random) -> Vec<bool> {
    let one_journal = random.below(2) == 0;
    let key = |dir: &Path| if one_journal { PathBuf::new() } else { dir.to_owned() };
    let mut order: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    let mut synced: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        if let Some(dir) = event.dir() {
            order.entry(key(dir)).or_default().push(index);
        } else if let Event::SyncDir { path } = event {
            let of_dir = |&&index: &&usize| events[index].dir() == Some(path);
            let done = order
                .get(&key(path))
                .map_or(0, |all| all.iter().rposition(|index| of_dir(&index)).map_or(0, |last| last + 1));
            let synced = synced.entry(key(path)).or_default();
            *synced = done.max(*synced);
        }
    }
    let mut left = vec![false; events.len()];
    for (dir, all) in order {
        let least = synced.get(&dir).copied().unwrap_or(0);
        let kept = match random.below(4) {
            0 => least,
            1 => all.len(),
            _ => least + random.below((all.len() - least + 1) as u64) as usize,
        };
        for &index in &all[..kept] {
            left[index] = true;
        }
    }
    left
}

pub(super) fn after_power_cut(events: &[Event], seed: u64) -> State {
    let mut random = Random::new(seed);
    let content = content_after(events, &mut random);
    let left = names_left(events, &mut random);
    build(events.iter().zip(left).filter(|(_, left)| *left).map(|(event, _)| event), content)
}

pub(super) fn after_kill(events: &[Event]) -> State {
    let mut content: BTreeMap<Number, Vec<u8>> = BTreeMap::new();
    for event in events {
        if let Some(number) = event.file() {
            event.apply_to(content.entry(number).or_default());
        }
    }
    build(events.iter(), content)
}

fn build<'a>(events: impl Iterator<Item = &'a Event>, mut content: BTreeMap<Number, Vec<u8>>) -> State {
    let mut state = State::default();
    for event in events {
        match event {
            Event::Create { path, file } => {
                state.names.insert(path.clone(), *file);
            }
            Event::Rename { from, to } => {
                if let Some(number) = state.names.remove(from) {
                    state.names.insert(to.clone(), number);
                }
            }
            Event::Remove { path } => {
                state.names.remove(path);
            }
            Event::CreateDir { path } => {
                state.dirs.insert(path.clone());
            }
            Event::RemoveDir { path } => {
                state.dirs.remove(path);
            }
            _ => {}
        }
    }
    // What lies below a directory that is gone is gone.
    let dirs = std::mem::take(&mut state.dirs);
    let reachable = |dir: &Path| dir.ancestors().all(|dir| dir.parent().is_none() || dirs.contains(dir));
    state.dirs = dirs.iter().filter(|dir| reachable(dir)).cloned().collect();
    state.names.retain(|path, _| path.parent().is_some_and(&reachable));
    for number in state.names.values() {
        let bytes = content.remove(number).unwrap_or_default();
        let blocks = (0..(bytes.len() as u64).div_ceil(BLOCK_BYTES)).collect();
        state.files.insert(*number, SimInode { bytes, blocks, named: true, ..SimInode::default() });
    }
    state.next = state.names.values().copied().max().unwrap_or(0);
    // The new disk starts its own recording from what it holds, all of it durable.
    state.events = as_events(&state);
    state
}

fn as_events(state: &State) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for path in &state.dirs {
        events.push(Event::CreateDir { path: path.clone() });
    }
    for (path, &file) in &state.names {
        events.push(Event::Create { path: path.clone(), file });
        let bytes = state.files.get(&file).map(|inode| inode.bytes.clone()).unwrap_or_default();
        if !bytes.is_empty() {
            events.push(Event::Write { file, path: path.clone(), offset: 0, bytes });
        }
        events.push(Event::SyncData { file, path: path.clone(), done: true });
    }
    let dirs: BTreeSet<&Path> = state.dirs.iter().map(PathBuf::as_path).chain([Path::new("/")]).collect();
    events.extend(dirs.into_iter().map(|dir| Event::SyncDir { path: dir.to_owned() }));
    events
}
