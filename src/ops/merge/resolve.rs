//! Conflicts, until they are gone: listing them, looking at their sides, saying how it is to be, taking the merge back.

use serde_json::json;

use crate::catalog::{ConflictRow, Merge, MergeState, Session};
use crate::model::merge::{ConflictKind, ConflictStyle, Labels, MAX_TEXT_BYTES, TextMerge, is_binary};
use crate::model::{Attr, Body, BytePath, Entry, Kind, RootId, Timestamp};
use crate::ops::checkpoint_create::seal_session;
use crate::ops::error::Result;
use crate::ops::hooks::{self, Occasion, Passed, Transition};
use crate::ops::{Context, Error};
use crate::overlay::Lower;
use crate::store::tree::find_path;
use crate::store::{Hold, Store, StoreError};

use super::MergeError;
use super::edit::{Edits, Put, edit};
use super::hold::{Change, Held};
use super::trees::root as root_of;
use super::{is_same, now};

/// How a conflict is to be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// As the session had it before the merge.
    Ours,
    /// As what was merged has it.
    Theirs,
    /// The lines of both.
    Union,
    /// These bytes.
    File(Vec<u8>),
    /// As it is in the session now.
    Edited,
}

impl How {
    fn word(&self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Union => "union",
            Self::File(_) => "file",
            Self::Edited => "edited",
        }
    }
}

/// What was resolved.
#[derive(Debug)]
pub struct Resolved {
    /// The session.
    pub session: Session,
    /// What was merged, by name.
    pub from: String,
    /// The paths.
    pub paths: Vec<BytePath>,
    /// How many conflicts are left.
    pub left: usize,
    /// The checkpoint that was made before; `None` if no content changed.
    pub before: Option<u64>,
}

/// A merge with conflicts left, and all that it had.
pub type OpenMerge = (Merge, Vec<ConflictRow>);

/// The merge of a session that has conflicts left, and its conflicts; `None` if there is none.
///
/// # Errors
/// The session is not there.
pub fn conflicts(cx: &mut Context, session: Option<&str>) -> Result<(Session, Option<OpenMerge>)> {
    let session = cx.resolve_session(session)?;
    let view = cx.catalog()?.view();
    let found = match view.open_merge(&session.id)? {
        Some(merge) => {
            let rows = view.conflicts(&merge)?;
            Some((merge, rows))
        }
        None => None,
    };
    Ok((session, found))
}

/// What the base, ours and theirs have of a conflict.
#[derive(Debug)]
pub struct Sides {
    /// The conflict.
    pub row: ConflictRow,
    /// What was merged, by name.
    pub from: String,
    /// The base, ours and theirs.
    pub sides: [Option<Side>; 3],
}

/// What one side has.
#[derive(Debug)]
pub struct Side {
    /// Where.
    pub path: BytePath,
    /// What.
    pub entry: Entry,
    /// The bytes, of a text that is not too long; of a link where it leads.
    pub text: Option<Vec<u8>>,
}

/// Looks at the sides of one conflict.
///
/// # Errors
/// [`MergeError::NotInConflict`], [`MergeError::NoConflict`], or the store cannot be read.
pub fn sides(cx: &mut Context, session: Option<&str>, path: &BytePath) -> Result<Sides> {
    let desk = Desk::open(cx, session)?;
    let row = desk.row(path)?.clone();
    let places = [(desk.base, &row.base_path), (desk.ours, &row.ours_path), (desk.merge.theirs, &row.theirs_path)];
    let side = |(root, path): (RootId, &Option<BytePath>)| {
        let Some(path) = path else { return Ok(None) };
        let Some(entry) = at(&desk.store, root, path)? else { return Ok(None) };
        let text = text_of(&desk.store, &entry)?.filter(|text| !is_binary(text));
        Ok::<_, Error>(Some(Side { path: path.clone(), entry, text }))
    };
    let [base, ours, theirs] = places.map(side);
    Ok(Sides { sides: [base?, ours?, theirs?], row, from: desk.merge.from.name.clone() })
}

