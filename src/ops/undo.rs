//! Undo and redo: putting back what a command changed, in an operation of its own.

use std::collections::BTreeSet;

use serde_json::json;

use crate::catalog;
use crate::catalog::{Operation, Reversal, RowChange, Session, Status, UndoError, View};
use crate::model::RootId;

use super::checkpoint_restore::to_root_with;
use super::error::Result;
use super::hooks::{self, Occasion, Passed, State, Transition};
use super::live::SessionLock;
use super::{Context, Error, Kind, freeze, mounts, session_delete};

/// What was undone or redone.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The command that was undone or redone.
    pub target: Operation,
    /// Whether it is in effect again.
    pub is_redo: bool,
    /// The operation that this was.
    pub operation: i64,
    /// The lines that it left in the history, each with the name of its object.
    pub events: Vec<(catalog::Event, Option<String>)>,
    /// The checkpoint of what the session was whose content was put back, if it was something else.
    pub kept: Option<String>,
}

/// Undoes an operation, or else the newest command that is in effect. To undo an undo is to redo.
///
/// # Errors
/// [`UndoError`]; a hook refuses; [`Error::Mounted`] when a session would go to the trash that is mounted.
pub fn undo(cx: &mut Context, seq: Option<i64>) -> Result<Undone> {
    reverse(cx, &|view| view.to_undo(seq))
}

/// Redoes what was undone last.
///
/// # Errors
/// As [`undo`].
pub fn redo(cx: &mut Context) -> Result<Undone> {
    reverse(cx, &|view| view.to_redo())
}

fn reverse(
    cx: &mut Context,
    choose: &dyn Fn(View<'_>) -> std::result::Result<Reversal, catalog::Error>,
) -> Result<Undone> {
    let mut passed: Option<Passed> = None;
    // What hooks looked at is what is reversed, also when they did something that is newer.
    let mut looked_at = None;
    loop {
        let pinned = looked_at;
        let choose = |view: View<'_>| match pinned {
            Some(seq) => view.to_undo(Some(seq)),
            None => choose(view),
        };
        // One moment: what was the newest command at the first look could be undone at the second, and a command that
        // comes after the choice has to be newer than what is taken for the newest.
        let (newest, reversal) = cx.catalog()?.at_one_moment(|view| Ok::<_, Error>((newest(view)?, choose(view)?)))?;
        if passed.is_none() {
            let occasion = occasion(cx, &reversal)?;
            let asked = hooks::before(cx, occasion)?;
            looked_at = asked.has_looked().then_some(reversal.reversed.seq);
            passed = Some(asked);
            if looked_at.is_some() {
                continue;
            }
        }
        let nobody_mounts_them = prepare(cx, &reversal)?;
        let asked = sessions_asked_about(cx, &reversal)?;
        let done = match content(cx, &reversal)? {
            Some(content) => Some(restore(cx, &reversal, newest, &content)?),
            None => cx.write(|tx| {
                // Another command may have come in between, and be the newest now.
                if choose(tx.view())? != reversal {
                    return Ok(None);
                }
                tx.reverse(&reversal)?;
                Ok(Some((tx.operation(), None)))
            })?,
        };
        if let Some((operation, kept)) = done {
            asked.iter().try_for_each(|session| freeze::tell(cx, session))?;
            let (info, _) = super::op_log::show(cx, operation)?;
            let (target, _) = super::op_log::show(cx, reversal.target)?;
            let is_redo = reversal.is_redo;
            drop(nobody_mounts_them);
            if let Some(passed) = passed {
                passed.done(cx);
            }
            return Ok(Undone { target: target.operation, is_redo, operation, events: info.events, kept });
        }
    }
}

/// What hooks are told: of one session, if the operation was about one, with what it becomes if its content changes.
fn occasion(cx: &mut Context, reversal: &Reversal) -> Result<Occasion> {
    let transition = if reversal.is_redo { Transition::Redo } else { Transition::Undo };
    let view = cx.catalog()?.view();
    let command = view.operation(reversal.target)?.map(|operation| operation.command);
    let details = json!({ "operation": reversal.target, "command": command });
    if let Some(content) = content(cx, reversal)? {
        return Ok(Occasion::at(transition, &content.session, content.before, details));
    }
    let view = cx.catalog()?.view();
    let (sessions, sources) = objects(view, &view.row_changes(reversal.reversed.seq)?)?;
    let one = |ids: &BTreeSet<String>| if ids.len() == 1 { ids.first().cloned() } else { None };
    let session = one(&sessions).map(|id| view.session_even_deleted(&id)).transpose()?.flatten();
    let Some(session) = session else {
        let source = if sessions.is_empty() { one(&sources) } else { None };
        return Ok(Occasion { transition, session: None, source, state: State::Nothing, details });
    };
    let occasion = Occasion::of(transition, &session, details);
    // In the trash it has no state to look at.
    let is_there = view.session(&session.id).is_ok();
    Ok(if is_there { occasion } else { Occasion { state: State::Nothing, ..occasion } })
}

