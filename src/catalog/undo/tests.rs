//! Undo and redo, compared by rows.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::super::*;
use crate::model::{ObjectId, RootId};

/// All rows of all tables that undo is about, without the columns that it does not wind back.
type Dump = BTreeMap<String, Vec<String>>;

struct Scene {
    _dir: TempDir,
    catalog: Catalog,
    clock: i64,
}

impl Scene {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let catalog = Catalog::open(&dir.path().join("data")).unwrap();
        Self { _dir: dir, catalog, clock: 0 }
    }

    fn write<T>(&mut self, change: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.clock += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.clock.to_le_bytes());
        let act = Act { actor: "ann".into(), command: format!("step {}", self.clock), now_ns: self.clock, seed };
        self.catalog.write(&act, change)
    }

    fn undo(&mut self, seq: Option<i64>) -> Result<(), Error> {
        self.write(|tx| {
            let reversal = tx.view().to_undo(seq)?;
            tx.reverse(&reversal).map(drop)
        })
    }

    fn redo(&mut self) -> Result<(), Error> {
        self.write(|tx| {
            let reversal = tx.view().to_redo()?;
            tx.reverse(&reversal).map(drop)
        })
    }

    fn newest(&self) -> i64 {
        self.catalog.view().operations(1).unwrap()[0].seq
    }

    fn dump(&self) -> Dump {
        let mut dump = Dump::new();
        for table in super::capture::tables(&self.catalog.connection).unwrap() {
            assert!(!table.key.is_empty(), "`{}` has no primary key, so that undo cannot find its rows", table.name);
            let columns = table.columns.iter().filter(|name| !name.starts_with("next_"));
            let columns: Vec<_> = columns.map(|name| format!("quote(\"{name}\")")).collect();
            let sql = format!("SELECT {} FROM {} ORDER BY 1", columns.join(" || ' ' || "), table.name);
            let rows = self.catalog.view().rows(&sql, [], |row| row.get(0)).unwrap();
            dump.insert(table.name, rows);
        }
        dump
    }

    /// The dump without what is in the trash.
    fn living(&self) -> Dump {
        let view = self.catalog.view();
        let mut living = Dump::new();
        living.insert("session".into(), view.sessions().unwrap().iter().map(|found| format!("{found:?}")).collect());
        let sources = view.sources().unwrap();
        let revisions = sources.iter().flat_map(|source| view.revisions(&source.id).unwrap());
        living.insert("revision".into(), revisions.map(|found| format!("{found:?}")).collect());
        living.insert("source".into(), sources.iter().map(|found| format!("{found:?}")).collect());
        let all = view.all_tags().unwrap().into_iter();
        let tags = all.filter(|(id, _)| view.source(id).is_ok() || view.session(id).is_ok());
        living.insert("tag".into(), tags.map(|found| format!("{found:?}")).collect());
        living
    }
}

fn source(name: &str) -> NewSource {
    NewSource {
        name: name.into(),
        kind: SourceKind::Empty,
        origin: None,
        import: ImportSettings::default(),
        scratch: Vec::new(),
    }
}

fn revision(byte: u8) -> NewRevision {
    let root = RootId(ObjectId([byte; 32]));
    NewRevision { root, files: 1, dirs: 2, size_bytes: 3, duration_ns: 4, left_out: Vec::new(), origin_version: None }
}

