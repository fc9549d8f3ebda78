//! Numbered migrations. Those that are missing run in one transaction that also raises the format's number.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::Error;
use super::dropped;
use super::open::APPLICATION_ID;
use super::undo::capture;

/// Migration `n` brings a catalog of format `n` to format `n + 1`. Only ever add to the end.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_objects.sql"),
    include_str!("migrations/0002_history.sql"),
    include_str!("migrations/0003_checkpoints.sql"),
    include_str!("migrations/0004_origins.sql"),
    include_str!("migrations/0005_merges.sql"),
    include_str!("migrations/0006_expiry.sql"),
    include_str!("migrations/0007_session_pins.sql"),
    include_str!("migrations/0008_coordination.sql"),
    include_str!("migrations/0009_commits.sql"),
    include_str!("migrations/0010_approvals.sql"),
    include_str!("migrations/0011_materializations.sql"),
    include_str!("migrations/0012_dropped_roots.sql"),
    include_str!("migrations/0013_promotions.sql"),
    include_str!("migrations/0014_review.sql"),
    include_str!("migrations/0015_event_windows.sql"),
    include_str!("migrations/0016_event_operations.sql"),
    include_str!("migrations/0017_commit_annotations.sql"),
    include_str!("migrations/0018_short_triggers.sql"),
    include_str!("migrations/0019_triggers_on_demand.sql"),
    include_str!("migrations/0020_review_indexes.sql"),
    include_str!("migrations/0021_event_filters.sql"),
];

/// The format that this version writes.
pub const FORMAT: i64 = MIGRATIONS.len() as i64;

/// How a catalog's format stands to [`FORMAT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The same.
    Current,
    /// Older: migrations are to run.
    Old,
}

/// Looks at the format.
pub(super) fn check(path: &Path, connection: &Connection) -> Result<State, Error> {
    let found = format(path, connection)?;
    if found > FORMAT {
        return Err(Error::Future { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(if found == FORMAT { State::Current } else { State::Old })
}

/// The number of the catalog's format.
pub(super) fn format(path: &Path, connection: &Connection) -> Result<i64, Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| Error::sql(path, error))
}

/// Runs the migrations that are missing.
pub(super) fn run(path: &Path, connection: &mut Connection) -> Result<(), Error> {
    let sql = |error| Error::sql(path, error);
    let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sql)?;
    if owner != APPLICATION_ID {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    if check(path, connection)? == State::Current {
        return Ok(());
    }
    // In one piece: one between two formats has no triggers for undo, and would be taken as it is by the version of then.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    check(path, &transaction)?;
    let from = format(path, &transaction)?;
    capture::remove(&transaction).map_err(sql)?;
    dropped::remove(&transaction).map_err(sql)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(sql)?;
    }
    dropped::install(&transaction).map_err(sql)?;
    transaction.pragma_update(None, "user_version", FORMAT).map_err(sql)?;
    transaction.commit().map_err(sql)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Catalog, open};

    #[test]
    fn what_an_older_version_did_is_undone_after_its_triggers_are_gone() {
        let dir = tempfile::TempDir::new().unwrap();
        let old = Connection::open(open::file_in(dir.path())).unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        MIGRATIONS[..18].iter().for_each(|migration| old.execute_batch(migration).unwrap());
        old.execute_batch(
            r#"INSERT INTO operation (time_ns, actor, command) VALUES (1, 'ann', 'session create a'), (2, 'ann', 'tags');
            INSERT INTO session (id, name, created_ns, updated_ns, actor) VALUES ('s-0000000001', 'a', 1, 1, 'ann');
            INSERT INTO tag VALUES ('s-0000000001', 'k', 'v'), ('s-0000000001', 'l', 'new');
            INSERT INTO undo_row (operation, table_name, key, before, after) VALUES
                (2, 'tag', '["ts-0000000001","tk"]', NULL, '{"object_id":"ts-0000000001","key":"tk","value":"tv"}'),
                (1, 'session', '["ts-0000000001"]', NULL, '{"id":"ts-0000000001","name":"ta"}'),
                (2, 'tag', '["ts-0000000001","tl"]', '{"value":"told"}', '{"value":"tnew"}');
            CREATE TRIGGER undo_tag_insert AFTER INSERT ON tag BEGIN
                INSERT INTO undo_row SELECT NULL,(SELECT max(seq) FROM operation),'tag',undo_key(NEW.key),NULL,NULL;
            END;
            PRAGMA user_version = 18;"#,
        )
        .unwrap();
        drop(old);
        let mut catalog = Catalog::open(dir.path()).unwrap();
        assert_eq!(catalog.format().unwrap(), FORMAT);
        let changes = catalog.view().row_changes(2).unwrap();
        assert_eq!(changes.iter().map(|change| change.key[1].as_str().unwrap()).collect::<Vec<_>>(), ["tk", "tl"]);
        let act = |now_ns| Act { actor: "ann".into(), command: "undo".into(), now_ns, seed: [now_ns as u8; 32] };
        let mut undo = |now_ns| {
            catalog.write::<_, Error>(&act(now_ns), |tx| tx.reverse(&tx.view().to_undo(None)?)).unwrap();
            let tags = catalog.view().tags("s-0000000001").unwrap();
            (tags.into_iter().collect::<Vec<_>>(), catalog.view().sessions().unwrap().len())
        };
        assert_eq!(undo(3), (vec![("l".into(), "old".into())], 1));
        assert_eq!(undo(4).1, 0);
        catalog.write::<_, Error>(&act(5), |tx| tx.reverse(&tx.view().to_redo()?)).unwrap();
        assert_eq!(catalog.view().sessions().unwrap().len(), 1);
    }
}
