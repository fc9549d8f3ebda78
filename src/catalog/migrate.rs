//! Numbered migrations. Each runs in one transaction that also raises the format's number.

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
    while check(path, connection)? == State::Old {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let from = format(path, &transaction)?;
        let Some(migration) = usize::try_from(from).ok().and_then(|at| MIGRATIONS.get(at)) else { break };
        capture::remove(&transaction).map_err(sql)?;
        dropped::remove(&transaction).map_err(sql)?;
        transaction.execute_batch(migration).map_err(sql)?;
        capture::install(&transaction).map_err(sql)?;
        dropped::install(&transaction).map_err(sql)?;
        transaction.pragma_update(None, "user_version", from + 1).map_err(sql)?;
        transaction.commit().map_err(sql)?;
    }
    Ok(())
}
