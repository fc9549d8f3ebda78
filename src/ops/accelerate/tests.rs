//! What comes of upper trees that are made by hand, and of a real directory with whiteouts and notes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};

use crate::config::Paths;
use crate::model::{Attr, Body, BytePath, Entry, Ino, Kind, Name, ROOT_INO, Root, RootId, Timestamp, Totals, Xattrs};
use crate::ops::Context;
use crate::store::content::put;
use crate::store::tree::{find_path, walk, write_dir};
use crate::store::{Hold, Store, Writer};

use super::UpperDir;
use super::join::{Sides, join};
use super::marks::Notes;
use super::take::take_in;

/// A store of its own.
struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    hold: Hold,
}

const NEW: Ino = 1000;

fn time(seconds: i64) -> Timestamp {
    Timestamp::new(seconds, 5)
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::TempDir::new().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let paths = Paths { data, runtime: dir.path().join("run"), config_file: dir.path().join("c") };
        let mut cx = Context::new(paths, "ann".into(), "test".into(), 1, [1; 32]);
        let store = cx.store().unwrap().clone();
        let hold = store.hold().unwrap();
        Self { dir, store, hold }
    }

    /// What is put can be read afterwards.
    fn write<T>(&self, put: impl FnOnce(&Writer) -> T) -> T {
        let writer = self.hold.writer().unwrap();
        let done = put(&writer);
        writer.finish().unwrap();
        done
    }

    fn put_root(&self, root: &Root) -> RootId {
        self.write(|writer| writer.put_root(root).unwrap())
    }

    fn file(&self, name: &str, ino: Ino, text: &str) -> Entry {
        let mut attr = Attr::new(ino, Kind::File, 0o644, 0, 0, time(ino as i64));
        attr.size = text.len() as u64;
        entry(name, attr, Body::File(self.write(|writer| put(writer, text.as_bytes()).unwrap())))
    }

    fn dir(&self, name: &str, ino: Ino, entries: Vec<Entry>) -> Entry {
        let mut attr = Attr::new(ino, Kind::Dir, 0o755, 0, 0, time(ino as i64));
        attr.nlink = 2 + entries.iter().filter(|entry| entry.attr.kind == Kind::Dir).count() as u32;
        entry(name, attr, Body::Dir(self.write(|writer| write_dir(writer, entries).unwrap())))
    }

    /// A root whose totals are counted, inodes once.
    fn root(&self, entries: Vec<Entry>) -> Root {
        let top = self.dir("root", ROOT_INO, entries);
        let Body::Dir(dir) = top.body else { unreachable!("it was made one") };
        let attr = Attr { ino: ROOT_INO, ..top.attr };
        let mut root = Root { attr, dir, xattrs: None, next_ino: 500, totals: Totals::default() };
        root.totals = self.count(&root);
        root
    }

    fn count(&self, root: &Root) -> Totals {
        let id = self.put_root(root);
        let (mut totals, mut seen) = (Totals::default(), BTreeMap::new());
        walk::<crate::overlay::LowerError>(&self.store, id, |_, entry| {
            match entry.attr.kind {
                Kind::Dir => totals.dirs += 1,
                kind => {
                    if seen.insert(entry.attr.ino, ()).is_none() {
                        totals.files += 1;
                        totals.size_bytes += if kind == Kind::File { entry.attr.size } else { 0 };
                    }
                }
            }
            Ok(crate::store::tree::Step::Into)
        })
        .unwrap();
        totals
    }

    fn join(&self, lower: &Root, upper: &Root) -> (RootId, Root) {
        let sides = Sides { upper, lower, notes: Notes::Trusted, modes: Default::default(), keeps_owner: false };
        let root = self.write(|writer| join(&self.store, writer, &sides, NEW).unwrap());
        let id = self.put_root(&root);
        assert_eq!(root.totals, self.count(&root), "the totals are those of what is there");
        (id, root)
    }

    fn at(&self, root: RootId, path: &str) -> Option<Entry> {
        find_path(&self.store, root, &BytePath::parse(path.as_bytes()).unwrap()).unwrap()
    }

    fn paths(&self, root: RootId) -> Vec<String> {
        let mut found = Vec::new();
        walk::<crate::overlay::LowerError>(&self.store, root, |path, _| {
            found.push(String::from_utf8_lossy(path.as_bytes()).into_owned());
            Ok(crate::store::tree::Step::Into)
        })
        .unwrap();
        found.retain(|path| !path.is_empty());
        found
    }
}

