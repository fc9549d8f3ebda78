//! Finds which of the files that a side lost are among those that it got.
//!
//! The same inode number with the same birth time is the same file, whatever was done to it since. After that come files
//! of equal content, those of equal names first, and then files that are alike. That last step reads files, so it is
//! done only for those that the other side changed, or whose directory it added to, for nothing else is decided by it,
//! and only up to a bound.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Body, BytePath, Content, Entry, Ino, Kind, Timestamp};

use super::changes::{Pair, SideChanges};
use super::similarity::{ENOUGH_PERCENT, Pieces, may_be_alike};
use super::tree::Trees;

/// More pairs of files are not compared.
const MAX_PAIRS: usize = 1_000_000;

/// Longer files are not compared.
const MAX_COMPARED_BYTES: u64 = 4 << 20;

/// What makes two files equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sameness {
    Inode(Kind, Ino, Timestamp),
    Content(Content, u64),
}

fn inode(entry: &Entry) -> Option<Sameness> {
    Some(Sameness::Inode(entry.attr.kind, entry.attr.ino, entry.attr.btime))
}

/// Empty files are all alike, and so never moved.
fn content(entry: &Entry) -> Option<Sameness> {
    match entry.body {
        Body::File(content) if entry.attr.size > 0 => Some(Sameness::Content(content, entry.attr.size)),
        _ => None,
    }
}

/// The files that went and that came, without those that are paired.
struct Unpaired {
    gone: BTreeMap<BytePath, Entry>,
    came: BTreeMap<BytePath, Entry>,
    renames: BTreeMap<BytePath, BytePath>,
}

/// Fills in the renames of a side. `other` are the files that the other side changed.
pub(super) fn find_renames<T: Trees>(
    trees: &T,
    side: &mut SideChanges,
    other: &BTreeMap<BytePath, Pair>,
) -> Result<(), T::Error> {
    let pick = |is_wanted: fn(&Pair) -> bool, entry: fn(&Pair) -> &Option<Entry>| {
        let wanted = side.files.iter().filter(|(_, pair)| is_wanted(pair));
        wanted.filter_map(|(path, pair)| Some((path.clone(), entry(pair).clone()?))).collect()
    };
    let mut unpaired = Unpaired {
        gone: pick(Pair::is_deleted, |pair| &pair.base),
        came: pick(Pair::is_added, |pair| &pair.side),
        renames: BTreeMap::new(),
    };
    unpaired.pair_equal(inode);
    unpaired.pair_equal(content);
    unpaired.pair_alike(trees, other)?;
    side.renames = unpaired.renames;
    Ok(())
}

impl Unpaired {
    fn pair(&mut self, from: &BytePath, to: &BytePath) {
        self.gone.remove(from);
        self.came.remove(to);
        self.renames.insert(from.clone(), to.clone());
    }

    fn pair_equal(&mut self, sameness: fn(&Entry) -> Option<Sameness>) {
        let mut gone: HashMap<Sameness, Vec<BytePath>> = HashMap::new();
        for (path, entry) in &self.gone {
            if let Some(key) = sameness(entry) {
                gone.entry(key).or_default().push(path.clone());
            }
        }
        if gone.is_empty() {
            return;
        }
        let came: Vec<_> =
            self.came.iter().filter_map(|(path, entry)| Some((path.clone(), sameness(entry)?))).collect();
        // Those of equal names first, each for itself, then what is left in order.
        for by_name in [true, false] {
            for (to, key) in &came {
                let Some(candidates) = gone.get_mut(key).filter(|_| self.came.contains_key(to)) else { continue };
                let at = candidates.iter().position(|from| !by_name || from.file_name() == to.file_name());
                if let Some(at) = at {
                    let from = candidates.remove(at);
                    self.pair(&from, to);
                }
            }
        }
    }

    fn pair_alike<T: Trees>(&mut self, trees: &T, other: &BTreeMap<BytePath, Pair>) -> Result<(), T::Error> {
        let is_short = |entry: &Entry| entry.attr.kind == Kind::File && entry.attr.size <= MAX_COMPARED_BYTES;
        let added_to = parents_of_added(other);
        let matters = |path: &BytePath| other.contains_key(path) || is_below(path, &added_to);
        let gone: Vec<_> = self.gone.iter().filter(|(path, entry)| matters(path) && is_short(entry)).collect();
        let came: Vec<_> = self.came.iter().filter(|(_, entry)| is_short(entry)).collect();
        if gone.len().saturating_mul(came.len()) > MAX_PAIRS {
            return Ok(());
        }
        let mut known: HashMap<&BytePath, Pieces> = HashMap::new();
        let mut found = Vec::new();
        for (from, old) in &gone {
            let fitting = came.iter().filter(|(_, new)| may_be_alike(old.attr.size, new.attr.size));
            let fitting: Vec<_> = fitting.collect();
            if fitting.is_empty() {
                continue;
            }
            let pieces = pieces(trees, old)?;
            for (to, new) in fitting {
                if !known.contains_key(to) {
                    known.insert(to, self::pieces(trees, new)?);
                }
                let percent = pieces.likeness_percent(&known[to]);
                if percent >= ENOUGH_PERCENT {
                    let same_name = from.file_name() == to.file_name();
                    found.push((std::cmp::Reverse((percent, same_name)), (*from).clone(), (*to).clone()));
                }
            }
        }
        found.sort_unstable();
        for (_, from, to) in &found {
            if self.gone.contains_key(from) && self.came.contains_key(to) {
                self.pair(from, to);
            }
        }
        Ok(())
    }
}

/// The directories that files were added to. If they moved, that decides where the files go.
fn parents_of_added(files: &BTreeMap<BytePath, Pair>) -> HashSet<BytePath> {
    let added = files.iter().filter(|(_, pair)| pair.is_added());
    added.filter_map(|(path, _)| path.parent()).filter(|dir| !dir.is_root()).collect()
}

fn is_below(path: &BytePath, dirs: &HashSet<BytePath>) -> bool {
    let mut above = path.parent();
    while let Some(dir) = above.filter(|_| !dirs.is_empty()) {
        if dirs.contains(&dir) {
            return true;
        }
        above = dir.parent();
    }
    false
}

fn pieces<T: Trees>(trees: &T, entry: &Entry) -> Result<Pieces, T::Error> {
    match &entry.body {
        Body::File(content) => Ok(Pieces::of(&trees.read(content, entry.attr.size)?)),
        _ => Ok(Pieces::of(b"")),
    }
}
