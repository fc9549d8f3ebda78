//! What the sides of a merge did not agree about, until somebody says how it is to be.

use rusqlite::Row;
use rusqlite::types::{Type, Value};
use serde_json::json;

use crate::model::BytePath;
use crate::model::merge::{Conflict, ConflictKind};

use super::{Error, Merge, ObjectType, Session, Tx, View};

/// A conflict of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRow {
    /// Where it is in the merged tree.
    pub path: BytePath,
    /// About what.
    pub kinds: Vec<ConflictKind>,
    /// Where the base has it.
    pub base_path: Option<BytePath>,
    /// Where ours has it.
    pub ours_path: Option<BytePath>,
    /// Where theirs has it.
    pub theirs_path: Option<BytePath>,
    /// Whether markers were written into the file.
    pub has_markers: bool,
    /// How it was resolved.
    pub resolution: Option<String>,
}

impl From<&Conflict> for ConflictRow {
    fn from(conflict: &Conflict) -> Self {
        let path = |version: &Option<crate::model::merge::Version>| version.as_ref().map(|it| it.path.clone());
        Self {
            path: conflict.path.clone(),
            kinds: conflict.kinds.clone(),
            base_path: path(&conflict.base),
            ours_path: path(&conflict.ours),
            theirs_path: path(&conflict.theirs),
            has_markers: conflict.has_markers,
            resolution: None,
        }
    }
}

impl ConflictRow {
    /// The words for what it is about.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|kind| kind.as_str()).collect()
    }
}

fn path(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<BytePath>> {
    let bad =
        |error: crate::model::NameError| rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error));
    let bytes: Option<Vec<u8>> = row.get(column)?;
    bytes.map(|bytes| BytePath::parse(&bytes).map_err(bad)).transpose()
}

fn read(row: &Row<'_>) -> rusqlite::Result<ConflictRow> {
    let kinds: String = row.get(1)?;
    let unknown = |word: &str| {
        let what = format!("a conflict of kind `{word}`");
        rusqlite::Error::FromSqlConversionFailure(1, Type::Text, what.into())
    };
    let kind = |word: &str| ConflictKind::from_word(word).ok_or_else(|| unknown(word));
    Ok(ConflictRow {
        path: path(row, 0)?.unwrap_or_default(),
        kinds: kinds.split(',').map(kind).collect::<Result<_, _>>()?,
        base_path: path(row, 2)?,
        ours_path: path(row, 3)?,
        theirs_path: path(row, 4)?,
        has_markers: row.get(5)?,
        resolution: row.get(6)?,
    })
}

impl View<'_> {
    /// The conflicts of a merge, resolved or not, in the order of their paths.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn conflicts(&self, merge: &Merge) -> Result<Vec<ConflictRow>, Error> {
        let sql = "SELECT path, kinds, base_path, ours_path, theirs_path, has_markers, resolution FROM conflict
                   WHERE session = ?1 AND merge = ?2 ORDER BY path";
        self.rows(sql, (&merge.session, merge.number), read)
    }
}

impl Tx<'_> {
    /// Notes a conflict of a merge.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create_conflict(&mut self, session: &Session, merge: u64, row: &ConflictRow) -> Result<(), Error> {
        let blob =
            |path: &Option<BytePath>| path.as_ref().map_or(Value::Null, |path| Value::Blob(path.as_bytes().to_vec()));
        self.execute(
            "INSERT INTO conflict (session, merge, path, kinds, base_path, ours_path, theirs_path, has_markers)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                &session.id,
                merge,
                row.path.as_bytes(),
                row.words().join(","),
                blob(&row.base_path),
                blob(&row.ours_path),
                blob(&row.theirs_path),
                row.has_markers,
            ),
        )
        .map(drop)
    }

    /// Notes how a conflict was resolved.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn resolve_conflict(&mut self, merge: &Merge, path: &BytePath, how: &str) -> Result<(), Error> {
        let sql = "UPDATE conflict SET resolution = ?4 WHERE session = ?1 AND merge = ?2 AND path = ?3";
        self.execute(sql, (&merge.session, merge.number, path.as_bytes(), how))?;
        let path = String::from_utf8_lossy(path.as_bytes());
        let details = json!({ "merge": merge.number, "path": path, "resolution": how });
        self.event("conflict.resolve", ObjectType::Session, &merge.session, &details)
    }
}
