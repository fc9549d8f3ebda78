//! What is done with the work of sessions: promoting it, and writing it to a directory outside.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::json;

use super::{Error, ObjectType, Revision, Session, Tx, View, revision};

impl View<'_> {
    /// The newest revision of a source that was imported, and not promoted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_import(&self, source_id: &str) -> Result<Option<Revision>, Error> {
        let sql = format!(
            "SELECT {} WHERE source = ?1 AND promoted_from IS NULL ORDER BY number DESC LIMIT 1",
            revision::COLUMNS
        );
        self.row(&sql, [source_id], revision::read)
    }
}

impl Tx<'_> {
    /// Notes that a revision was promoted, and from which session or commit.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn promoted(&mut self, source_id: &str, number: u64, from: &str) -> Result<(), Error> {
        let sql = "UPDATE revision SET promoted_from = ?3 WHERE source = ?1 AND number = ?2";
        self.execute(sql, (source_id, number, from))?;
        let details = json!({ "revision": number, "from": from });
        self.event("source.promote", ObjectType::Source, source_id, &details)
    }

    /// Notes that what a session or commit brings was exported: as what, and to which commit of git.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn exported(&mut self, session: &str, from: &str, form: &str, commit: Option<&str>) -> Result<(), Error> {
        let details = json!({ "from": from, "form": form, "commit": commit });
        self.event("session.export", ObjectType::Session, session, &details)
    }

    /// Notes that changes of a session were written to a directory, which cannot be undone here. `counts` are the paths
    /// that were written, and those that were left alone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn applied(
        &mut self,
        session: &Session,
        target: &Path,
        change_set: &str,
        counts: (u64, u64),
    ) -> Result<(), Error> {
        let path = String::from_utf8_lossy(target.as_os_str().as_bytes());
        let details = json!({
            "name": session.name, "target": path, "change_set": change_set, "applied": counts.0, "conflicts": counts.1,
        });
        self.event("session.apply", ObjectType::Session, &session.id, &details)?;
        self.cannot_be_undone("it wrote to a directory outside of aether")
    }
}
