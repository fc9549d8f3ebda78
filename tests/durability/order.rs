//! What is not durable at a moment, and whether what refers to something came after it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aether::disk::sim::Event;

/// Whether a file can be made anew from others, or only means something to those who have it open.
fn is_expendable(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_hold = path.ancestors().any(|above| above.ends_with("objects/holds"));
    is_hold
        || name.starts_with("labels")
        || name.starts_with("index.")
        || name.ends_with("-shm")
        || name.ends_with("lock")
        || name.ends_with("proof")
}

/// Whether this is a sync mark of a log: it says what is durable, and nothing is lost with it.
fn is_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xaeFr\x01") && bytes.get(12) == Some(&4)
}

/// Files with bytes, and directories with names, that a power cut could take.
#[derive(Clone, Debug, Default)]
pub struct Undurable {
    files: BTreeMap<u64, PathBuf>,
    names: BTreeMap<u64, PathBuf>,
    dirs: BTreeSet<PathBuf>,
    /// What was told of by a file that was synced first.
    pub out_of_order: Vec<String>,
}

impl Undurable {
    pub fn after(events: &[Event]) -> Self {
        let mut this = Self::default();
        let mut expendable = BTreeSet::new();
        let mut lengths: BTreeMap<u64, u64> = BTreeMap::new();
        let mut paths: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for event in events {
            match event {
                Event::Create { path, file } => {
                    paths.insert(path.clone(), *file);
                    if is_expendable(path) {
                        expendable.insert(*file);
                    } else {
                        this.names.insert(*file, path.clone());
                    }
                }
                Event::Write { file, path, offset, bytes } if !expendable.contains(file) => {
                    let len = lengths.entry(*file).or_default();
                    *len = (*len).max(offset + bytes.len() as u64);
                    if !is_mark(bytes) {
                        this.files.insert(*file, path.clone());
                    }
                }
                // Giving up space that was taken beyond the end changes nothing.
                Event::SetLen { file, len_bytes, .. } if lengths.get(file) == Some(len_bytes) => {}
                Event::SetLen { file, path, len_bytes } if !expendable.contains(file) => {
                    lengths.insert(*file, *len_bytes);
                    this.files.insert(*file, path.clone());
                }
                Event::SyncData { file, path, done } => {
                    if *done {
                        this.files.remove(file);
                    }
                    this.look(path);
                }
                Event::Rename { from, to } => {
                    let file = paths.remove(from).unwrap();
                    paths.insert(to.clone(), file);
                    if !is_expendable(to) {
                        if is_expendable(from) {
                            expendable.remove(&file);
                        }
                        if let Some(path) = this.files.get(&file) {
                            this.out_of_order.push(format!("{} was named before it was synced", path.display()));
                        }
                        this.names.insert(file, to.clone());
                    }
                }
                Event::Remove { path } => {
                    let file = paths.remove(path).unwrap();
                    this.files.remove(&file);
                    this.names.remove(&file);
                }
                Event::CreateDir { path } if !is_expendable(path) => {
                    this.dirs.insert(path.clone());
                }
                Event::RemoveDir { path } => {
                    this.dirs.remove(path);
                }
                Event::SyncDir { path } => {
                    this.names.retain(|_, name| name.parent() != Some(path));
                    this.dirs.retain(|dir| dir.parent() != Some(path));
                }
                _ => {}
            }
        }
        this
    }

    /// A log and the catalog's log refer to other files: these must be durable first.
    fn look(&mut self, synced: &Path) {
        let name = synced.file_name().unwrap_or_default().to_string_lossy();
        let refers = name.starts_with("log.") || name == "catalog.db-wal";
        let data = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("data.") || name.ends_with(".pack")
        };
        if refers {
            let late = self.files.values().chain(self.names.values()).filter(data);
            let late: Vec<String> = late.map(|path| format!("{} after {}", path.display(), synced.display())).collect();
            self.out_of_order.extend(late);
        }
    }

    /// Nothing that was promised may be lost.
    pub fn expect_nothing(&self, say: &str) {
        assert!(self.files.is_empty(), "{say}: not synced: {:?}", self.files);
        assert!(self.names.is_empty(), "{say}: names not synced: {:?}", self.names);
        assert!(self.dirs.is_empty(), "{say}: names of directories not synced: {:?}", self.dirs);
        assert!(self.out_of_order.is_empty(), "{say}: out of order: {:?}", self.out_of_order);
    }
}
