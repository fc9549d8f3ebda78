//! The operation log: one row a command that changed the catalog.

use super::{Act, Error, View};

/// One command that changed the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number, rising.
    pub seq: i64,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Who did it.
    pub actor: String,
    /// What was done, as the user could have typed it.
    pub command: String,
}

pub(super) fn insert(view: &View<'_>, act: &Act) -> Result<i64, Error> {
    let sql = "INSERT INTO operation (time_ns, actor, command) VALUES (?1, ?2, ?3) RETURNING seq";
    let seq = view.row(sql, (act.now_ns, &act.actor, &act.command), |row| row.get(0))?;
    seq.ok_or_else(|| Error::Damaged { path: view.path.to_owned(), what: "an operation got no number".into() })
}

impl View<'_> {
    /// The newest operations, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn operations(&self, limit: u32) -> Result<Vec<Operation>, Error> {
        let sql = "SELECT seq, time_ns, actor, command FROM operation ORDER BY seq DESC LIMIT ?1";
        self.rows(sql, [limit], |row| {
            Ok(Operation { seq: row.get(0)?, time_ns: row.get(1)?, actor: row.get(2)?, command: row.get(3)? })
        })
    }
}