/// Resolves the conflicts at these paths, or all that are left if there are none. After the last one the session is no
/// longer in conflict.
///
/// # Errors
/// [`MergeError::NotInConflict`], [`MergeError::NoConflict`], [`MergeError::NoUnion`], [`MergeError::HasMarkers`], [`MergeError::InTheWay`]; a
/// hook refuses; the session cannot be read. Nothing happened then.
pub fn resolve(cx: &mut Context, session: Option<&str>, paths: &[BytePath], how: &How) -> Result<Resolved> {
    let hold = cx.store()?.hold()?;
    let mut desk = Desk::open(cx, session)?;
    let ahead = desk.ask_hooks(cx, &hold, paths, how)?;
    if ahead.is_some() {
        // A hook can resolve something itself.
        desk = Desk::open(cx, Some(&desk.session.id))?;
    }
    let held = Held::take(cx, &desk.session)?;
    let present = held.seal(cx, &desk.session)?;
    let made = desk.make(cx, &hold, present, paths, how)?;
    if let Some((passed, seen)) = &ahead {
        let all: Vec<BytePath> = made.touched.iter().chain(made.wanted.iter().map(|row| &row.path)).cloned().collect();
        passed.confirm(is_same(&desk.store, (*seen, made.target), &all)?, &desk.session.name)?;
    }
    let change = Change { present, target: made.target, paths: &made.touched, reason: "resolve" };
    let before = held.settle(cx, &desk.session, change, |tx| {
        for row in &made.wanted {
            tx.resolve_conflict(&desk.merge, &row.path, how.word())?;
        }
        if made.left == 0 {
            tx.end_merge(&desk.session, &desk.merge, MergeState::Done)?;
        }
        Ok(())
    })?;
    let session = cx.resolve_session(Some(&desk.session.id))?;
    if let Some((passed, _)) = ahead {
        let details = details(&desk, &made, how);
        passed.done_as(cx, Occasion::of(Transition::Resolve, &session, details));
    }
    let paths = made.wanted.into_iter().map(|row| row.path).collect();
    Ok(Resolved { session, from: desk.merge.from.name, paths, left: made.left, before })
}

/// What hooks are told of conflicts that are resolved.
fn details(desk: &Desk, made: &Made, how: &How) -> serde_json::Value {
    let paths: Vec<String> = made.wanted.iter().map(|row| row.path.as_path().display().to_string()).collect();
    json!({ "from": desk.merge.from.name, "how": how.word(), "paths": paths, "left": made.left })
}

/// Takes a merge back that has conflicts left: the session is as it was before. What was done since is in a checkpoint.
///
/// # Errors
/// [`MergeError::NotInConflict`]; a hook refuses; the session cannot be read.
pub fn abort(cx: &mut Context, session: Option<&str>) -> Result<Resolved> {
    let mut desk = Desk::open(cx, session)?;
    let _hold = cx.store()?.hold()?;
    let details = json!({ "from": desk.merge.from.name });
    let passed = hooks::before(cx, Occasion::at(Transition::MergeAbort, &desk.session, desk.ours, details))?;
    if passed.has_looked() {
        let seen = (desk.merge.number, desk.ours);
        desk = Desk::open(cx, Some(&desk.session.id))?;
        passed.confirm(seen == (desk.merge.number, desk.ours), &desk.session.name)?;
    }
    let held = Held::take(cx, &desk.session)?;
    let present = held.seal(cx, &desk.session)?;
    let change = Change { present, target: desk.ours, paths: &[], reason: "abort" };
    let before = held
        .settle(cx, &desk.session, change, |tx| Ok(tx.end_merge(&desk.session, &desk.merge, MergeState::Aborted)?))?;
    passed.done(cx);
    let session = cx.resolve_session(Some(&desk.session.id))?;
    Ok(Resolved { session, from: desk.merge.from.name, paths: Vec::new(), left: 0, before })
}

/// What a session becomes when conflicts are resolved.
struct Made {
    /// The conflicts.
    wanted: Vec<ConflictRow>,
    /// The paths that change.
    touched: Vec<BytePath>,
    /// The tree.
    target: RootId,
    /// How many conflicts are left then.
    left: usize,
}

/// A merge with conflicts left, with all that is needed to work on it.
struct Desk {
    session: Session,
    merge: Merge,
    rows: Vec<ConflictRow>,
    base: RootId,
    ours: RootId,
    store: Store,
}

impl Desk {
    fn open(cx: &mut Context, session: Option<&str>) -> Result<Self> {
        let (session, found) = conflicts(cx, session)?;
        let Some((merge, rows)) = found else { return Err(MergeError::NotInConflict { name: session.name }.into()) };
        let (Some(base), Some(ours)) = (merge.base, merge.ours) else {
            return Err(MergeError::NotInConflict { name: session.name }.into());
        };
        Ok(Self { session, merge, rows, base, ours, store: cx.store()?.clone() })
    }

