//! A whole tree read through its file system, and the comparison of two: names, attributes, contents, attributes of
//! names, and how inode numbers of the one stand for those of the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aether::model::{Attr, Ino, Kind, ROOT_INO};
use aether::overlay::{Error, Files, RenameMode, Whence};

use super::model::{Body, Dir, Inode, Model, State};
use super::operation::Op;
use super::runner::{Failure, Outcome, Runner, Value, seek_holds};
use super::sparse::Sparse;

/// Files up to this size are read from end to end; in larger ones only what they say is data.
const READ_WHOLE_BYTES: u64 = 1 << 20;

/// One file of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub attr: Attr,
    pub content: Option<blake3::Hash>,
    pub target: Vec<u8>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// All of a tree, by path.
pub type Tree = BTreeMap<Vec<u8>, Item>;

/// Reads the whole tree.
pub fn read_tree(files: &impl Files) -> Result<Tree, Error> {
    let mut tree = Tree::new();
    let mut dirs = vec![(Vec::new(), ROOT_INO)];
    tree.insert(Vec::new(), read_item(files, files.getattr(ROOT_INO)?)?);
    while let Some((path, ino)) = dirs.pop() {
        let mut found = Vec::new();
        files.read_dir(ino, 0, true, &mut |entry| {
            found.extend(entry.attr.map(|attr| (entry.name.to_vec(), attr.clone())));
            true
        })?;
        for (name, attr) in found {
            let path = [path.as_slice(), b"/", &name].concat();
            if attr.kind == Kind::Dir {
                dirs.push((path.clone(), attr.ino));
            }
            let ino = attr.ino;
            let item = read_item(files, attr)?;
            files.forget(ino, 1);
            tree.insert(path, item);
        }
    }
    Ok(tree)
}

/// One file by its number.
pub fn item_of(files: &impl Files, ino: Ino) -> Result<Item, Error> {
    read_item(files, files.getattr(ino)?)
}

fn read_item(files: &impl Files, attr: Attr) -> Result<Item, Error> {
    let ino = attr.ino;
    let content = if attr.kind == Kind::File { Some(read_content(files, ino, attr.size)?.digest()) } else { None };
    let target = if attr.kind == Kind::Symlink { files.readlink(ino)? } else { Vec::new() };
    let mut xattrs = BTreeMap::new();
    for name in files.listxattr(ino)? {
        let value = files.getxattr(ino, &name)?.to_vec();
        xattrs.insert(name.into(), value);
    }
    Ok(Item { attr, content, target, xattrs })
}

/// The whole tree as the state of a model, with the numbers that it has.
pub fn capture(files: &impl Files) -> Result<State, Error> {
    let mut state = State { inodes: BTreeMap::new(), next: 2 };
    let mut dirs = vec![(ROOT_INO, ROOT_INO)];
    while let Some((ino, parent)) = dirs.pop() {
        let mut found = Vec::new();
        files.read_dir(ino, 0, true, &mut |entry| {
            found.extend(entry.attr.map(|attr| (entry.name.to_vec(), attr.clone())));
            true
        })?;
        let mut dir = Dir { parent, entries: BTreeMap::new(), next_cookie: 3 };
        for (name, attr) in found {
            dir.entries.insert(name, (attr.ino, dir.next_cookie));
            dir.next_cookie += 1;
            let body = match attr.kind {
                Kind::Dir => {
                    dirs.push((attr.ino, ino));
                    None
                }
                Kind::File => Some(Body::File(read_content(files, attr.ino, attr.size)?)),
                Kind::Symlink => Some(Body::Symlink(files.readlink(attr.ino)?)),
                _ => Some(Body::Special),
            };
            if let Some(body) = body {
                capture_inode(files, &mut state, attr.ino, body)?;
            }
            files.forget(attr.ino, 1);
        }
        capture_inode(files, &mut state, ino, Body::Dir(dir))?;
    }
    Ok(state)
}