fn entry(name: &str, attr: Attr, body: Body) -> Entry {
    Entry { name: Name::new(name.as_bytes()).unwrap(), attr, body, xattrs: None }
}

fn whiteout(name: &str) -> Entry {
    entry(name, Attr::new(77, Kind::CharDevice, 0, 0, 0, time(77)), Body::Special)
}

fn with(mut entry: Entry, xattrs: &[(&str, &[u8])]) -> Entry {
    let map: BTreeMap<Box<[u8]>, Box<[u8]>> =
        xattrs.iter().map(|(name, value)| (name.as_bytes().into(), (*value).into())).collect();
    let map: Xattrs = Arc::new(map);
    entry.xattrs = Some(map);
    entry
}

/// The entry as overlayfs marks what it copied up from the file of this number.
fn copy_of(ino: Ino, entry: Entry) -> Entry {
    let mut handle = vec![0, 0xfb, 33, 0, 0x81];
    handle.extend([0; 16]);
    handle.extend([(ino >> 32) as u32, ino as u32, 0].map(u32::to_ne_bytes).concat());
    with(entry, &[("trusted.overlay.origin", &handle)])
}

fn linked(mut entry: Entry, nlink: u32) -> Entry {
    entry.attr.nlink = nlink;
    entry
}

#[test]
fn what_was_copied_up_and_is_as_before_changes_nothing() {
    let bench = Bench::new();
    let lower = bench.root(vec![bench.dir("d", 10, vec![bench.file("a", 11, "text")])]);
    let id = bench.put_root(&lower);
    let mut opened = bench.file("a", 900, "text");
    (opened.attr.mtime, opened.attr.ctime) = (time(11), time(99));
    let mut dir = bench.dir("d", 901, vec![copy_of(11, opened)]);
    (dir.attr.mtime, dir.attr.ctime) = (time(10), time(99));
    let upper = bench.root(vec![with(dir, &[("trusted.overlay.impure", b"y")])]);
    let mut joined = bench.join(&lower, &upper).1;
    joined.next_ino = lower.next_ino;
    assert_eq!(bench.put_root(&joined), id);
}

#[test]
fn attributes_change_and_the_file_stays_the_one_that_it_was() {
    let bench = Bench::new();
    let lower = bench.root(vec![bench.file("a", 11, "text"), bench.file("b", 12, "more")]);
    let mut closed = bench.file("a", 900, "text");
    closed.attr.perm = 0o600;
    let longer = bench.file("b", 901, "more and more");
    let upper = bench.root(vec![copy_of(11, closed), copy_of(12, longer)]);
    let (id, _) = bench.join(&lower, &upper);
    let (a, b) = (bench.at(id, "a").unwrap(), bench.at(id, "b").unwrap());
    assert_eq!((a.attr.ino, a.attr.perm, a.attr.btime, a.xattrs), (11, 0o600, time(11), None));
    assert_eq!((b.attr.ino, b.attr.size, b.attr.mtime), (12, 13, time(901)));
}

