//! Annotations: notes of a review on a session, a path of it, or lines of a file, and what was answered.

use rusqlite::types::Type;
use rusqlite::{Row, ToSql};
use serde_json::json;

use crate::model::{BytePath, ObjectId, RootId};

use super::revision::root_id;
use super::{Error, ObjectType, Session, Trashed, Tx, View};

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Its id.
    pub id: String,
    /// The id of the session.
    pub session: String,
    /// The path as it was then; the root is the session as a whole.
    pub path: BytePath,
    /// The first and the last of the lines, from 1; `None`: all of it.
    pub lines: Option<(u64, u64)>,
    /// The hash of the file's content that was looked at; `None`: it was no file.
    pub content: Option<ObjectId>,
    /// The tree that has it.
    pub root: RootId,
    /// What it says.
    pub text: String,
    /// Whether it waits for something to be done.
    pub is_open: bool,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// When it was last changed or answered.
    pub updated_ns: i64,
    /// Who made it.
    pub actor: String,
}

/// A note that is to be.
#[derive(Clone, Debug)]
pub struct NewAnnotation {
    /// The path; the root is the session as a whole.
    pub path: BytePath,
    /// The first and the last of the lines, from 1.
    pub lines: Option<(u64, u64)>,
    /// The hash of the file's content.
    pub content: Option<ObjectId>,
    /// The tree that has it.
    pub root: RootId,
    /// What it says.
    pub text: String,
}

/// An answer to a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationReply {
    /// What it says.
    pub text: String,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Who.
    pub actor: String,
}

/// Which notes are wanted.
#[derive(Clone, Debug, Default)]
pub struct AnnotationFilter {
    /// Only open ones, or only resolved ones.
    pub is_open: Option<bool>,
    /// Only those of this author.
    pub actor: Option<String>,
    /// Only those at this path, as it was then, or below it; the root: all.
    pub path: BytePath,
    /// At most so many.
    pub limit: Option<u32>,
}

const SELECT: &str =
    "SELECT id, session, path, first_line, last_line, content, root, text, state, created_ns, updated_ns,
    actor FROM annotation";

fn read(row: &Row<'_>) -> rusqlite::Result<Annotation> {
    let path: Vec<u8> = row.get(2)?;
    let bad = |error| rusqlite::Error::FromSqlConversionFailure(2, Type::Blob, Box::new(error));
    let (first, last): (Option<u64>, Option<u64>) = (row.get(3)?, row.get(4)?);
    let content: Option<[u8; 32]> = row.get(5)?;
    Ok(Annotation {
        id: row.get(0)?,
        session: row.get(1)?,
        path: BytePath::parse(&path).map_err(bad)?,
        lines: first.zip(last),
        content: content.map(ObjectId),
        root: root_id(row, 6)?,
        text: row.get(7)?,
        is_open: row.get::<_, String>(8)? == "open",
        created_ns: row.get(9)?,
        updated_ns: row.get(10)?,
        actor: row.get(11)?,
    })
}

impl AnnotationFilter {
    /// The condition for the paths that are wanted: they are the first value, or between the second and the third.
    pub(super) const PATHS: &str = "(path = ?2 OR path >= ?3 AND path < ?4)";

    /// The values for it: `0` is the character behind the slash.
    pub(super) fn paths(&self) -> [Vec<u8>; 3] {
        let path = self.path.as_bytes();
        match self.path.is_root() {
            true => [Vec::new(), Vec::new(), vec![0xff; 5000]],
            false => [path.to_vec(), [path, b"/"].concat(), [path, b"0"].concat()],
        }
    }
}