/// The ids of the sessions and sources whose rows these are.
fn objects(view: View<'_>, changes: &[RowChange]) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut sessions, mut sources) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let Some(id) = change.id() else { continue };
        let column = |name| {
            let (before, after) = change.column(name);
            after.or(before).and_then(|value| value.as_str()?.strip_prefix('t')).map(str::to_owned)
        };
        match change.table.as_str() {
            "source" | "revision" | "policy" => drop(sources.insert(id.to_owned())),
            "session" | "merge" | "conflict" | "materialization" => drop(sessions.insert(id.to_owned())),
            "tag" if id.starts_with("s-") => drop(sessions.insert(id.to_owned())),
            "tag" if id.starts_with("b-") => drop(sources.insert(id.to_owned())),
            "checkpoint" => sessions.extend(view.checkpoint_even_deleted(id)?.map(|found| found.session)),
            "approval" => sessions.extend(view.approval(id).ok().map(|found| found.session)),
            _ => sessions.extend(column("session")),
        }
    }
    Ok((sessions, sources))
}

/// The sessions that may be frozen or not afterwards.
fn sessions_asked_about(cx: &mut Context, reversal: &Reversal) -> Result<Vec<String>> {
    let changes = cx.catalog()?.view().row_changes(reversal.reversed.seq)?;
    let ids = changes.iter().filter(|change| change.table == "approval").filter_map(RowChange::id);
    let view = cx.catalog()?.view();
    // One that comes back freezes what is mounted by then only if it did before.
    Ok(ids.filter_map(|id| view.approval(id).ok()).map(|approval| approval.session).collect())
}

/// A session whose content an operation changed, and what it was before.
struct Content {
    session: Session,
    before: RootId,
}

/// The content that is to be put back with the rows of an operation, if it changed any.
fn content(cx: &mut Context, reversal: &Reversal) -> Result<Option<Content>> {
    let operation = &reversal.reversed;
    let Some(note) = operation.note.as_ref().filter(|note| note["kind"] == "restore") else { return Ok(None) };
    let gone = |why: &str| {
        let (seq, command) = (operation.seq, operation.command.clone());
        Error::Catalog(UndoError::Gone { seq, command, why: why.into() }.into())
    };
    let view = cx.catalog()?.view();
    let session = note["session"].as_str().map(|id| view.session(id)).transpose().ok().flatten();
    let session = session.ok_or_else(|| gone("the session whose content it changed is deleted"))?;
    let made = view.row_changes(operation.seq)?;
    let made = made.iter().find(|change| change.table == "checkpoint" && change.before.is_none());
    let checkpoint = match (made.and_then(RowChange::id), note["checkpoint"].as_u64()) {
        (_, Some(number)) => view.numbered_checkpoint(&session.id, number)?,
        (Some(id), None) => view.checkpoint_even_deleted(id)?,
        (None, None) => None,
    };
    let checkpoint = checkpoint.ok_or_else(|| gone("the checkpoint of what was before it is not there any more"))?;
    Ok(Some(Content { session, before: checkpoint.root }))
}

/// The number of the newest operation.
fn newest(view: View<'_>) -> Result<i64> {
    Ok(view.operations(1)?.first().map_or(0, |operation| operation.seq))
}

/// Puts back rows and content. What the session is now becomes a checkpoint first, in the same operation.
fn restore(
    cx: &mut Context,
    reversal: &Reversal,
    newest_before: i64,
    content: &Content,
) -> Result<(i64, Option<String>)> {
    let word = if reversal.is_redo { "redo" } else { "undo" };
    let mut done = 0;
    let (kept, changed) = to_root_with(cx, &content.session, content.before, &[], word, |tx| {
        // Another command may have come in between.
        let before = tx.view().operations(2)?.get(1).map_or(0, |operation| operation.seq);
        if before != newest_before {
            let (seq, command) = (reversal.reversed.seq, reversal.reversed.command.clone());
            let what = format!("session `{}`", content.session.name);
            return Err(catalog::Error::from(UndoError::Changed { seq, command, what, by: None }).into());
        }
        tx.reverse(reversal)?;
        done = tx.operation();
        Ok(())
    })?;
    Ok((done, changed.then(|| format!("{}@{}", content.session.name, kept.number))))
}

/// What has to be so, or be done, outside of the catalog. What is returned is kept until the rows are as they were.
fn prepare(cx: &mut Context, reversal: &Reversal) -> Result<Vec<SessionLock>> {
    let operation = &reversal.reversed;
    let changes = cx.catalog()?.view().row_changes(operation.seq)?;
    let archived = serde_json::json!("tarchived");
    for id in changes.iter().filter(|change| change.column("status").0 == Some(&archived)).filter_map(RowChange::id) {
        let table = mounts::table()?;
        let at = mounts::of_session(&table, &mounts::of_others(cx, &table)?, id).into_iter().next();
        match (at, cx.catalog()?.view().session(id)) {
            (Some(at), Ok(session)) => return Err(Error::Mounted { name: session.name, at }),
            // What was written since it was activated is stored: an archived session has no live files.
            (None, Ok(session)) if session.status != Status::Archived => {
                super::session_archive::put_away(cx, id, |_| Ok(()))?;
            }
            _ => {}
        }
    }
    for id in changes.iter().filter(|change| goes_to_trash(change)).filter_map(RowChange::id) {
        let table = mounts::table()?;
        if let Some(at) = mounts::of_session(&table, &mounts::of_others(cx, &table)?, id).first() {
            let name = cx.catalog()?.view().session(id)?.name;
            return Err(Error::Mounted { name, at: at.clone() });
        }
    }
    let going = changes.iter().filter(|change| goes_to_trash(change)).filter_map(RowChange::id);
    let going: Vec<_> = going.filter_map(|id| cx.catalog().ok()?.view().session(id).ok()).collect();
    going.iter().map(|session| session_delete::unmounted(cx, session)).collect()
}