fn capture_inode(files: &impl Files, state: &mut State, ino: Ino, body: Body) -> Result<(), Error> {
    let mut xattrs = BTreeMap::new();
    for name in files.listxattr(ino)? {
        let value = files.getxattr(ino, &name)?.to_vec();
        xattrs.insert(name.into(), value);
    }
    state.next = state.next.max(ino + 1);
    state.inodes.insert(ino, Inode { attr: files.getattr(ino)?, body, xattrs, lookups: 0 });
    Ok(())
}

/// A file's bytes, as it gives them.
pub fn read_content(files: &impl Files, ino: Ino, size: u64) -> Result<Sparse, Error> {
    let mut content = Sparse::default();
    let mut at = 0;
    while at < size {
        let mut end = size;
        if size > READ_WHOLE_BYTES {
            at = match files.seek(ino, at, Whence::Data) {
                Ok(found) => found,
                Err(Error::NoData) => break,
                Err(error) => return Err(error),
            };
            end = files.seek(ino, at, Whence::Hole)?;
        }
        while at < end {
            let mut buf = vec![0xee; (end - at).min(1 << 16) as usize];
            let count = files.read(ino, at, &mut buf)?;
            assert_eq!(count, buf.len(), "a read of inode {ino} at {at} inside the file of {size} bytes was short");
            content.write(at, &buf);
            at += count as u64;
        }
    }
    content.set_len(size);
    Ok(content)
}

/// A listing that goes on while its directory changes.
#[derive(Clone)]
struct Watch {
    dir: Ino,
    /// Names that were there all the time.
    stable: BTreeSet<Vec<u8>>,
    /// Names that went away at some time.
    removed: BTreeSet<Vec<u8>>,
    present: BTreeSet<Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
}

/// Holds what a subject does against what the model does.
#[derive(Clone, Default)]
pub struct Check {
    to_subject: HashMap<Ino, Ino>,
    to_model: HashMap<Ino, Ino>,
    watch: Option<Watch>,
}

impl Check {
    fn same_ino(&mut self, model: Ino, subject: Ino) -> Result<(), String> {
        let there = *self.to_subject.entry(model).or_insert(subject);
        let back = *self.to_model.entry(subject).or_insert(model);
        if there == subject && back == model {
            return Ok(());
        }
        Err(format!("inode {subject} stands for {model}, which was {there} before ({subject} stood for {back})"))
    }

    fn same_attr(&mut self, model: &Attr, subject: &Attr) -> Result<(), String> {
        self.same_ino(model.ino, subject.ino)?;
        let here = Attr { ino: subject.ino, ..model.clone() };
        if here == *subject {
            Ok(())
        } else {
            Err(format!("attributes\n  should be {here:?}\n  but are   {subject:?}"))
        }
    }

    /// Compares two whole trees.
    pub fn trees(&mut self, model: &Tree, subject: &Tree) -> Result<(), String> {
        for (path, item) in model {
            let name = path.escape_ascii();
            let found = subject.get(path).ok_or_else(|| format!("`{name}` is missing"))?;
            self.same_attr(&item.attr, &found.attr).map_err(|fault| format!("`{name}`: {fault}"))?;
            if item.content != found.content {
                return Err(format!("`{name}`: the content is not what it should be"));
            }
            if (&item.target, &item.xattrs) != (&found.target, &found.xattrs) {
                return Err(format!("`{name}`: should be {item:?}, but is {found:?}"));
            }
        }
        match subject.keys().find(|path| !model.contains_key(*path)) {
            Some(path) => Err(format!("`{}` should not be there", path.escape_ascii())),
            None => Ok(()),
        }
    }

