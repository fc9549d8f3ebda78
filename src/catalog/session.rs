//! Sessions: a base, a status and a name. Their content is a frozen root and a delta, which are not here.

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::json;

use crate::model::RootId;

use super::revision::root_id;
use super::{Commit, Error, ObjectType, Tx, View};

/// Where a session stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// At work.
    Active,
    /// A review was asked for.
    Review,
    /// An approval is wanted.
    PendingApproval,
    /// A merge left conflicts.
    Conflict,
    /// Sealed, without live files.
    Archived,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Active, Self::Review, Self::PendingApproval, Self::Conflict, Self::Archived];

    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Review => "review",
            Self::PendingApproval => "pending-approval",
            Self::Conflict => "conflict",
            Self::Archived => "archived",
        }
    }

    /// The status that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// What a session stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The frozen tree that its delta lies on; `None` for a session that began empty and was never sealed. The session
    /// holds it, whatever becomes of the source.
    pub root: Option<RootId>,
    /// The tree that it is compared with: that of the revision it came from; `None` for one that began empty.
    pub onto: Option<RootId>,
    /// The id of the source it came from.
    pub source: Option<String>,
    /// The number of the revision it came from.
    pub revision: Option<u64>,
}

/// What a fork began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The id of the session that it was forked from.
    pub session: String,
    /// The state of that session, or what its commit has.
    pub root: RootId,
    /// The number of the checkpoint that this was, if it was one.
    pub checkpoint: Option<u64>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands in its life.
    pub status: Status,
    /// What it stands on.
    pub base: Base,
    /// The number of the directory that holds its delta.
    pub delta: u64,
    /// The name of the source it came from, also when that is deleted.
    pub source_name: Option<String>,
    /// The id of the session it was forked from.
    pub parent: Option<String>,
    /// What it began with, if it is a fork or began with a commit; that outlives its parent.
    pub parent_root: Option<RootId>,
    /// The number of the parent's checkpoint that it began with, if it was one.
    pub parent_checkpoint: Option<u64>,
    /// The id of the commit that its next one follows; that may be deleted by now.
    pub head_commit: Option<String>,
    /// The id of the commit that it began with, if it was one.
    pub from_commit: Option<String>,
    /// When it is archived by itself, in nanoseconds since the Unix epoch.
    pub expires_ns: Option<i64>,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// When it last changed in the catalog.
    pub updated_ns: i64,
    /// Who made it.
    pub actor: String,
}

const SELECT: &str = "SELECT session.id, session.name, status, base_root, base_source, base_revision, source.name,
    parent, session.created_ns, session.updated_ns, session.actor, onto_root, delta, parent_root, parent_checkpoint,
    expires_ns, head_commit, from_commit
    FROM session LEFT JOIN source ON source.id = base_source";

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let status: String = row.get(2)?;
    let status = Status::from_word(&status).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(2, Type::Text, format!("a session with status `{status}`").into())
    })?;
    Ok(Session {
        id: row.get(0)?,
        name: row.get(1)?,
        status,
        base: Base {
            root: optional_root(row, 3)?,
            onto: optional_root(row, 11)?,
            source: row.get(4)?,
            revision: row.get(5)?,
        },
        delta: row.get(12)?,
        source_name: row.get(6)?,
        parent: row.get(7)?,
        parent_root: optional_root(row, 13)?,
        parent_checkpoint: row.get(14)?,
        created_ns: row.get(8)?,
        updated_ns: row.get(9)?,
        actor: row.get(10)?,
        expires_ns: row.get(15)?,
        head_commit: row.get(16)?,
        from_commit: row.get(17)?,
    })
}

/// A column that holds the hash of a tree, or nothing.
pub(super) fn optional_root(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RootId>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => root_id(row, column).map(Some),
    }
}

impl View<'_> {
    /// All sessions that are not deleted, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sessions(&self) -> Result<Vec<Session>, Error> {
        self.rows(&format!("{SELECT} WHERE session.deleted_ns IS NULL ORDER BY session.name"), [], read)
    }

    /// The sessions that stand on a source, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sessions_on(&self, source_id: &str) -> Result<Vec<Session>, Error> {
        let sql = format!("{SELECT} WHERE base_source = ?1 AND session.deleted_ns IS NULL ORDER BY session.name");
        self.rows(&sql, [source_id], read)
    }

    /// The names of the forks of a session, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forks(&self, session_id: &str) -> Result<Vec<String>, Error> {
        let sql = "SELECT name FROM session WHERE parent = ?1 AND deleted_ns IS NULL ORDER BY name";
        self.rows(sql, [session_id], |row| row.get(0))
    }

    /// The name of a session, deleted or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn session_name(&self, id: &str) -> Result<Option<String>, Error> {
        self.row("SELECT name FROM session WHERE id = ?1", [id], |row| row.get(0))
    }

    /// The session with this very id, also from the trash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn session_even_deleted(&self, id: &str) -> Result<Option<Session>, Error> {
        self.row(&format!("{SELECT} WHERE session.id = ?1"), [id], read)
    }

    /// The session with this name, id or prefix.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn session(&self, key: &str) -> Result<Session, Error> {
        let id = self.resolve(ObjectType::Session, key)?;
        let found = self.row(&format!("{SELECT} WHERE session.id = ?1"), [&id], read)?;
        found.ok_or_else(|| Error::NotFound { kind: ObjectType::Session, key: key.to_owned() })
    }
}

