//! Annotations: notes of a review on a session, a path of it, or lines of a file.
//!
//! A note remembers the tree that was looked at and the hash of the file's content. Where its lines are now is worked out by
//! comparing that content with the present one, so that nothing has to be kept up while programs write. A note whose lines
//! are gone is outdated, and stays. A commit carries a copy of the notes of its session, as they are then: it outlives the
//! session.

mod carried;
mod error;
mod place;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::catalog::{NewAnnotation, Session};
use crate::model::BytePath;

use super::Context;
use super::checkpoint_create::seal_session;
use super::checkpoint_restore::tree_paths;
use super::error::Result;
use super::states::StateView;

pub use crate::catalog::{Annotation, AnnotationFilter as Filter, AnnotationReply as Reply};
pub(super) use carried::to_carry;
pub use carried::{list as carried, within};
pub use error::AnnotationError;
pub use place::Place;

/// A note that is to be made.
#[derive(Clone, Debug, Default)]
pub struct New {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// `PATH`, `PATH:LINE` or `PATH:FIRST-LAST`, as the user wrote it; the session as a whole if not given.
    pub at: Option<OsString>,
    /// What it says.
    pub text: String,
    /// The hash of the content that was looked at: of other content no note is made.
    pub expect: Option<String>,
}

/// Which notes are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// Only those at this path, or below it.
    pub path: Option<OsString>,
    /// By state and author.
    pub filter: Filter,
}

/// A note, and where it is now.
#[derive(Clone, Debug)]
pub struct Info {
    /// The note.
    pub annotation: Annotation,
    /// The name of the session.
    pub session: String,
    /// Where it is now; `None`: what it was about is gone.
    pub place: Option<Place>,
    /// What was answered; in a list of a session's notes it is left out.
    pub replies: Vec<Reply>,
    /// The id of the commit that carries it, if this is what that has.
    pub commit: Option<String>,
}

impl Info {
    fn of(session: &Session, annotation: Annotation, place: Option<Place>) -> Self {
        Self { annotation, session: session.name.clone(), place, replies: Vec::new(), commit: None }
    }
}

/// Makes a note.
///
/// # Errors
/// There is nothing at the path, or not so many lines; the content is not what was expected; the text is empty.
pub fn add(cx: &mut Context, new: &New) -> Result<Info> {
    let session = cx.resolve_session(new.session.as_deref())?;
    if new.text.trim().is_empty() {
        return Err(AnnotationError::Empty.into());
    }
    let (path, lines) = match &new.at {
        Some(at) => {
            let (path, lines) = split(at)?;
            (one_path(cx, &session, path)?, lines)
        }
        None => (BytePath::root(), None),
    };
    let _hold = cx.store()?.hold()?;
    let root = seal_session(cx, &session)?.root;
    let view = StateView::frozen(cx, root)?;
    let entry = view.find(&path, false)?.ok_or_else(|| AnnotationError::NoPath { path: path.clone() })?.1;
    let content = place::digest(&view, &entry)?;
    if let Some(expected) = &new.expect {
        let found = content.map(|content| content.to_hex());
        if found.as_ref() != Some(&expected.to_ascii_lowercase()) {
            return Err(AnnotationError::Stale { path, found }.into());
        }
    }
    if let Some((_, last)) = lines {
        let found = place::line_count(&view, &entry)?.ok_or_else(|| AnnotationError::NoText { path: path.clone() })?;
        if last > found {
            return Err(AnnotationError::NoLine { path, line: last, lines: found }.into());
        }
    }
    let row = NewAnnotation { path, lines, content, root, text: new.text.clone() };
    let id = cx.write(|tx| {
        let session = tx.view().session(&session.id)?;
        Ok(tx.create_annotation(&session, &row)?)
    })?;
    show(cx, &id)
}

