//! Merges into sessions: what a session has of others since.

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::json;

use crate::model::RootId;

use super::revision::root_id;
use super::session::optional_root;
use super::{Error, ObjectType, Session, Status, Tx, View};

/// How far a merge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeState {
    /// There are conflicts left.
    Open,
    /// Nothing is left to decide.
    Done,
    /// It was taken back.
    Aborted,
}

impl MergeState {
    const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Aborted];

    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Aborted => "aborted",
        }
    }
}

/// What was merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedFrom {
    /// The id of the session, if it was one or a checkpoint of one.
    pub session: Option<String>,
    /// The id of the source, if it was a revision of one.
    pub source: Option<String>,
    /// The number of the checkpoint or revision.
    pub number: Option<u64>,
    /// The id of the commit, if it was one; `session` is then the one that it was made in.
    pub commit: Option<String>,
    /// Its name then.
    pub name: String,
}

/// What a session stood on before an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoodOn {
    /// The tree; `None` for a session that began empty.
    pub onto: Option<RootId>,
    /// The revision.
    pub revision: Option<u64>,
}

/// A merge that is to be noted.
#[derive(Clone, Debug)]
pub struct NewMerge {
    /// What was merged.
    pub from: MergedFrom,
    /// Its tree.
    pub theirs: RootId,
    /// What both came from, and the session before, while there are conflicts.
    pub sides: Option<(RootId, RootId)>,
    /// For an update: what the session stood on before.
    pub update: Option<StoodOn>,
}

/// A merge into a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The id of the session.
    pub session: String,
    /// Its number in the session, from 1.
    pub number: u64,
    /// What was merged.
    pub from: MergedFrom,
    /// Its tree.
    pub theirs: RootId,
    /// What both came from; only while there are conflicts.
    pub base: Option<RootId>,
    /// The session before; only while there are conflicts.
    pub ours: Option<RootId>,
    /// For an update: what the session stood on before.
    pub update: Option<StoodOn>,
    /// The status that the session had before.
    pub old_status: Status,
    /// How far it is.
    pub state: MergeState,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// Who made it.
    pub actor: String,
}

const SELECT: &str =
    "SELECT session, number, from_session, from_source, from_number, from_name, theirs_root, base_root,
    ours_root, is_update, old_onto_root, old_revision, old_status, state, created_ns, actor, from_commit FROM merge";

fn read(row: &Row<'_>) -> rusqlite::Result<Merge> {
    let unknown = |column, what: String| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into());
    let (status, state): (String, String) = (row.get(12)?, row.get(13)?);
    let known = MergeState::ALL.into_iter().find(|known| known.word() == state);
    let is_update: bool = row.get(9)?;
    Ok(Merge {
        session: row.get(0)?,
        number: row.get(1)?,
        from: MergedFrom {
            session: row.get(2)?,
            source: row.get(3)?,
            number: row.get(4)?,
            commit: row.get(16)?,
            name: row.get(5)?,
        },
        theirs: root_id(row, 6)?,
        base: optional_root(row, 7)?,
        ours: optional_root(row, 8)?,
        update: match is_update {
            true => Some(StoodOn { onto: optional_root(row, 10)?, revision: row.get(11)? }),
            false => None,
        },
        old_status: Status::from_word(&status).ok_or_else(|| unknown(12, format!("a status `{status}`")))?,
        state: known.ok_or_else(|| unknown(13, format!("a merge in state `{state}`")))?,
        created_ns: row.get(14)?,
        actor: row.get(15)?,
    })
}

impl View<'_> {
    /// The merges into a session that are in effect, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn merges(&self, session_id: &str) -> Result<Vec<Merge>, Error> {
        self.rows(&format!("{SELECT} WHERE session = ?1 AND state != 'aborted' ORDER BY number"), [session_id], read)
    }

    /// The merge into a session that has conflicts left.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_merge(&self, session_id: &str) -> Result<Option<Merge>, Error> {
        self.row(&format!("{SELECT} WHERE session = ?1 AND state = 'open'"), [session_id], read)
    }
}

impl Tx<'_> {
    /// Notes a merge, which is open if it has sides; the session is in conflict then. Returns its number.
    ///
    /// # Errors
    /// What SQLite says, above all that the session has an open one already.
    pub fn create_merge(&mut self, session: &Session, new: &NewMerge) -> Result<u64, Error> {
        let act = self.act();
        let state = if new.sides.is_some() { MergeState::Open } else { MergeState::Done };
        let sql = "SELECT coalesce(max(number), 0) + 1 FROM merge WHERE session = ?1";
        let number: u64 = self.view().row(sql, [&session.id], |row| row.get(0))?.unwrap_or(1);
        let update = new.update.as_ref();
        self.execute(
            "INSERT INTO merge (session, number, from_session, from_source, from_number, from_name, theirs_root,
                 base_root, ours_root, is_update, old_onto_root, old_revision, old_status, state, created_ns, actor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            (
                &session.id,
                number,
                &new.from.session,
                &new.from.source,
                new.from.number,
                &new.from.name,
                &new.theirs.0.0[..],
                new.sides.as_ref().map(|(base, _)| &base.0.0[..]),
                new.sides.as_ref().map(|(_, ours)| &ours.0.0[..]),
                update.is_some(),
                update.and_then(|update| update.onto.as_ref()).map(|onto| &onto.0.0[..]),
                update.and_then(|update| update.revision),
                session.status.word(),
                state.word(),
                act.now_ns,
                &act.actor,
            ),
        )?;
        // A tuple of parameters has sixteen places.
        if let Some(commit) = &new.from.commit {
            let sql = "UPDATE merge SET from_commit = ?3 WHERE session = ?1 AND number = ?2";
            self.execute(sql, (&session.id, number, commit))?;
        }
        let details = json!({
            "number": number, "from": new.from.name, "from_session": new.from.session,
            "from_source": new.from.source, "from_number": new.from.number, "from_commit": new.from.commit,
            "state": state.word(),
        });
        let what = if update.is_some() { "session.update" } else { "session.merge" };
        self.event(what, ObjectType::Session, &session.id, &details)?;
        if state == MergeState::Open {
            self.set_session_status(session, Status::Conflict)?;
        }
        Ok(number)
    }

    /// Ends a merge that was open; the session is no longer in conflict.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_merge(&mut self, session: &Session, merge: &Merge, state: MergeState) -> Result<(), Error> {
        let sql = "UPDATE merge SET state = ?3, base_root = NULL, ours_root = NULL WHERE session = ?1 AND number = ?2";
        self.execute(sql, (&session.id, merge.number, state.word()))?;
        let details = json!({ "number": merge.number, "from": merge.from.name, "state": state.word() });
        self.event("session.merge-end", ObjectType::Session, &session.id, &details)?;
        if let (MergeState::Aborted, Some(update)) = (state, &merge.update) {
            self.stand_on(session, update)?;
        }
        self.set_session_status(session, merge.old_status)
    }

    /// Puts a session on another revision of its source; what it holds stays.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stand_on(&mut self, session: &Session, on: &StoodOn) -> Result<(), Error> {
        let now = self.act().now_ns;
        let sql = "UPDATE session SET onto_root = ?2, base_revision = ?3, updated_ns = ?4 WHERE id = ?1";
        self.execute(sql, (&session.id, on.onto.as_ref().map(|onto| &onto.0.0[..]), on.revision, now)).map(drop)
    }
}
