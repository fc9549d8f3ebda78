//! Two trees as overlayfs shows them, one over the other.
//!
//! The upper one is an upper directory as it was imported, with whiteouts and notes; what comes of it has none. Files keep
//! the session's numbers: what was copied up is the file below, also under another name where the note says which one; what
//! was copied up and is as before is as if nothing had happened. Everything else of the upper tree is new, and gets a
//! number that was never given out. Nothing here grows with the depth of the trees but lists.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use rustc_hash::FxHashMap;

use crate::model::{Attr, Body, DirRef, Entry, Ino, Kind, ROOT_INO, Root, Totals};
use crate::ops::live::LiveError;
use crate::store::tree::{entries, write_dir};
use crate::store::{Store, StoreError, Writer};

use super::marks::Notes;
use super::upper_dir::{Modes, is_for_everyone};

type Result<T> = std::result::Result<T, LiveError>;

/// What is to be joined.
pub(super) struct Sides<'a> {
    pub(super) upper: &'a Root,
    pub(super) lower: &'a Root,
    /// Where the upper tree has its notes.
    pub(super) notes: Notes,
    /// Permission bits of the upper tree that were others when it was written.
    pub(super) modes: Modes,
    /// Whether the top cannot have got another owner, whatever the upper tree says.
    pub(super) keeps_owner: bool,
}

/// A file of the lower tree that loses names.
struct Gone {
    entry: Entry,
    names: u32,
}

/// What becomes of an entry of the upper tree where the lower one has one of the same name, too.
#[derive(Clone, Copy)]
enum Fate {
    /// There is nothing any more.
    Whiteout,
    /// Both are directories, and both show.
    Both(DirRef, DirRef),
    /// It is the lower one's inode.
    Copy,
    /// It stands in the place of the lower one.
    Another,
}

struct Joining<'a> {
    store: &'a Store,
    writer: &'a Writer,
    sides: &'a Sides<'a>,
    gone: FxHashMap<Ino, Gone>,
    /// How many names are left of files that lose some, but not all.
    left: FxHashMap<Ino, u32>,
    /// Copies with several names, and the files below, by their number in the upper tree.
    copies: FxHashMap<Ino, Entry>,
    /// Inodes with several names, by their number in the upper tree.
    decided: FxHashMap<Ino, Entry>,
    next_ino: Ino,
    totals: Totals,
}

/// A directory under way.
struct Open {
    /// Its entry in the directory above; the top has none.
    own: Option<Entry>,
    rest: Pairs,
    done: Vec<Entry>,
}

/// An entry that is finished, or a directory to go into.
enum Step {
    Nothing,
    Entry(Entry),
    Into(Entry, Option<DirRef>, Option<DirRef>),
}

/// The entries of two directories, by name.
struct Pairs {
    upper: Peekable<IntoIter<Entry>>,
    lower: Peekable<IntoIter<Entry>>,
}

impl Iterator for Pairs {
    type Item = (Option<Entry>, Option<Entry>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.upper.peek(), self.lower.peek()) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(upper), Some(lower)) => upper.name.cmp(&lower.name),
        };
        let upper = if order.is_le() { self.upper.next() } else { None };
        let lower = if order.is_ge() { self.lower.next() } else { None };
        Some((upper, lower))
    }
}

