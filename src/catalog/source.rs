//! Sources: named baselines, and how they are imported.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::json;

use super::{Error, ObjectType, Tx, View};

/// Where a source's content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A directory on this machine.
    Dir,
    /// A git repository, here or at an address.
    Git,
    /// A git bundle.
    Bundle,
    /// A tar archive, plain or compressed.
    Tar,
    /// A session, or a state of one that stays. The origin is its id.
    State,
    /// From nowhere: it began empty.
    Empty,
}

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Dir, Self::Git, Self::Bundle, Self::Tar, Self::State, Self::Empty];

    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::Git => "git",
            Self::Bundle => "bundle",
            Self::Tar => "tar",
            Self::State => "state",
            Self::Empty => "empty",
        }
    }

    /// The kind that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// How an import treats its origin. Kept, so that a refresh does the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSettings {
    /// Globs of what to leave out.
    pub excludes: Vec<String>,
    /// Leave out what the origin's `.gitignore` files ignore.
    pub respect_gitignore: bool,
    /// Go on when a file cannot be read.
    pub skip_unreadable: bool,
    /// The branch, tag or commit of a repository; its own choice if none is named.
    pub rev: Option<String>,
    /// Take the submodules of a repository along.
    pub submodules: bool,
    /// The most bytes that an archive or a repository may hold.
    pub max_bytes: Option<u64>,
}

/// A source to be.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// Its name.
    pub name: String,
    /// What kind of origin it has.
    pub kind: SourceKind,
    /// The origin's absolute path, or its address.
    pub origin: Option<PathBuf>,
    /// How it is imported.
    pub import: ImportSettings,
    /// Globs of paths that no outcome holds.
    pub scratch: Vec<String>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What kind of origin it has.
    pub kind: SourceKind,
    /// The origin's absolute path, or its address.
    pub origin: Option<PathBuf>,
    /// How it is imported.
    pub import: ImportSettings,
    /// Globs of paths that no outcome holds.
    pub scratch: Vec<String>,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// When it last changed.
    pub updated_ns: i64,
    /// Who made it.
    pub actor: String,
    /// When it was deleted.
    pub deleted_ns: Option<i64>,
}

const COLUMNS: &str = "id, name, kind, origin, excludes, respect_gitignore, skip_unreadable, scratch, created_ns,
    updated_ns, actor, deleted_ns, rev, submodules, max_bytes";

fn read(row: &Row<'_>) -> rusqlite::Result<Source> {
    let kind: String = row.get(2)?;
    let kind = SourceKind::from_word(&kind).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(2, Type::Text, format!("a source of kind `{kind}`").into())
    })?;
    Ok(Source {
        id: row.get(0)?,
        name: row.get(1)?,
        kind,
        origin: row.get::<_, Option<Vec<u8>>>(3)?.map(|bytes| OsString::from_vec(bytes).into()),
        import: ImportSettings {
            excludes: strings(row, 4)?,
            respect_gitignore: row.get(5)?,
            skip_unreadable: row.get(6)?,
            rev: row.get(12)?,
            submodules: row.get(13)?,
            max_bytes: row.get(14)?,
        },
        scratch: strings(row, 7)?,
        created_ns: row.get(8)?,
        updated_ns: row.get(9)?,
        actor: row.get(10)?,
        deleted_ns: row.get(11)?,
    })
}

/// A column that holds a JSON list of strings.
pub(super) fn strings(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

impl View<'_> {
    /// All sources that are not deleted, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sources(&self) -> Result<Vec<Source>, Error> {
        self.rows(&format!("SELECT {COLUMNS} FROM source WHERE deleted_ns IS NULL ORDER BY name"), [], read)
    }

    /// The source with this name, id or prefix.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn source(&self, key: &str) -> Result<Source, Error> {
        let id = self.resolve(ObjectType::Source, key)?;
        self.source_by_id(&id)?.ok_or_else(|| Error::NotFound { kind: ObjectType::Source, key: key.to_owned() })
    }

    /// The source with this id, deleted or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn source_by_id(&self, id: &str) -> Result<Option<Source>, Error> {
        self.row(&format!("SELECT {COLUMNS} FROM source WHERE id = ?1"), [id], read)
    }
}

impl Tx<'_> {
    /// Makes a source, still without a revision; returns its id.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn create_source(&mut self, new: &NewSource) -> Result<String, Error> {
        self.view().check_free(ObjectType::Source, &new.name)?;
        let id = self.fresh_id(ObjectType::Source)?;
        let act = self.act();
        self.execute(
            "INSERT INTO source (id, name, kind, origin, excludes, respect_gitignore, skip_unreadable, scratch,
                 created_ns, updated_ns, actor, rev, submodules, max_bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12, ?13)",
            (
                &id,
                &new.name,
                new.kind.word(),
                new.origin.as_ref().map(|path| path.as_os_str().as_bytes()),
                json!(new.import.excludes).to_string(),
                new.import.respect_gitignore,
                new.import.skip_unreadable,
                json!(new.scratch).to_string(),
                act.now_ns,
                &act.actor,
                &new.import.rev,
                new.import.submodules,
                new.import.max_bytes,
            ),
        )?;
        self.event("source.create", ObjectType::Source, &id, &json!({ "name": new.name }))?;
        Ok(id)
    }

    /// Gives a source another name.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn rename_source(&mut self, source: &Source, name: &str) -> Result<(), Error> {
        self.view().check_free(ObjectType::Source, name)?;
        let now = self.act().now_ns;
        self.execute("UPDATE source SET name = ?2, updated_ns = ?3 WHERE id = ?1", (&source.id, name, now))?;
        let details = json!({ "from": source.name, "to": name });
        self.event("source.rename", ObjectType::Source, &source.id, &details)
    }

    /// Marks a source as deleted. Sessions that stand on it keep their base.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_source(&mut self, source: &Source) -> Result<(), Error> {
        let now = self.act().now_ns;
        self.execute("UPDATE source SET deleted_ns = ?2, updated_ns = ?2 WHERE id = ?1", (&source.id, now))?;
        self.event("source.delete", ObjectType::Source, &source.id, &json!({ "name": source.name }))
    }
}