    /// Compares what one operation gave back; the model has already done it.
    pub fn outcome(&mut self, model: &Runner<Model>, op: &Op, want: &Outcome, got: &Outcome) -> Result<(), String> {
        if matches!(op, Op::Remount) {
            self.watch = None;
        }
        let state = model.files.state();
        self.follow(&state, model, op, want);
        let say = || format!("should give {want:?}\n  but gives   {got:?}");
        match (want, got) {
            (Ok(Value::Attr(want)), Ok(Value::Attr(got))) => self.same_attr(want, got),
            (Ok(Value::Seek(ino, _)), Ok(Value::Seek(_, end))) => {
                let Op::Seek { offset, what, .. } = op else { unreachable!("only a seek seeks") };
                let Body::File(content) = &state.inodes[ino].body else { unreachable!("only files are sought in") };
                if seek_holds(content, *offset, *what, *end) { Ok(()) } else { Err(say()) }
            }
            (Ok(Value::More(..)), Ok(Value::More(found, done))) => self.listed(found, *done),
            // A listing that has ended for the one may have some more for the other.
            (Err(Failure::Skipped), Ok(Value::More(found, done))) => self.listed(found, *done),
            (Ok(Value::More(..)), Err(Failure::Skipped)) => Ok(()),
            (Ok(Value::Listing(want)), Ok(Value::Listing(got))) => {
                if !want.keys().eq(got.keys()) {
                    return Err(say());
                }
                for (name, (ino, kind, attr)) in want {
                    let found = &got[name];
                    self.same_ino(*ino, found.0)?;
                    match (attr, &found.2) {
                        (Some(attr), Some(found)) => self.same_attr(attr, found)?,
                        (None, None) if *kind == found.1 => {}
                        _ => return Err(say()),
                    }
                }
                Ok(())
            }
            // The kernel makes most of these checks itself, before it asks: that it is refused is what matters.
            (Err(Failure::Refused(_)), Err(Failure::Refused(_)))
                if matches!(op, Op::Rename { .. } | Op::Link { .. }) =>
            {
                Ok(())
            }
            (Err(Failure::Refused(why)), Err(Failure::Refused(_))) if why == "NameTooLong" => Ok(()),
            _ if want == got => Ok(()),
            _ => Err(say()),
        }
    }

    /// Keeps account of what changes in the directory that is being listed.
    fn follow(&mut self, state: &State, model: &Runner<Model>, op: &Op, want: &Outcome) {
        let names = |dir: Ino| match state.inodes.get(&dir).map(|inode| &inode.body) {
            Some(Body::Dir(dir)) => dir.entries.keys().cloned().collect::<BTreeSet<_>>(),
            _ => BTreeSet::new(),
        };
        if let (Op::StartList { .. }, Ok(_), Some(cursor)) = (op, want, model.cursor) {
            let present = names(cursor.dir);
            let (removed, seen) = (BTreeSet::new(), BTreeSet::new());
            self.watch = Some(Watch { dir: cursor.dir, stable: present.clone(), removed, present, seen });
        } else if let Some(watch) = &mut self.watch {
            let present = names(watch.dir);
            watch.stable.retain(|name| present.contains(name));
            watch.removed.extend(watch.present.difference(&present).cloned());
            if let Op::Rename { from, mode: RenameMode::WHITEOUT, .. } = op {
                // The name goes away and comes back as the whiteout.
                watch.stable.retain(|name| Some(name) != from.names.last());
                watch.removed.extend(from.names.last().cloned());
            }
            watch.present = present;
        }
    }

    fn listed(&mut self, found: &[(Vec<u8>, Ino)], done: bool) -> Result<(), String> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        for (name, _) in found.iter().filter(|(name, _)| name != b"." && name != b"..") {
            if !watch.present.contains(name) {
                return Err(format!("`{}` is listed, but is not there", name.escape_ascii()));
            }
            if !watch.seen.insert(name.clone()) && !watch.removed.contains(name) {
                return Err(format!("`{}` is listed twice", name.escape_ascii()));
            }
        }
        match watch.stable.iter().find(|name| done && !watch.seen.contains(*name)) {
            Some(name) => Err(format!("`{}` was there all the time and is not listed", name.escape_ascii())),
            None => Ok(()),
        }
    }
}