fn undo_error(result: Result<(), Error>) -> UndoError {
    match result {
        Err(Error::Undo(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// One command of each kind, after which there is one more to be undone.
fn every_command(scene: &mut Scene) -> Vec<Dump> {
    let mut states = vec![scene.living()];
    let mut step = |scene: &mut Scene, change: &dyn Fn(&mut Tx<'_>) -> Result<(), Error>| {
        scene.write(change).unwrap();
        states.push(scene.living());
    };
    step(scene, &|tx| {
        let id = tx.create_source(&source("web"))?;
        tx.create_revision(&id, &revision(1))?;
        tx.set_tag(&id, "team", "ui\0\u{1b}'\"")
    });
    step(scene, &|tx| {
        let id = tx.view().source("web")?.id;
        let base = Base { root: Some(revision(1).root), onto: None, source: Some(id), revision: Some(1) };
        let session = tx.create_session("fix", &base, None)?;
        tx.set_tag(&session, "task", "7")
    });
    step(scene, &|tx| tx.rename_session(&tx.view().session("fix")?, "mend"));
    step(scene, &|tx| tx.create_revision(&tx.view().source("web")?.id, &revision(2)).map(drop));
    step(scene, &|tx| tx.set_tag(&tx.view().session("mend")?.id, "task", "8"));
    step(scene, &|tx| tx.unset_tag(&tx.view().session("mend")?.id, "task").map(drop));
    step(scene, &|tx| tx.rename_source(&tx.view().source("web")?, "app"));
    step(scene, &|tx| tx.set_session_status(&tx.view().session("mend")?, Status::Review));
    step(scene, &|tx| tx.delete_session(&tx.view().session("mend")?));
    step(scene, &|tx| tx.delete_source(&tx.view().source("app")?));
    states
}

#[test]
fn every_command_is_undone_and_redone_row_by_row() {
    let mut scene = Scene::new();
    let states = every_command(&mut scene);
    let full = scene.dump();
    for round in 0..2 {
        for state in states.iter().rev().skip(1) {
            scene.undo(None).unwrap();
            assert_eq!(&scene.living(), state, "round {round}");
        }
        assert_eq!(undo_error(scene.undo(None)), UndoError::NothingToUndo);
        for state in states.iter().skip(1) {
            scene.redo().unwrap();
            assert_eq!(&scene.living(), state, "round {round}");
        }
        assert_eq!(undo_error(scene.redo()), UndoError::NothingToRedo);
        assert_eq!(scene.dump(), full, "round {round}");
    }
}

#[test]
fn what_was_made_goes_to_the_trash_and_everything_else_is_as_it_was() {
    let mut scene = Scene::new();
    every_command(&mut scene);
    for _ in 0..10 {
        scene.undo(None).unwrap();
    }
    let dump = scene.dump();
    assert_eq!((dump["source"].len(), dump["session"].len(), dump["revision"].len()), (1, 1, 1));
    assert!(scene.catalog.view().sessions().unwrap().is_empty());
    assert!(scene.catalog.view().row_changes(1).unwrap().iter().any(|change| change.table == "tag"));
}

#[test]
fn the_undo_of_an_undo_brings_the_command_back_and_only_once() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    let before = scene.dump();
    scene.write(|tx| tx.rename_session(&tx.view().session("a")?, "b")).unwrap();
    let after = scene.dump();
    let rename = scene.newest();
    scene.undo(Some(rename)).unwrap();
    assert_eq!(scene.dump(), before);
    let undo = scene.newest();
    assert!(matches!(undo_error(scene.undo(Some(rename))), UndoError::Undone { by, .. } if by == undo));
    scene.undo(Some(undo)).unwrap();
    assert_eq!(scene.dump(), after);
    assert!(matches!(undo_error(scene.undo(Some(undo))), UndoError::Superseded { .. }));
    scene.undo(Some(scene.newest())).unwrap();
    assert_eq!(scene.dump(), before);
    assert_eq!(undo_error(scene.undo(Some(99))), UndoError::NoOperation { seq: 99 });
}

#[test]
fn what_a_later_command_changed_is_not_overwritten_and_the_command_is_named() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    scene.write(|tx| tx.rename_session(&tx.view().session("a")?, "b")).unwrap();
    scene.write(|tx| tx.rename_session(&tx.view().session("b")?, "c")).unwrap();
    let before = scene.dump();
    for seq in [1, 2] {
        let error = undo_error(scene.undo(Some(seq)));
        assert!(
            matches!(&error, UndoError::Changed { by: Some((3, _)), what, .. } if what == "session `c`"),
            "{error}"
        );
        assert_eq!(scene.dump(), before);
    }
    // Another column of the row is another matter.
    scene.write(|tx| tx.set_session_status(&tx.view().session("c")?, Status::Review)).unwrap();
    scene.undo(Some(3)).unwrap();
    let session = scene.catalog.view().session("b").unwrap();
    assert_eq!(session.status, Status::Review);
}

#[test]
fn a_name_that_was_taken_since_is_not_taken_back() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    scene.write(|tx| tx.delete_session(&tx.view().session("a")?)).unwrap();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    let before = scene.dump();
    let error = undo_error(scene.undo(Some(2)));
    assert!(matches!(error, UndoError::NameTaken { seq: 2, .. }), "{error}");
    assert_eq!(scene.dump(), before);
    scene.undo(None).unwrap();
    scene.undo(None).unwrap();
    assert_eq!(scene.catalog.view().sessions().unwrap().len(), 1);
}

#[test]
fn what_sessions_stand_on_is_not_undone_below_them() {
    let mut scene = Scene::new();
    scene
        .write(|tx| {
            let id = tx.create_source(&source("web"))?;
            tx.create_revision(&id, &revision(1))
        })
        .unwrap();
    scene.write(|tx| tx.create_revision(&tx.view().source("web")?.id, &revision(2))).unwrap();
    scene
        .write(|tx| {
            let base = Base { root: None, onto: None, source: Some(tx.view().source("web")?.id), revision: Some(2) };
            tx.create_session("fix", &base, None)
        })
        .unwrap();
    for seq in [1, 2] {
        let error = undo_error(scene.undo(Some(seq)));
        assert!(matches!(&error, UndoError::InUse { sessions, .. } if sessions == &["`fix`"]), "{error}");
    }
    scene.undo(None).unwrap();
    scene.undo(None).unwrap();
    scene.undo(None).unwrap();
    assert!(scene.catalog.view().sources().unwrap().is_empty());
}

#[test]
fn numbers_are_never_given_out_twice_also_after_an_undo() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_source(&source("web"))).unwrap();
    let refresh = |byte| move |tx: &mut Tx<'_>| tx.create_revision(&tx.view().source("web")?.id, &revision(byte));
    assert_eq!(scene.write(refresh(1)).unwrap(), 1);
    assert_eq!(scene.write(refresh(2)).unwrap(), 2);
    scene.undo(None).unwrap();
    assert_eq!(scene.write(refresh(3)).unwrap(), 3);
    assert_eq!(undo_error(scene.redo()), UndoError::NothingToRedo);
    let roots = scene.catalog.view().roots().unwrap();
    assert_eq!(roots.iter().map(|found| found.root).collect::<Vec<_>>(), [1, 3, 2].map(|byte| revision(byte).root));
}