impl View<'_> {
    /// The note with this id, or unique prefix of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn annotation(&self, key: &str) -> Result<Annotation, Error> {
        let id = self.resolve_id(ObjectType::Annotation, key)?;
        let found = self.row(&format!("{SELECT} WHERE id = ?1"), [&id], read)?;
        found.ok_or_else(|| Error::NotFound { kind: ObjectType::Annotation, key: key.to_owned() })
    }

    /// The notes of a session, by path and line.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn annotations(&self, session: &str, filter: &AnnotationFilter) -> Result<Vec<Annotation>, Error> {
        let paths = AnnotationFilter::PATHS;
        let mut sql = format!("{SELECT} WHERE session = ?1 AND {paths} AND deleted_ns IS NULL");
        let [path, from, to] = filter.paths();
        let mut params: Vec<&dyn ToSql> = vec![&session, &path, &from, &to];
        match filter.is_open {
            Some(true) => sql.push_str(" AND state = 'open'"),
            Some(false) => sql.push_str(" AND state = 'resolved'"),
            None => {}
        }
        if let Some(actor) = &filter.actor {
            params.push(actor);
            sql.push_str(" AND actor = ?5");
        }
        let limit = filter.limit.map_or(-1, i64::from);
        sql.push_str(&format!(" ORDER BY path, first_line, created_ns, id LIMIT {limit}"));
        self.rows(&sql, params.as_slice(), read)
    }

    /// How many notes of a session are open.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_annotations(&self, session: &str) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM annotation WHERE session = ?1 AND state = 'open' AND deleted_ns IS NULL";
        Ok(self.row(sql, [session], |row| row.get(0))?.unwrap_or(0))
    }

    /// What was answered to a note, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn annotation_replies(&self, annotation: &str) -> Result<Vec<AnnotationReply>, Error> {
        let sql = "SELECT text, time_ns, actor FROM annotation_reply WHERE annotation = ?1 ORDER BY number";
        self.rows(sql, [annotation], |row| {
            Ok(AnnotationReply { text: row.get(0)?, time_ns: row.get(1)?, actor: row.get(2)? })
        })
    }
}

impl Tx<'_> {
    /// Makes a note; returns its id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create_annotation(&mut self, session: &Session, new: &NewAnnotation) -> Result<String, Error> {
        let id = self.fresh_id(ObjectType::Annotation)?;
        let act = self.act();
        let sql = "INSERT INTO annotation (id, session, path, first_line, last_line, content, root, text, created_ns,
                       updated_ns, actor)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)";
        let (first, last) = new.lines.unzip();
        let content = new.content.as_ref().map(|content| &content.0[..]);
        let params = (
            &id,
            &session.id,
            new.path.as_bytes(),
            first,
            last,
            content,
            &new.root.0.0[..],
            &new.text,
            act.now_ns,
            &act.actor,
        );
        self.execute(sql, params)?;
        let path = String::from_utf8_lossy(new.path.as_bytes()).into_owned();
        let details = json!({ "session": session.id, "path": path, "lines": new.lines, "text": new.text });
        self.event("annotation.add", ObjectType::Annotation, &id, &details)?;
        Ok(id)
    }

    /// Answers a note.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reply_to_annotation(&mut self, annotation: &Annotation, text: &str) -> Result<(), Error> {
        let act = self.act();
        let sql = "INSERT INTO annotation_reply (annotation, number, text, time_ns, actor)
                   SELECT ?1, 1 + count(*), ?2, ?3, ?4 FROM annotation_reply WHERE annotation = ?1";
        self.execute(sql, (&annotation.id, text, act.now_ns, &act.actor))?;
        self.touch_annotation(annotation)?;
        let details = json!({ "session": annotation.session, "text": text });
        self.event("annotation.reply", ObjectType::Annotation, &annotation.id, &details)
    }

    /// Says whether a note waits for something to be done.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_annotation_open(&mut self, annotation: &Annotation, is_open: bool) -> Result<(), Error> {
        let state = if is_open { "open" } else { "resolved" };
        self.execute("UPDATE annotation SET state = ?2 WHERE id = ?1", (&annotation.id, state))?;
        self.touch_annotation(annotation)?;
        let what = if is_open { "annotation.reopen" } else { "annotation.resolve" };
        self.event(what, ObjectType::Annotation, &annotation.id, &json!({ "session": annotation.session }))
    }

    /// Deletes a note with its answers. Undo brings it back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_annotation(&mut self, annotation: &Annotation) -> Result<(), Error> {
        let now = self.act().now_ns;
        self.execute("UPDATE annotation SET deleted_ns = ?2 WHERE id = ?1", (&annotation.id, now))?;
        let details = json!({ "session": annotation.session, "text": annotation.text });
        self.event("annotation.delete", ObjectType::Annotation, &annotation.id, &details)
    }

    /// Takes a note out of the trash.
    pub(super) fn take_annotation_from_trash(&mut self, found: &Trashed) -> Result<(), Error> {
        self.execute("UPDATE annotation SET deleted_ns = NULL WHERE id = ?1", [&found.id])?;
        self.event("annotation.undelete", ObjectType::Annotation, &found.id, &json!({ "name": found.name }))
    }

    fn touch_annotation(&self, annotation: &Annotation) -> Result<(), Error> {
        let now = self.act().now_ns;
        self.execute("UPDATE annotation SET updated_ns = ?2 WHERE id = ?1", (&annotation.id, now)).map(drop)
    }
}