    /// Works out for hooks what a resolution makes of the session, if there are any, and asks them. Returns what they saw.
    fn ask_hooks(
        &self,
        cx: &mut Context,
        hold: &Hold,
        paths: &[BytePath],
        how: &How,
    ) -> Result<Option<(Passed, RootId)>> {
        if !hooks::any(cx, Transition::Resolve, self.session.base.source.as_deref())? {
            return Ok(None);
        }
        let present = seal_session(cx, &self.session)?.root;
        let made = self.make(cx, hold, present, paths, how)?;
        let occasion = Occasion::at(Transition::Resolve, &self.session, made.target, details(self, &made, how));
        Ok(Some((hooks::before(cx, occasion)?, made.target)))
    }

    /// Stores the tree that has the conflicts at these paths resolved, all that are left if there are none.
    fn make(&self, cx: &Context, hold: &Hold, present: RootId, paths: &[BytePath], how: &How) -> Result<Made> {
        let wanted: Vec<ConflictRow> = match paths {
            [] => self.rows.iter().filter(|row| row.resolution.is_none()).cloned().collect(),
            paths => paths.iter().map(|path| self.row(path).cloned()).collect::<Result<_>>()?,
        };
        let work = Work { desk: self, present, now: now(cx) };
        let mut edits = Edits::default();
        let mut touched = Vec::new();
        for row in &wanted {
            touched.extend(work.change(row, how, &mut edits)?);
        }
        let writer = hold.writer()?;
        let root = root_of(&self.store, present)?;
        let target = match touched.is_empty() {
            true => present,
            false => writer.put_root(&edit(&self.store, &writer, &root, edits, work.now)?)?,
        };
        writer.finish()?;
        let is_left = |row: &&ConflictRow| row.resolution.is_none() && !wanted.iter().any(|it| it.path == row.path);
        let left = self.rows.iter().filter(is_left).count();
        Ok(Made { wanted, touched, target, left })
    }

    fn row(&self, path: &BytePath) -> Result<&ConflictRow> {
        let found = self.rows.iter().find(|row| row.path == *path);
        let none = || MergeError::NoConflict { path: path.as_path().into(), name: self.session.name.clone() };
        Ok(found.ok_or_else(none)?)
    }
}

struct Work<'a> {
    desk: &'a Desk,
    present: RootId,
    now: Timestamp,
}

