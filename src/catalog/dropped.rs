//! Trees that rows named while a collection of the store ran, and name no more.
//!
//! A collection looks at the rows twice, and waits in between for those who may have found something that is to go. Who
//! comes after that reads rows, and builds upon the trees that they name. Such a row may come and go between the two
//! looks: neither sees it, and what was built upon it would lose what it stands on. So triggers note each root that a row
//! lets go of while a collection runs, and the second look reads these notes, too.
//!
//! The triggers are made from the list of [roots](super::root) and the schema as it is when a collection begins, and are gone
//! when it has ended: every command reads the whole schema, and is not to pay for what is needed now and then.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior};

use crate::model::RootId;

use super::revision::root_id;
use super::root::root_columns;
use super::{Catalog, Error, View, open, proof};

/// What the names of our triggers begin with.
const PREFIX: &str = "dropped_";

/// Takes all triggers away, as before a change of the schema.
pub(super) fn remove(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names.iter().filter(|name| name.starts_with(PREFIX)) {
        connection.execute_batch(&format!("DROP TRIGGER \"{name}\""))?;
    }
    Ok(())
}

/// Makes the triggers of every column that names trees, and of what undo keeps, if a collection runs.
pub(super) fn install(connection: &Connection) -> rusqlite::Result<()> {
    if !has_column(connection, "dropped_root", "root")? || !connection.prepare("SELECT 1 FROM collection")?.exists([])?
    {
        return Ok(());
    }
    let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (table, column) in root_columns() {
        if has_column(connection, table, column)? {
            tables.entry(table).or_default().push(column);
        }
    }
    for (table, columns) in tables {
        connection.execute_batch(&of_table(table, &columns))?;
    }
    connection.execute_batch(OF_UNDO)
}

fn has_column(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";
    connection.prepare_cached(sql)?.exists([table, column])
}

fn of_table(table: &str, columns: &[&str]) -> String {
    let note = format!(
        "BEGIN
            INSERT OR IGNORE INTO dropped_root
            SELECT root FROM ({}) WHERE root NOT NULL;
         END;",
        columns.iter().map(|column| format!("SELECT OLD.\"{column}\" AS root")).collect::<Vec<_>>().join(" UNION ")
    );
    let update = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "CREATE TRIGGER {PREFIX}{table}_update AFTER UPDATE OF {update} ON \"{table}\" {note}
         CREATE TRIGGER {PREFIX}{table}_delete AFTER DELETE ON \"{table}\" {note}"
    )
}

/// As [`View::undo_roots`] reads them: bytes stand in hexadecimal with an `x` in front.
const OF_UNDO: &str = "
    CREATE TRIGGER dropped_undo_row_delete AFTER DELETE ON undo_row BEGIN
        INSERT OR IGNORE INTO dropped_root (root)
        SELECT unhex(substr(image.value, 2))
        FROM (SELECT key, value FROM json_each(ifnull(OLD.before, '{}'))
              UNION ALL SELECT key, value FROM json_each(ifnull(OLD.after, '{}'))) AS image
        WHERE instr(image.key, 'root') AND typeof(image.value) = 'text' AND length(image.value) = 65
            AND substr(image.value, 1, 1) = 'x';
    END;";

impl Catalog {
    /// A collection begins: from now on roots that rows let go of are noted. What one before it left is forgotten; the
    /// caller has the lock of collections.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin_collection(&mut self) -> Result<(), Error> {
        self.mark_collection("DELETE FROM dropped_root; INSERT OR IGNORE INTO collection (running) VALUES (1);")
    }

    /// It ended.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_collection(&mut self) -> Result<(), Error> {
        self.mark_collection("DELETE FROM collection; DELETE FROM dropped_root;")
    }

    /// This changes nothing that anybody could see, so it is no operation.
    fn mark_collection(&mut self, sql: &str) -> Result<(), Error> {
        let mut mark = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            remove(&transaction)?;
            transaction.execute_batch(sql)?;
            install(&transaction)?;
            let changes = proof::count(&transaction)?;
            transaction.commit()?;
            open::committed(&self.path, &self.connection, changes);
            Ok(())
        };
        mark().map_err(|error| Error::sql(&self.path, error))
    }
}

impl View<'_> {
    /// The trees that rows named since the collection began that runs now, and may name no more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn dropped_roots(&self) -> Result<Vec<RootId>, Error> {
        self.rows("SELECT root FROM dropped_root", [], |row| root_id(row, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base};
    use crate::model::ObjectId;

    fn act(now_ns: i64) -> Act {
        Act { actor: "ann".into(), command: "test".into(), now_ns, seed: [now_ns as u8; 32] }
    }

    fn tree(byte: u8) -> RootId {
        RootId(ObjectId([byte; 32]))
    }

    fn make(catalog: &mut Catalog, name: &str, root: RootId) -> String {
        let base = Base { root: Some(root), ..Base::default() };
        catalog.write::<_, Error>(&act(1), |tx| tx.create_session(name, &base, None)).unwrap()
    }

    #[test]
    fn what_a_row_lets_go_of_is_noted_only_while_a_collection_runs() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let id = make(&mut catalog, "fix", tree(1));
        assert!(catalog.fold_session(&id, 0, tree(2)).unwrap());
        assert_eq!(catalog.view().dropped_roots().unwrap(), []);
        catalog.begin_collection().unwrap();
        assert!(catalog.fold_session(&id, 1, tree(3)).unwrap());
        catalog.write::<_, Error>(&act(2), |tx| tx.pin_root(&id, tree(4))).unwrap();
        assert!(catalog.fold_session(&id, 2, tree(5)).unwrap(), "that takes the pin away");
        assert_eq!(catalog.view().dropped_roots().unwrap(), [tree(2), tree(3), tree(4)]);
        catalog.begin_collection().unwrap();
        assert_eq!(catalog.view().dropped_roots().unwrap(), [], "another one begins");
        catalog.end_collection().unwrap();
        assert!(catalog.fold_session(&id, 3, tree(6)).unwrap());
        assert_eq!(catalog.view().dropped_roots().unwrap(), []);
    }

    #[test]
    fn what_leaves_the_trash_and_what_undo_forgets_is_noted() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        catalog.begin_collection().unwrap();
        let base = Base { root: Some(tree(1)), onto: Some(tree(2)), ..Base::default() };
        let id = catalog.write::<_, Error>(&act(1), |tx| tx.create_session("fix", &base, None)).unwrap();
        catalog.write::<_, Error>(&act(2), |tx| tx.delete_session(&tx.view().session("fix")?)).unwrap();
        let trash = catalog.view().trash().unwrap();
        assert_eq!(trash[0].id, id);
        catalog.write::<_, Error>(&act(3), |tx| tx.purge(&trash)).unwrap();
        let known = catalog.view().roots().unwrap();
        assert!(known.iter().all(|found| found.root != tree(1)), "the row and its undo are gone: {known:?}");
        let dropped = catalog.view().dropped_roots().unwrap();
        assert!(dropped.contains(&tree(1)) && dropped.contains(&tree(2)), "{dropped:?}");
    }
}
