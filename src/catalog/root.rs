//! Every frozen tree that a row refers to: what a collection of the store must keep.
//!
//! This is the only list of them. Each column that holds the hash of a tree stands in [`ROOTS`], whatever its row's
//! state: what is in the trash can be restored. A test reads the schema and finds a column that was forgotten.

use std::collections::HashSet;

use crate::model::RootId;

use super::revision::root_id;
use super::{Error, View};

/// A column that holds hashes of trees.
struct RootColumn {
    /// `table.column`.
    column: &'static str,
    /// What the row is, for people.
    what: &'static str,
    /// Yields: the hash, the id and the name of the source or session that it belongs to, the number of the row in that,
    /// and when it was deleted.
    sql: &'static str,
}

/// All of them.
const ROOTS: &[RootColumn] = &[
    RootColumn {
        column: "revision.root",
        what: "revision",
        sql: "SELECT revision.root, source.id, source.name, revision.number, source.deleted_ns
              FROM revision JOIN source ON source.id = revision.source",
    },
    RootColumn {
        column: "session.base_root",
        what: "session base",
        sql: "SELECT base_root, id, name, NULL, deleted_ns FROM session WHERE base_root IS NOT NULL",
    },
    RootColumn {
        column: "session.onto_root",
        what: "session's revision",
        sql: "SELECT onto_root, id, name, NULL, deleted_ns FROM session WHERE onto_root IS NOT NULL",
    },
    RootColumn {
        column: "session.parent_root",
        what: "beginning of a fork",
        sql: "SELECT parent_root, id, name, NULL, deleted_ns FROM session WHERE parent_root IS NOT NULL",
    },
    RootColumn {
        column: "session_pin.root",
        what: "part of a session",
        sql: "SELECT session_pin.root, session.id, session.name, NULL, session.deleted_ns
              FROM session_pin JOIN session ON session.id = session_pin.session",
    },
    RootColumn {
        column: "checkpoint.root",
        what: "checkpoint",
        sql: "SELECT checkpoint.root, session.id, session.name, checkpoint.number,
                     coalesce(session.deleted_ns, checkpoint.deleted_ns)
              FROM checkpoint JOIN session ON session.id = checkpoint.session",
    },
    RootColumn {
        column: "outcome.root",
        what: "commit",
        sql: "SELECT root, id, session_name, NULL, deleted_ns FROM outcome",
    },
    RootColumn {
        column: "outcome.base_root",
        what: "base of a commit",
        sql: "SELECT base_root, id, session_name, NULL, deleted_ns FROM outcome WHERE base_root IS NOT NULL",
    },
    RootColumn {
        column: "materialization.root",
        what: "session in a directory",
        sql: "SELECT materialization.root, session.id, session.name, NULL, session.deleted_ns
              FROM materialization JOIN session ON session.id = materialization.session",
    },
    RootColumn {
        column: "materialization.footprint",
        what: "directory of a session",
        sql: "SELECT materialization.footprint, session.id, session.name, NULL, session.deleted_ns
              FROM materialization JOIN session ON session.id = materialization.session",
    },
    RootColumn {
        column: "merge.theirs_root",
        what: "merged tree",
        sql: "SELECT merge.theirs_root, session.id, session.name, merge.number, session.deleted_ns
              FROM merge JOIN session ON session.id = merge.session WHERE merge.theirs_root IS NOT NULL",
    },
    RootColumn {
        column: "merge.base_root",
        what: "base of a merge",
        sql: "SELECT merge.base_root, session.id, session.name, merge.number, session.deleted_ns
              FROM merge JOIN session ON session.id = merge.session WHERE merge.base_root IS NOT NULL",
    },
    RootColumn {
        column: "merge.ours_root",
        what: "session before a merge",
        sql: "SELECT merge.ours_root, session.id, session.name, merge.number, session.deleted_ns
              FROM merge JOIN session ON session.id = merge.session WHERE merge.ours_root IS NOT NULL",
    },
    RootColumn {
        column: "merge.old_onto_root",
        what: "revision before an update",
        sql: "SELECT merge.old_onto_root, session.id, session.name, merge.number, session.deleted_ns
              FROM merge JOIN session ON session.id = merge.session WHERE merge.old_onto_root IS NOT NULL",
    },
    RootColumn {
        column: "annotation.root",
        what: "content of an annotation",
        sql:
            "SELECT annotation.root, session.id, session.name, NULL, coalesce(session.deleted_ns, annotation.deleted_ns)
              FROM annotation JOIN session ON session.id = annotation.session",
    },
    RootColumn {
        column: "approval.root",
        what: "content of an approval",
        sql: "SELECT root, session, session_name, NULL, NULL FROM approval",
    },
    RootColumn {
        column: "approval.onto_root",
        what: "base of an approval",
        sql: "SELECT onto_root, session, session_name, NULL, NULL FROM approval",
    },
];

