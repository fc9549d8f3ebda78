//! The trash: objects that were deleted, until they are restored or removed for good.

use serde_json::json;

use super::{Error, ObjectType, Tx, View};

/// An object in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// What it is.
    pub kind: ObjectType,
    /// Its id.
    pub id: String,
    /// The name that it had.
    pub name: String,
    /// When it was deleted, in nanoseconds since the Unix epoch.
    pub deleted_ns: i64,
}

impl View<'_> {
    /// Everything in the trash, what was deleted last first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trash(&self) -> Result<Vec<Trashed>, Error> {
        let mut all = Vec::new();
        for kind in ObjectType::ALL.into_iter().filter(|kind| kind.has_trash()) {
            let sql = match kind {
                // With its session it comes and goes.
                ObjectType::Checkpoint => "SELECT c.id, s.name || '@' || c.number, c.deleted_ns FROM checkpoint AS c
                     JOIN session AS s ON s.id = c.session WHERE c.deleted_ns IS NOT NULL AND s.deleted_ns IS NULL"
                    .to_owned(),
                _ => format!(
                    "SELECT id, {}, deleted_ns FROM {} WHERE deleted_ns IS NOT NULL",
                    kind.label(),
                    kind.table()
                ),
            };
            all.extend(self.rows(&sql, [], |row| {
                Ok(Trashed { kind, id: row.get(0)?, name: row.get(1)?, deleted_ns: row.get(2)? })
            })?);
        }
        all.sort_by(|a, b| b.deleted_ns.cmp(&a.deleted_ns).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// The object in the trash with this id, name or unique prefix of an id.
    ///
    /// # Errors
    /// [`Error::NotInTrash`], [`Error::AmbiguousTrash`], or what SQLite says.
    pub fn trashed(&self, key: &str) -> Result<Trashed, Error> {
        const CANDIDATES: usize = 10;
        let all = self.trash()?;
        let exact = |found: &&Trashed| found.id == key || found.name == key;
        let mut found: Vec<_> = all.iter().filter(exact).collect();
        if found.is_empty() {
            let is_prefix = |found: &&Trashed| super::id::has_prefix_form(found.kind, key) && found.id.starts_with(key);
            found = all.iter().filter(is_prefix).collect();
        }
        match found.as_slice() {
            [] => Err(Error::NotInTrash { key: key.to_owned() }),
            [one] => Ok((*one).clone()),
            many => {
                let show = |found: &&Trashed| format!("{} ({} {})", found.id, found.kind, found.name);
                let candidates = many.iter().take(CANDIDATES).map(show).collect();
                Err(Error::AmbiguousTrash { key: key.to_owned(), candidates })
            }
        }
    }
}

impl Tx<'_> {
    /// Takes an object out of the trash, under the name that it had or another.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::BadName`], or what SQLite says.
    pub fn take_from_trash(&mut self, found: &Trashed, name: Option<&str>) -> Result<(), Error> {
        match found.kind {
            ObjectType::Checkpoint => return self.take_checkpoint_from_trash(found, name),
            ObjectType::Commit => return self.take_commit_from_trash(found),
            ObjectType::Approval => return Err(Error::NotInTrash { key: found.id.clone() }),
            ObjectType::Annotation => return self.take_annotation_from_trash(found),
            ObjectType::Source | ObjectType::Session => {}
        }
        let name = name.unwrap_or(&found.name);
        self.view().check_free(found.kind, name).map_err(taken)?;
        let (table, now) = (found.kind.word(), self.act().now_ns);
        let sql = format!("UPDATE {table} SET deleted_ns = NULL, name = ?2, updated_ns = ?3 WHERE id = ?1");
        self.execute(&sql, (&found.id, name, now))?;
        self.event(&format!("{table}.undelete"), found.kind, &found.id, &json!({ "name": name }))
    }

    /// A checkpoint keeps its number in any case; what it may lack is the name that it had beside it.
    fn take_checkpoint_from_trash(&mut self, found: &Trashed, name: Option<&str>) -> Result<(), Error> {
        let sql = "SELECT session, coalesce(?2, name) FROM checkpoint WHERE id = ?1";
        let row = self.view().row(sql, (&found.id, name), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (session, name): (String, Option<String>) =
            row.ok_or_else(|| Error::NotInTrash { key: found.id.clone() })?;
        if let Some(name) = &name {
            self.view().check_checkpoint_name(&session, name).map_err(taken)?;
        }
        self.execute("UPDATE checkpoint SET deleted_ns = NULL, name = ?2 WHERE id = ?1", (&found.id, &name))?;
        let details = json!({ "session": session, "name": name });
        self.event("checkpoint.undelete", ObjectType::Checkpoint, &found.id, &details)
    }

    /// A commit has no name that could be taken.
    fn take_commit_from_trash(&mut self, found: &Trashed) -> Result<(), Error> {
        self.execute("UPDATE outcome SET deleted_ns = NULL WHERE id = ?1", [&found.id])?;
        self.event("commit.undelete", ObjectType::Commit, &found.id, &json!({}))
    }

    /// Removes objects that are in the trash for good. Sources that sessions came from stay, also when the sessions
    /// are in the trash. Returns those that stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn purge(&mut self, objects: &[Trashed]) -> Result<Vec<Trashed>, Error> {
        // What belongs to them goes with them, and so do the notes of that.
        self.named.anew = true;
        let mut stay = Vec::new();
        // What stands on others goes before these.
        for kind in ObjectType::ALL.into_iter().rev() {
            for found in objects.iter().filter(|found| found.kind == kind) {
                let used = "SELECT 1 FROM session WHERE base_source = ?1";
                if self.view().row(used, [&found.id], |_| Ok(()))?.is_some() {
                    stay.push(found.clone());
                    continue;
                }
                let gone = format!("DELETE FROM {} WHERE id = ?1 AND deleted_ns IS NOT NULL", kind.table());
                if self.execute(&gone, [&found.id])? > 0 {
                    self.execute("DELETE FROM tag WHERE object_id = ?1", [&found.id])?;
                    self.event(&format!("{kind}.purge"), kind, &found.id, &json!({ "name": found.name }))?;
                }
            }
        }
        self.forget()?;
        Ok(stay)
    }

    /// Whatever needs the rows that this operation removed can be undone no more, and holds no trees any more.
    fn forget(&mut self) -> Result<(), Error> {
        let needs = "SELECT other.operation FROM undo_row AS own JOIN undo_row AS other
                     ON other.table_name = own.table_name AND other.key = own.key
                     WHERE own.operation = ?1 AND own.after IS NULL AND other.operation <> ?1";
        let why = "what it needs was removed from the trash";
        let mark = format!("UPDATE operation SET gone = coalesce(gone, ?2) WHERE seq IN ({needs})");
        self.execute(&mark, (self.operation(), why))?;
        self.execute(&format!("DELETE FROM undo_row WHERE operation IN ({needs})"), [self.operation()])?;
        self.cannot_be_undone("it removed what was in the trash for good")
    }
}

fn taken(error: Error) -> Error {
    match error {
        Error::Exists { kind, name } => Error::NameTaken { kind, name },
        other => other,
    }
}
