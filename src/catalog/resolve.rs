//! From what a user wrote to an object: its name, its id, or a unique prefix of its id, in this order.
//!
//! Deleted objects are not found.

use super::{Error, ObjectType, View, id};

/// How many candidates an ambiguous prefix lists.
const CANDIDATES: u64 = 10;

impl ObjectType {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Session => "session",
            Self::Checkpoint => "checkpoint",
            // `commit` is a word of SQL.
            Self::Commit => "outcome",
            Self::Approval => "approval",
            Self::Annotation => "annotation",
        }
    }

    /// What people call an object of the type, as SQL over its table.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Source | Self::Session | Self::Checkpoint => "name",
            Self::Commit => "substr(message, 1, instr(message || char(10), char(10)) - 1)",
            Self::Approval => "action",
            Self::Annotation => "substr(text, 1, 60)",
        }
    }

    /// Whether one that is deleted can be brought back from the trash.
    pub(super) fn has_trash(self) -> bool {
        !matches!(self, Self::Approval)
    }
}

impl View<'_> {
    /// The id of the object of this type that `key` names.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn resolve(&self, kind: ObjectType, key: &str) -> Result<String, Error> {
        let table = kind.table();
        let by_name = format!("SELECT id FROM {table} WHERE name = ?1 AND deleted_ns IS NULL");
        if let Some(id) = self.row(&by_name, [key], |row| row.get(0))? {
            return Ok(id);
        }
        self.resolve_id(kind, key)
    }

    /// The id of the object of this type that `key` is a prefix of.
    ///
    /// # Errors
    /// As [`View::resolve`].
    pub(super) fn resolve_id(&self, kind: ObjectType, key: &str) -> Result<String, Error> {
        let (table, label) = (kind.table(), kind.label());
        let not_found = || Error::NotFound { kind, key: key.to_owned() };
        if !id::has_prefix_form(kind, key) {
            return Err(not_found());
        }
        // `~` sorts behind every character of an id.
        let alive = if kind.has_trash() { "AND deleted_ns IS NULL" } else { "" };
        let by_prefix = format!(
            "SELECT id, coalesce({label}, '') FROM {table} WHERE id >= ?1 AND id < ?1 || '~' {alive} ORDER BY id LIMIT ?2"
        );
        let found: Vec<(String, String)> =
            self.rows(&by_prefix, (key, CANDIDATES), |row| Ok((row.get(0)?, row.get(1)?)))?;
        match found.as_slice() {
            [] => Err(not_found()),
            [(id, _)] => Ok(id.clone()),
            many => {
                let candidates = many
                    .iter()
                    .map(|(id, name)| match name.as_str() {
                        "" => id.clone(),
                        name => format!("{id} ({name})"),
                    })
                    .collect();
                Err(Error::Ambiguous { kind, key: key.to_owned(), candidates })
            }
        }
    }

    /// The names of all objects of a type, sorted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn names(&self, kind: ObjectType) -> Result<Vec<String>, Error> {
        let sql = format!("SELECT name FROM {} WHERE deleted_ns IS NULL ORDER BY name", kind.table());
        self.rows(&sql, [], |row| row.get(0))
    }

    /// Whether an object that is not deleted has this name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn name_is_taken(&self, kind: ObjectType, name: &str) -> Result<bool, Error> {
        let sql = format!("SELECT 1 FROM {} WHERE name = ?1 AND deleted_ns IS NULL", kind.table());
        Ok(self.row(&sql, [name], |_| Ok(()))?.is_some())
    }

    pub(super) fn id_is_taken(&self, kind: ObjectType, id: &str) -> Result<bool, Error> {
        let sql = format!("SELECT 1 FROM {} WHERE id = ?1", kind.table());
        Ok(self.row(&sql, [id], |_| Ok(()))?.is_some())
    }

    /// Refuses a name that breaks the rules or is taken.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn check_free(&self, kind: ObjectType, name: &str) -> Result<(), Error> {
        super::check_name(name).map_err(|why| Error::BadName { kind, name: name.to_owned(), why })?;
        if self.name_is_taken(kind, name)? {
            return Err(Error::Exists { kind, name: name.to_owned() });
        }
        Ok(())
    }
}
