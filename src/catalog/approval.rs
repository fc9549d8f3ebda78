//! Approvals: whether an action may happen to a content, and what was answered.

use rusqlite::types::Type;
use rusqlite::{Row, ToSql};
use serde_json::{Value, json};

use crate::model::{ChangeSetHash, ObjectId, RootId};

use super::revision::root_id;
use super::{Error, ObjectType, Session, Tx, View};

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody decided yet, or not enough did.
    Pending,
    /// All grants that were needed are there.
    Granted,
    /// Somebody said no.
    Denied,
    /// It was taken back.
    Cancelled,
    /// Nobody decided in time.
    Expired,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Granted, Self::Denied, Self::Cancelled, Self::Expired];

    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may happen.
    Grant,
    /// It may not.
    Deny,
    /// Nobody has to answer any more.
    Cancel,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::Grant, Self::Deny, Self::Cancel];

    /// The stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
        }
    }
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// The id of the session, which may be gone.
    pub session: String,
    /// The name that this had.
    pub session_name: String,
    /// The id of the source whose rules held.
    pub source: Option<String>,
    /// The word of the action.
    pub action: String,
    /// The change set.
    pub content: ChangeSetHash,
    /// The tree that has it.
    pub root: RootId,
    /// What that is compared with.
    pub onto: RootId,
    /// Why it is asked for.
    pub reason: String,
    /// A JSON object of the asker's own.
    pub details: Option<Value>,
    /// Where it stands.
    pub state: ApprovalState,
    /// How many actors have to grant it.
    pub needed: u32,
    /// Whether the session cannot be changed while it is pending.
    pub freezes: bool,
    /// Until when it can be decided, in nanoseconds since the Unix epoch.
    pub expires_ns: Option<i64>,
    /// When it was asked for.
    pub created_ns: i64,
    /// Who asked.
    pub actor: String,
}

/// An approval that is to be.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// The word of the action.
    pub action: String,
    /// The change set.
    pub content: ChangeSetHash,
    /// The tree that has it.
    pub root: RootId,
    /// What that is compared with.
    pub onto: RootId,
    /// Why it is asked for.
    pub reason: String,
    /// A JSON object of the asker's own.
    pub details: Option<Value>,
    /// How many actors have to grant it.
    pub needed: u32,
    /// Whether the session cannot be changed while it is pending.
    pub freezes: bool,
    /// Until when it can be decided, in nanoseconds since the Unix epoch.
    pub expires_ns: Option<i64>,
}

/// An answer to an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was said.
    pub verdict: Verdict,
    /// With which words.
    pub message: String,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// Who said it.
    pub actor: String,
    /// `human` or `agent`, if that was known.
    pub actor_kind: Option<String>,
    /// A signature in the armour of ssh-keygen.
    pub signature: Option<String>,
}

/// Which approvals are wanted.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// Only those of the session of this id.
    pub session: Option<String>,
    /// Only those in this state.
    pub state: Option<ApprovalState>,
    /// Only those for the action of this word.
    pub action: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

const SELECT: &str =
    "SELECT id, session, session_name, source, action, content, root, onto_root, reason, details, state,
    needed, freezes, expires_ns, created_ns, actor FROM approval";

fn bad(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let state: String = row.get(10)?;
    let details: Option<String> = row.get(9)?;
    let details = details.map(|text| serde_json::from_str(&text).map_err(|error| bad(9, error.to_string())));
    Ok(Approval {
        id: row.get(0)?,
        session: row.get(1)?,
        session_name: row.get(2)?,
        source: row.get(3)?,
        action: row.get(4)?,
        content: ChangeSetHash(ObjectId(row.get(5)?)),
        root: root_id(row, 6)?,
        onto: root_id(row, 7)?,
        reason: row.get(8)?,
        details: details.transpose()?,
        state: ApprovalState::from_word(&state).ok_or_else(|| bad(10, format!("an approval in state `{state}`")))?,
        needed: row.get(11)?,
        freezes: row.get(12)?,
        expires_ns: row.get(13)?,
        created_ns: row.get(14)?,
        actor: row.get(15)?,
    })
}

