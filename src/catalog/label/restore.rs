//! Rows made from labels, in a catalog that has none.

use std::collections::BTreeMap;

use rusqlite::types::Value as Sql;

use crate::model::{ObjectId, RootId};

use super::super::root::root_columns;
use super::super::undo::{Image, capture, sql};
use super::super::{Error, Tx};
use super::{Labelled, Labels, TABLES};

/// What came of the labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Sources.
    pub sources: u64,
    /// Their revisions.
    pub revisions: u64,
    /// Sessions.
    pub sessions: u64,
    /// Their checkpoints.
    pub checkpoints: u64,
    /// Commits.
    pub commits: u64,
    /// Revisions, checkpoints and commits whose trees are damaged or missing, as `kind name`.
    pub lost: Vec<String>,
    /// Sessions that are not as they were last, because their tree is damaged or their live files lie on one that no label
    /// names: id and name.
    pub behind: Vec<(String, String)>,
}

/// What stands in the way of a row that named something that is not there.
const ORPHANS: &str = "
    DELETE FROM revision WHERE source NOT IN (SELECT id FROM source);
    DELETE FROM policy WHERE source NOT IN (SELECT id FROM source);
    UPDATE session SET base_source = NULL, base_revision = NULL WHERE base_source NOT IN (SELECT id FROM source);
    UPDATE session SET parent = NULL, parent_checkpoint = NULL WHERE parent NOT IN (SELECT id FROM session);
    UPDATE session SET head_commit = NULL WHERE head_commit NOT IN (SELECT id FROM outcome);
    UPDATE session SET from_commit = NULL WHERE from_commit NOT IN (SELECT id FROM outcome);
    DELETE FROM checkpoint WHERE session NOT IN (SELECT id FROM session);
    DELETE FROM merge WHERE session NOT IN (SELECT id FROM session);
    DELETE FROM conflict
        WHERE NOT EXISTS (SELECT 1 FROM merge WHERE merge.session = conflict.session AND number = conflict.merge);
    DELETE FROM tag WHERE object_id NOT IN
        (SELECT id FROM source UNION ALL SELECT id FROM session UNION ALL SELECT id FROM outcome);
    UPDATE outcome SET parent = NULL WHERE parent NOT IN (SELECT id FROM outcome);
    UPDATE source SET next_revision =
        max(next_revision, 1 + (SELECT ifnull(max(number), 0) FROM revision WHERE source = source.id));
    UPDATE session SET next_checkpoint =
        max(next_checkpoint, 1 + (SELECT ifnull(max(number), 0) FROM checkpoint WHERE session = session.id));
    UPDATE session SET status = 'active' WHERE status IN ('review', 'pending-approval')
        OR status = 'conflict' AND id NOT IN (SELECT session FROM merge WHERE state = 'open');";

impl Tx<'_> {
    /// Makes the rows that labels tell of. `is_whole` says whether all of a tree is there; `newest_delta` which is the
    /// newest delta that there are files of, of the session with this id. This cannot be undone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn restore_labels(
        &mut self,
        labels: &Labels,
        is_whole: &dyn Fn(RootId) -> bool,
        newest_delta: &dyn Fn(&str) -> Option<u64>,
    ) -> Result<Restored, Error> {
        let sql = |error| Error::sql(self.path, error);
        self.execute("PRAGMA defer_foreign_keys = ON", [])?;
        let mut restored = Restored::default();
        for (table, _) in TABLES {
            let Some(schema) = capture::table(self.transaction, table).map_err(sql)? else { continue };
            for ((_, key), label) in labels.rows.iter().filter(|((found, _), _)| found == table) {
                let Some(row) = &label.row else { continue };
                // What a later version added is not known here.
                let known = row.iter().filter(|(column, _)| schema.columns.contains(column));
                let mut row: Image = known.map(|(column, value)| (column.clone(), value.clone())).collect();
                if !keep_whole(table, &mut row, is_whole) {
                    restored.lost.push(format!("{} {}", word(table), shown(&row, key)));
                    continue;
                }
                if *table == "session" {
                    place(&mut row, labels, is_whole, newest_delta, &mut restored);
                }
                if !self.put(table, &row)? && !self.put_under_another_name(table, row.clone())? {
                    restored.lost.push(format!("{} {}", word(table), shown(&row, key)));
                    continue;
                }
                self.pin(&row, label, is_whole)?;
            }
        }
        self.capture.all(self.transaction).map_err(sql)?;
        self.transaction.execute_batch(ORPHANS).map_err(sql)?;
        let count = |table: &str| {
            let rows = self.view().row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok::<u64, Error>(rows.unwrap_or(0))
        };
        (restored.sources, restored.revisions) = (count("source")?, count("revision")?);
        (restored.sessions, restored.checkpoints, restored.commits) =
            (count("session")?, count("checkpoint")?, count("outcome")?);
        self.cannot_be_undone("there is nothing to go back to")?;
        Ok(restored)
    }

    /// Inserts a row; says whether it could be.
    fn put(&self, table: &str, row: &Image) -> Result<bool, Error> {
        let columns: Vec<String> = row.keys().map(|column| format!("\"{column}\"")).collect();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let insert = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({})", columns.join(", "), places.join(", "));
        let values: Vec<Sql> = row.values().map(|value| sql(value).unwrap_or(Sql::Null)).collect();
        Ok(self.execute(&insert, rusqlite::params_from_iter(values))? > 0)
    }

    /// Two labels may give one name to two objects: one of them tells of a command that never happened.
    fn put_under_another_name(&self, table: &str, mut row: Image) -> Result<bool, Error> {
        let Some(id) = text(&row, "id").filter(|_| row.contains_key("name")) else { return Ok(false) };
        row.insert("name".into(), format!("trecovered-{id}").into());
        self.put(table, &row)
    }

    fn pin(&mut self, row: &Image, label: &Labelled, is_whole: &dyn Fn(RootId) -> bool) -> Result<(), Error> {
        let Some(id) = text(row, "id") else { return Ok(()) };
        for root in label.pins.iter().filter_map(|pin| ObjectId::from_hex(pin)).map(RootId) {
            if is_whole(root) {
                self.pin_root(&id, root)?;
            }
        }
        Ok(())
    }
}

