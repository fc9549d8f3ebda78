//! Checkpoints: the numbered, immutable states that a session was in.

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::{Value, json};

use crate::model::{RootId, Totals};

use super::revision::root_id;
use super::{Error, ObjectType, Session, Tx, View};

/// Why a checkpoint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointKind {
    /// Somebody wanted it.
    Manual,
    /// A command that changes a session made it first.
    Auto,
}

impl CheckpointKind {
    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Auto => "auto",
        }
    }
}

/// A checkpoint that is to be.
#[derive(Clone, Debug)]
pub struct NewCheckpoint {
    /// The tree.
    pub root: RootId,
    /// How much it holds.
    pub totals: Totals,
    /// Its name, if it is to have one.
    pub name: Option<String>,
    /// What to say of it.
    pub message: String,
    /// Why it is made.
    pub kind: CheckpointKind,
    /// For an automatic one, before what: `restore`, `merge`…
    pub reason: Option<String>,
}

/// A state that a session was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its id.
    pub id: String,
    /// The id of its session.
    pub session: String,
    /// Its number, from 1; never given out twice.
    pub number: u64,
    /// The tree.
    pub root: RootId,
    /// Its name, unique in the session.
    pub name: Option<String>,
    /// What was said of it.
    pub message: String,
    /// Why it was made.
    pub kind: CheckpointKind,
    /// For an automatic one, before what.
    pub reason: Option<String>,
    /// How much the tree holds.
    pub totals: Totals,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Who made it.
    pub actor: String,
}

const SELECT: &str =
    "SELECT id, session, number, root, name, message, kind, reason, files, dirs, size_bytes, created_ns,
    actor FROM checkpoint";

fn read(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    let kind: String = row.get(6)?;
    let kind = match kind.as_str() {
        "manual" => CheckpointKind::Manual,
        "auto" => CheckpointKind::Auto,
        _ => {
            let what = format!("a checkpoint of kind `{kind}`");
            return Err(rusqlite::Error::FromSqlConversionFailure(6, Type::Text, what.into()));
        }
    };
    Ok(Checkpoint {
        id: row.get(0)?,
        session: row.get(1)?,
        number: row.get(2)?,
        root: root_id(row, 3)?,
        name: row.get(4)?,
        message: row.get(5)?,
        kind,
        reason: row.get(7)?,
        totals: Totals { files: row.get(8)?, dirs: row.get(9)?, size_bytes: row.get(10)? },
        created_ns: row.get(11)?,
        actor: row.get(12)?,
    })
}

impl View<'_> {
    /// The checkpoints of a session, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn checkpoints(&self, session_id: &str) -> Result<Vec<Checkpoint>, Error> {
        let sql = format!("{SELECT} WHERE session = ?1 AND deleted_ns IS NULL ORDER BY number DESC");
        self.rows(&sql, [session_id], read)
    }

    /// All checkpoints of sessions that are not deleted, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all_checkpoints(&self) -> Result<Vec<Checkpoint>, Error> {
        let sql = format!(
            "{SELECT} WHERE deleted_ns IS NULL
             AND (SELECT s.deleted_ns FROM session AS s WHERE s.id = session) IS NULL ORDER BY created_ns, id"
        );
        self.rows(&sql, [], read)
    }

    /// The newest checkpoint of a session.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_checkpoint(&self, session_id: &str) -> Result<Option<Checkpoint>, Error> {
        let sql = format!("{SELECT} WHERE session = ?1 AND deleted_ns IS NULL ORDER BY number DESC LIMIT 1");
        self.row(&sql, [session_id], read)
    }

    /// The checkpoint of a session with this number or name.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`], or what SQLite says.
    pub fn checkpoint(&self, session: &Session, key: &str) -> Result<Checkpoint, Error> {
        let found = match key.parse::<u64>() {
            Ok(number) if !key.starts_with(['0', '+']) => {
                let sql = format!("{SELECT} WHERE session = ?1 AND number = ?2 AND deleted_ns IS NULL");
                self.row(&sql, (&session.id, number), read)?
            }
            _ => {
                let sql = format!("{SELECT} WHERE session = ?1 AND name = ?2 AND deleted_ns IS NULL");
                self.row(&sql, (&session.id, key), read)?
            }
        };
        found.ok_or_else(|| Error::NoCheckpoint { session: session.name.clone(), key: key.to_owned() })
    }

    /// The checkpoint with this id, or a unique prefix of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn checkpoint_by_id(&self, key: &str) -> Result<Checkpoint, Error> {
        let id = self.resolve_id(ObjectType::Checkpoint, key)?;
        let found = self.row(&format!("{SELECT} WHERE id = ?1"), [&id], read)?;
        found.ok_or_else(|| Error::NotFound { kind: ObjectType::Checkpoint, key: key.to_owned() })
    }

    /// The checkpoint with this very id, also from the trash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn checkpoint_even_deleted(&self, id: &str) -> Result<Option<Checkpoint>, Error> {
        self.row(&format!("{SELECT} WHERE id = ?1"), [id], read)
    }

    /// The checkpoint of a session with this number, also from the trash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn numbered_checkpoint(&self, session_id: &str, number: u64) -> Result<Option<Checkpoint>, Error> {
        self.row(&format!("{SELECT} WHERE session = ?1 AND number = ?2"), (session_id, number), read)
    }

    /// Refuses a name that breaks the rules, that could be a number, or that another checkpoint of the session has.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn check_checkpoint_name(&self, session_id: &str, name: &str) -> Result<(), Error> {
        let kind = ObjectType::Checkpoint;
        let bad = |why| Error::BadName { kind, name: name.to_owned(), why };
        super::check_name(name).map_err(bad)?;
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad(super::NameError::LikeANumber));
        }
        let sql = "SELECT 1 FROM checkpoint WHERE session = ?1 AND name = ?2 AND deleted_ns IS NULL";
        match self.row(sql, (session_id, name), |_| Ok(()))? {
            Some(()) => Err(Error::Exists { kind, name: name.to_owned() }),
            None => Ok(()),
        }
    }
}

