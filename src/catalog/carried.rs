//! Notes that commits carry: what was noted of a session when a commit was made of it. They outlive the session.

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::{Value, json};

use crate::model::{BytePath, ObjectId};

use super::{Annotation, AnnotationFilter, AnnotationReply, Commit, Error, Tx, View};

/// A note as a commit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The note. Its path and lines are those that it has in the commit's tree, which is its root.
    pub annotation: Annotation,
    /// Whether it has no place in that tree; its path and lines are then those that it was made for.
    pub is_outdated: bool,
    /// What was answered, in order.
    pub replies: Vec<AnnotationReply>,
}

const SELECT: &str = "SELECT annotation, path, first_line, last_line, is_outdated, content, text, state, created_ns,
    updated_ns, actor, replies FROM outcome_annotation";

fn read(row: &Row<'_>, commit: &Commit) -> rusqlite::Result<Carried> {
    let bad = |at, kind, why: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(at, kind, why)
    };
    let path: Vec<u8> = row.get(1)?;
    let (first, last): (Option<u64>, Option<u64>) = (row.get(2)?, row.get(3)?);
    let content: Option<[u8; 32]> = row.get(5)?;
    let replies: String = row.get(11)?;
    let replies: Vec<Value> = serde_json::from_str(&replies).map_err(|why| bad(11, Type::Text, why.into()))?;
    Ok(Carried {
        annotation: Annotation {
            id: row.get(0)?,
            session: commit.session.clone(),
            path: BytePath::parse(&path).map_err(|why| bad(1, Type::Blob, why.into()))?,
            lines: first.zip(last),
            content: content.map(ObjectId),
            root: commit.root,
            text: row.get(6)?,
            is_open: row.get::<_, String>(7)? == "open",
            created_ns: row.get(8)?,
            updated_ns: row.get(9)?,
            actor: row.get(10)?,
        },
        is_outdated: row.get(4)?,
        replies: replies.iter().map(reply).collect(),
    })
}

fn reply(value: &Value) -> AnnotationReply {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    AnnotationReply { text: text("text"), time_ns: value["time_ns"].as_i64().unwrap_or_default(), actor: text("actor") }
}

impl View<'_> {
    /// The notes that a commit carries, by path and line.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn carried_annotations(&self, commit: &Commit, filter: &AnnotationFilter) -> Result<Vec<Carried>, Error> {
        let state = filter.is_open.map(|is_open| if is_open { "open" } else { "resolved" });
        let limit = filter.limit.map_or(-1, i64::from);
        let sql = format!(
            "{SELECT} WHERE outcome = ?1 AND {} AND ifnull(state = ?5, 1) AND ifnull(actor = ?6, 1)
             ORDER BY path, first_line, created_ns, annotation LIMIT ?7",
            AnnotationFilter::PATHS
        );
        let [path, from, to] = filter.paths();
        self.rows(&sql, (&commit.id, path, from, to, state, &filter.actor, limit), |row| read(row, commit))
    }

    /// The note of a session that is gone for good, as the newest commit that carries it has it; by its id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn left_annotation(&self, id: &str) -> Result<Option<(Commit, Carried)>, Error> {
        let newest = "SELECT outcome FROM outcome_annotation JOIN outcome ON outcome.id = outcome
                      WHERE annotation = ?1 AND deleted_ns IS NULL
                        AND NOT EXISTS (SELECT 1 FROM annotation AS note WHERE note.id = ?1)
                      ORDER BY outcome.created_ns DESC LIMIT 1";
        let Some(commit) = self.row(newest, [id], |row| row.get::<_, String>(0))? else { return Ok(None) };
        let commit = self.commit(&commit)?;
        let sql = format!("{SELECT} WHERE outcome = ?1 AND annotation = ?2");
        let found = self.row(&sql, (&commit.id, id), |row| read(row, &commit))?;
        Ok(found.map(|found| (commit, found)))
    }
}

impl Tx<'_> {
    /// Gives a commit that was just made notes to carry.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn carry_annotations(&mut self, commit: &str, notes: &[Carried]) -> Result<(), Error> {
        let sql = "INSERT INTO outcome_annotation (outcome, annotation, path, first_line, last_line, is_outdated,
                       content, text, state, created_ns, updated_ns, actor, replies)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        for Carried { annotation: note, is_outdated, replies } in notes {
            let (first, last) = note.lines.unzip();
            let reply =
                |reply: &AnnotationReply| json!({ "text": reply.text, "time_ns": reply.time_ns, "actor": reply.actor });
            let replies = Value::from(replies.iter().map(reply).collect::<Vec<_>>()).to_string();
            self.execute(
                sql,
                (
                    commit,
                    &note.id,
                    note.path.as_bytes(),
                    first,
                    last,
                    is_outdated,
                    note.content.as_ref().map(|content| &content.0[..]),
                    &note.text,
                    if note.is_open { "open" } else { "resolved" },
                    note.created_ns,
                    note.updated_ns,
                    &note.actor,
                    replies,
                ),
            )?;
        }
        Ok(())
    }
}