/// Takes trees out of a row that are not whole; `false` if the row is nothing without.
fn keep_whole(table: &str, row: &mut Image, is_whole: &dyn Fn(RootId) -> bool) -> bool {
    for (_, column) in root_columns().filter(|(found, _)| *found == table) {
        let Some(Sql::Blob(bytes)) = row.get(column).and_then(sql) else { continue };
        let root = <[u8; 32]>::try_from(bytes).map(|hash| RootId(ObjectId(hash)));
        if !root.is_ok_and(is_whole) {
            row.remove(column);
            // Without its base a session can still begin with its newest checkpoint.
            if matches!(column, "root" | "theirs_root") {
                return false;
            }
            if (table, column) == ("session", "base_root") {
                row.insert(NO_BASE.into(), true.into());
            }
        }
    }
    true
}

/// Marks a session whose base is damaged. No column has such a name.
const NO_BASE: &str = "no base";

/// Puts a session where its live files are, or on its newest checkpoint, with a delta that there is nothing of.
fn place(
    row: &mut Image,
    labels: &Labels,
    is_whole: &dyn Fn(RootId) -> bool,
    newest_delta: &dyn Fn(&str) -> Option<u64>,
    restored: &mut Restored,
) {
    let (Some(id), Some(name)) = (text(row, "id"), text(row, "name")) else { return };
    let delta = row.get("delta").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let newest = newest_delta(&id);
    let has_no_base = row.remove(NO_BASE).is_some();
    if !has_no_base && newest.is_none_or(|newest| newest <= delta) {
        return;
    }
    if has_no_base {
        let checkpoints = labels.rows.iter().filter(|((table, _), _)| table == "checkpoint");
        let own = checkpoints
            .filter_map(|(_, label)| label.row.as_ref())
            .filter(|row| text(row, "session").as_ref() == Some(&id));
        let whole: BTreeMap<u64, &Image> = own
            .filter(|row| keep_whole("checkpoint", &mut (*row).clone(), is_whole))
            .filter_map(|row| Some((row.get("number")?.as_u64()?, row)))
            .collect();
        if let Some(root) = whole.last_key_value().and_then(|(_, row)| row.get("root")) {
            row.insert("base_root".into(), root.clone());
        } else if let Some(onto) = row.get("onto_root").cloned() {
            row.insert("base_root".into(), onto);
        }
    }
    row.insert("delta".into(), (newest.unwrap_or(0).max(delta) + 1).into());
    restored.behind.push((id, name));
}

fn text(row: &Image, column: &str) -> Option<String> {
    Some(row.get(column)?.as_str()?.strip_prefix('t')?.to_owned())
}

fn word(table: &str) -> &str {
    if table == "outcome" { "commit" } else { table }
}

/// What a row is called, for people.
fn shown(row: &Image, key: &str) -> String {
    text(row, "name").or_else(|| text(row, "id")).unwrap_or_else(|| key.to_owned())
}