/// The notes of a session, by path and line as they were made.
///
/// # Errors
/// The session is not there, or cannot be read.
pub fn list(cx: &mut Context, wanted: &Wanted) -> Result<Vec<Info>> {
    let session = cx.resolve_session(wanted.session.as_deref())?;
    let path = wanted.path.clone().map(|path| one_path(cx, &session, path)).transpose()?;
    let filter = Filter { path: path.unwrap_or_else(BytePath::root), ..wanted.filter.clone() };
    let found = cx.catalog()?.view().annotations(&session.id, &filter)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let present = StateView::session(cx, &session)?;
    let places = place::places(cx, &present, &found)?;
    let info = |(annotation, place)| Info::of(&session, annotation, place);
    Ok(found.into_iter().zip(places).map(info).collect())
}

/// One note, with its answers. One whose session is gone for good is what the newest commit that carries it has.
///
/// # Errors
/// It is not there, or the session cannot be read.
pub fn show(cx: &mut Context, key: &str) -> Result<Info> {
    let view = cx.catalog()?.view();
    let annotation = match view.annotation(key) {
        Ok(annotation) => annotation,
        Err(error) => {
            let (commit, left) = view.left_annotation(key)?.ok_or(error)?;
            return Ok(carried::info(&commit, left));
        }
    };
    let replies = view.annotation_replies(&annotation.id)?;
    let session = view.session(&annotation.session)?;
    let present = StateView::session(cx, &session)?;
    let place = place::places(cx, &present, std::slice::from_ref(&annotation))?.pop().flatten();
    Ok(Info { replies, ..Info::of(&session, annotation, place) })
}

/// What is done to a note.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Somebody answers.
    Reply(String),
    /// It is done with.
    Resolve,
    /// It is not, after all.
    Reopen,
    /// It goes to the trash.
    Delete,
}

/// Does something to a note.
///
/// # Errors
/// It is not there, it is resolved (or open) already, or the text is empty.
pub fn change(cx: &mut Context, key: &str, deed: &Deed) -> Result<Info> {
    if matches!(deed, Deed::Reply(text) if text.trim().is_empty()) {
        return Err(AnnotationError::Empty.into());
    }
    cx.catalog()?.view().annotation(key)?;
    let before = show(cx, key)?;
    cx.write(|tx| {
        let note = tx.view().annotation(&before.annotation.id)?;
        match deed {
            Deed::Reply(text) => tx.reply_to_annotation(&note, text)?,
            Deed::Delete => tx.delete_annotation(&note)?,
            Deed::Resolve | Deed::Reopen if note.is_open == matches!(deed, Deed::Reopen) => {
                return Err(AnnotationError::SoAlready { id: note.id, is_open: note.is_open }.into());
            }
            Deed::Resolve => tx.set_annotation_open(&note, false)?,
            Deed::Reopen => tx.set_annotation_open(&note, true)?,
        }
        Ok(())
    })?;
    match deed {
        Deed::Delete => Ok(before),
        _ => show(cx, &before.annotation.id),
    }
}

fn one_path(cx: &Context, session: &Session, path: OsString) -> Result<BytePath> {
    Ok(tree_paths(cx, session, &[path])?.pop().unwrap_or_default())
}

type Lines = Option<(u64, u64)>;

/// The path, and the lines that stand behind its last colon.
fn split(at: &OsStr) -> Result<(OsString, Lines)> {
    let bytes = at.as_bytes();
    let whole = || Ok((at.to_owned(), None));
    let Some(colon) = bytes.iter().rposition(|&byte| byte == b':') else { return whole() };
    let Ok(text) = std::str::from_utf8(&bytes[colon + 1..]) else { return whole() };
    // What does not look like lines is part of the name.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return whole();
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first > 0 && first <= last => {
            Ok((OsString::from_vec(bytes[..colon].to_vec()), Some((first, last))))
        }
        _ => Err(AnnotationError::BadLines { text: text.to_owned() }.into()),
    }
}
