//! Putting back what an operation changed.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use serde_json::{Value, json};

use super::super::{Error, Tx, View};
use super::choose::Reversal;
use super::row::{Image, RowChange, sql, text};
use super::{UndoError, capture};

/// Columns that say when a row last changed: no conflict, and put back only if nobody changed the row since.
const STAMP: &str = "updated_ns";

/// What the names of columns with numbers that are never given out twice begin with.
const COUNTER: &str = "next_";

/// Columns that name the object that a row belongs to.
const OWNERS: [&str; 4] = ["source", "session", "outcome", "object_id"];

impl Tx<'_> {
    /// Puts back what an operation changed, and marks this operation as its undo or redo. Returns what was reversed.
    ///
    /// # Errors
    /// [`UndoError::Changed`], [`UndoError::NameTaken`], or what SQLite says.
    pub fn reverse(&mut self, reversal: &Reversal) -> Result<Vec<RowChange>, Error> {
        let operation = &reversal.reversed;
        let changes = self.view().row_changes(operation.seq)?;
        let kind = if reversal.is_redo { "redo" } else { "undo" };
        let mark = "UPDATE operation SET kind = ?2, target = ?3 WHERE seq = ?1";
        self.execute(mark, (self.operation(), kind, reversal.target))?;
        self.execute("PRAGMA defer_foreign_keys = ON", [])?;
        let mut work = Reverse { tx: self, reversal, trashed: Vec::new() };
        // Owners go to the trash before what they own is looked at: the order of rows is that of their making.
        for change in &changes {
            if work.goes_to_trash(change)? {
                work.trashed.extend(change.key.first().cloned());
            }
        }
        for change in changes.iter().rev() {
            work.row(change)?;
        }
        let mut told: Vec<(&str, &str)> = Vec::new();
        for change in &changes {
            let owner = || OWNERS.iter().find_map(|name| change.column(name).1.or(change.column(name).0));
            let Some(id) = change.id().or_else(|| owner().and_then(text)) else { continue };
            let object = match change.table.as_str() {
                "revision" => "source",
                "outcome" | "outcome_annotation" => "commit",
                "tag" if id.starts_with("b-") => "source",
                "tag" if id.starts_with("o-") => "commit",
                "tag" => "session",
                table => table,
            };
            if !told.contains(&(object, id)) {
                told.push((object, id));
            }
        }
        for (object, id) in told {
            let details = json!({ "operation": reversal.target, "command": operation.command });
            self.event_of(&format!("{object}.{kind}"), object, id, &details)?;
        }
        Ok(changes)
    }
}

struct Reverse<'a, 'c> {
    tx: &'a Tx<'c>,
    reversal: &'a Reversal,
    /// Keys of the rows that go to the trash.
    trashed: Vec<Value>,
}

impl Reverse<'_, '_> {
    fn goes_to_trash(&self, change: &RowChange) -> Result<bool, Error> {
        Ok(change.before.is_none() && self.table(change)?.has_trash())
    }

    fn table(&self, change: &RowChange) -> Result<capture::Table, Error> {
        let table = capture::table(self.tx.transaction, &change.table);
        let table = table.map_err(|error| Error::sql(self.tx.path, error))?;
        table.ok_or_else(|| self.gone("its table is not there any more"))
    }

