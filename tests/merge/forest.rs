//! Small trees in memory, to be merged.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use aether::model::merge::{Merged, Options, Three, Trees, merge};
use aether::model::{
    Attr, Body, BytePath, ChunkId, Content, DirRef, Entry, Kind, Leaf, Name, Node, NodeId, ObjectId, ObjectKind,
    Timestamp,
};
use aether::store::tree::content_hash;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    File(Vec<u8>),
    Link(Vec<u8>),
    Dir,
}

/// A thing in a tree. The number is its identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    pub what: What,
    pub perm: u16,
    pub ino: u64,
}

/// A whole tree by path; every directory is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(pub BTreeMap<BytePath, Thing>);

pub fn path(text: impl AsRef<[u8]>) -> BytePath {
    BytePath::parse(text.as_ref()).unwrap()
}

impl Paths {
    /// A tree of text files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    fn next_ino(&self) -> u64 {
        self.0.values().map(|thing| thing.ino).max().unwrap_or(1) + 1
    }

    pub fn put(&mut self, name: impl AsRef<[u8]>, what: What) {
        let at = path(name);
        self.make_parents(&at);
        let perm = if what == What::Dir { 0o755 } else { 0o644 };
        match self.0.get_mut(&at) {
            Some(there) if std::mem::discriminant(&there.what) == std::mem::discriminant(&what) => there.what = what,
            _ => {
                let ino = self.next_ino();
                self.0.insert(at, Thing { what, perm, ino });
            }
        }
    }

    fn make_parents(&mut self, at: &BytePath) {
        let mut above = at.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if !self.0.contains_key(&dir) {
                let ino = self.next_ino();
                self.0.insert(dir.clone(), Thing { what: What::Dir, perm: 0o755, ino });
            }
            above = dir.parent();
        }
    }

    pub fn write(&mut self, name: impl AsRef<[u8]>, text: impl AsRef<[u8]>) {
        self.put(name, What::File(text.as_ref().to_vec()));
    }

    pub fn chmod(&mut self, name: &str, perm: u16) {
        self.0.get_mut(&path(name)).unwrap().perm = perm;
    }

    /// Removes a thing and all below it.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let at = path(name);
        self.0.retain(|path, _| !path.starts_with(&at));
    }

    /// Moves a thing and all below it; what it is stays what it is.
    pub fn rename(&mut self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) {
        let (from, to) = (path(from), path(to));
        let moved: Vec<_> = self.0.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        assert!(!moved.is_empty(), "{from:?} is there");
        for old in moved {
            let thing = self.0.remove(&old).unwrap();
            let rest = &old.as_bytes()[from.as_bytes().len()..];
            let new = path([to.as_bytes(), rest].concat());
            self.make_parents(&new);
            self.0.insert(new, thing);
        }
    }

    /// The same tree, in which nothing is known by its inode number: as git sees it.
    pub fn anonymous(&self, salt: u64) -> Self {
        let mut tree = self.clone();
        for (number, thing) in tree.0.values_mut().enumerate() {
            thing.ino = (salt << 32) + number as u64 + 2;
        }
        tree
    }

    /// Without inode numbers.
    pub fn contents(&self) -> BTreeMap<BytePath, (What, u16)> {
        self.0.iter().map(|(path, thing)| (path.clone(), (thing.what.clone(), thing.perm))).collect()
    }

    pub fn text(&self, name: &str) -> String {
        match &self.0[&path(name)].what {
            What::File(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{name} is {other:?}"),
        }
    }

    pub fn names(&self) -> Vec<String> {
        let files = self.0.iter().filter(|(_, thing)| thing.what != What::Dir);
        files.map(|(path, _)| String::from_utf8_lossy(path.as_bytes()).into_owned()).collect()
    }
}

/// Where trees are kept; it counts what is looked at.
#[derive(Default)]
pub struct Forest {
    dirs: RefCell<HashMap<NodeId, Vec<Entry>>>,
    bytes: RefCell<HashMap<ChunkId, Vec<u8>>>,
    pub listed: RefCell<usize>,
    pub read: RefCell<usize>,
}

impl Forest {
    pub fn plant(&self, tree: &Paths) -> DirRef {
        self.plant_below(tree, &BytePath::root())
    }

    fn plant_below(&self, tree: &Paths, dir: &BytePath) -> DirRef {
        let inside = tree.0.iter().filter(|(path, _)| path.parent().as_ref() == Some(dir));
        let mut entries: Vec<Entry> = inside.map(|(path, thing)| self.entry(tree, path, thing)).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let node = Node::Leaf(Leaf { entries: entries.clone() }).seal().0;
        let content = content_hash(&entries);
        self.dirs.borrow_mut().insert(node, entries);
        DirRef { node, content }
    }