fn read_answer(row: &Row<'_>) -> rusqlite::Result<Answer> {
    let verdict: String = row.get(0)?;
    let known = Verdict::ALL.into_iter().find(|known| known.word() == verdict);
    Ok(Answer {
        verdict: known.ok_or_else(|| bad(0, format!("an answer `{verdict}`")))?,
        message: row.get(1)?,
        time_ns: row.get(2)?,
        actor: row.get(3)?,
        actor_kind: row.get(4)?,
        signature: row.get(5)?,
    })
}

impl View<'_> {
    /// The approval with this id, or unique prefix of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or what SQLite says.
    pub fn approval(&self, key: &str) -> Result<Approval, Error> {
        let id = self.resolve_id(ObjectType::Approval, key)?;
        let found = self.row(&format!("{SELECT} WHERE id = ?1"), [&id], read)?;
        found.ok_or_else(|| Error::NotFound { kind: ObjectType::Approval, key: key.to_owned() })
    }

    /// Approvals, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<Approval>, Error> {
        let state = filter.state.map(ApprovalState::word);
        let mut wheres = Vec::new();
        let mut params: Vec<&dyn ToSql> = Vec::new();
        // Only what is asked for stands in the query, so that it uses the index for that.
        if state == Some("pending") {
            wheres.push("state = 'pending'".to_owned());
        } else if let Some(state) = &state {
            params.push(state);
            wheres.push(format!("state = ?{}", params.len()));
        }
        for (column, value) in [("session", &filter.session), ("action", &filter.action)] {
            if let Some(value) = value {
                params.push(value);
                wheres.push(format!("{column} = ?{}", params.len()));
            }
        }
        // The planner, which knows nothing of how many there are, would sooner read all that are pending.
        let index = match (&filter.session, &filter.action, state) {
            (Some(_), _, Some("pending")) => "approval_pending",
            (Some(_), ..) => "approval_content",
            (None, Some(_), _) => "approval_action",
            (None, None, Some(_)) => "approval_state",
            (None, None, None) => "approval_time",
        };
        let wheres = if wheres.is_empty() { String::new() } else { format!("WHERE {}", wheres.join(" AND ")) };
        let limit = filter.limit.map_or(-1, i64::from);
        let sql = format!("{SELECT} INDEXED BY {index} {wheres} ORDER BY created_ns DESC, id LIMIT {limit}");
        self.rows(&sql, params.as_slice(), read)
    }

    /// The approvals of an action on a session with this very content, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn approvals_of(&self, session: &str, action: &str, content: ChangeSetHash) -> Result<Vec<Approval>, Error> {
        let sql = format!("{SELECT} WHERE session = ?1 AND action = ?2 AND content = ?3 ORDER BY created_ns, id");
        self.rows(&sql, (session, action, &content.0.0[..]), read)
    }

    /// Whether anybody ever asked for an approval of this action on a session.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_approvals(&self, session: &str, action: &str) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM approval WHERE session = ?1 AND action = ?2 LIMIT 1";
        Ok(self.row(sql, (session, action), |_| Ok(()))?.is_some())
    }

    /// What was answered, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn answers(&self, approval: &str) -> Result<Vec<Answer>, Error> {
        let sql = "SELECT verdict, message, time_ns, actor, actor_kind, signature FROM approval_answer
                   WHERE approval = ?1 ORDER BY number";
        self.rows(sql, [approval], read_answer)
    }

    /// Those that are pending and whose time is over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn due_approvals(&self, now_ns: i64) -> Result<Vec<Approval>, Error> {
        let sql = format!(
            "{SELECT} INDEXED BY approval_due WHERE state = 'pending' AND expires_ns IS NOT NULL AND expires_ns <= ?1"
        );
        self.rows(&sql, [now_ns], read)
    }

    /// The id of the approval until whose decision the session must not change, if there is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn freezing(&self, session: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT id FROM approval INDEXED BY approval_pending
                   WHERE session = ?1 AND state = 'pending' AND freezes = 1 LIMIT 1";
        self.row(sql, [session], |row| row.get(0))
    }

    /// Refuses to change a session until a decision.
    ///
    /// # Errors
    /// [`Error::Frozen`], or what SQLite says.
    pub fn refuse_frozen(&self, session: &Session) -> Result<(), Error> {
        match self.freezing(&session.id)? {
            Some(approval) => Err(Error::Frozen { session: session.name.clone(), approval }),
            None => Ok(()),
        }
    }
}

