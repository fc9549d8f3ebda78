//! A session that is being written, compared with what it stands on.

use std::sync::Arc;

use aether::model::{ROOT_INO, RootId, Timestamp};
use aether::ops::changes::{Change, FileDiff, Frozen, LineKind, Scope, change_set_hash, changes};
use aether::ops::seal::{Memo, seal};
use aether::overlay::{Caller, Files, Overlay, RenameMode, SetAttr, Snapshot};
use aether::store::Store;

use super::{Bench, status};
use crate::generated::memory::MemoryUpper;

const CALLER: Caller =
    Caller { uid: 0, gid: 0, umask: 0, now: Timestamp { secs: 1_800_000_000, nanos: 5 }, request: 0 };

struct Session {
    overlay: Arc<Overlay<Store, MemoryUpper>>,
}

impl Session {
    fn on(bench: &Bench, root: RootId) -> Self {
        let root = bench.store.root(root).unwrap();
        let (lower, upper) = (Arc::new(bench.store.clone()), Arc::new(MemoryUpper::default()));
        Self { overlay: Arc::new(Overlay::open(lower, upper, &root, [])) }
    }

    fn ino(&self, path: &str) -> u64 {
        path.split('/').fold(ROOT_INO, |dir, name| self.overlay.lookup(dir, name.as_bytes()).unwrap().ino)
    }

    fn snapshot(&self) -> Snapshot<Store, MemoryUpper> {
        self.overlay.snapshot().unwrap()
    }

    fn changes(&self, bench: &Bench, base: RootId) -> Vec<Change> {
        let root = bench.store.root(base).unwrap();
        changes(&Frozen::new(&bench.store, &root), &self.snapshot(), &Scope::All).unwrap()
    }
}

fn base(bench: &Bench) -> RootId {
    for path in ["same", "edited", "d/in/moved", "gone", "mode", "far/away/untouched"] {
        bench.write(&format!("t/{path}"), format!("content of {path}\n"));
    }
    bench.import("t")
}

fn edit(session: &Session) {
    let files = &session.overlay;
    files.write(CALLER, session.ino("same"), 0, b"content of same\n", false).unwrap();
    files.write(CALLER, session.ino("edited"), 0, b"Content", false).unwrap();
    files.rename(CALLER, (ROOT_INO, b"d"), (ROOT_INO, b"e"), RenameMode::empty()).unwrap();
    files.write(CALLER, session.ino("e/in/moved"), 0, b"CONTENT", false).unwrap();
    files.unlink(CALLER, ROOT_INO, b"gone").unwrap();
    files.setattr(CALLER, session.ino("mode"), &SetAttr { perm: Some(0o755), ..SetAttr::default() }).unwrap();
    let new = files.mknod(CALLER, ROOT_INO, b"new", aether::model::Kind::File, 0o644, 0).unwrap();
    files.write(CALLER, new.ino, 0, b"new\n", false).unwrap();
}

#[test]
fn a_session_that_is_written_shows_its_changes() {
    let bench = Bench::new();
    let root = base(&bench);
    let session = Session::on(&bench, root);
    assert_eq!(status(&session.changes(&bench, root)), [""; 0]);
    edit(&session);
    let found = session.changes(&bench, root);
    let expected =
        ["R d -> e/", "R d/in -> e/in/", "R d/in/moved -> e/in/moved", "M edited", "D gone", "M mode", "A new"];
    assert_eq!(status(&found), expected);

    let stored = bench.store.root(root).unwrap();
    let edited = found.iter().find(|change| change.path.as_bytes() == b"edited").unwrap();
    let diff = FileDiff::of(edited, &Frozen::new(&bench.store, &stored), &session.snapshot()).unwrap();
    let FileDiff::Text(hunks) = diff else { panic!("{diff:?}") };
    let lines: Vec<_> = hunks[0].lines.iter().map(|line| (line.kind, &line.text[..])).collect();
    let expected =
        [(LineKind::Deleted, &b"content of edited\n"[..]), (LineKind::Inserted, &b"Content of edited\n"[..])];
    assert_eq!(lines, expected);
}

#[test]
fn the_hash_of_a_change_set_is_the_same_live_and_sealed() {
    let bench = Bench::new();
    let root = base(&bench);
    let session = Session::on(&bench, root);
    edit(&session);
    let snapshot = session.snapshot();
    let live = change_set_hash(&session.changes(&bench, root), &snapshot).unwrap();

    let writer = bench.store.hold().unwrap().writer().unwrap();
    let (tree, _) = seal(&snapshot, &writer, &Memo::default(), 1).unwrap();
    let sealed = writer.put_root(&tree).unwrap();
    writer.finish().unwrap();
    assert_eq!(bench.hash(root, sealed), live.to_string());
}