/// Whether putting back this change takes a session away.
fn goes_to_trash(change: &RowChange) -> bool {
    let was_deleted = change.column("deleted_ns").0.is_some_and(|value| !value.is_null());
    change.table == "session" && (change.before.is_none() || was_deleted)
}

pub(super) fn kind(error: &UndoError) -> Kind {
    match error {
        UndoError::NothingToUndo | UndoError::NothingToRedo | UndoError::NoOperation { .. } => Kind::NotFound,
        UndoError::Empty { .. } | UndoError::Gone { .. } => Kind::Failed,
        UndoError::Undone { .. }
        | UndoError::Superseded { .. }
        | UndoError::Changed { .. }
        | UndoError::InUse { .. }
        | UndoError::NameTaken { .. } => Kind::Conflict,
    }
}

pub(super) fn code(error: &UndoError) -> &'static str {
    match error {
        UndoError::NothingToUndo => "nothing-to-undo",
        UndoError::NothingToRedo => "nothing-to-redo",
        UndoError::NoOperation { .. } => "no-operation",
        UndoError::Undone { .. } => "undone",
        UndoError::Superseded { .. } => "superseded",
        UndoError::Empty { .. } => "nothing-changed",
        UndoError::Gone { .. } => "cannot-be-undone",
        UndoError::Changed { .. } => "changed-since",
        UndoError::InUse { .. } => "in-use",
        UndoError::NameTaken { .. } => "name-taken",
    }
}

pub(super) fn hints(error: &UndoError) -> Vec<String> {
    match error {
        UndoError::NothingToUndo | UndoError::NoOperation { .. } => {
            vec!["`aether op log` lists the operations".into()]
        }
        UndoError::NothingToRedo => {
            vec!["redo is for right after an undo; `aether undo N` of an undo brings a command back at any time".into()]
        }
        UndoError::Undone { by, .. } => vec![format!("`aether undo {by}` brings it back")],
        UndoError::Superseded { .. } => vec!["`aether op log` shows what is in effect".into()],
        UndoError::Changed { by: Some((seq, _)), .. } => vec![format!("`aether undo {seq}` first")],
        UndoError::Changed { by: None, .. } | UndoError::Empty { .. } | UndoError::Gone { .. } => {
            vec!["`aether op log` lists the operations, and `aether undo N` undoes one of them".into()]
        }
        UndoError::InUse { .. } => vec!["delete these sessions first".into()],
        UndoError::NameTaken { .. } => vec!["give the other one another name, and try again".into()],
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::catalog::{Act, Base, Catalog};
    use crate::config::Paths;
    use crate::ops::{checkpoint_create, checkpoint_restore};

    #[test]
    fn a_command_between_the_choice_and_the_undo_of_content_is_noticed() {
        let dir = tempfile::TempDir::new().unwrap();
        let data = dir.path().join("data");
        let paths = Paths { data: data.clone(), runtime: dir.path().join("run"), config_file: dir.path().join("c") };
        let mut cx = Context::new(paths, "ann".into(), "test".into(), 1, [1; 32]);
        cx.write(|tx| Ok(tx.create_session("fix", &Base::default(), None)?)).unwrap();
        cx.seed = [2; 32];
        let kept = checkpoint_create::Request { session: Some("fix".into()), ..Default::default() };
        checkpoint_create::run(&mut cx, &kept).unwrap();
        cx.seed = [3; 32];
        let request = checkpoint_restore::Request { checkpoint: "fix@1".into(), paths: Vec::new() };
        checkpoint_restore::run(&mut cx, &request).unwrap();
        cx.seed = [4; 32];
        let restored = newest(cx.catalog().unwrap().view()).unwrap();

        let came = Cell::new(false);
        let choose = |view: View<'_>| {
            let reversal = view.to_undo(Some(restored))?;
            if !came.replace(true) {
                let act = Act { actor: "bob".into(), command: "between".into(), now_ns: 2, seed: [5; 32] };
                Catalog::open(&data)?.write(&act, |tx| tx.create_session("other", &Base::default(), None))?;
            }
            Ok(reversal)
        };
        let refused = reverse(&mut cx, &choose).unwrap_err();
        assert_eq!(refused.code(), "changed-since", "{refused}");
        let now = newest(cx.catalog().unwrap().view()).unwrap();
        assert_eq!(now, restored + 1, "only the command in between is there");
        // The one who asks again sees it.
        assert_eq!(reverse(&mut cx, &choose).unwrap().target.seq, restored);
    }
}
