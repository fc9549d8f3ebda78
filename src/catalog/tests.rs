//! Tests of the catalog through its public face.

use tempfile::TempDir;

use crate::model::{ObjectId, RootId};

use super::*;

fn act(seed: u8) -> Act {
    Act { actor: "ann".into(), command: "test".into(), now_ns: i64::from(seed), seed: [seed; 32] }
}

fn open() -> (TempDir, Catalog) {
    let dir = TempDir::new().unwrap();
    let catalog = Catalog::open(&dir.path().join("data")).unwrap();
    (dir, catalog)
}

fn new_source(name: &str) -> NewSource {
    NewSource {
        name: name.into(),
        kind: SourceKind::Dir,
        origin: Some(std::ffi::OsString::from_vec(b"/src/\xff\n".to_vec()).into()),
        import: ImportSettings {
            excludes: vec!["*.o'; --".into()],
            respect_gitignore: true,
            skip_unreadable: false,
            ..ImportSettings::default()
        },
        scratch: vec!["target/**".into()],
    }
}

fn new_revision(byte: u8) -> NewRevision {
    let root = RootId(ObjectId([byte; 32]));
    NewRevision {
        root,
        files: 1,
        dirs: 2,
        size_bytes: 3,
        duration_ns: 4,
        left_out: vec!["a\u{1b}[1m".into()],
        origin_version: None,
    }
}

use std::os::unix::ffi::OsStringExt;

#[test]
fn what_was_written_is_read_back_by_the_next_process() {
    let (dir, mut catalog) = open();
    let new = new_source("web");
    let id = catalog
        .write::<_, Error>(&act(1), |tx| {
            let id = tx.create_source(&new)?;
            assert_eq!(tx.create_revision(&id, &new_revision(7))?, 1);
            assert_eq!(tx.create_revision(&id, &new_revision(8))?, 2);
            Ok(id)
        })
        .unwrap();
    drop(catalog);
    let catalog = Catalog::open(&dir.path().join("data")).unwrap();
    let source = catalog.view().source("web").unwrap();
    assert_eq!((&source.id, &source.origin, &source.import), (&id, &new.origin, &new.import));
    assert_eq!(catalog.view().revision(&source, None).unwrap().root, new_revision(8).root);
    assert_eq!(catalog.view().revision(&source, Some(1)).unwrap().left_out, new_revision(7).left_out);
    assert!(matches!(catalog.view().revision(&source, Some(3)), Err(Error::NoRevision { newest: Some(2), .. })));
    assert_eq!(catalog.view().operations(10).unwrap().len(), 1);
    assert_eq!(catalog.view().events(&EventFilter::default()).unwrap().len(), 3);
    assert!(catalog.problems().unwrap().is_empty());
}

#[test]
fn a_failed_command_leaves_no_trace() {
    let (_dir, mut catalog) = open();
    let result = catalog.write::<(), Error>(&act(1), |tx| {
        tx.create_source(&new_source("web"))?;
        tx.create_source(&new_source("web")).map(|_| ())
    });
    assert!(matches!(result, Err(Error::Exists { .. })));
    assert!(catalog.view().sources().unwrap().is_empty());
    assert!(catalog.view().operations(10).unwrap().is_empty());
    assert!(catalog.view().events(&EventFilter::default()).unwrap().is_empty());
}

#[test]
fn a_name_is_free_again_once_its_object_is_deleted_and_sessions_keep_their_base() {
    let (_dir, mut catalog) = open();
    catalog
        .write::<_, Error>(&act(1), |tx| {
            let source = tx.create_source(&new_source("web"))?;
            let revision = tx.create_revision(&source, &new_revision(7))?;
            let root = Some(new_revision(7).root);
            let base = Base { root, onto: root, source: Some(source), revision: Some(revision) };
            tx.create_session("fix", &base, None)
        })
        .unwrap();
    let source = catalog.view().source("web").unwrap();
    assert_eq!(catalog.view().sessions_on(&source.id).unwrap().len(), 1);
    catalog.write::<_, Error>(&act(2), |tx| tx.delete_source(&source)).unwrap();
    assert!(matches!(catalog.view().source("web"), Err(Error::NotFound { .. })));
    assert!(matches!(catalog.view().source(&source.id), Err(Error::NotFound { .. })));
    catalog.write::<_, Error>(&act(3), |tx| tx.create_source(&new_source("web"))).unwrap();
    let session = catalog.view().session("fix").unwrap();
    assert_eq!(session.base.root, Some(new_revision(7).root));
    assert_eq!(session.source_name.as_deref(), Some("web"));
}

