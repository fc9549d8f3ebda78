//! Health: results of tests of a session, and of which content they speak. The newest one counts; all are kept.

use std::collections::HashMap;

use rusqlite::Row;
use rusqlite::types::Type;
use serde_json::json;

use crate::model::ObjectId;

use super::{Error, ObjectType, Tx, View};

/// How many tests there were, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestCounts {
    /// All of them.
    pub tests: u64,
    /// That did not hold.
    pub failures: u64,
    /// That broke.
    pub errors: u64,
    /// That were left out.
    pub skipped: u64,
    /// How long they took, in nanoseconds.
    pub duration_ns: u64,
}

/// A result to be written down.
#[derive(Clone, Debug)]
pub struct NewHealth {
    /// Whether it is a good one.
    pub is_passing: bool,
    /// Names the content that it speaks of.
    pub content: ObjectId,
    /// What was said about it.
    pub message: String,
    /// What was run.
    pub command: Option<String>,
    /// What that ended with.
    pub exit_code: Option<i64>,
    /// The tests.
    pub counts: Option<TestCounts>,
    /// The names of tests that failed, the first of them.
    pub failed: Vec<String>,
}

/// A result.
#[derive(Clone, Debug)]
pub struct Health {
    /// Its number, rising over all sessions.
    pub number: i64,
    /// The id of the session.
    pub session: String,
    /// When it was reported, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// By whom.
    pub actor: String,
    /// What it says.
    pub result: NewHealth,
}

const SELECT: &str = "SELECT id, session, time_ns, actor, is_passing, content, message, command, exit_code, tests,
    failures, errors, skipped, duration_ns, failed FROM health";

fn read(row: &Row<'_>) -> rusqlite::Result<Health> {
    let content: [u8; 32] = row.get(5)?;
    let failed: String = row.get(14)?;
    let bad = |error| rusqlite::Error::FromSqlConversionFailure(14, Type::Text, Box::new(error));
    let tests: Option<u64> = row.get(9)?;
    let counts = match tests {
        None => None,
        Some(tests) => Some(TestCounts {
            tests,
            failures: row.get(10)?,
            errors: row.get(11)?,
            skipped: row.get(12)?,
            duration_ns: row.get(13)?,
        }),
    };
    Ok(Health {
        number: row.get(0)?,
        session: row.get(1)?,
        time_ns: row.get(2)?,
        actor: row.get(3)?,
        result: NewHealth {
            is_passing: row.get(4)?,
            content: ObjectId(content),
            message: row.get(6)?,
            command: row.get(7)?,
            exit_code: row.get(8)?,
            counts,
            failed: serde_json::from_str(&failed).map_err(bad)?,
        },
    })
}

impl View<'_> {
    /// The newest results of a session, the newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn health(&self, session_id: &str, limit: u32) -> Result<Vec<Health>, Error> {
        self.rows(&format!("{SELECT} WHERE session = ?1 ORDER BY id DESC LIMIT ?2"), (session_id, limit), read)
    }
}

/// The newest result of a session, without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthNow {
    /// Whether it is a good one.
    pub is_passing: bool,
    /// When it was reported, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// By whom.
    pub actor: String,
}

impl View<'_> {
    /// The newest result of a session that speaks of this content.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn health_of(&self, session_id: &str, content: ObjectId) -> Result<Option<Health>, Error> {
        let sql = format!("{SELECT} WHERE session = ?1 AND content = ?2 ORDER BY id DESC LIMIT 1");
        self.row(&sql, (session_id, &content.0[..]), read)
    }

    /// The newest result of each session that has one, by the id of the session. Costs one look a session, however many
    /// results there are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn health_now(&self) -> Result<HashMap<String, HealthNow>, Error> {
        let sql = "SELECT health.session, is_passing, health.time_ns, health.actor FROM session JOIN health
                   ON health.id = (SELECT max(id) FROM health AS own WHERE own.session = session.id)";
        let read = |row: &Row<'_>| {
            let newest = HealthNow { is_passing: row.get(1)?, time_ns: row.get(2)?, actor: row.get(3)? };
            Ok((row.get(0)?, newest))
        };
        Ok(self.rows(sql, [], read)?.into_iter().collect())
    }
}

impl Tx<'_> {
    /// Writes a result down, with a line in the history.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn report_health(&mut self, session_id: &str, new: &NewHealth) -> Result<Health, Error> {
        let word = |is_passing| if is_passing { "passing" } else { "failing" };
        let was = self.view().health(session_id, 1)?.pop().map_or("unknown", |last| word(last.result.is_passing));
        let (now_ns, actor) = (self.act().now_ns, self.act().actor.clone());
        let counts = new.counts;
        let count = |pick: fn(&TestCounts) -> u64| counts.as_ref().map(pick);
        self.execute(
            "INSERT INTO health (session, time_ns, actor, is_passing, content, message, command, exit_code, tests,
                 failures, errors, skipped, duration_ns, failed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            (
                session_id,
                now_ns,
                &actor,
                new.is_passing,
                &new.content.0[..],
                &new.message,
                &new.command,
                new.exit_code,
                count(|counts| counts.tests),
                count(|counts| counts.failures),
                count(|counts| counts.errors),
                count(|counts| counts.skipped),
                count(|counts| counts.duration_ns),
                serde_json::json!(new.failed).to_string(),
            ),
        )?;
        let number = self.transaction.last_insert_rowid();
        let details = json!({
            "health": number, "was": was, "now": word(new.is_passing), "content": new.content.to_hex(),
            "command": new.command, "exit_code": new.exit_code,
        });
        self.event("health.report", ObjectType::Session, session_id, &details)?;
        Ok(Health { number, session: session_id.to_owned(), time_ns: now_ns, actor, result: new.clone() })
    }
}
