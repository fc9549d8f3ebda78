//! Gives every inode its number.
//!
//! A number of the origin stays where it is unique and can be one of ours. Files of other file systems, and numbers
//! met a second time, get the number that the entry had in the previous import if that is free, else a new one above
//! all others. The same origin and the same previous import always give the same numbers.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{FIRST_INO, Ino, Kind, ROOT_INO};

use super::plan::{Place, Plan};
use super::stat::Identity;
use super::walk::{DirId, Inode, State, Tree};

/// What gets a number.
#[derive(Clone, Copy)]
enum Subject {
    Dir(DirId),
    File(Place),
    Links(Identity),
}

/// What the numbering found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered {
    /// A number above all others.
    pub(super) next_ino: Ino,
    /// Inodes that are no directories.
    pub(super) files: u64,
    /// Bytes of all files, hard links once.
    pub(super) bytes: u64,
}

/// Sets the final numbers and link counts. `previous_next` is above all numbers of the previous import.
pub(super) fn number(tree: &mut Tree, plan: &Plan, origin_dev: u64, previous_next: Option<Ino>) -> Numbered {
    let mut used = FxHashSet::default();
    used.reserve(plan.files.len() + plan.dirs.len());
    used.insert(ROOT_INO);
    let mut homeless = Vec::new();
    let mut link_numbers: FxHashMap<Identity, Ino> = FxHashMap::default();
    let (mut files, mut bytes) = (0, 0);
    for subject in subjects(tree, plan) {
        if let Some(inode) = first_inode(tree, plan, subject) {
            files += 1;
            bytes += if inode.seen.attr.kind == Kind::File { inode.seen.attr.size } else { 0 };
        }
        let Some((seen_ino, keeps, previous)) = numbers_of(tree, plan, subject, origin_dev) else { continue };
        if keeps && used.insert(seen_ino) {
            set_ino(tree, subject, seen_ino, &mut link_numbers);
        } else {
            forget_sameness(tree, subject);
            homeless.push((subject, previous));
        }
    }
    homeless.retain(|&(subject, previous)| match previous {
        Some(ino) if ino >= FIRST_INO && used.insert(ino) => {
            set_ino(tree, subject, ino, &mut link_numbers);
            false
        }
        _ => true,
    });
    let above = used.iter().copied().max().unwrap_or(ROOT_INO) + 1;
    let next = above.max(previous_next.unwrap_or(FIRST_INO)).max(FIRST_INO);
    let next_ino = if homeless.is_empty() { above.max(FIRST_INO) } else { next + homeless.len() as u64 };
    for (ino, (subject, _)) in (next..).zip(homeless) {
        set_ino(tree, subject, ino, &mut link_numbers);
    }
    set_links(tree, plan, &link_numbers);
    Numbered { next_ino, files, bytes }
}

fn first_inode<'t>(tree: &'t Tree, plan: &Plan, subject: Subject) -> Option<&'t Inode> {
    match subject {
        Subject::Dir(_) => None,
        Subject::File(place) => tree.inode(place),
        Subject::Links(identity) => tree.inode(*plan.links.get(&identity)?.first()?),
    }
}

/// What gets another number than that of the origin is not what the walk compared.
fn forget_sameness(tree: &mut Tree, subject: Subject) {
    match subject {
        Subject::Dir(dir) => {
            if let Some(listing) = &mut tree.dirs[dir] {
                listing.same_self = false;
            }
        }
        Subject::File(place) => {
            if let Some(listing) = &mut tree.dirs[place.dir] {
                listing.same_entries = false;
            }
        }
        // Directories with hard links are always encoded anew.
        Subject::Links(_) => {}
    }
}

fn subjects(tree: &Tree, plan: &Plan) -> Vec<Subject> {
    let dirs = plan.dirs.iter().filter(|&&dir| dir != 0).map(|&dir| Subject::Dir(dir));
    let files = plan.files.iter().filter_map(|&place| {
        let inode = tree.inode(place).filter(|inode| !matches!(inode.body, State::Dropped))?;
        match plan.links_of(inode) {
            None => Some(Subject::File(place)),
            // Those with several names are counted where the first of them is.
            Some(places) if places.first() == Some(&place) => Some(Subject::Links(inode.seen.identity())),
            Some(_) => None,
        }
    });
    dirs.chain(files).collect()
}

/// The number it has in the origin, whether that is one to keep, and the one it had in the previous import.
fn numbers_of(tree: &Tree, plan: &Plan, subject: Subject, origin_dev: u64) -> Option<(Ino, bool, Option<Ino>)> {
    match subject {
        Subject::Dir(dir) => {
            let listing = tree.dirs[dir].as_ref()?;
            let previous = listing.previous.map(|(ino, _)| ino);
            Some((listing.seen.attr.ino, listing.seen.keeps_ino(origin_dev), previous))
        }
        Subject::File(place) => {
            let inode = tree.inode(place)?;
            Some((inode.seen.attr.ino, inode.seen.keeps_ino(origin_dev), inode.previous_ino))
        }
        Subject::Links(identity) => {
            let mut inodes = plan.links.get(&identity)?.iter().filter_map(|&place| tree.inode(place));
            let keeps = inodes.clone().next()?.seen.keeps_ino(origin_dev);
            Some((identity.ino, keeps, inodes.find_map(|inode| inode.previous_ino)))
        }
    }
}

fn set_ino(tree: &mut Tree, subject: Subject, ino: Ino, link_numbers: &mut FxHashMap<Identity, Ino>) {
    match subject {
        Subject::Dir(dir) => {
            if let Some(listing) = &mut tree.dirs[dir] {
                listing.seen.attr.ino = ino;
            }
        }
        Subject::File(place) => {
            if let Some(inode) = tree.inode_mut(place) {
                inode.seen.attr.ino = ino;
                inode.seen.attr.nlink = 1;
            }
        }
        Subject::Links(identity) => {
            link_numbers.insert(identity, ino);
        }
    }
}

/// All names of an inode show the same number, and a link count that counts the names in the tree.
fn set_links(tree: &mut Tree, plan: &Plan, numbers: &FxHashMap<Identity, Ino>) {
    for (identity, places) in &plan.links {
        let nlink = u32::try_from(places.len()).unwrap_or(u32::MAX);
        for &place in places {
            if let (Some(inode), Some(&ino)) = (tree.inode_mut(place), numbers.get(identity)) {
                inode.seen.attr.ino = ino;
                inode.seen.attr.nlink = nlink;
            }
        }
    }
}
