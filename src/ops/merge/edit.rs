//! A frozen tree with some changes, as another frozen tree. What is not on the way to a change is shared.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::{
    Attr, Body, BytePath, ContentHash, DirRef, Entry, FIRST_INO, Ino, Kind, Name, NodeId, ObjectId, Root, Timestamp,
    Totals,
};
use crate::ops::error::Result;
use crate::store::content::put;
use crate::store::tree::{entries, write_dir};
use crate::store::{Store, StoreError, Writer};

/// What is to be at a path.
#[derive(Clone, Debug)]
pub(super) struct Put {
    /// The entry; its name has no meaning, nor has its number unless it is kept.
    pub(super) entry: Entry,
    /// Its bytes, in place of those that the entry names.
    pub(super) text: Option<Vec<u8>>,
    /// Whether it is a file of this tree, and has its number.
    pub(super) keeps_ino: bool,
    /// Whether it has its times, also if it gets another number.
    pub(super) keeps_times: bool,
    /// Whether a directory comes with all that is in it; else with what this tree has there.
    pub(super) whole: bool,
}

/// The changes.
#[derive(Debug, Default)]
pub(super) struct Edits {
    top: Node,
}

#[derive(Debug, Default)]
struct Node {
    removed: bool,
    put: Option<Put>,
    below: BTreeMap<Name, Node>,
}

impl Edits {
    fn at(&mut self, path: &BytePath) -> Result<&mut Node> {
        let mut node = &mut self.top;
        for name in path.components() {
            let name =
                Name::new(name).map_err(|why| crate::ops::Error::BadPath { path: path.as_path().into(), why })?;
            node = node.below.entry(name).or_default();
        }
        Ok(node)
    }

    /// Whatever is at a path goes, with all below it, before anything comes.
    pub(super) fn remove(&mut self, path: &BytePath) -> Result<()> {
        self.at(path)?.removed = true;
        Ok(())
    }

    /// This is to be at a path.
    pub(super) fn put(&mut self, path: &BytePath, put: Put) -> Result<()> {
        self.at(path)?.put = Some(put);
        Ok(())
    }
}

/// Stores the tree that `root` is with these changes, made at `now`, and returns its root, which nobody has stored.
///
/// # Errors
/// The store cannot be read or written.
pub(super) fn edit(store: &Store, writer: &Writer, root: &Root, edits: Edits, now: Timestamp) -> Result<Root> {
    let mut editor = Editor { store, writer, now, next_ino: root.next_ino.max(FIRST_INO), totals: root.totals };
    let mut new = root.clone();
    let (dir, subdirs) = editor.rewrite(Some(root.dir), edits.top)?;
    new.dir = dir;
    new.attr.nlink = 2 + subdirs;
    (new.attr.mtime, new.attr.ctime) = (now, now);
    (new.next_ino, new.totals) = (editor.next_ino, editor.totals);
    Ok(new)
}

struct Editor<'a> {
    store: &'a Store,
    writer: &'a Writer,
    now: Timestamp,
    next_ino: Ino,
    totals: Totals,
}

