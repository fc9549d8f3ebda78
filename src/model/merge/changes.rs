//! What one side changed since the base: a walk through two trees side by side, that enters only where they differ.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::model::{Body, BytePath, DirRef, Entry, Kind};

use super::tree::{Trees, same};

/// What is at a path before and after.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    pub(super) base: Option<Entry>,
    pub(super) side: Option<Entry>,
}

impl Pair {
    pub(super) fn is_added(&self) -> bool {
        self.base.is_none()
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.side.is_none()
    }
}

/// The changes of one side. Where a file became a directory, a file went and a directory came.
#[derive(Clone, Debug, Default)]
pub(super) struct SideChanges {
    /// All but directories.
    pub(super) files: BTreeMap<BytePath, Pair>,
    /// Directories that came, went or changed their mode.
    pub(super) dirs: BTreeMap<BytePath, Pair>,
    /// Files that moved: where to, by where from. Both are in `files`, too.
    pub(super) renames: BTreeMap<BytePath, BytePath>,
    /// Directories that moved as a whole.
    pub(super) dir_renames: BTreeMap<BytePath, BytePath>,
}

struct Visit<R> {
    path: BytePath,
    base: Option<DirRef>,
    side: Option<DirRef>,
    rules: R,
}

impl SideChanges {
    /// Lists what differs; moves are not looked for here.
    pub(super) fn between<T: Trees>(trees: &T, base: DirRef, side: DirRef) -> Result<Self, T::Error> {
        let mut changes = Self::default();
        let mut visits = Vec::new();
        enter(&mut visits, BytePath::root(), Some(base), Some(side), trees.rules());
        while let Some(visit) = visits.pop() {
            changes.visit(trees, &visit, &mut visits)?;
        }
        Ok(changes)
    }

    fn visit<T: Trees>(
        &mut self,
        trees: &T,
        visit: &Visit<T::Rules>,
        visits: &mut Vec<Visit<T::Rules>>,
    ) -> Result<(), T::Error> {
        let base = visit.base.map_or_else(|| Ok(Vec::new()), |dir| trees.list(&dir))?;
        let side = visit.side.map_or_else(|| Ok(Vec::new()), |dir| trees.list(&dir))?;
        let entries = if visit.side.is_some() { &side } else { &base };
        let rules = trees.rules_inside(&visit.rules, &visit.path, entries)?;
        let (mut base, mut side) = (base.into_iter().peekable(), side.into_iter().peekable());
        loop {
            let order = match (base.peek(), side.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.name.cmp(&b.name),
            };
            let a = if order.is_le() { base.next() } else { None };
            let b = if order.is_ge() { side.next() } else { None };
            let Some(any) = b.as_ref().or(a.as_ref()) else { return Ok(()) };
            let path = visit.path.join(&any.name);
            // What is a directory on one side may be tracked on the other only.
            let tracked = |entry: &Entry| trees.is_tracked(&rules, &path, entry.attr.kind == Kind::Dir);
            let (a, b) = (a.filter(tracked), b.filter(tracked));
            enter(visits, path.clone(), dir_of(a.as_ref()), dir_of(b.as_ref()), rules.clone());
            self.note(path, a, b);
        }
    }

    fn note(&mut self, path: BytePath, base: Option<Entry>, side: Option<Entry>) {
        if let (Some(a), Some(b)) = (&base, &side)
            && same(a, b)
        {
            return;
        }
        let split = |entry: Option<Entry>| match entry {
            Some(entry) if entry.attr.kind == Kind::Dir => (Some(entry), None),
            other => (None, other),
        };
        let ((base_dir, base_file), (side_dir, side_file)) = (split(base), split(side));
        if base_file.is_some() || side_file.is_some() {
            self.files.insert(path.clone(), Pair { base: base_file, side: side_file });
        }
        if base_dir.is_some() || side_dir.is_some() {
            self.dirs.insert(path, Pair { base: base_dir, side: side_dir });
        }
    }
}

/// Has the directories looked at later, unless they are known to hold the same.
fn enter<R>(visits: &mut Vec<Visit<R>>, path: BytePath, base: Option<DirRef>, side: Option<DirRef>, rules: R) {
    let is_same = matches!((base, side), (Some(a), Some(b)) if a.content == b.content);
    if !is_same && (base.is_some() || side.is_some()) {
        visits.push(Visit { path, base, side, rules });
    }
}

fn dir_of(entry: Option<&Entry>) -> Option<DirRef> {
    match entry?.body {
        Body::Dir(dir) => Some(dir),
        _ => None,
    }
}