impl View<'_> {
    /// Whether there is a session of this id, also in the trash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn session_is_known(&self, id: &str) -> Result<bool, Error> {
        Ok(self.row("SELECT 1 FROM session WHERE id = ?1", [id], |_| Ok(()))?.is_some())
    }
}

impl Tx<'_> {
    /// Keeps a tree, because the session's delta is about to refer to it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pin_root(&mut self, session_id: &str, root: RootId) -> Result<(), Error> {
        self.named.rows.insert(("session".into(), json!([format!("t{session_id}")]).to_string()));
        let sql = "INSERT OR IGNORE INTO session_pin (session, root) VALUES (?1, ?2)";
        self.execute(sql, (session_id, &root.0.0[..])).map(drop)
    }

    /// Makes a session; returns its id.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn create_session(&mut self, name: &str, base: &Base, parent: Option<&Parent>) -> Result<String, Error> {
        self.view().check_free(ObjectType::Session, name)?;
        let id = self.fresh_id(ObjectType::Session)?;
        let act = self.act();
        self.execute(
            "INSERT INTO session (id, name, base_root, onto_root, base_source, base_revision, parent, parent_root,
                 parent_checkpoint, created_ns, updated_ns, actor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
            (
                &id,
                name,
                base.root.as_ref().map(|root| &root.0.0[..]),
                base.onto.as_ref().map(|root| &root.0.0[..]),
                &base.source,
                base.revision,
                parent.map(|parent| &parent.session),
                parent.map(|parent| &parent.root.0.0[..]),
                parent.and_then(|parent| parent.checkpoint),
                act.now_ns,
                &act.actor,
            ),
        )?;
        let mut details = json!({ "name": name, "source": base.source, "revision": base.revision });
        let what = match parent {
            Some(parent) => {
                details["parent"] = json!(parent.session);
                details["checkpoint"] = json!(parent.checkpoint);
                "session.fork"
            }
            None => "session.create",
        };
        self.event(what, ObjectType::Session, &id, &details)?;
        Ok(id)
    }

    /// Gives a session another name.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn rename_session(&mut self, session: &Session, name: &str) -> Result<(), Error> {
        self.view().check_free(ObjectType::Session, name)?;
        let now = self.act().now_ns;
        self.execute("UPDATE session SET name = ?2, updated_ns = ?3 WHERE id = ?1", (&session.id, name, now))?;
        let details = json!({ "from": session.name, "to": name });
        self.event("session.rename", ObjectType::Session, &session.id, &details)
    }

    /// Marks a session as deleted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_session(&mut self, session: &Session) -> Result<(), Error> {
        let now = self.act().now_ns;
        self.execute("UPDATE session SET deleted_ns = ?2, updated_ns = ?2 WHERE id = ?1", (&session.id, now))?;
        self.event("session.delete", ObjectType::Session, &session.id, &json!({ "name": session.name }))
    }

    /// Gives a session another content: it stands on `root`, with an empty delta, if its delta is the one numbered
    /// `from`; says whether it was. Undo does not put this back.
    ///
    /// # Errors
    /// [`Error::Frozen`], or what SQLite says.
    pub fn settle_session(&mut self, session: &Session, from: u64, root: RootId) -> Result<bool, Error> {
        self.view().refuse_frozen(session)?;
        let now = self.act().now_ns;
        let sql = "UPDATE session SET base_root = ?3, delta = delta + 1, updated_ns = ?4 WHERE id = ?1 AND delta = ?2";
        Ok(self.execute(sql, (&session.id, from, &root.0.0[..], now))? > 0)
    }

    /// Changes a session's status.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_session_status(&mut self, session: &Session, status: Status) -> Result<(), Error> {
        let now = self.act().now_ns;
        let sql = "UPDATE session SET status = ?2, updated_ns = ?3 WHERE id = ?1";
        self.execute(sql, (&session.id, status.word(), now))?;
        let details = json!({ "from": session.status.word(), "to": status.word() });
        let what = match (session.status, status) {
            (_, Status::Archived) => "session.archive",
            (Status::Archived, Status::Active) => "session.activate",
            _ => "session.status",
        };
        self.event(what, ObjectType::Session, &session.id, &details)
    }

    /// Notes that a session begins with a commit, which its next one follows.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin_with_commit(&mut self, id: &str, commit: &Commit) -> Result<(), Error> {
        let sql = "UPDATE session SET head_commit = ?2, from_commit = ?2, parent_root = ?3 WHERE id = ?1";
        self.execute(sql, (id, &commit.id, &commit.root.0.0[..])).map(drop)
    }

    /// Says which commit the next one of a session follows, and which one the session began with.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_session_commits(&mut self, id: &str, head: Option<&str>, from: Option<&str>) -> Result<(), Error> {
        let sql = "UPDATE session SET head_commit = ?2, from_commit = ?3 WHERE id = ?1";
        self.execute(sql, (id, head, from)).map(drop)
    }

    /// Says when a session is to be archived by itself.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_session_expiry(&mut self, session: &Session, expires_ns: Option<i64>) -> Result<(), Error> {
        let now = self.act().now_ns;
        let sql = "UPDATE session SET expires_ns = ?2, updated_ns = ?3 WHERE id = ?1";
        self.execute(sql, (&session.id, expires_ns, now))?;
        self.event("session.expire", ObjectType::Session, &session.id, &json!({ "expires_ns": expires_ns }))
    }
}