/// The table and the name of each column that holds hashes of trees.
pub(super) fn root_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROOTS.iter().filter_map(|root| root.column.split_once('.'))
}

/// A tree that a row refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootRef {
    /// The tree.
    pub root: RootId,
    /// The column that has it, as `table.column`.
    pub column: &'static str,
    /// What the row is: `revision`, `session base` and so on.
    pub what: &'static str,
    /// The id of the source or session that it belongs to.
    pub object_id: String,
    /// Its name.
    pub name: String,
    /// The number of the row in that: of the revision, of the checkpoint.
    pub number: Option<u64>,
    /// When it was deleted, in nanoseconds since the Unix epoch; it is in the trash.
    pub deleted_ns: Option<i64>,
}

impl View<'_> {
    /// Every tree that a row refers to, also from the trash, or that undo and redo could bring back. The same tree can be there more than once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn roots(&self) -> Result<Vec<RootRef>, Error> {
        let mut roots = Vec::new();
        for column in ROOTS {
            roots.extend(self.rows(column.sql, [], |row| {
                Ok(RootRef {
                    root: root_id(row, 0)?,
                    column: column.column,
                    what: column.what,
                    object_id: row.get(1)?,
                    name: row.get(2)?,
                    number: row.get(3)?,
                    deleted_ns: row.get(4)?,
                })
            })?);
        }
        let known: HashSet<RootId> = roots.iter().map(|found| found.root).collect();
        roots.extend(self.undo_roots()?.into_iter().filter(|(root, _)| !known.contains(root)).map(
            |(root, operation)| RootRef {
                root,
                column: "undo_row",
                what: "undo of operation",
                object_id: operation.to_string(),
                name: operation.to_string(),
                number: None,
                deleted_ns: None,
            },
        ));
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base, Catalog, NewRevision};
    use crate::model::ObjectId;

    #[test]
    fn every_column_that_holds_a_tree_is_listed() {
        let dir = tempfile::TempDir::new().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let sql = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
                   WHERE m.type = 'table' AND (c.name LIKE '%root%' OR c.name = 'footprint')";
        let columns = catalog
            .view()
            .rows(sql, [], |row| Ok(format!("{}.{}", row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        let columns = columns.unwrap();
        assert!(columns.contains(&"revision.root".into()), "the schema is read");
        for column in columns.iter().filter(|column| *column != "dropped_root.root") {
            let is_listed = ROOTS.iter().any(|root| root.column == column);
            assert!(is_listed, "`{column}` holds trees that a collection would take away");
        }
        for root in ROOTS {
            assert!(columns.contains(&root.column.into()), "there is no `{}`", root.column);
        }
    }

    #[test]
    fn what_is_in_the_trash_is_a_root_too() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let act = Act { actor: "ann".into(), command: "test".into(), now_ns: 1, seed: [1; 32] };
        let root = |byte| RootId(ObjectId([byte; 32]));
        let new = super::super::NewSource {
            name: "web".into(),
            kind: super::super::SourceKind::Empty,
            origin: None,
            import: Default::default(),
            scratch: Vec::new(),
        };
        catalog
            .write::<_, Error>(&act, |tx| {
                let id = tx.create_source(&new)?;
                let (files, dirs, size_bytes, duration_ns) = (0, 1, 0, 0);
                let left_out = Vec::new();
                tx.create_revision(
                    &id,
                    &NewRevision {
                        root: root(1),
                        files,
                        dirs,
                        size_bytes,
                        duration_ns,
                        left_out,
                        origin_version: None,
                    },
                )?;
                tx.create_session("blank", &Base::default(), None)?;
                tx.create_session("fix", &Base { root: Some(root(2)), ..Base::default() }, None)?;
                let session = tx.view().session("fix")?;
                tx.delete_session(&session)?;
                tx.delete_source(&tx.view().source("web")?)
            })
            .unwrap();
        let roots = catalog.view().roots().unwrap();
        let short: Vec<_> = roots.iter().map(|found| (found.root, found.what, found.deleted_ns.is_some())).collect();
        assert_eq!(short, [(root(1), "revision", true), (root(2), "session base", true)]);
    }
}