#[test]
fn a_prefix_finds_one_and_an_ambiguous_one_lists_its_candidates() {
    let (_dir, mut catalog) = open();
    let ids = catalog
        .write::<_, Error>(&act(1), |tx| {
            (0..64)
                .map(|at| tx.create_session(&format!("n{at}"), &Base::default(), None))
                .collect::<Result<Vec<_>, _>>()
        })
        .unwrap();
    for id in &ids {
        assert_eq!(&catalog.view().session(id).unwrap().id, id);
    }
    assert_eq!(catalog.view().session(&ids[0][..11]).unwrap().id, ids[0]);
    // 64 ids, 32 first characters: some are shared.
    let shared = ids.iter().find(|id| ids.iter().filter(|other| other[..3] == id[..3]).count() > 1).unwrap();
    match catalog.view().session(&shared[..3]) {
        Err(Error::Ambiguous { candidates, .. }) => assert!(candidates.iter().any(|line| line.contains(shared))),
        other => panic!("{other:?}"),
    }
    assert!(matches!(catalog.view().session("s-"), Err(Error::NotFound { .. })));
    assert!(matches!(catalog.view().session("%"), Err(Error::NotFound { .. })));
}

#[test]
fn the_history_cannot_be_edited() {
    let (_dir, mut catalog) = open();
    catalog.write::<_, Error>(&act(1), |tx| tx.create_session("a", &Base::default(), None)).unwrap();
    catalog.write::<_, Error>(&act(2), |tx| tx.create_session("b", &Base::default(), None)).unwrap();
    let sql = |text: &str| catalog.connection.execute(text, []);
    assert!(sql("UPDATE event SET actor = 'eve'").is_err());
    assert!(sql("DELETE FROM event WHERE seq = 2").is_err());
    assert_eq!(sql("DELETE FROM event WHERE seq = 1").unwrap(), 1);
}

#[test]
fn a_catalog_from_the_future_is_refused_and_left_alone() {
    let (dir, catalog) = open();
    catalog.connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(catalog);
    let data = dir.path().join("data");
    assert!(matches!(Catalog::open(&data), Err(Error::Future { found, .. }) if found == FORMAT + 1));
    assert_eq!(Catalog::open_existing(&data).unwrap().unwrap().format().unwrap(), FORMAT + 1);
}

#[test]
fn a_file_that_is_no_catalog_is_refused() {
    let dir = TempDir::new().unwrap();
    std::fs::write(file_in(dir.path()), b"not a data base, but long enough to be read as one").unwrap();
    assert!(matches!(Catalog::open(dir.path()), Err(Error::Foreign { .. })));
    let dir = TempDir::new().unwrap();
    Connection::open(file_in(dir.path())).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(Catalog::open(dir.path()), Err(Error::Foreign { .. })));
}

#[test]
fn threads_that_open_and_write_at_once_never_meet_a_lock() {
    let dir = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16u8 {
            let path = dir.path().join("data");
            scope.spawn(move || {
                let mut catalog = Catalog::open(&path).unwrap();
                for round in 0..4 {
                    let name = format!("t{thread}-{round}");
                    let act = act(thread * 8 + round);
                    catalog.write::<_, Error>(&act, |tx| tx.create_session(&name, &Base::default(), None)).unwrap();
                }
            });
        }
    });
    let catalog = Catalog::open(&dir.path().join("data")).unwrap();
    assert_eq!(catalog.view().sessions().unwrap().len(), 64);
}

#[test]
fn tags_are_set_replaced_and_removed() {
    let (_dir, mut catalog) = open();
    let id = catalog.write::<_, Error>(&act(1), |tx| {
        let id = tx.create_session("a", &Base::default(), None)?;
        tx.set_tag(&id, "team", "x")?;
        tx.set_tag(&id, "team", "y=z")?;
        Ok(id)
    });
    let id = id.unwrap();
    assert_eq!(catalog.view().tags(&id).unwrap()["team"], "y=z");
    assert!(catalog.write::<_, Error>(&act(2), |tx| tx.unset_tag(&id, "team")).unwrap());
    assert!(catalog.view().all_tags().unwrap().is_empty());
}