    fn row(&self, change: &RowChange) -> Result<(), Error> {
        let table = self.table(change)?;
        let key = keys(&table, change).ok_or_else(|| self.gone("its row has no key"))?;
        let now = self.now(&table, &key)?;
        match (&change.before, &change.after) {
            (None, Some(after)) => {
                self.check(change, now.as_ref(), after)?;
                let belongs = |name: &&str| after.get(*name).is_some_and(|value| self.trashed.contains(value));
                self.refuse_if_used(change)?;
                if table.has_trash() {
                    let stamp = Value::from(self.tx.act().now_ns);
                    let changed = [("deleted_ns", &stamp), (STAMP, &stamp)];
                    let changed =
                        changed.into_iter().filter(|(name, _)| table.columns.iter().any(|known| known == name));
                    self.update(change, &table, &key, changed)
                } else if OWNERS.iter().any(belongs) {
                    // It stays with its owner, for the day that this comes back.
                    Ok(())
                } else {
                    self.execute(change, &format!("DELETE FROM {} WHERE {}", table.name, matches(&table, 0)), key)
                }
            }
            (Some(before), None) => match now {
                None => self.insert(change, &table, before),
                Some(_) => Err(self.changed(change)),
            },
            (Some(before), Some(after)) => {
                self.check(change, now.as_ref(), after)?;
                let is_put_back = |name: &str| {
                    let is_unchanged = now.as_ref().is_some_and(|now| now.get(name) == after.get(name));
                    !name.starts_with(COUNTER) && (name != STAMP || is_unchanged)
                };
                let put_back = before.iter().map(|(name, value)| (name.as_str(), value));
                self.update(change, &table, &key, put_back.filter(|(name, _)| is_put_back(name)))
            }
            (None, None) => Ok(()),
        }
    }

    /// The row as it is.
    fn now(&self, table: &capture::Table, key: &[Sql]) -> Result<Option<Image>, Error> {
        let pairs: Vec<_> =
            table.columns.iter().map(|name| format!("'{name}', {}", capture::value(&table.name, name))).collect();
        let sql = format!("SELECT json_object({}) FROM {} WHERE {}", pairs.join(", "), table.name, matches(table, 0));
        let found: Option<String> = self.view().row(&sql, params_from_iter(key), |row| row.get(0))?;
        found.map(|text| self.view().json(&text)).transpose()
    }

    /// Refuses when the row is not what the operation made of it.
    fn check(&self, change: &RowChange, now: Option<&Image>, after: &Image) -> Result<(), Error> {
        let Some(now) = now else { return Err(self.changed(change)) };
        let is_free = |name: &str| name == STAMP || name.starts_with(COUNTER);
        // A column that is not there any more says nothing.
        let differs = after.iter().any(|(name, value)| !is_free(name) && now.get(name).is_some_and(|now| now != value));
        if differs { Err(self.changed(change)) } else { Ok(()) }
    }

    /// Refuses to take away what sessions stand on.
    fn refuse_if_used(&self, change: &RowChange) -> Result<(), Error> {
        let (Some(id), is_whole) = (change.id(), change.table == "source") else { return Ok(()) };
        if !is_whole && change.table != "revision" {
            return Ok(());
        }
        let number = change.key.get(1).and_then(Value::as_u64);
        let mut sessions = self.view().sessions_on(id)?;
        sessions.retain(|session| is_whole || session.base.revision == number);
        if sessions.is_empty() || !is_whole && self.trashed.contains(&change.key[0]) {
            return Ok(());
        }
        let (seq, command) = (self.reversal.reversed.seq, self.reversal.reversed.command.clone());
        let sessions = sessions.into_iter().map(|session| format!("`{}`", session.name)).collect();
        Err(UndoError::InUse { seq, command, what: self.what(change)?, sessions }.into())
    }

    fn insert(&self, change: &RowChange, table: &capture::Table, image: &Image) -> Result<(), Error> {
        let known = image.iter().filter(|(name, _)| table.columns.contains(name));
        let (names, values): (Vec<String>, Vec<&Value>) =
            known.map(|(name, value)| (format!("\"{name}\""), value)).unzip();
        let marks: Vec<_> = (1..=values.len()).map(|at| format!("?{at}")).collect();
        let values = values.into_iter().filter_map(sql).collect();
        let (names, marks) = (names.join(", "), marks.join(", "));
        self.execute(change, &format!("INSERT INTO {} ({names}) VALUES ({marks})", table.name), values)
    }

