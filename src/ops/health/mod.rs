//! Health: whether the tests of a session passed, as somebody reported it, and for which content.

mod junit;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use crate::catalog::{Health, NewHealth, Session};
use crate::model::ObjectId;

use super::coordination::{CoordinationError, Payload, check_text};
use super::error::Result;
use super::session_changes;
use super::{Context, Error};

pub use crate::catalog::TestCounts;

/// The longest message in bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// A result to be reported.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// Whether it is a good one, as somebody says; else it follows from the rest.
    pub is_passing: Option<bool>,
    /// A JUnit report; it is read as a stream, and can be of any length.
    pub file: Option<Payload>,
    /// What the program that ran the tests ended with.
    pub exit_code: Option<i64>,
    /// That program, with its arguments.
    pub command: Option<String>,
    /// What to say about it.
    pub message: String,
}

/// What is known about a session's health.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The session.
    pub session: Session,
    /// The results, the newest first.
    pub history: Vec<Health>,
    /// Names the content that the session has now, if that was asked for.
    pub content: Option<ObjectId>,
}

/// Writes a result down, for the content that the session has now. Something that was measured and is no success is none,
/// whatever somebody says.
///
/// # Errors
/// [`CoordinationError::NoResult`], [`CoordinationError::NotPassing`], [`CoordinationError::BadReport`]; the session is not there
/// or cannot be read.
pub fn report(cx: &mut Context, report: &Report) -> Result<(Session, Health)> {
    let session = cx.resolve_session(report.session.as_deref())?;
    if !report.message.is_empty() {
        check_text("the message", &report.message, MAX_MESSAGE_BYTES)?;
    }
    let suite = report.file.as_ref().map(read_junit).transpose()?;
    let mut measured = Vec::new();
    if let Some(suite) = suite.as_ref().filter(|suite| suite.counts.failures + suite.counts.errors > 0) {
        measured.push(format!("{} tests failed", suite.counts.failures + suite.counts.errors));
    }
    if let Some(code) = report.exit_code.filter(|code| *code != 0) {
        measured.push(format!("the exit code is {code}"));
    }
    let is_passing = match report.is_passing {
        Some(true) if !measured.is_empty() => {
            return Err(CoordinationError::NotPassing { why: measured.join(" and ") }.into());
        }
        Some(said) => said,
        None if suite.is_none() && report.exit_code.is_none() => return Err(CoordinationError::NoResult.into()),
        None => measured.is_empty(),
    };
    let new = NewHealth {
        is_passing,
        content: content(cx, &session)?,
        message: report.message.clone(),
        command: report.command.clone(),
        exit_code: report.exit_code,
        counts: suite.as_ref().map(|suite| suite.counts),
        failed: suite.map(|suite| suite.failed).unwrap_or_default(),
    };
    let health = cx.write(|tx| Ok(tx.report_health(&session.id, &new)?))?;
    Ok((session, health))
}

/// The newest results of a session; with `now` also whether they speak of what it holds now.
///
/// # Errors
/// The session is not there or cannot be read.
pub fn show(cx: &mut Context, session: Option<&str>, limit: u32, now: bool) -> Result<Shown> {
    let session = cx.resolve_session(session)?;
    let history = cx.catalog()?.view().health(&session.id, limit)?;
    let content = if now && !history.is_empty() { Some(content(cx, &session)?) } else { None };
    Ok(Shown { session, history, content })
}

/// Names what a session holds: what it stands on, and its change set. The same tests give the same result as long as this is
/// the same, scratch files aside.
///
/// # Errors
/// The session cannot be read.
pub fn content(cx: &mut Context, session: &Session) -> Result<ObjectId> {
    let request = session_changes::Request { session: Some(session.id.clone()), ..Default::default() };
    let change_set = session_changes::run(cx, &request)?.compared.hash()?;
    Ok(name_of(session.base.onto, change_set))
}

/// The name that [`content`] gives to a change set on a tree.
#[must_use]
pub fn name_of(onto: Option<crate::model::RootId>, change_set: crate::model::ChangeSetHash) -> ObjectId {
    let mut hasher = blake3::Hasher::new_derive_key("aether 2026 content that a health report speaks of");
    hasher.update(&onto.map_or([0; 32], |root| root.0.0));
    hasher.update(&change_set.0.0);
    ObjectId(*hasher.finalize().as_bytes())
}

fn read_junit(report: &Payload) -> Result<junit::Suite> {
    let (path, read) = match report {
        Payload::Bytes(bytes) => (PathBuf::from("the report"), junit::read(bytes.as_slice())),
        Payload::File(path) => {
            let file = File::open(path).map_err(|source| Error::Io { path: path.clone(), source })?;
            (path.clone(), junit::read(BufReader::new(file)))
        }
        Payload::Stdin => (PathBuf::from("standard input"), junit::read(io::stdin().lock())),
    };
    Ok(read.map_err(|why| CoordinationError::BadReport { path, why })?)
}