impl Tx<'_> {
    /// Asks for an approval; returns its id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn create_approval(&mut self, session: &Session, new: &NewApproval) -> Result<String, Error> {
        let id = self.fresh_id(ObjectType::Approval)?;
        let act = self.act();
        let sql = "INSERT INTO approval (id, session, session_name, source, action, content, root, onto_root, reason,
                       details, state, needed, freezes, expires_ns, created_ns, actor)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'pending', ?11, ?12, ?13, ?14, ?15)";
        let details = new.details.as_ref().map(Value::to_string);
        let params: [&dyn ToSql; 15] = [
            &id,
            &session.id,
            &session.name,
            &session.base.source,
            &new.action,
            &&new.content.0.0[..],
            &&new.root.0.0[..],
            &&new.onto.0.0[..],
            &new.reason,
            &details,
            &new.needed,
            &new.freezes,
            &new.expires_ns,
            &act.now_ns,
            &act.actor,
        ];
        self.execute(sql, params)?;
        let details = json!({
            "session": session.id, "session_name": session.name, "action": new.action,
            "change_set": new.content.0.to_hex(), "reason": new.reason, "freezes": new.freezes,
        });
        self.event("approval.request", ObjectType::Approval, &id, &details)?;
        Ok(id)
    }

    /// Adds an answer. Who gives it, and when, is this operation's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_answer(&mut self, approval: &Approval, answer: &Answer) -> Result<(), Error> {
        let act = self.act();
        let sql =
            "INSERT INTO approval_answer (approval, number, verdict, message, time_ns, actor, actor_kind, signature)
                   SELECT ?1, 1 + count(*), ?2, ?3, ?4, ?5, ?6, ?7 FROM approval_answer WHERE approval = ?1";
        let params = (
            &approval.id,
            answer.verdict.word(),
            &answer.message,
            act.now_ns,
            &act.actor,
            &answer.actor_kind,
            &answer.signature,
        );
        self.execute(sql, params).map(drop)
    }

    /// Says where an approval stands after an answer.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn settle_approval(&mut self, approval: &Approval, answer: &Answer, state: ApprovalState) -> Result<(), Error> {
        let details = json!({
            "session": approval.session, "session_name": approval.session_name, "action": approval.action,
            "change_set": approval.content.0.to_hex(), "message": answer.message, "state": state.word(),
            "signed": answer.signature.is_some(),
        });
        let what = format!("approval.{}", answer.verdict.word());
        self.event(&what, ObjectType::Approval, &approval.id, &details)?;
        self.set_approval_state(approval, state)
    }

    /// Notes that nobody decided in time.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn expire_approval(&mut self, approval: &Approval) -> Result<(), Error> {
        let details = json!({ "session": approval.session, "action": approval.action });
        self.event("approval.expire", ObjectType::Approval, &approval.id, &details)?;
        self.set_approval_state(approval, ApprovalState::Expired)
    }

    fn set_approval_state(&mut self, approval: &Approval, state: ApprovalState) -> Result<(), Error> {
        if state == approval.state {
            return Ok(());
        }
        self.execute("UPDATE approval SET state = ?2 WHERE id = ?1", (&approval.id, state.word())).map(drop)
    }
}