    fn update<'v>(
        &self,
        change: &RowChange,
        table: &capture::Table,
        key: &[Sql],
        columns: impl Iterator<Item = (&'v str, &'v Value)>,
    ) -> Result<(), Error> {
        let mut sets = Vec::new();
        let mut values = key.to_vec();
        for (name, value) in columns.filter(|(name, _)| table.columns.iter().any(|known| known == name)) {
            values.extend(sql(value));
            sets.push(format!("\"{name}\" = ?{}", values.len()));
        }
        if sets.is_empty() {
            return Ok(());
        }
        let sql = format!("UPDATE {} SET {} WHERE {}", table.name, sets.join(", "), matches(table, 0));
        self.execute(change, &sql, values)
    }

    fn execute(&self, change: &RowChange, sql: &str, values: Vec<Sql>) -> Result<(), Error> {
        let prepared = self.tx.capture.prepare(self.tx.transaction, sql);
        let done = prepared.and_then(|mut run| run.execute(params_from_iter(values)));
        match done {
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
                let (seq, command) = (self.reversal.reversed.seq, self.reversal.reversed.command.clone());
                Err(UndoError::NameTaken { seq, command, what: self.what(change)? }.into())
            }
            Err(error) => Err(Error::sql(self.tx.path, error)),
        }
    }

    fn view(&self) -> View<'_> {
        self.tx.view()
    }

    /// What a row is, for people: `session fix-login`, or `revision 3 of source web`.
    fn what(&self, change: &RowChange) -> Result<String, Error> {
        let id = change.id().unwrap_or_default();
        let name = |table: &str| {
            let sql = format!("SELECT name FROM {table} WHERE id = ?1");
            Ok::<String, Error>(self.view().row(&sql, [id], |row| row.get(0))?.unwrap_or_else(|| id.to_owned()))
        };
        Ok(match (change.table.as_str(), change.key.get(1)) {
            (table @ ("source" | "session"), _) => format!("{table} `{}`", name(table)?),
            ("revision", Some(number)) => format!("revision {number} of source `{}`", name("source")?),
            ("checkpoint", _) => {
                let sql = "SELECT s.name || '@' || c.number FROM checkpoint AS c JOIN session AS s ON s.id = c.session
                           WHERE c.id = ?1";
                let name: Option<String> = self.view().row(sql, [id], |row| row.get(0))?;
                format!("checkpoint `{}`", name.unwrap_or_else(|| id.to_owned()))
            }
            ("outcome", _) => format!("commit `{id}`"),
            ("tag", Some(key)) => format!("tag `{}`", text(key).unwrap_or_default()),
            (table, _) => format!("{table} `{id}`"),
        })
    }

    fn changed(&self, change: &RowChange) -> Error {
        let (seq, command) = (self.reversal.reversed.seq, self.reversal.reversed.command.clone());
        let what = match self.what(change) {
            Ok(what) => what,
            Err(error) => return error,
        };
        let sql = "SELECT seq, command FROM operation WHERE seq > ?1 AND seq < ?2 AND seq IN
                   (SELECT operation FROM undo_row WHERE table_name = ?3 AND key = ?4) ORDER BY seq DESC LIMIT 1";
        let key = Value::from(change.key.clone()).to_string();
        let found =
            self.view().row(sql, (seq, self.tx.operation(), &change.table, key), |row| Ok((row.get(0)?, row.get(1)?)));
        match found {
            Ok(by) => UndoError::Changed { seq, command, what, by }.into(),
            Err(error) => error,
        }
    }

    fn gone(&self, why: &str) -> Error {
        let (seq, command) = (self.reversal.reversed.seq, self.reversal.reversed.command.clone());
        UndoError::Gone { seq, command, why: why.into() }.into()
    }
}

fn keys(table: &capture::Table, change: &RowChange) -> Option<Vec<Sql>> {
    (table.key.len() == change.key.len()).then(|| change.key.iter().filter_map(sql).collect())
}

/// The condition that a row has the key whose values are the parameters after `skipped`.
fn matches(table: &capture::Table, skipped: usize) -> String {
    let equal = table.key.iter().enumerate().map(|(at, name)| format!("\"{name}\" IS ?{}", at + 1 + skipped));
    equal.collect::<Vec<_>>().join(" AND ")
}
