//! Where notes are now: their lines are followed from the content that was looked at to the present one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use similar::DiffOp;

use crate::catalog::Annotation;
use crate::model::merge::lines;
use crate::model::{BytePath, ChangeKind, ObjectId, RootId};
use crate::ops::Context;
use crate::ops::changes::{MAX_TEXT_BYTES, Scope, TreeView, changes, copy_content, operations};
use crate::ops::error::Result;
use crate::ops::live::LiveError;
use crate::ops::states::StateView;
use crate::overlay::{SnapshotBody, SnapshotEntry};

use super::AnnotationError;

/// Where a note is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path.
    pub path: BytePath,
    /// The first and the last of its lines, from 1; `None`: all of it.
    pub lines: Option<(u64, u64)>,
}

/// The BLAKE3 hash of a file's content; `None`: it is no file.
pub(super) fn digest(view: &dyn TreeView, entry: &SnapshotEntry) -> Result<Option<ObjectId>> {
    if !matches!(entry.body, SnapshotBody::File(_)) {
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    copy_content(view, entry, &mut hasher).map_err(AnnotationError::unreadable)?;
    Ok(Some(ObjectId(*hasher.finalize().as_bytes())))
}

/// How many lines a file has; `None`: it is no file, or too large to count them.
pub(super) fn line_count(view: &dyn TreeView, entry: &SnapshotEntry) -> Result<Option<u64>> {
    Ok(text(view, entry)?.map(|text| lines(&text).len() as u64))
}

fn text(view: &dyn TreeView, entry: &SnapshotEntry) -> Result<Option<Vec<u8>>> {
    if !matches!(entry.body, SnapshotBody::File(_)) || entry.attr.size > MAX_TEXT_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    copy_content(view, entry, &mut bytes).map_err(AnnotationError::unreadable)?;
    Ok(Some(bytes))
}

/// Where each of these notes is in a tree; `None`: what it was about is gone from there.
pub(super) fn places(cx: &mut Context, present: &StateView, notes: &[Annotation]) -> Result<Vec<Option<Place>>> {
    let mut moved: HashMap<RootId, HashMap<BytePath, BytePath>> = HashMap::new();
    let mut files: HashMap<BytePath, Option<File>> = HashMap::new();
    let mut found = Vec::with_capacity(notes.len());
    for note in notes {
        let mut path = note.path.clone();
        if File::at(&mut files, present, &path)?.is_none() {
            let moved = match moved.entry(note.root) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(renames(cx, note.root, present)?),
            };
            if let Some(to) = moved.get(&path) {
                path = to.clone();
            }
        }
        found.push(match File::at(&mut files, present, &path)? {
            None => None,
            Some(file) => place(cx, note, path, (present, file))?,
        });
    }
    Ok(found)
}

/// What is at a path of the tree. Its hash is worked out once, however many notes it has.
struct File {
    entry: SnapshotEntry,
    content: Option<Option<ObjectId>>,
}

impl File {
    fn at<'a>(
        known: &'a mut HashMap<BytePath, Option<Self>>,
        view: &StateView,
        path: &BytePath,
    ) -> Result<Option<&'a mut Self>> {
        if !known.contains_key(path) {
            let found = view.find(path, false)?.map(|(_, entry)| Self { entry, content: None });
            known.insert(path.clone(), found);
        }
        Ok(known.get_mut(path).and_then(Option::as_mut))
    }

    fn digest(&mut self, view: &StateView) -> Result<Option<ObjectId>> {
        if let Some(known) = self.content {
            return Ok(known);
        }
        let found = digest(view, &self.entry)?;
        self.content = Some(found);
        Ok(found)
    }
}

/// What became of the paths of a tree that are not where they were.
fn renames(cx: &mut Context, root: RootId, present: &StateView) -> Result<HashMap<BytePath, BytePath>> {
    let before = StateView::frozen(cx, root)?;
    let found = changes(&before, present, &Scope::All).map_err(LiveError::from)?.into_iter();
    Ok(found
        .filter_map(|change| match change.kind {
            ChangeKind::Renamed { from } => Some((from, change.path)),
            _ => None,
        })
        .collect())
}

fn place(
    cx: &mut Context,
    note: &Annotation,
    path: BytePath,
    (view, file): (&StateView, &mut File),
) -> Result<Option<Place>> {
    let Some(range) = note.lines else { return Ok(Some(Place { path, lines: None })) };
    if file.digest(view)? == note.content {
        return Ok(Some(Place { path, lines: Some(range) }));
    }
    let before = StateView::frozen(cx, note.root)?;
    let old = before.find(&note.path, false)?.map(|(_, entry)| text(&before, &entry)).transpose()?.flatten();
    let (Some(old), Some(new)) = (old, text(view, &file.entry)?) else { return Ok(None) };
    let lines = follow(&lines(&old), &lines(&new), range);
    Ok(lines.map(|lines| Place { path, lines: Some(lines) }))
}

/// The lines that a range became: from the first to the last of those that are still there.
fn follow(old: &[&[u8]], new: &[&[u8]], (first, last): (u64, u64)) -> Option<(u64, u64)> {
    let wanted = first as usize - 1..last as usize;
    let mut kept: Option<(usize, usize)> = None;
    for op in operations(old, new) {
        let DiffOp::Equal { old_index, new_index, len } = op else { continue };
        let (from, to) = (wanted.start.max(old_index), wanted.end.min(old_index + len));
        if from < to {
            let (from, to) = (new_index + from - old_index, new_index + to - old_index);
            kept = Some(kept.map_or((from, to), |(begin, _)| (begin, to)));
        }
    }
    kept.map(|(from, to)| (from as u64 + 1, to as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_followed_as_long_as_one_of_them_is_there() {
        let old = lines(b"a\nb\nc\nd\n");
        for (new, range, expected) in [
            (&b"a\nb\nc\nd\n"[..], (2, 3), Some((2, 3))),
            (b"x\ny\na\nb\nc\nd\n", (2, 3), Some((4, 5))),
            (b"a\nc\nd\n", (2, 3), Some((2, 2))),
            (b"a\nb\nx\nc\nd\n", (2, 3), Some((2, 4))),
            (b"a\nd\n", (2, 3), None),
            (b"", (1, 4), None),
        ] {
            assert_eq!(follow(&old, &lines(new), range), expected, "{}", String::from_utf8_lossy(new));
        }
    }
}