impl Tx<'_> {
    /// Makes the operation that a checkpoint was made in a part of this one: alone it is not undone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn absorb_checkpoint(&mut self, id: &str) -> Result<(), Error> {
        self.note_named()?;
        let sql = "DELETE FROM undo_row WHERE operation IN
                   (SELECT operation FROM event WHERE object_id = ?1 AND type = 'checkpoint.create')";
        self.execute(sql, [id]).map(drop)
    }

    /// Adds a checkpoint to a session; returns its id.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the session is gone, [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn create_checkpoint(&mut self, session_id: &str, new: &NewCheckpoint) -> Result<String, Error> {
        self.create_checkpoint_with(session_id, new, None)
    }

    /// As [`Tx::create_checkpoint`]; `files` sums up what changed since the one before, for the history.
    ///
    /// # Errors
    /// As [`Tx::create_checkpoint`].
    pub fn create_checkpoint_with(
        &mut self,
        session_id: &str,
        new: &NewCheckpoint,
        files: Option<&Value>,
    ) -> Result<String, Error> {
        if let Some(name) = &new.name {
            self.view().check_checkpoint_name(session_id, name)?;
        }
        let act = self.act();
        let sql = "UPDATE session SET next_checkpoint = next_checkpoint + 1, updated_ns = ?2
                   WHERE id = ?1 AND deleted_ns IS NULL RETURNING next_checkpoint - 1";
        let number: Option<u64> = self.view().row(sql, (session_id, act.now_ns), |row| row.get(0))?;
        let number = number.ok_or_else(|| Error::NotFound { kind: ObjectType::Session, key: session_id.to_owned() })?;
        let id = self.fresh_id(ObjectType::Checkpoint)?;
        self.execute(
            "INSERT INTO checkpoint (id, session, number, root, name, message, kind, reason, files, dirs, size_bytes,
                 created_ns, actor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            (
                &id,
                session_id,
                number,
                &new.root.0.0[..],
                &new.name,
                &new.message,
                new.kind.word(),
                &new.reason,
                new.totals.files,
                new.totals.dirs,
                new.totals.size_bytes,
                act.now_ns,
                &act.actor,
            ),
        )?;
        let details = json!({
            "session": session_id, "number": number, "root": new.root.0.to_hex(), "name": new.name,
            "message": new.message, "kind": new.kind.word(), "reason": new.reason, "files": files,
        });
        self.event("checkpoint.create", ObjectType::Checkpoint, &id, &details)?;
        Ok(id)
    }

    /// Gives a checkpoint another name.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::Exists`], or what SQLite says.
    pub fn rename_checkpoint(&mut self, checkpoint: &Checkpoint, name: &str) -> Result<(), Error> {
        self.view().check_checkpoint_name(&checkpoint.session, name)?;
        self.execute("UPDATE checkpoint SET name = ?2 WHERE id = ?1", (&checkpoint.id, name))?;
        let details = json!({ "session": checkpoint.session, "from": checkpoint.name, "to": name });
        self.event("checkpoint.rename", ObjectType::Checkpoint, &checkpoint.id, &details)
    }

    /// Marks a checkpoint as deleted.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn delete_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let now = self.act().now_ns;
        self.execute("UPDATE checkpoint SET deleted_ns = ?2 WHERE id = ?1", (&checkpoint.id, now))?;
        let details = json!({ "session": checkpoint.session, "number": checkpoint.number });
        self.event("checkpoint.delete", ObjectType::Checkpoint, &checkpoint.id, &details)
    }
}