#[test]
fn whiteouts_and_opaque_directories_hide_what_is_below() {
    let bench = Bench::new();
    let below =
        |name: &str, ino| bench.dir(name, ino, vec![bench.file("x", ino + 1, "x"), bench.file("y", ino + 2, "y")]);
    let lower =
        bench.root(vec![below("gone", 10), below("merged", 20), below("replaced", 30), bench.file("file", 40, "f")]);
    let opaque = with(bench.dir("replaced", 902, vec![bench.file("z", 903, "z")]), &[("trusted.overlay.opaque", b"y")]);
    let merged = bench.dir("merged", 901, vec![whiteout("x"), bench.file("z", 904, "z"), whiteout("never-there")]);
    let inner = bench.dir("file", 905, vec![whiteout("left-over")]);
    let upper = bench.root(vec![whiteout("gone"), merged, opaque, inner]);
    let (id, root) = bench.join(&lower, &upper);
    assert_eq!(bench.paths(id), ["file", "merged", "merged/y", "merged/z", "replaced", "replaced/z"]);
    let number = |path: &str| bench.at(id, path).unwrap().attr.ino;
    assert_eq!((number("merged"), number("merged/y")), (20, 22));
    assert!(number("replaced") >= NEW && number("replaced/z") >= NEW && number("file") >= NEW);
    assert_eq!(root.attr.nlink, 5);
    assert!(root.next_ino > NEW);
    assert_eq!(bench.at(id, "replaced").unwrap().xattrs, None);
}

#[test]
fn a_file_that_was_moved_keeps_its_number_and_one_in_its_place_gets_a_new_one() {
    let bench = Bench::new();
    let lower = bench.root(vec![bench.file("a", 11, "a"), bench.file("b", 12, "b"), bench.file("c", 13, "c")]);
    let moved = copy_of(11, bench.file("moved", 900, "a"));
    // `b` was moved over `c`, and a new file took its name.
    let over = copy_of(12, bench.file("c", 901, "b"));
    let upper = bench.root(vec![whiteout("a"), bench.file("b", 902, "new"), moved, over]);
    let (id, _) = bench.join(&lower, &upper);
    let number = |path: &str| bench.at(id, path).unwrap().attr.ino;
    assert_eq!(bench.paths(id), ["b", "c", "moved"]);
    assert_eq!((number("moved"), number("c")), (11, 12));
    assert!(number("b") >= NEW);
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let bench = Bench::new();
    let lower = bench.root(vec![bench.file("m", 11, "text")]);
    // The new name comes before the one that it was made from.
    let name = |name: &str| linked(copy_of(11, bench.file(name, 900, "text")), 3);
    let upper = bench.root(vec![name("a"), name("m"), name("z")]);
    let (id, root) = bench.join(&lower, &upper);
    for path in ["a", "m", "z"] {
        let found = bench.at(id, path).unwrap();
        assert_eq!((found.attr.ino, found.attr.nlink), (11, 3), "{path}");
    }
    assert_eq!(root.totals.files, 1);
}

#[test]
fn a_file_loses_a_name_and_its_other_names_count_one_less_wherever_they_are() {
    let bench = Bench::new();
    let name = |name: &str| linked(bench.file(name, 11, "text"), 3);
    let far = bench.dir("far", 20, vec![bench.dir("away", 21, vec![name("x")])]);
    let lower = bench.root(vec![name("a"), name("b"), far]);
    // `a` was written to: overlayfs makes a file of its own of it, without a note.
    let upper = bench.root(vec![bench.file("a", 900, "changed")]);
    let (id, root) = bench.join(&lower, &upper);
    assert!(bench.at(id, "a").unwrap().attr.ino >= NEW);
    for path in ["b", "far/away/x"] {
        let found = bench.at(id, path).unwrap();
        assert_eq!((found.attr.ino, found.attr.nlink), (11, 2), "{path}");
    }
    assert_eq!(root.totals.files, 2);
    let all = bench.root(vec![whiteout("a"), whiteout("b"), whiteout("far")]);
    let (id, root) = bench.join(&lower, &all);
    assert_eq!((bench.paths(id).len(), root.totals), (0, Totals { files: 0, dirs: 1, size_bytes: 0 }));
}