/// Stores the joined tree and returns its root, which nobody has stored. New files get numbers from `next_ino` on.
pub(super) fn join(store: &Store, writer: &Writer, sides: &Sides<'_>, next_ino: Ino) -> Result<Root> {
    let mut work = Joining {
        store,
        writer,
        sides,
        gone: FxHashMap::default(),
        left: FxHashMap::default(),
        copies: FxHashMap::default(),
        decided: FxHashMap::default(),
        next_ino: next_ino.max(sides.lower.next_ino),
        totals: sides.lower.totals,
    };
    work.survey()?;
    work.settle_gone();
    let (dir, subdirs) = work.build()?;
    let mut top = work.dir_entry(&sides.upper.as_entry(), &sides.lower.as_entry());
    if sides.keeps_owner {
        (top.attr.uid, top.attr.gid) = (sides.lower.attr.uid, sides.lower.attr.gid);
        let below = sides.lower.xattrs.iter().flat_map(|map| map.iter()).filter(|(name, _)| !is_for_everyone(name));
        let mut all: BTreeMap<_, _> = top.xattrs.as_deref().cloned().unwrap_or_default();
        all.extend(below.map(|(name, value)| (name.clone(), value.clone())));
        top.xattrs = (!all.is_empty()).then(|| all.into());
        // Only now can it be told whether something changed.
        if same_attributes(&top, &sides.lower.as_entry()) {
            top.attr = sides.lower.attr.clone();
        }
    }
    top.attr.nlink = 2 + subdirs;
    Ok(Root {
        attr: Attr { ino: ROOT_INO, ..top.attr },
        dir,
        xattrs: top.xattrs,
        next_ino: work.next_ino,
        totals: work.totals,
    })
}

