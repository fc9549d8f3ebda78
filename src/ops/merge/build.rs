//! From what a merge says is to happen to the tree that comes of it.
//!
//! A file of ours keeps its number, and its times as far as its content stays. What is new or changed has the time of
//! the merge: build tools must see that it is newer than what they made of the one before ([`Times`]). A file with more than one name
//! that changes under one of them becomes a file of its own there, as with git.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::merge::{Merged, Placed};
use crate::model::{BytePath, Entry, Ino, Kind, Root, RootId, Timestamp};
use crate::ops::error::Result;
use crate::store::tree::find_path;
use crate::store::{Store, StoreError, Writer};

use super::edit::{Edits, Put, edit, paths_of};

/// Which time is that of the content of what is new or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Times {
    /// That of the merge: theirs may be older than what was built of ours.
    Now,
    /// Its own, because it was written on top of ours.
    Own,
}

/// Stores the merged tree; nobody has stored its root.
///
/// # Errors
/// The store cannot be read or written.
pub(in crate::ops) fn build(
    store: &Store,
    writer: &Writer,
    (id, ours): (RootId, &Root),
    merged: &Merged,
    (now, times): (Timestamp, Times),
) -> Result<Root> {
    let mut edits = Edits::default();
    let mut links = Links::default();
    for path in &merged.removed {
        edits.remove(path)?;
        links.note(at(store, id, path)?.as_ref());
    }
    let mut puts = BTreeMap::new();
    for placed in &merged.placed {
        let was = placed.was.as_ref().map(|was| at(store, id, was)).transpose()?.flatten();
        links.note(was.as_ref());
        links.note(at(store, id, &placed.path)?.as_ref());
        puts.insert(placed.path.clone(), put_of(placed, was.as_ref(), (now, times)));
    }
    let odd = links.break_up(store, ours, merged, &mut puts, now)?;
    for (path, put) in puts {
        edits.put(&path, put)?;
    }
    let mut root = edit(store, writer, ours, edits, now)?;
    // Each name was counted as a file.
    for (entry, names) in odd {
        root.totals.files += names;
        root.totals.size_bytes += if entry.attr.kind == Kind::File { names * entry.attr.size } else { 0 };
    }
    Ok(root)
}

fn at(store: &Store, root: RootId, path: &BytePath) -> Result<Option<Entry>> {
    Ok(find_path(store, root, path).map_err(StoreError::from)?)
}

fn put_of(placed: &Placed, was: Option<&Entry>, (now, times): (Timestamp, Times)) -> Put {
    let mut entry = placed.entry.clone();
    let Some(was) = was else {
        return Put {
            entry,
            text: placed.text.clone(),
            keeps_ino: false,
            keeps_times: times == Times::Own,
            whole: false,
        };
    };
    (entry.attr.ino, entry.attr.nlink, entry.attr.btime) = (was.attr.ino, was.attr.nlink, was.attr.btime);
    if is_changed(placed, was) && times == Times::Own {
        entry.attr.ctime = now;
    } else if is_changed(placed, was) {
        (entry.attr.mtime, entry.attr.ctime) = (now, now);
    } else {
        (entry.attr.mtime, entry.attr.atime) = (was.attr.mtime, was.attr.atime);
    }
    Put { entry, text: placed.text.clone(), keeps_ino: true, keeps_times: true, whole: false }
}

/// Whether a file's content changes, or a directory's names.
fn is_changed(placed: &Placed, was: &Entry) -> bool {
    placed.text.is_some() || was.attr.kind == Kind::Dir || placed.entry.body != was.body
}

/// Files with more than one name that lose some, or change under some.
#[derive(Default)]
struct Links {
    inos: BTreeSet<Ino>,
}

impl Links {
    fn note(&mut self, entry: Option<&Entry>) {
        if let Some(entry) = entry
            && entry.attr.kind != Kind::Dir
            && entry.attr.nlink > 1
        {
            self.inos.insert(entry.attr.ino);
        }
    }

    /// Makes files of their own of the names that change, and counts the names that are left. Returns how many names
    /// each file loses beyond the one that it is counted for.
    fn break_up(
        self,
        store: &Store,
        ours: &Root,
        merged: &Merged,
        puts: &mut BTreeMap<BytePath, Put>,
        now: Timestamp,
    ) -> Result<Vec<(Entry, u64)>> {
        let mut odd = Vec::new();
        if self.inos.is_empty() {
            return Ok(odd);
        }
        let moved: BTreeMap<&BytePath, &Placed> =
            merged.placed.iter().filter_map(|placed| Some((placed.was.as_ref()?, placed))).collect();
        let removed: BTreeSet<&BytePath> = merged.removed.iter().collect();
        let inos: Vec<Ino> = self.inos.into_iter().collect();
        for names in paths_of(store, ours, &inos)?.into_values() {
            let before = names.len() as u64;
            let mut left = Vec::new();
            for (path, entry) in &names {
                match moved.get(path) {
                    Some(placed) if is_changed(placed, entry) || placed.entry.attr.perm != entry.attr.perm => {
                        if let Some(put) = puts.get_mut(&placed.path) {
                            put.keeps_ino = false;
                        }
                    }
                    Some(placed) => left.push((placed.path.clone(), entry)),
                    None if removed.contains(path) || puts.contains_key(path) => {}
                    None => left.push((path.clone(), entry)),
                }
            }
            let nlink = u32::try_from(left.len()).unwrap_or(u32::MAX);
            for (path, entry) in &left {
                let mut entry = (*entry).clone();
                (entry.attr.nlink, entry.attr.ctime) = (nlink, now);
                puts.insert(path.clone(), Put { entry, text: None, keeps_ino: true, keeps_times: true, whole: false });
            }
            let lost = before - u64::from(nlink);
            odd.extend(names.first().map(|(_, entry)| (entry.clone(), lost - u64::from(nlink == 0))));
        }
        Ok(odd)
    }
}
