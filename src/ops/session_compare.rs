//! What several sessions changed, path by path, and which of them touch the same.

use std::collections::BTreeMap;

use crate::catalog::{Session, Status};
use crate::model::{BytePath, ChangeKind, ChangeSetHash};

use super::changes::Change;
use super::checkpoint_create::seal_session;
use super::checkpoint_restore::to_root;
use super::error::Result;
use super::session_changes::{self, Compared};
use super::session_create::{self, From, With};
use super::{Context, Error};

/// What a session did to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The letter of the change.
    pub letter: char,
    /// Sessions with the same number here made the same of the path: kind, mode and content. From 1.
    pub group: usize,
}

/// A path that at least one session changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRow {
    /// The path.
    pub path: BytePath,
    /// What each session did to it, in the order of the sessions.
    pub cells: Vec<Option<Cell>>,
}

impl PathRow {
    /// How many sessions changed it.
    #[must_use]
    pub fn touched_by(&self) -> usize {
        self.cells.iter().flatten().count()
    }

    /// Whether all sessions that changed it made the same of it.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.cells.iter().flatten().all(|cell| cell.group == 1)
    }
}

/// Sessions and what they changed.
#[derive(Clone, Debug)]
pub struct Table {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// The paths, in order.
    pub rows: Vec<PathRow>,
}

/// Compares sessions by what each changed of the revision that it stands on. They may be mounted and written to.
///
/// # Errors
/// A session is not there, or cannot be read.
pub fn run(cx: &mut Context, names: &[String], request: &session_changes::Request) -> Result<Table> {
    let mut sessions = Vec::new();
    for name in names {
        sessions.push(cx.resolve_session(Some(name))?);
    }
    table(cx, sessions, request)
}

/// The sessions that live on a source, with the paths that more than one of them changed.
///
/// # Errors
/// The source is not there, or a session cannot be read.
pub fn overlaps(cx: &mut Context, source: &str) -> Result<Table> {
    let view = cx.catalog()?.view();
    let source = view.source(source)?;
    let mut sessions = view.sessions_on(&source.id)?;
    sessions.retain(|session| session.status != Status::Archived);
    let mut table = table(cx, sessions, &session_changes::Request::default())?;
    table.rows.retain(|row| row.touched_by() > 1);
    Ok(table)
}

fn table(cx: &mut Context, sessions: Vec<Session>, request: &session_changes::Request) -> Result<Table> {
    let mut found: BTreeMap<BytePath, Vec<Option<(char, ChangeSetHash)>>> = BTreeMap::new();
    for (at, session) in sessions.iter().enumerate() {
        let request = session_changes::Request { session: Some(session.id.clone()), ..request.clone() };
        let compared = session_changes::run(cx, &request)?.compared;
        for (path, letter, hash) in outcomes(&compared)? {
            found.entry(path).or_insert_with(|| vec![None; sessions.len()])[at] = Some((letter, hash));
        }
    }
    let rows = found.into_iter().map(|(path, cells)| PathRow { path, cells: grouped(&cells) }).collect();
    Ok(Table { sessions, rows })
}

/// What became of each path; a rename is two.
fn outcomes(compared: &Compared) -> Result<Vec<(BytePath, char, ChangeSetHash)>> {
    let mut found = Vec::new();
    for change in compared.visible() {
        let (letter, came) = match &change.kind {
            ChangeKind::Renamed { from } => {
                let went = Change { path: from.clone(), kind: ChangeKind::Deleted, new: None, ..change.clone() };
                found.push((from.clone(), went.kind.letter(), compared.hash_of(&went)?));
                ('R', Change { kind: ChangeKind::Added, old: None, ..change.clone() })
            }
            kind => (kind.letter(), change.clone()),
        };
        found.push((change.path.clone(), letter, compared.hash_of(&came)?));
    }
    Ok(found)
}

fn grouped(cells: &[Option<(char, ChangeSetHash)>]) -> Vec<Option<Cell>> {
    let mut known: Vec<ChangeSetHash> = Vec::new();
    let group = |cell: &Option<(char, ChangeSetHash)>| {
        let (letter, hash) = (*cell)?;
        let at = known.iter().position(|other| *other == hash).unwrap_or_else(|| {
            known.push(hash);
            known.len() - 1
        });
        Some(Cell { letter, group: at + 1 })
    };
    cells.iter().map(group).collect()
}

/// A path, and the session whose state of it is wanted.
#[derive(Clone, Debug)]
pub struct Take {
    /// The path.
    pub path: BytePath,
    /// The session.
    pub session: Session,
}

/// A text that says of nothing where to take it from.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` says of nothing where to take it from: {why}")]
pub struct BadTake {
    /// As the user wrote it.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What `PATH=SESSION` says; one of the sessions of a table.
///
/// # Errors
/// [`BadTake`] when it says nothing of the kind, the session is not one of them, or did not touch the path.
pub fn parse_take(table: &Table, bytes: &[u8]) -> Result<Take> {
    let text = || String::from_utf8_lossy(bytes).into_owned();
    let refused = |why| Error::from(BadTake { text: text(), why });
    let at = bytes.iter().rposition(|&byte| byte == b'=').ok_or_else(|| refused("it has no `=`"))?;
    let name = std::str::from_utf8(&bytes[at + 1..]).unwrap_or_default();
    let column = table.sessions.iter().position(|session| session.name == name || session.id == name);
    let column = column.ok_or_else(|| refused("that session is not one of those that are compared"))?;
    let path = BytePath::parse(&bytes[..at]).map_err(|_| refused("that is no path inside a tree"))?;
    let touched = table.rows.iter().any(|row| row.cells[column].is_some() && row.path.starts_with(&path));
    if !touched {
        return Err(refused("the session changed nothing there"));
    }
    Ok(Take { path, session: table.sessions[column].clone() })
}

/// Makes a session on what the first session stands on, with the paths that are taken as the sessions have them.
///
/// # Errors
/// The name is wrong or taken, or a session cannot be read; then there is no new one.
pub fn build(cx: &mut Context, name: &str, first: &Session, takes: &[Take]) -> Result<Session> {
    let hold = cx.store()?.hold()?;
    let mut roots = Vec::new();
    for take in takes {
        roots.push((seal_session(cx, &take.session)?, &take.path));
    }
    let from = match (&first.base.source, first.base.revision) {
        (Some(source), Some(revision)) => From::Source(format!("{source}@{revision}")),
        _ => From::Empty,
    };
    let made = session_create::run(cx, Some(name), &from, &With::default())?.session;
    for (sealed, path) in roots {
        let paths: Vec<BytePath> = Some(path.clone()).filter(|path| !path.is_root()).into_iter().collect();
        if let Err(error) = to_root(cx, &made, sealed.root, &paths, "take") {
            super::session_delete::run(cx, &made.id, true)?;
            return Err(error);
        }
    }
    drop(hold);
    Ok(made)
}