/// An upper directory as a user's overlay writes it: its notes can be made by anybody.
fn real_upper(dir: &Path) -> UpperDir {
    let upper = UpperDir::of(dir, 0);
    upper.create(dir).unwrap();
    upper.note_user().unwrap();
    let at = |name: &str| upper.upper().join(name);
    fs::create_dir_all(at("merged/deep")).unwrap();
    fs::create_dir(at("opaque")).unwrap();
    let note = |path: &Path, name: &str, value: &[u8]| {
        lsetxattr(path, format!("user.overlay.{name}"), value, XattrFlags::empty()).unwrap();
    };
    note(&at("opaque"), "opaque", b"y");
    for path in ["merged/gone", "also-gone"] {
        mknodat(CWD, at(path), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    }
    fs::write(at("marked-gone"), "").unwrap();
    note(&at("marked-gone"), "whiteout", b"");
    fs::write(at("merged/kept"), "copied and changed").unwrap();
    note(&at("merged/kept"), "origin", b"");
    fs::write(at("two"), "two names").unwrap();
    fs::hard_link(at("two"), at("merged/deep/two")).unwrap();
    symlink("somewhere", at("link")).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    lsetxattr(at("two"), "user.mine", b"1", XattrFlags::empty()).unwrap();
    lsetxattr(at("two"), "user.overlay.overlay.x", b"escaped", XattrFlags::empty()).unwrap();
    let holes = fs::File::create(at("holes")).unwrap();
    holes.set_len(1 << 30).unwrap();
    upper
}

#[test]
fn a_real_directory_is_taken_in_and_again_with_the_same_outcome() {
    let bench = Bench::new();
    let merged = bench.dir("merged", 10, vec![bench.file("gone", 11, "g"), bench.file("kept", 12, "k")]);
    let opaque = bench.dir("opaque", 20, vec![bench.file("hidden", 21, "h")]);
    let files = ["also-gone", "marked-gone", "still-there"].iter().zip(30..);
    let files = files.map(|(name, ino)| bench.file(name, ino, "f"));
    let lower = bench.root(files.chain([merged, opaque]).collect());
    let lower = bench.put_root(&lower);
    let upper = real_upper(&bench.dir.path().join("data"));
    let closed = upper.upper().join("merged/deep");
    let times = fs::metadata(upper.upper().join("two")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o010)).unwrap();

    let root = take_in(&bench.hold, &upper, lower, 600).unwrap();
    assert_eq!(take_in(&bench.hold, &upper, lower, 600).unwrap(), root);
    let wanted = [
        "fifo",
        "holes",
        "link",
        "merged",
        "merged/deep",
        "merged/deep/two",
        "merged/kept",
        "opaque",
        "still-there",
        "two",
    ];
    assert_eq!(bench.paths(root), wanted);
    let at = |path: &str| bench.at(root, path).unwrap();
    assert_eq!((at("merged").attr.ino, at("merged/kept").attr.ino, at("still-there").attr.ino), (10, 12, 32));
    assert_eq!(at("merged/deep").attr.perm, 0o010, "also where it had to be opened to be read");
    let two = at("two");
    assert_eq!((two.attr.ino, two.attr.nlink), (at("merged/deep/two").attr.ino, 2));
    assert_eq!((two.attr.mtime.secs, i64::from(two.attr.mtime.nanos)), (times.mtime(), times.mtime_nsec()));
    let names: Vec<_> =
        two.xattrs.iter().flat_map(|map| map.keys()).map(|name| String::from_utf8_lossy(name)).collect();
    assert_eq!(names, ["user.mine", "user.overlay.x"]);
    assert_eq!((at("holes").attr.size, at("fifo").attr.kind), (1 << 30, Kind::Fifo));
    assert_eq!(at("link").body, Body::Symlink(b"somewhere".as_slice().into()));
}