#[test]
fn a_command_that_cannot_be_undone_is_not_passed_over() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    scene
        .write(|tx| {
            tx.create_session("b", &Base::default(), None)?;
            tx.cannot_be_undone("it is so")
        })
        .unwrap();
    assert!(matches!(undo_error(scene.undo(None)), UndoError::Gone { seq: 2, why, .. } if why == "it is so"));
    scene.undo(Some(1)).unwrap();
    assert_eq!(scene.catalog.view().sessions().unwrap().len(), 1);
}

#[test]
fn a_command_that_changes_nothing_is_no_operation() {
    let mut scene = Scene::new();
    scene.write(|_| Ok(())).unwrap();
    assert!(scene.catalog.view().operations(9).unwrap().is_empty());
}

#[test]
fn what_foreign_keys_change_along_with_a_row_is_noted_too() {
    let mut scene = Scene::new();
    every_command(&mut scene);
    let before = scene.dump();
    scene
        .write(|tx| {
            let id = tx.view().row("SELECT id FROM source", [], |row| row.get::<_, String>(0))?.unwrap();
            tx.execute("DELETE FROM source WHERE id = ?1", [id]).map(drop)
        })
        .unwrap();
    let changes = scene.catalog.view().row_changes(scene.newest()).unwrap();
    let told = |table: &str, gone: bool| {
        changes.iter().filter(|change| change.table == table && change.after.is_none() == gone).count()
    };
    // Its revisions go with it, and the session that stood on it has none any more.
    assert_eq!((told("source", true), told("revision", true), told("session", false)), (1, 2, 1), "{changes:?}");
    scene.undo(None).unwrap();
    assert_eq!(scene.dump(), before);
}

#[test]
fn a_change_that_undo_would_not_know_of_fails_the_command() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    let before = scene.dump();
    let around = scene.write(|tx| {
        tx.transaction.execute("UPDATE session SET status = 'review'", []).map_err(|error| Error::sql(tx.path, error))
    });
    assert!(matches!(&around, Err(Error::Unnoted { what }) if what.contains("`session`")), "{around:?}");
    assert_eq!(scene.dump(), before);
    // Where its files are is no matter of undo.
    let physical = "UPDATE session SET delta = delta + 1";
    scene.write(|tx| tx.transaction.execute(physical, []).map_err(|error| Error::sql(tx.path, error))).unwrap();
}