impl Work<'_> {
    /// Adds what has to be done for a conflict; returns the paths that it changes.
    fn change(&self, row: &ConflictRow, how: &How, edits: &mut Edits) -> Result<Vec<BytePath>> {
        let store = &self.desk.store;
        let side = |root: RootId, path: &Option<BytePath>| match path {
            Some(path) => at(store, root, path),
            None => Ok(None),
        };
        match how {
            How::Edited => self.check_markers(row).map(|()| Vec::new()),
            // Where a directory and a file meet, ours was left in place.
            How::Ours if row.kinds.contains(&ConflictKind::DirectoryFile) => Ok(Vec::new()),
            How::Ours => self.replace(&row.path, side(self.desk.ours, &row.ours_path)?, None, edits),
            How::Theirs => {
                let theirs = side(self.desk.merge.theirs, &row.theirs_path)?;
                let is_elsewhere =
                    row.kinds.iter().any(|kind| matches!(kind, ConflictKind::Rename | ConflictKind::DirectoryFile));
                match row.theirs_path.as_ref().filter(|path| is_elsewhere && **path != row.path) {
                    None => self.replace(&row.path, theirs, None, edits),
                    Some(path) => {
                        edits.remove(&row.path)?;
                        let mut touched = self.replace(path, theirs, None, edits)?;
                        touched.push(row.path.clone());
                        Ok(touched)
                    }
                }
            }
            How::Union => {
                let text = self.union(row)?;
                let like = side(self.desk.ours, &row.ours_path)?;
                self.replace(&row.path, like, Some(text), edits)
            }
            How::File(bytes) => {
                let like = match side(self.desk.ours, &row.ours_path)? {
                    Some(entry) => Some(entry),
                    None => side(self.desk.merge.theirs, &row.theirs_path)?,
                };
                let like = like.filter(|entry| entry.attr.kind == Kind::File).unwrap_or_else(|| self.new_file());
                self.replace(&row.path, Some(like), Some(bytes.clone()), edits)
            }
        }
    }

    /// Has something at a path, or nothing, with other bytes if they are given.
    fn replace(
        &self,
        path: &BytePath,
        entry: Option<Entry>,
        text: Option<Vec<u8>>,
        edits: &mut Edits,
    ) -> Result<Vec<BytePath>> {
        let there = at(&self.desk.store, self.present, path)?;
        let Some(mut entry) = entry else {
            if there.is_some() {
                edits.remove(path)?;
            }
            return Ok(vec![path.clone()]);
        };
        self.make_parents(path, edits)?;
        let is_dir = |entry: &Entry| entry.attr.kind == Kind::Dir;
        let same_file = there.filter(|there| !is_dir(there) && !is_dir(&entry) && there.attr.nlink == 1);
        if let Some(there) = &same_file {
            (entry.attr.ino, entry.attr.nlink, entry.attr.btime) = (there.attr.ino, 1, there.attr.btime);
            (entry.attr.mtime, entry.attr.ctime) = (self.now, self.now);
        } else {
            edits.remove(path)?;
        }
        edits.put(path, Put { entry, text, keeps_ino: same_file.is_some(), keeps_times: false, whole: true })?;
        Ok(vec![path.clone()])
    }

    fn make_parents(&self, path: &BytePath, edits: &mut Edits) -> Result<()> {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            match at(&self.desk.store, self.present, &dir)? {
                Some(entry) if entry.attr.kind == Kind::Dir => return Ok(()),
                Some(_) => return Err(MergeError::InTheWay { path: dir.as_path().into() }.into()),
                None => {
                    let theirs = at(&self.desk.store, self.desk.merge.theirs, &dir)?;
                    let known = theirs.filter(|entry| entry.attr.kind == Kind::Dir);
                    let entry = known.unwrap_or_else(|| super::edit::new_dir(self.now));
                    edits.put(&dir, Put { entry, text: None, keeps_ino: false, keeps_times: false, whole: false })?;
                }
            }
            above = dir.parent();
        }
        Ok(())
    }

    fn union(&self, row: &ConflictRow) -> Result<Vec<u8>> {
        let no = || MergeError::NoUnion { path: row.path.as_path().into() };
        let text = |root: RootId, path: &Option<BytePath>| {
            let entry = path.as_ref().map(|path| at(&self.desk.store, root, path)).transpose()?.flatten();
            let entry = entry.filter(|entry| entry.attr.kind == Kind::File);
            entry.map(|entry| text_of(&self.desk.store, &entry)).transpose().map(Option::flatten)
        };
        let base = text(self.desk.base, &row.base_path)?.unwrap_or_default();
        let ours = text(self.desk.ours, &row.ours_path)?.ok_or_else(no)?;
        let theirs = text(self.desk.merge.theirs, &row.theirs_path)?.ok_or_else(no)?;
        if [&base, &ours, &theirs].into_iter().any(|text| is_binary(text)) {
            return Err(no().into());
        }
        Ok(TextMerge::new(&base, &ours, &theirs).render(ConflictStyle::Union, &Labels::default()))
    }

    fn check_markers(&self, row: &ConflictRow) -> Result<()> {
        let there = at(&self.desk.store, self.present, &row.path)?.filter(|_| row.has_markers);
        let text = there.map(|entry| text_of(&self.desk.store, &entry)).transpose()?.flatten().unwrap_or_default();
        let has = |marker: &[u8]| text.split(|&byte| byte == b'\n').any(|line| line.starts_with(marker));
        match has(b"<<<<<<< ") && has(b">>>>>>> ") {
            true => Err(MergeError::HasMarkers { path: row.path.as_path().into() }.into()),
            false => Ok(()),
        }
    }

    fn new_file(&self) -> Entry {
        let dir = super::edit::new_dir(self.now);
        let attr = Attr { kind: Kind::File, perm: 0o644, nlink: 1, ..dir.attr };
        Entry { attr, body: Body::File(crate::model::Content::Hole), ..dir }
    }
}

fn at(store: &Store, root: RootId, path: &BytePath) -> Result<Option<Entry>> {
    Ok(find_path(store, root, path).map_err(StoreError::from)?)
}

/// The bytes of a file that is not too long, or where a link leads.
fn text_of(store: &Store, entry: &Entry) -> Result<Option<Vec<u8>>> {
    match &entry.body {
        Body::File(content) if entry.attr.size <= MAX_TEXT_BYTES => {
            let mut bytes = vec![0; entry.attr.size as usize];
            Lower::read(store, content, entry.attr.size, 0, &mut bytes).map_err(StoreError::from)?;
            Ok(Some(bytes))
        }
        Body::Symlink(target) => Ok(Some(target.to_vec())),
        _ => Ok(None),
    }
}