impl Joining<'_> {
    fn list(&self, dir: Option<DirRef>) -> Result<Vec<Entry>> {
        let Some(dir) = dir else { return Ok(Vec::new()) };
        let all = entries(self.store, dir).map(|entry| entry.map(|entry| Entry::clone(&entry)));
        Ok(all.collect::<std::result::Result<_, _>>().map_err(StoreError::from)?)
    }

    fn pairs(&self, upper: Option<DirRef>, lower: Option<DirRef>) -> Result<Pairs> {
        let (upper, lower) = (self.list(upper)?, self.list(lower)?);
        Ok(Pairs { upper: upper.into_iter().peekable(), lower: lower.into_iter().peekable() })
    }

    fn fate(&self, upper: &Entry, lower: &Entry) -> Fate {
        let notes = self.sides.notes;
        if notes.is_whiteout(upper) {
            return Fate::Whiteout;
        }
        match (&upper.body, &lower.body) {
            (Body::Dir(above), Body::Dir(below)) if !notes.is_opaque(upper) => Fate::Both(*above, *below),
            (Body::Dir(_), _) | (_, Body::Dir(_)) => Fate::Another,
            // A file with more names loses this one when it is copied up.
            _ if upper.attr.kind != lower.attr.kind || lower.attr.nlink > 1 => Fate::Another,
            _ if notes.is_copy(upper) && notes.origin(upper).is_none_or(|ino| ino == lower.attr.ino) => Fate::Copy,
            // In a user namespace nothing can be noted of what is neither file nor directory.
            (Body::Symlink(new), Body::Symlink(old)) if notes == Notes::User && new == old => Fate::Copy,
            (Body::Special, Body::Special) if notes == Notes::User && upper.attr.rdev == lower.attr.rdev => Fate::Copy,
            _ => Fate::Another,
        }
    }

    /// Finds out what the lower tree loses.
    fn survey(&mut self) -> Result<()> {
        let mut dirs = vec![(self.sides.upper.dir, self.sides.lower.dir)];
        while let Some((upper, lower)) = dirs.pop() {
            for pair in self.pairs(Some(upper), Some(lower))? {
                let (Some(upper), Some(lower)) = pair else { continue };
                match self.fate(&upper, &lower) {
                    Fate::Both(above, below) => dirs.push((above, below)),
                    Fate::Copy if upper.attr.nlink > 1 => {
                        self.copies.insert(upper.attr.ino, lower);
                    }
                    Fate::Copy => {}
                    Fate::Whiteout | Fate::Another => self.lose(lower)?,
                }
            }
        }
        Ok(())
    }

    /// An entry of the lower tree goes, with all that is below it.
    fn lose(&mut self, entry: Entry) -> Result<()> {
        let mut all = vec![entry];
        while let Some(entry) = all.pop() {
            if let Body::Dir(dir) = entry.body {
                self.totals.dirs = self.totals.dirs.saturating_sub(1);
                all.extend(self.list(Some(dir))?);
            } else {
                self.gone.entry(entry.attr.ino).or_insert(Gone { entry, names: 0 }).names += 1;
            }
        }
        Ok(())
    }

    /// Tells files that are gone from those that have names left.
    fn settle_gone(&mut self) {
        let (totals, left) = (&mut self.totals, &mut self.left);
        self.gone.retain(|ino, gone| match gone.entry.attr.nlink.checked_sub(gone.names) {
            Some(names @ 1..) => {
                left.insert(*ino, names);
                false
            }
            _ => {
                totals.files = totals.files.saturating_sub(1);
                totals.size_bytes = totals.size_bytes.saturating_sub(size(&gone.entry));
                true
            }
        });
    }

    /// Stores the directories, and returns the top with the number of directories in it.
    fn build(&mut self) -> Result<(DirRef, u32)> {
        let rest = self.pairs(Some(self.sides.upper.dir), Some(self.sides.lower.dir))?;
        let mut at = Open { own: None, rest, done: Vec::new() };
        let mut above: Vec<Open> = Vec::new();
        loop {
            if let Some(pair) = at.rest.next() {
                match self.step(pair)? {
                    Step::Nothing => {}
                    Step::Entry(entry) => at.done.push(entry),
                    Step::Into(entry, upper, lower) => {
                        let rest = self.pairs(upper, lower)?;
                        above.push(std::mem::replace(&mut at, Open { own: Some(entry), rest, done: Vec::new() }));
                    }
                }
                continue;
            }
            let subdirs = at.done.iter().filter(|entry| entry.attr.kind == Kind::Dir).count();
            let subdirs = u32::try_from(subdirs).unwrap_or(u32::MAX - 2);
            let dir = write_dir(self.writer, at.done)?;
            match (above.pop(), at.own) {
                (Some(mut over), Some(own)) => {
                    let attr = Attr { nlink: 2 + subdirs, ..own.attr };
                    over.done.push(Entry { attr, body: Body::Dir(dir), ..own });
                    at = over;
                }
                _ => return Ok((dir, subdirs)),
            }
        }
    }

    fn step(&mut self, pair: (Option<Entry>, Option<Entry>)) -> Result<Step> {
        let (upper, lower) = match pair {
            (Some(upper), lower) => (upper, lower),
            (None, Some(lower)) => return Ok(self.untouched(lower)),
            (None, None) => return Ok(Step::Nothing),
        };
        let fate = lower.as_ref().map(|lower| self.fate(&upper, lower));
        Ok(match (fate, lower) {
            (Some(Fate::Whiteout), _) => Step::Nothing,
            (None, _) if self.sides.notes.is_whiteout(&upper) => Step::Nothing,
            (Some(Fate::Both(above, below)), Some(lower)) => {
                Step::Into(self.dir_entry(&upper, &lower), Some(above), Some(below))
            }
            (Some(Fate::Copy), Some(lower)) => Step::Entry(self.copy(&upper, lower)),
            _ => match upper.body {
                Body::Dir(dir) => {
                    self.totals.dirs += 1;
                    Step::Into(self.new_dir(&upper), Some(dir), None)
                }
                _ => Step::Entry(self.new_file(&upper)),
            },
        })
    }

    /// Something that only the lower tree has. Of files with names elsewhere some may have gone.
    fn untouched(&self, lower: Entry) -> Step {
        match (&lower.body, self.left.get(&lower.attr.ino)) {
            (Body::Dir(dir), _) if !self.left.is_empty() => {
                let dir = *dir;
                Step::Into(lower, None, Some(dir))
            }
            (Body::Dir(_), _) | (_, None) => Step::Entry(lower),
            (_, Some(names)) => Step::Entry(Entry { attr: Attr { nlink: *names, ..lower.attr }, ..lower }),
        }
    }

    /// An entry of the upper tree as a program saw it, with the lower one that it is a copy of.
    fn seen(&self, upper: &Entry, lower: Option<&Entry>) -> Entry {
        let mut entry = upper.clone();
        entry.xattrs = self.sides.notes.shown(upper.xattrs.as_ref(), lower.and_then(|lower| lower.xattrs.as_ref()));
        if let Some((perm, ctime)) = self.sides.modes.get(&upper.attr.ino) {
            (entry.attr.perm, entry.attr.ctime) = (*perm, *ctime);
        }
        if let Some(lower) = lower {
            (entry.attr.ino, entry.attr.btime) = (lower.attr.ino, lower.attr.btime);
            if entry.attr.mtime == lower.attr.mtime {
                entry.attr.atime = lower.attr.atime;
            }
        }
        entry
    }

    /// A directory of both trees. It is untouched if only something in it was copied up.
    fn dir_entry(&self, upper: &Entry, lower: &Entry) -> Entry {
        let mut entry = self.seen(upper, Some(lower));
        entry.attr.size = lower.attr.size;
        if same_attributes(&entry, lower) {
            entry.attr = lower.attr.clone();
        }
        entry
    }

    fn new_dir(&mut self, upper: &Entry) -> Entry {
        let mut entry = self.seen(upper, None);
        entry.attr.ino = self.fresh();
        entry
    }

    fn fresh(&mut self) -> Ino {
        self.next_ino += 1;
        self.next_ino - 1
    }

    /// A file that was copied up under its name.
    fn copy(&mut self, upper: &Entry, lower: Entry) -> Entry {
        if let Some(known) = self.known(upper) {
            return known;
        }
        let mut entry = self.seen(upper, Some(&lower));
        self.totals.size_bytes = self.totals.size_bytes.saturating_sub(size(&lower)).saturating_add(size(&entry));
        if entry.attr.nlink == 1 && entry.body == lower.body && same_attributes(&entry, &lower) {
            entry.attr = lower.attr;
        }
        self.decide(upper, entry)
    }

    /// A file that the lower tree does not have under this name: a new one, or one that had another name.
    fn new_file(&mut self, upper: &Entry) -> Entry {
        if let Some(known) = self.known(upper) {
            return known;
        }
        if let Some(lower) = self.copies.get(&upper.attr.ino) {
            return self.copy(upper, lower.clone());
        }
        let before = self.sides.notes.origin(upper).and_then(|ino| {
            let is_it = |gone: &Gone| gone.entry.attr.kind == upper.attr.kind && gone.entry.attr.nlink == 1;
            self.gone.get(&ino).is_some_and(is_it).then(|| self.gone.remove(&ino)).flatten()
        });
        let mut entry = self.seen(upper, before.as_ref().map(|gone| &gone.entry));
        if before.is_none() {
            entry.attr.ino = self.fresh();
        }
        self.totals.files += 1;
        self.totals.size_bytes = self.totals.size_bytes.saturating_add(size(&entry));
        self.decide(upper, entry)
    }

    /// The same inode under another name.
    fn known(&self, upper: &Entry) -> Option<Entry> {
        let known = self.decided.get(&upper.attr.ino).filter(|_| upper.attr.nlink > 1)?;
        Some(Entry { name: upper.name.clone(), ..known.clone() })
    }

    fn decide(&mut self, upper: &Entry, entry: Entry) -> Entry {
        if upper.attr.nlink > 1 {
            self.decided.insert(upper.attr.ino, entry.clone());
        }
        entry
    }
}

/// Whether all is equal that a program can set.
fn same_attributes(one: &Entry, other: &Entry) -> bool {
    let of = |entry: &Entry| {
        let attr = &entry.attr;
        (attr.perm, attr.uid, attr.gid, attr.rdev, attr.size, attr.mtime)
    };
    of(one) == of(other) && one.xattrs == other.xattrs
}

/// What a file adds to the size of its tree.
fn size(entry: &Entry) -> u64 {
    if entry.attr.kind == Kind::File { entry.attr.size } else { 0 }
}
