//! What a command changed in a session: a look before it, a look after it, and what differs between the two.
//!
//! Both are looks at what differs from the session's base, which costs what the session changed and reads no content of new
//! files. What was written and put back as it was in between is not told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::catalog::Session;
use crate::model::{Attr, BytePath, ChangeKind};

use super::Context;
use super::changes::Change;
use super::error::Result;
use super::session_changes::{self, Request};

/// How many paths a summary names.
const NAMED: usize = 50;

/// What differs from the base.
#[derive(Clone, Debug, Default)]
pub struct Look(BTreeMap<BytePath, Seen>);

/// A path that differs from the base.
#[derive(Clone, Debug)]
struct Seen {
    /// Whether the base has a file there.
    is_in_base: bool,
    /// The file that is there; `None`: it is gone.
    now: Option<Attr>,
}

/// How many files came to be, changed and went, and the first of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that came to be.
    pub added: u64,
    /// Files that changed in content or attributes.
    pub modified: u64,
    /// Files that went.
    pub deleted: u64,
    /// The first paths, each with `A`, `M` or `D`.
    pub paths: Vec<(char, BytePath)>,
}

/// Looks at a session, scratch files included.
///
/// # Errors
/// It cannot be read.
pub fn look(cx: &mut Context, session: &Session) -> Result<Look> {
    let request = Request { session: Some(session.id.clone()), all: true, ..Request::default() };
    let compared = session_changes::run(cx, &request)?.compared;
    let mut found = BTreeMap::new();
    for change in compared.changes.iter().filter(|change| !change.is_dir()) {
        if let ChangeKind::Renamed { from } = &change.kind {
            found.entry(from.clone()).or_insert(Seen { is_in_base: true, now: None });
        }
        let is_in_base = change.old.is_some() && !matches!(change.kind, ChangeKind::Renamed { .. });
        let now = change.new.as_ref().map(|entry| entry.attr.clone());
        found.insert(change.path.clone(), Seen { is_in_base, now });
    }
    Ok(Look(found))
}

impl Summary {
    /// What a list of changes comes to.
    #[must_use]
    pub fn of(changes: &[Change]) -> Self {
        let mut summary = Self::default();
        for change in changes.iter().filter(|change| !change.is_dir()) {
            let letter = match &change.kind {
                ChangeKind::Added => 'A',
                ChangeKind::Deleted => 'D',
                ChangeKind::Renamed { from } => {
                    summary.note('D', from);
                    'A'
                }
                ChangeKind::Modified | ChangeKind::TypeChanged | ChangeKind::ModeChanged => 'M',
            };
            summary.note(letter, &change.path);
        }
        summary
    }

    /// What happened between two looks.
    #[must_use]
    pub fn between(before: &Look, after: &Look) -> Self {
        let mut summary = Self::default();
        for (path, seen) in &after.0 {
            let was = before.0.get(path);
            let letter = match (was.map(|was| &was.now), &seen.now) {
                (Some(Some(old)), Some(new)) if is_same(old, new) => continue,
                (Some(None), None) => continue,
                (Some(None), Some(_)) => 'A',
                (None, Some(_)) if !seen.is_in_base => 'A',
                (_, Some(_)) => 'M',
                (_, None) => 'D',
            };
            summary.note(letter, path);
        }
        // What differed and does so no more is as the base has it.
        for (path, was) in before.0.iter().filter(|(path, _)| !after.0.contains_key(path)) {
            let letter = match (was.is_in_base, &was.now) {
                (true, Some(_)) => 'M',
                (true, None) => 'A',
                (false, Some(_)) => 'D',
                (false, None) => continue,
            };
            summary.note(letter, path);
        }
        summary
    }

    fn note(&mut self, letter: char, path: &BytePath) {
        match letter {
            'A' => self.added += 1,
            'D' => self.deleted += 1,
            _ => self.modified += 1,
        }
        if self.paths.len() < NAMED {
            self.paths.push((letter, path.clone()));
        }
    }

    /// The summary as it stands in the history.
    #[must_use]
    pub fn details(&self) -> Value {
        let path = |(letter, path): &(char, BytePath)| format!("{letter} {}", path.as_path().display());
        json!({
            "added": self.added, "modified": self.modified, "deleted": self.deleted,
            "paths": self.paths.iter().map(path).collect::<Vec<_>>(),
        })
    }
}

/// Whether a file is the one that it was, untouched.
fn is_same(old: &Attr, new: &Attr) -> bool {
    (old.ino, old.ctime, old.mtime, old.size) == (new.ino, new.ctime, new.mtime, new.size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Timestamp};

    fn look(files: &[(&str, bool, Option<i64>)]) -> Look {
        let seen = |(path, is_in_base, ctime): &(&str, bool, Option<i64>)| {
            let attr = |seconds| Attr::new(7, Kind::File, 0o644, 0, 0, Timestamp::new(seconds, 0));
            let path = BytePath::parse(path.as_bytes()).unwrap();
            (path, Seen { is_in_base: *is_in_base, now: ctime.map(attr) })
        };
        Look(files.iter().map(seen).collect())
    }

    #[test]
    fn a_summary_tells_what_happened_in_between_and_not_what_was_there_before() {
        let before = look(&[
            ("same", true, Some(1)),
            ("again", true, Some(1)),
            ("gone-before", true, None),
            ("comes-back", true, None),
            ("reverted", true, Some(1)),
            ("removed", false, Some(1)),
            ("removed-from-base", true, Some(1)),
        ]);
        let after = look(&[
            ("same", true, Some(1)),
            ("again", true, Some(2)),
            ("gone-before", true, None),
            ("new", false, Some(2)),
            ("changed", true, Some(2)),
            ("deleted", true, None),
            ("removed-from-base", true, None),
        ]);
        let summary = Summary::between(&before, &after);
        let mut paths: Vec<_> =
            summary.paths.iter().map(|(letter, path)| format!("{letter} {}", path.as_path().display())).collect();
        paths.sort();
        let wanted = [
            "A comes-back",
            "A new",
            "D deleted",
            "D removed",
            "D removed-from-base",
            "M again",
            "M changed",
            "M reverted",
        ];
        assert_eq!(paths, wanted);
        assert_eq!((summary.added, summary.modified, summary.deleted), (2, 3, 3));
    }
}
