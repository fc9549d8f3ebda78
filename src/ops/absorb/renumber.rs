//! Puts an imported directory in terms of the session's inodes.
//!
//! Two trees have the same shape: what was written to the directory, and its footprint, which has the inode numbers that
//! the files got there. So a number found in the directory stands for an inode of the session, wherever its file is now:
//! with the time of birth beside it, as file systems give the number of a removed file to the next one that is made.
//! What has no such number is the session's inode of the same path, if the kinds agree, or else a new one. A directory of
//! which nothing changed is taken over as it was written, unread.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Attr, Body, DirRef, Entry, Ino, Kind, Name, ROOT_INO, Root, RootId, Timestamp, Totals};
use crate::ops::error::{Error, Result};
use crate::ops::live::LiveError;
use crate::overlay::LowerError;
use crate::store::{Store, Writer, tree};

/// The trees to look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trees {
    /// What the directory holds, as it was imported.
    pub(super) theirs: RootId,
    /// What was written to it, with the numbers there.
    pub(super) footprint: Option<RootId>,
    /// What was written to it.
    pub(super) written: Option<RootId>,
    /// What the session is now.
    pub(super) ours: RootId,
}

/// An inode of the session, and how its file came out in the directory if it was written there.
#[derive(Clone, Debug)]
struct Known {
    entry: Entry,
    there: Option<Entry>,
}

/// A directory as it is in each of the trees that have it.
#[derive(Clone, Copy, Debug, Default)]
struct Dirs {
    /// Footprint and what was written, which have the same shape.
    pair: Option<(DirRef, DirRef)>,
    ours: Option<DirRef>,
}

type Listing = BTreeMap<Name, Entry>;

/// Which file it is among all that ever were in the directory.
type Identity = (Ino, Timestamp);

fn identity(entry: &Entry) -> Identity {
    (entry.attr.ino, entry.attr.btime)
}

struct Renumbering<'a> {
    store: &'a Store,
    writer: &'a Writer,
    /// Look into what did not change, too: a file in it has got another name elsewhere.
    whole: bool,
    /// By what the directory knows them by: the inodes of directories of which something changed.
    by_identity: FxHashMap<Identity, Known>,
    /// Numbers of the session that an inode of the directory has by its number there.
    claimed: FxHashSet<Ino>,
    /// What was decided about an inode with several names.
    decided: FxHashMap<Ino, Entry>,
    next_ino: Ino,
    /// What was kept that could not be written to the directory.
    kept: u64,
}

/// Stores the directory's tree with the session's inode numbers, and returns it.
pub(super) fn renumber(store: &Store, writer: &Writer, trees: &Trees) -> Result<RootId> {
    let root = |id| store.root(id).map_err(LiveError::from);
    let (theirs, ours) = (root(trees.theirs)?, root(trees.ours)?);
    let pair = match (trees.footprint, trees.written) {
        (Some(there), Some(written)) => Some((root(there)?, root(written)?)),
        _ => None,
    };
    let dirs = Dirs { pair: pair.as_ref().map(|(there, written)| (there.dir, written.dir)), ours: Some(ours.dir) };
    let mut work = Renumbering {
        store,
        writer,
        whole: false,
        by_identity: FxHashMap::default(),
        claimed: FxHashSet::default(),
        decided: FxHashMap::default(),
        next_ino: pair.as_ref().map_or(0, |(_, written)| written.next_ino).max(ours.next_ino),
        kept: 0,
    };
    work.prepare(theirs.dir, dirs.pair).map_err(unread)?;
    let dir = work.dir(theirs.dir, dirs)?;
    let known = match pair {
        Some((there, written)) => Known { entry: written.as_entry(), there: Some(there.as_entry()) },
        None => Known { entry: ours.as_entry(), there: None },
    };
    let top = merged(&theirs.as_entry(), &known);
    let totals = Totals { files: theirs.totals.files + work.kept, ..theirs.totals };
    let attr = Attr { ino: ROOT_INO, ..top.attr };
    Ok(writer.put_root(&Root { attr, dir, xattrs: top.xattrs, next_ino: work.next_ino, totals })?)
}