#[test]
fn what_is_done_after_a_command_that_failed_is_noted() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    let rename = |to: &'static str| move |tx: &mut Tx<'_>| tx.rename_session(&tx.view().session("a")?, to);
    let name_taken = |scene: &mut Scene| {
        scene.write(|tx| {
            tx.rename_session(&tx.view().session("a")?, "b")?;
            tx.set_tag("s-none", "k", "v")?;
            tx.create_session("b", &Base::default(), None)
        })
    };
    for _ in 0..2 {
        assert!(matches!(name_taken(&mut scene), Err(Error::Exists { .. })));
    }
    let before = scene.dump();
    scene.write(rename("c")).unwrap();
    scene.undo(None).unwrap();
    assert_eq!(scene.dump(), before);
    scene.write(rename("d")).unwrap();
    assert_eq!(scene.catalog.view().row_changes(scene.newest()).unwrap().len(), 1);
}

#[test]
fn no_command_reads_triggers_that_it_does_not_need() {
    let mut scene = Scene::new();
    scene.write(|tx| tx.create_session("a", &Base::default(), None)).unwrap();
    let triggers = |schema: &str| -> Vec<String> {
        let sql = format!("SELECT name FROM {schema} WHERE type = 'trigger' AND name LIKE 'undo%'");
        scene.catalog.view().rows(&sql, [], |row| row.get(0)).unwrap()
    };
    assert!(triggers("sqlite_schema").is_empty());
    assert_eq!(triggers("sqlite_temp_schema"), ["undo_session_INSERT"]);
}

#[test]
fn random_commands_undone_and_redone_are_as_a_stack_of_states() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..12 {
        let mut scene = Scene::new();
        // The states before each command that is in effect, and after each one that was undone.
        let (mut behind, mut ahead): (Vec<Dump>, Vec<Dump>) = Default::default();
        for _ in 0..60 {
            let now = scene.living();
            match next(10) {
                0..3 => match (behind.pop(), scene.undo(None)) {
                    (Some(state), Ok(())) => {
                        ahead.push(now);
                        assert_eq!(scene.living(), state);
                    }
                    (None, Err(Error::Undo(UndoError::NothingToUndo))) => {}
                    other => panic!("{other:?}"),
                },
                3..5 => match (ahead.pop(), scene.redo()) {
                    (Some(state), Ok(())) => {
                        behind.push(now);
                        assert_eq!(scene.living(), state);
                    }
                    (None, Err(Error::Undo(UndoError::NothingToRedo))) => {}
                    other => panic!("{other:?}"),
                },
                choice => {
                    let (which, name) = (next(8) as usize, format!("n{}", next(12)));
                    if random_command(&mut scene, choice, which, &name) {
                        behind.push(now);
                        ahead.clear();
                    }
                }
            }
        }
    }
}

/// Does something to one of the objects there are; says whether anything changed.
fn random_command(scene: &mut Scene, choice: u64, which: usize, name: &str) -> bool {
    let sessions = scene.catalog.view().sessions().unwrap();
    let sources = scene.catalog.view().sources().unwrap();
    let session = sessions.get(which % sessions.len().max(1)).cloned();
    let source_there = sources.get(which % sources.len().max(1)).cloned();
    let base =
        Base { source: source_there.as_ref().map(|found| found.id.clone()), revision: Some(1), ..Base::default() };
    let done = match (choice, session, source_there) {
        (5, ..) => scene.write(|tx| tx.create_session(name, &base, None).map(drop)),
        (6, Some(session), _) => scene.write(|tx| tx.rename_session(&session, name)),
        (7, Some(session), _) => scene.write(|tx| tx.delete_session(&session)),
        (8, Some(session), _) if session.status == Status::Active => {
            scene.write(|tx| tx.set_session_status(&session, Status::Conflict))
        }
        (8, Some(session), _) => scene.write(|tx| tx.unset_tag(&session.id, "k").map(drop)),
        (9, _, Some(found)) if which.is_multiple_of(2) => {
            scene.write(|tx| tx.create_revision(&found.id, &revision(9)).map(drop))
        }
        (9, Some(session), _) => scene.write(|tx| tx.set_tag(&session.id, "k", name)),
        _ => scene.write(|tx| {
            let id = tx.create_source(&source(name))?;
            tx.create_revision(&id, &revision(1)).map(drop)
        }),
    };
    match done {
        Ok(()) => {
            let newest = scene.newest();
            scene.clock > 0 && !scene.catalog.view().row_changes(newest).unwrap().is_empty() && {
                let time = scene.catalog.view().operations(1).unwrap()[0].time_ns;
                time == scene.clock
            }
        }
        Err(Error::Exists { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}
