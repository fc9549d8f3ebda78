//! Notes that commits carry, and notes beside what differs.

use std::ffi::OsString;

use crate::catalog::{Annotation, Carried, Commit, Session, View};
use crate::model::{BytePath, RootId};
use crate::ops::error::Result;
use crate::ops::names::Named;
use crate::ops::session_changes::Compared;
use crate::ops::states::StateView;
use crate::ops::{Context, Error};

use super::{Filter, Info, Place, Reply, place};

/// The notes of a session as a commit of the tree `root` is to carry them.
///
/// # Errors
/// What the catalog says, or the tree cannot be read.
pub(in crate::ops) fn to_carry(cx: &mut Context, session: &Session, root: RootId) -> Result<Vec<Carried>> {
    let view = cx.catalog()?.view();
    let notes = view.annotations(&session.id, &Filter::default())?;
    if notes.is_empty() {
        return Ok(Vec::new());
    }
    let replies = replies(view, &notes)?;
    let tree = StateView::frozen(cx, root)?;
    let places = place::places(cx, &tree, &notes)?;
    let carried = |((note, place), replies): ((Annotation, Option<Place>), _)| {
        let is_outdated = place.is_none();
        let annotation = match place {
            Some(Place { path, lines }) => Annotation { path, lines, ..note },
            None => note,
        };
        Carried { annotation, is_outdated, replies }
    };
    Ok(notes.into_iter().zip(places).zip(replies).map(carried).collect())
}

fn replies(view: View<'_>, notes: &[Annotation]) -> Result<Vec<Vec<Reply>>> {
    notes.iter().map(|note| Ok(view.annotation_replies(&note.id)?)).collect()
}

/// The notes that a commit carries, by path and line as they are in it; only those at `path` or below it, if it is given.
///
/// # Errors
/// The commit is not there, or the path is none.
pub fn list(cx: &mut Context, key: &str, path: Option<OsString>, filter: &Filter) -> Result<Vec<Info>> {
    use std::os::unix::ffi::OsStrExt;
    let commit = cx.catalog()?.view().commit(key)?;
    let path = path.unwrap_or_default();
    let bad = |why| Error::BadPath { path: (&path).into(), why };
    let path = BytePath::parse(path.as_bytes()).map_err(bad)?;
    let filter = Filter { path, ..filter.clone() };
    let found = cx.catalog()?.view().carried_annotations(&commit, &filter)?;
    Ok(found.into_iter().map(|carried| info(&commit, carried)).collect())
}

/// A note as a commit has it.
pub(super) fn info(commit: &Commit, carried: Carried) -> Info {
    let Carried { annotation, is_outdated, replies } = carried;
    let place = (!is_outdated).then(|| Place { path: annotation.path.clone(), lines: annotation.lines });
    let session = commit.session_name.clone();
    Info { annotation, session, place, replies, commit: Some(commit.id.clone()) }
}

/// The open notes on the newer one of two states, where they are in it: those of the session that it is a state of, or
/// those that the commit carries. A revision has none.
///
/// # Errors
/// What the catalog says, or the state cannot be read.
pub fn within(cx: &mut Context, compared: &Compared) -> Result<Vec<Info>> {
    let filter = Filter { is_open: Some(true), ..Filter::default() };
    let session = match &compared.newer {
        Some(Named::Session(session) | Named::Checkpoint(session, _)) => session,
        Some(Named::Commit(commit)) => {
            let found = cx.catalog()?.view().carried_annotations(commit, &filter)?;
            return Ok(found.into_iter().map(|carried| info(commit, carried)).collect());
        }
        Some(Named::Revision(..)) | None => return Ok(Vec::new()),
    };
    let view = cx.catalog()?.view();
    let notes = view.annotations(&session.id, &filter)?;
    let replies = replies(view, &notes)?;
    let places = place::places(cx, compared.new_view(), &notes)?;
    let info = |((annotation, place), replies)| Info { replies, ..Info::of(session, annotation, place) };
    Ok(notes.into_iter().zip(places).zip(replies).map(info).collect())
}