fn unread(error: LowerError) -> Error {
    LiveError::from(crate::overlay::Error::from(error)).into()
}

impl Renumbering<'_> {
    fn list(&self, dir: Option<DirRef>) -> std::result::Result<Listing, LowerError> {
        let Some(dir) = dir else { return Ok(Listing::new()) };
        tree::entries(self.store, dir)
            .map(|entry| entry.map(|entry| (entry.name.clone(), Entry::clone(&entry))))
            .collect()
    }

    /// Whether nothing changed in a directory since it was written.
    fn untouched(&self, theirs: DirRef, there: Option<DirRef>) -> bool {
        !self.whole && there.is_some_and(|there| there.content == theirs.content)
    }

    /// Finds out which numbers of the directory are known.
    fn prepare(&mut self, theirs: DirRef, pair: Option<(DirRef, DirRef)>) -> std::result::Result<(), LowerError> {
        if let Some((there, written)) = pair {
            self.collect(Some(theirs), there, written)?;
        }
        if !self.claim(theirs, pair.map(|pair| pair.0))? {
            self.whole = true;
            if let Some((there, written)) = pair {
                self.collect(Some(theirs), there, written)?;
            }
            self.claim(theirs, pair.map(|pair| pair.0))?;
        }
        Ok(())
    }

    /// Notes the inodes of directories that changed, or that are at this path no more.
    fn collect(
        &mut self,
        theirs: Option<DirRef>,
        there: DirRef,
        written: DirRef,
    ) -> std::result::Result<(), LowerError> {
        if theirs.is_some_and(|theirs| self.untouched(theirs, Some(there))) {
            return Ok(());
        }
        let (now, written) = (self.list(theirs)?, self.list(Some(written))?);
        for (name, there) in self.list(Some(there))? {
            let Some(entry) = written.get(&name) else { continue };
            if let (Body::Dir(there), Body::Dir(written)) = (&there.body, &entry.body) {
                self.collect(now.get(&name).and_then(dir_of), *there, *written)?;
            }
            self.by_identity.insert(identity(&there), Known { entry: entry.clone(), there: Some(there) });
        }
        Ok(())
    }

    /// Notes which inodes of the session are still there by their number; says whether all that was met could be one.
    fn claim(&mut self, theirs: DirRef, there: Option<DirRef>) -> std::result::Result<bool, LowerError> {
        if self.untouched(theirs, there) {
            return Ok(true);
        }
        let mut all = true;
        for (_, entry) in self.list(Some(theirs))? {
            let known =
                self.by_identity.get(&identity(&entry)).filter(|known| known.entry.attr.kind == entry.attr.kind);
            if let Some(known) = known {
                self.claimed.insert(known.entry.attr.ino);
            }
            let there = known.and_then(|known| known.there.as_ref()).and_then(dir_of);
            match dir_of(&entry) {
                Some(dir) => all &= self.claim(dir, there)?,
                None => all &= known.is_some() || entry.attr.nlink < 2,
            }
        }
        Ok(all)
    }

    fn dir(&mut self, theirs: DirRef, dirs: Dirs) -> Result<DirRef> {
        if let Some((there, written)) = dirs.pair
            && self.untouched(theirs, Some(there))
        {
            return Ok(written);
        }
        let there = self.list(dirs.pair.map(|pair| pair.0)).map_err(unread)?;
        let written = self.list(dirs.pair.map(|pair| pair.1)).map_err(unread)?;
        let ours = self.list(dirs.ours).map_err(unread)?;
        let now = self.list(Some(theirs)).map_err(unread)?;
        // What could not be written there did not go from there.
        let unwritten = |entry: &&Entry| !there.contains_key(&entry.name) && !now.contains_key(&entry.name);
        let mut entries: Vec<Entry> = written.values().filter(unwritten).cloned().collect();
        self.kept += entries.len() as u64;
        for (name, entry) in &now {
            let known = self.known(entry, [written.get(name), ours.get(name)]);
            let body = match &entry.body {
                Body::Dir(dir) => {
                    let pair =
                        known.as_ref().and_then(|known| Some((dir_of(known.there.as_ref()?)?, dir_of(&known.entry)?)));
                    Body::Dir(self.dir(*dir, Dirs { pair, ours: ours.get(name).and_then(dir_of) })?)
                }
                body => body.clone(),
            };
            entries.push(Entry { body, ..self.numbered(entry, known) });
        }
        Ok(tree::write_dir(self.writer, entries)?)
    }

    /// The inode of the session that an entry is: by its number, or else by its path.
    fn known(&self, entry: &Entry, by_path: [Option<&Entry>; 2]) -> Option<Known> {
        let same_kind = |other: &&Entry| other.attr.kind == entry.attr.kind;
        if let Some(known) = self.by_identity.get(&identity(entry)).filter(|known| same_kind(&&known.entry)) {
            return Some(known.clone());
        }
        let free = |other: &&Entry| same_kind(other) && !self.claimed.contains(&other.attr.ino);
        let found = by_path.into_iter().flatten().find(free)?;
        Some(Known { entry: found.clone(), there: None })
    }

    fn numbered(&mut self, entry: &Entry, known: Option<Known>) -> Entry {
        if let Some(decided) = self.decided.get(&entry.attr.ino) {
            return Entry { name: entry.name.clone(), ..decided.clone() };
        }
        let numbered = match known {
            Some(known) => {
                self.claimed.insert(known.entry.attr.ino);
                merged(entry, &known)
            }
            None => {
                self.next_ino += 1;
                Entry { attr: Attr { ino: self.next_ino - 1, ..entry.attr.clone() }, ..entry.clone() }
            }
        };
        if entry.attr.nlink > 1 && entry.attr.kind != Kind::Dir {
            self.decided.insert(entry.attr.ino, numbered.clone());
        }
        numbered
    }
}