impl Editor<'_> {
    fn list(&self, dir: DirRef) -> Result<Vec<Entry>> {
        let all = entries(self.store, dir).map(|entry| entry.map(|entry| Entry::clone(&entry)));
        Ok(all.collect::<std::result::Result<_, _>>().map_err(StoreError::from)?)
    }

    /// A directory with changes, and how many directories are in it.
    fn rewrite(&mut self, dir: Option<DirRef>, node: Node) -> Result<(DirRef, u32)> {
        let listed = dir.map(|dir| self.list(dir)).transpose()?.unwrap_or_default();
        let mut all: BTreeMap<Name, Entry> = listed.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        for (name, child) in node.below {
            let mut there = all.remove(&name);
            if child.removed
                && let Some(gone) = there.take()
            {
                self.count_out(&gone)?;
            }
            if let Some(entry) = self.child(&name, there, child)? {
                all.insert(name, entry);
            }
        }
        let subdirs = all.values().filter(|entry| entry.attr.kind == Kind::Dir).count();
        let dir = write_dir(self.writer, all.into_values().collect())?;
        Ok((dir, u32::try_from(subdirs).unwrap_or(u32::MAX - 2)))
    }

    fn child(&mut self, name: &Name, there: Option<Entry>, node: Node) -> Result<Option<Entry>> {
        let Some(new) = node.put else {
            return match there {
                Some(entry) if !node.below.is_empty() => {
                    self.dir(entry, Node { below: node.below, ..Node::default() }).map(Some)
                }
                other => Ok(other),
            };
        };
        let mut entry = new.entry;
        entry.name = name.clone();
        if !new.keeps_ino {
            let (mtime, atime) = (entry.attr.mtime, entry.attr.atime);
            entry.attr = self.fresh(entry.attr);
            if new.keeps_times {
                (entry.attr.mtime, entry.attr.atime) = (mtime, atime);
            }
        }
        entry.attr.ctime = self.now;
        let base = there.as_ref().and_then(|there| if let Body::Dir(dir) = there.body { Some(dir) } else { None });
        match there {
            Some(there) if there.attr.kind != Kind::Dir => self.count_out(&there)?,
            Some(_) => {}
            None if entry.attr.kind == Kind::Dir => self.totals.dirs += 1,
            None => {}
        }
        match (&entry.body, base) {
            (Body::Dir(dir), _) if new.whole => {
                let (dir, subdirs) = self.copy(*dir)?;
                (entry.body, entry.attr.nlink) = (Body::Dir(dir), 2 + subdirs);
            }
            (Body::Dir(_), base) => {
                let (dir, subdirs) = self.rewrite(base, Node { below: node.below, ..Node::default() })?;
                (entry.body, entry.attr.nlink) = (Body::Dir(dir), 2 + subdirs);
            }
            _ => {
                if let Some(text) = &new.text {
                    entry.body = Body::File(put(self.writer, text)?);
                    entry.attr.size = text.len() as u64;
                }
                self.totals.files += 1;
                self.totals.size_bytes = self.totals.size_bytes.saturating_add(size(&entry));
            }
        }
        Ok(Some(entry))
    }

    fn dir(&mut self, mut entry: Entry, node: Node) -> Result<Entry> {
        let base = if let Body::Dir(dir) = entry.body { Some(dir) } else { None };
        let (dir, subdirs) = self.rewrite(base, node)?;
        entry.body = Body::Dir(dir);
        entry.attr.nlink = 2 + subdirs;
        (entry.attr.mtime, entry.attr.ctime) = (self.now, self.now);
        Ok(entry)
    }

    /// Attributes of something that was never in this tree.
    fn fresh(&mut self, attr: Attr) -> Attr {
        let ino = self.next_ino;
        self.next_ino += 1;
        let now = self.now;
        Attr { ino, nlink: 1, atime: now, mtime: now, ctime: now, btime: now, ..attr }
    }

    /// A directory of another tree with all that is in it, as new files.
    fn copy(&mut self, dir: DirRef) -> Result<(DirRef, u32)> {
        let mut all = self.list(dir)?;
        let mut subdirs = 0;
        for entry in &mut all {
            entry.attr = self.fresh(entry.attr.clone());
            if let Body::Dir(below) = entry.body {
                self.totals.dirs += 1;
                subdirs += 1;
                let (dir, inside) = self.copy(below)?;
                (entry.body, entry.attr.nlink) = (Body::Dir(dir), 2 + inside);
            } else {
                self.totals.files += 1;
                self.totals.size_bytes = self.totals.size_bytes.saturating_add(size(entry));
            }
        }
        Ok((write_dir(self.writer, all)?, subdirs))
    }

    /// Something goes, with all below it.
    fn count_out(&mut self, gone: &Entry) -> Result<()> {
        if let Body::Dir(dir) = gone.body {
            self.totals.dirs = self.totals.dirs.saturating_sub(1);
            return self.list(dir)?.iter().try_for_each(|entry| self.count_out(entry));
        }
        self.totals.files = self.totals.files.saturating_sub(1);
        self.totals.size_bytes = self.totals.size_bytes.saturating_sub(size(gone));
        Ok(())
    }
}

/// A directory that is in no tree, of whoever runs this.
pub(super) fn new_dir(now: Timestamp) -> Entry {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let nothing = ObjectId([0; 32]);
    let dir = DirRef { node: NodeId(nothing), content: ContentHash(nothing) };
    Entry {
        name: Name::new(b"new").expect("a constant that is a valid name"),
        attr: Attr::new(FIRST_INO, Kind::Dir, 0o755, uid, gid, now),
        body: Body::Dir(dir),
        xattrs: None,
    }
}

/// What a file adds to the size of its tree.
fn size(entry: &Entry) -> u64 {
    if entry.attr.kind == Kind::File { entry.attr.size } else { 0 }
}

/// The paths of files with one of these numbers, by number: a walk through all of a tree.
pub(super) fn paths_of(store: &Store, root: &Root, inos: &[Ino]) -> Result<FxHashMap<Ino, Vec<(BytePath, Entry)>>> {
    let mut found: FxHashMap<Ino, Vec<(BytePath, Entry)>> = FxHashMap::default();
    let mut dirs = vec![(BytePath::root(), root.dir)];
    while let Some((path, dir)) = dirs.pop() {
        for entry in entries(store, dir) {
            let entry = entry.map_err(StoreError::from)?;
            let path = path.join(&entry.name);
            match entry.body {
                Body::Dir(dir) => dirs.push((path, dir)),
                _ if inos.contains(&entry.attr.ino) => {
                    found.entry(entry.attr.ino).or_default().push((path, Entry::clone(&entry)));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}
