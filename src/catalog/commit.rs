//! Commits: what came of sessions, kept for good. A commit never changes and outlives its session.
//!
//! Its rows stand in `outcome`, because `commit` is a word of SQL.

use rusqlite::Row;
use serde_json::json;

use crate::model::{ChangeSetHash, RootId, Totals};

use super::revision::root_id;
use super::session::optional_root;
use super::{Carried, Error, ObjectType, Session, Tx, View};

/// A commit that is to be.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// The tree: what the session stands on, with its tracked changes.
    pub root: RootId,
    /// How much that holds.
    pub totals: Totals,
    /// The name of the change set.
    pub change_set: ChangeSetHash,
    /// How many paths that has.
    pub changed: u64,
    /// The commit before it.
    pub parent: Option<String>,
    /// The commit that it is put in the place of.
    pub amends: Option<String>,
    /// What to say of it.
    pub message: String,
    /// Whose work it is.
    pub author: String,
    /// The notes that it carries.
    pub notes: Vec<Carried>,
}

/// What came of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// The tree.
    pub root: RootId,
    /// What the change set is counted from; `None`: nothing.
    pub base: Option<RootId>,
    /// The id of the source that the session came from.
    pub source: Option<String>,
    /// The number of the revision that it stood on.
    pub revision: Option<u64>,
    /// The id of the session that it was made in, which may be gone.
    pub session: String,
    /// The name of that, then.
    pub session_name: String,
    /// The id of the commit before it, which may be deleted.
    pub parent: Option<String>,
    /// The id of the commit that it was put in the place of.
    pub amends: Option<String>,
    /// The name of the change set.
    pub change_set: ChangeSetHash,
    /// How many paths that has.
    pub changed: u64,
    /// How much the tree holds.
    pub totals: Totals,
    /// What was said of it.
    pub message: String,
    /// Whose work it is.
    pub author: String,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Who made it.
    pub actor: String,
}

impl Commit {
    /// The first line of what was said of it.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

const SELECT: &str = "SELECT id, root, base_root, source, revision, session, session_name, parent, amends, change_set,
    changed, files, dirs, size_bytes, message, author, created_ns, actor FROM outcome";

fn read(row: &Row<'_>) -> rusqlite::Result<Commit> {
    Ok(Commit {
        id: row.get(0)?,
        root: root_id(row, 1)?,
        base: optional_root(row, 2)?,
        source: row.get(3)?,
        revision: row.get(4)?,
        session: row.get(5)?,
        session_name: row.get(6)?,
        parent: row.get(7)?,
        amends: row.get(8)?,
        // A hash of the same length, of something else.
        change_set: ChangeSetHash(root_id(row, 9)?.0),
        changed: row.get(10)?,
        totals: Totals { files: row.get(11)?, dirs: row.get(12)?, size_bytes: row.get(13)? },
        message: row.get(14)?,
        author: row.get(15)?,
        created_ns: row.get(16)?,
        actor: row.get(17)?,
    })
}

impl View<'_> {
    /// All commits, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commits(&self) -> Result<Vec<Commit>, Error> {
        self.rows(&format!("{SELECT} WHERE deleted_ns IS NULL ORDER BY created_ns DESC, id"), [], read)
    }

    /// The commits that were made in a session, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commits_of(&self, session_id: &str) -> Result<Vec<Commit>, Error> {
        let sql = format!("{SELECT} WHERE session = ?1 AND deleted_ns IS NULL ORDER BY created_ns DESC, id");
        self.rows(&sql, [session_id], read)
    }

    /// The commit with this id, or a unique prefix of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn commit(&self, key: &str) -> Result<Commit, Error> {
        let id = self.resolve_id(ObjectType::Commit, key)?;
        let found = self.row(&format!("{SELECT} WHERE id = ?1"), [&id], read)?;
        found.ok_or_else(|| Error::NotFound { kind: ObjectType::Commit, key: key.to_owned() })
    }

    /// The commit with this very id, also from the trash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commit_even_deleted(&self, id: &str) -> Result<Option<Commit>, Error> {
        self.row(&format!("{SELECT} WHERE id = ?1"), [id], read)
    }

    /// The commit with this id or, if it is deleted, the nearest one before it that is not; with all before that, the
    /// newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commit_chain(&self, id: Option<&str>) -> Result<Vec<Commit>, Error> {
        let sql = format!(
            "WITH RECURSIVE chain (link, place) AS (
                 VALUES (?1, 0)
                 UNION SELECT outcome.parent, place + 1 FROM chain JOIN outcome ON outcome.id = link
             )
             {SELECT} JOIN chain ON id = link WHERE deleted_ns IS NULL ORDER BY place"
        );
        match id {
            Some(id) => self.rows(&sql, [id], read),
            None => Ok(Vec::new()),
        }
    }

    /// The names of the sessions that began with a commit, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sessions_from_commit(&self, id: &str) -> Result<Vec<String>, Error> {
        let sql = "SELECT name FROM session WHERE from_commit = ?1 AND deleted_ns IS NULL ORDER BY name";
        self.rows(sql, [id], |row| row.get(0))
    }
}

impl Tx<'_> {
    /// Adds a commit of a session, which the next one of the session follows; returns its id. The one that it amends
    /// goes to the trash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create_commit(&mut self, session: &Session, new: &NewCommit) -> Result<String, Error> {
        let id = self.fresh_id(ObjectType::Commit)?;
        let (act, base) = (self.act(), &session.base);
        self.execute(
            "INSERT INTO outcome (id, root, base_root, source, revision, session, session_name, parent, change_set,
                 changed, files, dirs, size_bytes, message, created_ns, author, actor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, '')",
            (
                &id,
                &new.root.0.0[..],
                base.onto.as_ref().map(|root| &root.0.0[..]),
                &base.source,
                base.revision,
                &session.id,
                &session.name,
                &new.parent,
                &new.change_set.0.0[..],
                new.changed,
                new.totals.files,
                new.totals.dirs,
                new.totals.size_bytes,
                &new.message,
                act.now_ns,
                &new.author,
            ),
        )?;
        // A tuple of parameters has sixteen places.
        let rest = "UPDATE outcome SET actor = ?2, amends = ?3 WHERE id = ?1";
        self.execute(rest, (&id, &act.actor, &new.amends))?;
        let details = json!({
            "session": session.id, "root": new.root.0.to_hex(), "change_set": new.change_set.to_string(),
            "changed": new.changed, "parent": new.parent, "amends": new.amends, "author": new.author,
            "message": new.message, "annotations": new.notes.len(),
        });
        self.event("commit.create", ObjectType::Commit, &id, &details)?;
        self.carry_annotations(&id, &new.notes)?;
        if let Some(amended) = &new.amends {
            self.delete_commit(amended)?;
        }
        self.set_session_commits(&session.id, Some(&id), session.from_commit.as_deref())?;
        Ok(id)
    }

    /// Marks a commit as deleted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_commit(&mut self, id: &str) -> Result<(), Error> {
        let now = self.act().now_ns;
        self.execute("UPDATE outcome SET deleted_ns = ?2 WHERE id = ?1", (id, now))?;
        self.event("commit.delete", ObjectType::Commit, id, &json!({}))
    }
}