fn dir_of(entry: &Entry) -> Option<DirRef> {
    match entry.body {
        Body::Dir(dir) => Some(dir),
        _ => None,
    }
}

/// An entry of the directory as the session's inode: what did not change there stays as the session has it.
fn merged(now: &Entry, known: &Known) -> Entry {
    let base = &known.entry;
    let is_file = now.attr.kind == Kind::File;
    let same_content = if is_file { now.body == base.body } else { true };
    let Some(there) = &known.there else {
        // It was replaced by another file, or never written there: nothing is known but what it is.
        let same = same_content && now.attr.perm == base.attr.perm && now.attr.kind == base.attr.kind;
        let times = if same { &base.attr } else { &now.attr };
        let (atime, mtime, ctime) = (times.atime, times.mtime, times.ctime);
        let attr = Attr {
            ino: base.attr.ino,
            uid: base.attr.uid,
            gid: base.attr.gid,
            btime: base.attr.btime,
            atime,
            mtime,
            ctime,
            ..now.attr.clone()
        };
        return Entry { attr, ..now.clone() };
    };
    fn pick<T: PartialEq + Clone>(now: &T, there: &T, base: &T) -> T {
        if now == there { base.clone() } else { now.clone() }
    }
    let (n, t, b) = (&now.attr, &there.attr, &base.attr);
    let mut attr = Attr {
        ino: b.ino,
        kind: b.kind,
        perm: pick(&n.perm, &t.perm, &b.perm),
        nlink: n.nlink,
        uid: pick(&n.uid, &t.uid, &b.uid),
        gid: pick(&n.gid, &t.gid, &b.gid),
        rdev: pick(&n.rdev, &t.rdev, &b.rdev),
        size: n.size,
        atime: pick(&n.mtime, &t.mtime, &b.atime),
        mtime: pick(&n.mtime, &t.mtime, &b.mtime),
        ctime: b.ctime,
        btime: b.btime,
    };
    let xattrs = pick(&now.xattrs, &there.xattrs, &base.xattrs);
    if attr != *b || xattrs != base.xattrs || !same_content {
        attr.ctime = n.ctime;
    }
    Entry { name: now.name.clone(), attr, body: now.body.clone(), xattrs }
}