#[test]
fn a_session_of_a_catalog_without_checkpoints_is_compared_with_its_base() {
    let (dir, catalog) = open();
    drop(catalog);
    let path = file_in(&dir.path().join("data"));
    std::fs::remove_file(&path).unwrap();
    let old = Connection::open(&path).unwrap();
    old.pragma_update(None, "application_id", open::APPLICATION_ID).unwrap();
    old.execute_batch(include_str!("migrations/0001_objects.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let add = "INSERT INTO session (id, name, base_root, created_ns, updated_ns, actor) VALUES (?1, ?1, ?2, 1, 1, 'a')";
    old.execute(add, ("s-0000000001", &[7_u8; 32][..])).unwrap();
    old.execute(add, ("s-0000000002", None::<&[u8]>)).unwrap();
    drop(old);
    let catalog = Catalog::open(&dir.path().join("data")).unwrap();
    let [one, two] = &catalog.view().sessions().unwrap()[..] else { panic!("two sessions") };
    let root = Some(new_revision(7).root);
    assert_eq!((one.base.root, one.base.onto, one.delta), (root, root, 0));
    assert_eq!((two.base.root, two.base.onto, two.delta), (None, None, 0));
}

#[test]
fn checkpoints_have_numbers_that_are_never_given_out_again_and_names_of_their_session() {
    let (_dir, mut catalog) = open();
    let new = |name: Option<&str>| NewCheckpoint {
        root: new_revision(7).root,
        totals: crate::model::Totals { files: 1, dirs: 2, size_bytes: 3 },
        name: name.map(str::to_owned),
        message: "said".into(),
        kind: CheckpointKind::Auto,
        reason: Some("restore".into()),
    };
    let (a, b) = catalog
        .write::<_, Error>(&act(1), |tx| {
            let a = tx.create_session("a", &Base::default(), None)?;
            tx.create_checkpoint(&a, &new(Some("one")))?;
            tx.create_checkpoint(&a, &new(None))?;
            let b = tx.create_session("b", &Base::default(), None)?;
            tx.create_checkpoint(&b, &new(Some("one")))?;
            Ok((tx.view().session(&a)?, tx.view().session(&b)?))
        })
        .unwrap();
    let view = catalog.view();
    let one = view.checkpoint(&a, "one").unwrap();
    assert_eq!((one.number, one.kind, one.totals.size_bytes), (1, CheckpointKind::Auto, 3));
    assert_eq!(view.checkpoint_by_id(&one.id[..8]).unwrap(), one);
    assert_eq!(view.newest_checkpoint(&a.id).unwrap().unwrap().number, 2);
    assert_eq!(view.checkpoints(&b.id).unwrap().len(), 1);
    for absent in ["3", "0", "02", "+2", "two"] {
        assert!(matches!(view.checkpoint(&a, absent), Err(Error::NoCheckpoint { .. })), "{absent}");
    }
    let refused = catalog.write::<_, Error>(&act(2), |tx| tx.create_checkpoint(&a.id, &new(Some("one"))));
    assert!(matches!(refused, Err(Error::Exists { .. })));
    let refused = catalog.write::<_, Error>(&act(2), |tx| tx.create_checkpoint(&a.id, &new(Some("12"))));
    assert!(matches!(refused, Err(Error::BadName { .. })));
    catalog
        .write::<_, Error>(&act(3), |tx| {
            let two = tx.view().checkpoint(&a, "2")?;
            tx.delete_checkpoint(&two)?;
            tx.create_checkpoint(&a.id, &new(None)).map(|_| ())
        })
        .unwrap();
    let numbers: Vec<_> = catalog.view().checkpoints(&a.id).unwrap().iter().map(|found| found.number).collect();
    assert_eq!(numbers, [3, 1]);
}

#[test]
fn a_delta_is_folded_once() {
    let (_dir, mut catalog) = open();
    let id = catalog.write::<_, Error>(&act(1), |tx| tx.create_session("a", &Base::default(), None)).unwrap();
    let root = new_revision(7).root;
    assert!(catalog.fold_session(&id, 0, root).unwrap());
    assert!(!catalog.fold_session(&id, 0, new_revision(8).root).unwrap());
    let session = catalog.view().session("a").unwrap();
    assert_eq!((session.base.root, session.base.onto, session.delta), (Some(root), None, 1));
    assert_eq!(catalog.view().operations(10).unwrap().len(), 1);
}

#[test]
fn the_log_stays_short_however_many_commands_come_one_after_the_other() {
    let dir = TempDir::new().unwrap();
    let log = file_in(dir.path()).with_extension("db-wal");
    let mut longest = 0;
    for at in 0..80 {
        // Nobody else has it open: what one process knew of the log is forgotten.
        let mut catalog = Catalog::open(dir.path()).unwrap();
        catalog.write::<_, Error>(&act(at), |tx| tx.create_session(&format!("n{at}"), &Base::default(), None)).unwrap();
        drop(catalog);
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    let pages = longest / 4096;
    assert!(pages > 100 && pages < 2 * open::LOG_PAGES as u64, "{pages} pages");
    let catalog = Catalog::open(dir.path()).unwrap();
    assert_eq!(catalog.view().sessions().unwrap().len(), 80);
    assert!(catalog.problems().unwrap().is_empty());
}