    fn entry(&self, tree: &Paths, path: &BytePath, thing: &Thing) -> Entry {
        let (kind, body, size) = match &thing.what {
            What::File(bytes) => {
                let id = ChunkId(ObjectId::of(ObjectKind::Chunk, bytes));
                self.bytes.borrow_mut().insert(id, bytes.clone());
                let content = if bytes.is_empty() { Content::Hole } else { Content::Chunk(id) };
                (Kind::File, Body::File(content), bytes.len())
            }
            What::Link(target) => (Kind::Symlink, Body::Symlink(target.as_slice().into()), target.len()),
            What::Dir => (Kind::Dir, Body::Dir(self.plant_below(tree, path)), 0),
        };
        let mut attr = Attr::new(thing.ino, kind, thing.perm, 0, 0, Timestamp::default());
        attr.size = size as u64;
        Entry { name: Name::new(path.file_name().unwrap()).unwrap(), attr, body, xattrs: None }
    }

    /// Merges, and does to ours what comes of it.
    pub fn merge(&self, base: &Paths, ours: &Paths, theirs: &Paths) -> (Paths, Merged) {
        self.merge_with(base, ours, theirs, &Options::default())
    }

    pub fn merge_with(&self, base: &Paths, ours: &Paths, theirs: &Paths, options: &Options) -> (Paths, Merged) {
        let roots = Three { base: self.plant(base), ours: self.plant(ours), theirs: self.plant(theirs) };
        *self.listed.borrow_mut() = 0;
        *self.read.borrow_mut() = 0;
        let merged = merge(self, &roots, options).unwrap();
        (self.apply(ours, &merged), merged)
    }

    /// Every step must be one that a file system takes.
    fn apply(&self, ours: &Paths, merged: &Merged) -> Paths {
        let mut tree = ours.clone();
        for path in &merged.removed {
            assert!(tree.0.remove(path).is_some(), "{path:?} is removed and was there\n{merged:#?}");
            assert!(
                !tree.0.keys().any(|other| other.starts_with(path)),
                "{path:?} is removed before what is in it\n{merged:#?}"
            );
        }
        let mut fresh = ours.next_ino() + 1_000_000;
        for placed in &merged.placed {
            let parent = placed.path.parent().unwrap();
            let has_parent = parent.is_root() || tree.0.get(&parent).is_some_and(|it| it.what == What::Dir);
            assert!(has_parent, "{:?} has a directory to be in\n{merged:#?}", placed.path);
            let what = match (&placed.text, &placed.entry.body) {
                (Some(text), _) => What::File(text.clone()),
                (None, Body::File(content)) => What::File(self.read(content, placed.entry.attr.size).unwrap()),
                (None, Body::Symlink(target)) => What::Link(target.to_vec()),
                (None, _) => What::Dir,
            };
            let there = tree.0.get(&placed.path);
            if let Some(there) = there {
                let is_dir = |what: &What| *what == What::Dir;
                assert_eq!(
                    is_dir(&there.what),
                    is_dir(&what),
                    "{:?} is replaced by its like\n{merged:#?}",
                    placed.path
                );
            }
            fresh += 1;
            let ino = placed.was.as_ref().map_or(fresh, |was| ours.0[was].ino);
            tree.0.insert(placed.path.clone(), Thing { what, perm: placed.entry.attr.perm, ino });
        }
        tree
    }
}

impl Trees for Forest {
    type Error = Infallible;
    type Rules = ();

    fn list(&self, dir: &DirRef) -> Result<Vec<Entry>, Infallible> {
        *self.listed.borrow_mut() += 1;
        Ok(self.dirs.borrow()[&dir.node].clone())
    }

    fn read(&self, content: &Content, _size_bytes: u64) -> Result<Vec<u8>, Infallible> {
        *self.read.borrow_mut() += 1;
        match content {
            Content::Hole => Ok(Vec::new()),
            Content::Chunk(id) => Ok(self.bytes.borrow()[id].clone()),
            other => panic!("{other:?} was never planted"),
        }
    }

    fn rules(&self) {}

    fn rules_inside(&self, _rules: &(), _dir: &BytePath, _entries: &[Entry]) -> Result<(), Infallible> {
        Ok(())
    }

    /// Names that end in `.scratch` are none of a merge's business.
    fn is_tracked(&self, _rules: &(), path: &BytePath, _is_dir: bool) -> bool {
        !path.file_name().unwrap().ends_with(b".scratch")
    }
}
