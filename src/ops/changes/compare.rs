//! Goes through two trees side by side and lists where they differ. What both share is not entered.

use std::cmp::Ordering;

use crate::model::{BytePath, ChangeKind, Kind};
use crate::ops::rules::Rules;
use crate::overlay::{Error, SnapshotBody, SnapshotDir, SnapshotEntry};

use super::content::{FileOf, same_bytes};
use super::scope::Scope;
use super::{Change, TreeView};

/// A directory to compare: in both trees, or in one.
struct Pair {
    path: BytePath,
    old: Option<SnapshotDir>,
    new: Option<SnapshotDir>,
    rules: Rules,
}

pub(super) struct Comparison<'a> {
    old: &'a dyn TreeView,
    new: &'a dyn TreeView,
    scope: &'a Scope,
    pairs: Vec<Pair>,
    changes: Vec<Change>,
}

/// All differences, without renames, in the order of their paths.
pub(super) fn compare(old: &dyn TreeView, new: &dyn TreeView, scope: &Scope) -> Result<Vec<Change>, Error> {
    let mut comparison = Comparison { old, new, scope, pairs: Vec::new(), changes: Vec::new() };
    let roots = (old.root()?, new.root()?);
    comparison.enter(BytePath::root(), Some(&roots.0), Some(&roots.1), &Rules::default());
    while let Some(pair) = comparison.pairs.pop() {
        comparison.compare_dirs(&pair)?;
    }
    let mut changes = comparison.changes;
    changes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

impl Comparison<'_> {
    /// Has the directories at `path` compared later, unless they are known to hold the same.
    fn enter(&mut self, path: BytePath, old: Option<&SnapshotEntry>, new: Option<&SnapshotEntry>, rules: &Rules) {
        let (old, new) = (old.and_then(dir_of), new.and_then(dir_of));
        match (old, new) {
            (None, None) => return,
            (Some(SnapshotDir::Frozen(a)), Some(SnapshotDir::Frozen(b))) if a.content == b.content => return,
            _ => {}
        }
        self.pairs.push(Pair { path, old, new, rules: rules.clone() });
    }

    fn compare_dirs(&mut self, pair: &Pair) -> Result<(), Error> {
        let old = pair.old.map_or_else(|| Ok(Vec::new()), |dir| self.old.list(dir))?;
        let new = pair.new.map_or_else(|| Ok(Vec::new()), |dir| self.new.list(dir))?;
        let (view, entries) = if pair.new.is_some() { (self.new, &new) } else { (self.old, &old) };
        let rules = self.scope.rules_inside(&pair.rules, &pair.path, view, entries)?;

        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.name.cmp(&b.name),
            };
            let a = if order.is_le() { old.next() } else { None };
            let b = if order.is_ge() { new.next() } else { None };
            self.compare_entries(pair, &rules, a, b)?;
        }
    }

    fn compare_entries(
        &mut self,
        pair: &Pair,
        rules: &Rules,
        old: Option<SnapshotEntry>,
        new: Option<SnapshotEntry>,
    ) -> Result<(), Error> {
        if let (Some(old), Some(new)) = (&old, &new)
            && is_same_for_sure(old, new)
        {
            return Ok(());
        }
        let Some(any) = new.as_ref().or(old.as_ref()) else { return Ok(()) };
        let path = pair.path.join(&any.name);
        // What is a directory on one side may be tracked on the other only.
        let in_scope = |entry: &SnapshotEntry| self.scope.has(rules, &path, entry.attr.kind == Kind::Dir);
        let (old, new) = (old.filter(in_scope), new.filter(in_scope));
        self.enter(path.clone(), old.as_ref(), new.as_ref(), rules);
        let kind = match (&old, &new) {
            (None, None) => None,
            (None, Some(_)) => Some(ChangeKind::Added),
            (Some(_), None) => Some(ChangeKind::Deleted),
            (Some(a), Some(b)) => self.difference(a, b)?,
        };
        if let Some(kind) = kind {
            self.changes.push(Change { path, kind, old, new });
        }
        Ok(())
    }

    /// How two entries of one path differ, apart from what is in a directory.
    fn difference(&self, old: &SnapshotEntry, new: &SnapshotEntry) -> Result<Option<ChangeKind>, Error> {
        if old.attr.kind != new.attr.kind {
            return Ok(Some(ChangeKind::TypeChanged));
        }
        let same = match (&old.body, &new.body) {
            (SnapshotBody::File(_), SnapshotBody::File(_)) => {
                same_bytes(FileOf { view: self.old, entry: old }, FileOf { view: self.new, entry: new })?
            }
            (SnapshotBody::Symlink(a), SnapshotBody::Symlink(b)) => a == b,
            _ => old.attr.rdev == new.attr.rdev,
        };
        // The permission bits of a symbolic link mean nothing.
        let same_mode = old.attr.kind == Kind::Symlink || old.attr.perm == new.attr.perm;
        Ok(match (same, same_mode) {
            (false, _) => Some(ChangeKind::Modified),
            (true, false) => Some(ChangeKind::ModeChanged),
            (true, true) => None,
        })
    }
}

/// Whether two entries of one path are equal, with all that is in them, by what they are frozen as. It is asked before
/// anything else, because most entries of a directory in which something changed are as they were: their paths are not
/// made, and no rule is asked about them.
fn is_same_for_sure(old: &SnapshotEntry, new: &SnapshotEntry) -> bool {
    let same_attr = (old.attr.kind, old.attr.perm, old.attr.size) == (new.attr.kind, new.attr.perm, new.attr.size);
    match (&old.body, &new.body) {
        (SnapshotBody::File(Some(a)), SnapshotBody::File(Some(b))) => same_attr && a == b,
        (SnapshotBody::Dir(SnapshotDir::Frozen(a)), SnapshotBody::Dir(SnapshotDir::Frozen(b))) => {
            same_attr && a.content == b.content
        }
        (SnapshotBody::Symlink(a), SnapshotBody::Symlink(b)) => a == b,
        _ => false,
    }
}

fn dir_of(entry: &SnapshotEntry) -> Option<SnapshotDir> {
    match entry.body {
        SnapshotBody::Dir(dir) => Some(dir),
        _ => None,
    }
}
