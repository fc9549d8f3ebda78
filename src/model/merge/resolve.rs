//! Decides about one file: where it goes, what is in it, and whether the sides agree.

use crate::model::{Body, BytePath, Entry, Kind};

use super::conflict::{ConflictKind, Version};
use super::item::{Held, Item};
use super::lines::is_binary;
use super::text::TextMerge;
use super::tree::{Trees, same, same_content, same_mode};
use super::{MAX_TEXT_BYTES, Options};

/// What becomes of a file.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) path: BytePath,
    /// What it is then. Where there is a text, the content in it has no meaning.
    pub(super) entry: Entry,
    /// Its bytes, if they are in none of the trees.
    pub(super) text: Option<Vec<u8>>,
    /// Whether there are conflict markers in the text.
    pub(super) has_markers: bool,
}

/// A file that was decided about.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) base: Option<Version>,
    pub(super) ours: Option<Version>,
    pub(super) theirs: Option<Version>,
    /// `None`: it is gone.
    pub(super) outcome: Option<Outcome>,
    pub(super) kinds: Vec<ConflictKind>,
    /// More files of ours that this one replaces.
    pub(super) replaces: Vec<BytePath>,
}

pub(super) fn resolve_all<T: Trees>(trees: &T, items: Vec<Item>, options: &Options) -> Result<Vec<Resolved>, T::Error> {
    items.into_iter().map(|item| resolve(trees, item, options)).collect()
}

fn resolve<T: Trees>(trees: &T, item: Item, options: &Options) -> Result<Resolved, T::Error> {
    let Item { base, ours, theirs } = item;
    let mut kinds = Vec::new();
    let outcome = match (&ours, &theirs) {
        (None, None) => None,
        (Some(held), None) | (None, Some(held)) => match &base {
            Some(base) => {
                kinds.extend(against_deletion(base, held));
                (!kinds.is_empty()).then(|| kept(held))
            }
            None => Some(kept(held)),
        },
        (Some(ours), Some(theirs)) => {
            let path = three_way_path(base.as_ref(), ours, theirs, &mut kinds);
            let entries = (base.as_ref().map(|base| &base.entry), &ours.version.entry, &theirs.version.entry);
            let mut outcome = Content { trees, options, kinds: &mut kinds }.merge(entries.0, entries.1, entries.2)?;
            outcome.path = path;
            Some(outcome)
        }
    };
    kinds.sort_unstable();
    kinds.dedup();
    let version = |held: Option<Held>| held.map(|held| held.version);
    Ok(Resolved { base, ours: version(ours), theirs: version(theirs), outcome, kinds, replaces: Vec::new() })
}

fn kept(held: &Held) -> Outcome {
    Outcome { path: held.goes_to.clone(), entry: held.version.entry.clone(), text: None, has_markers: false }
}

/// What one side did to a file that the other side deleted.
fn against_deletion(base: &Version, held: &Held) -> Option<ConflictKind> {
    if held.version.path != base.path {
        Some(ConflictKind::RenameDelete)
    } else {
        (!same(&base.entry, &held.version.entry)).then_some(ConflictKind::DeleteChange)
    }
}

/// Where a file goes that both sides have. If both moved it, apart, ours tells.
fn three_way_path(base: Option<&Version>, ours: &Held, theirs: &Held, kinds: &mut Vec<ConflictKind>) -> BytePath {
    let was_at = |held: &Held| base.is_some_and(|base| base.path == held.goes_to);
    if was_at(ours) {
        return theirs.goes_to.clone();
    }
    if !was_at(theirs) && ours.goes_to != theirs.goes_to {
        kinds.push(ConflictKind::Rename);
    }
    ours.goes_to.clone()
}

/// Joins two files that ended up at one path. The first is the one that ours has there, if it has one.
pub(super) fn collide<T: Trees>(
    trees: &T,
    first: Resolved,
    second: Resolved,
    options: &Options,
) -> Result<Resolved, T::Error> {
    let mut kinds = [first.kinds, second.kinds].concat();
    let outcome = match (&first.outcome, &second.outcome) {
        (Some(a), Some(b)) => {
            let mut content = Content { trees, options, kinds: &mut kinds };
            let mut outcome = content.join(a, b)?;
            outcome.path = a.path.clone();
            Some(outcome)
        }
        (a, b) => a.clone().or_else(|| b.clone()),
    };
    kinds.sort_unstable();
    kinds.dedup();
    let mut replaces = [first.replaces, second.replaces].concat();
    let ours = first.ours.or_else(|| second.ours.clone());
    replaces.extend(second.ours.filter(|it| Some(&it.path) != ours.as_ref().map(|it| &it.path)).map(|it| it.path));
    Ok(Resolved { base: None, ours, theirs: second.theirs.or(first.theirs), outcome, kinds, replaces })
}

/// Merges what is in files.
struct Content<'a, T> {
    trees: &'a T,
    options: &'a Options,
    kinds: &'a mut Vec<ConflictKind>,
}

impl<T: Trees> Content<'_, T> {
    /// The outcome has no path yet.
    fn merge(&mut self, base: Option<&Entry>, ours: &Entry, theirs: &Entry) -> Result<Outcome, T::Error> {
        let mut entry = ours.clone();
        let (mut text, mut has_markers) = (None, false);
        if ours.attr.kind != theirs.attr.kind {
            // What one side replaced must be as it was on the other, or something would be lost.
            if base.is_some_and(|base| same(base, ours)) {
                take(&mut entry, theirs);
            } else if !base.is_some_and(|base| same(base, theirs)) {
                self.kinds.push(ConflictKind::Type);
            }
        } else if same_content(ours, theirs) || base.is_some_and(|base| same_content(base, theirs)) {
            // It is as ours has it.
        } else if base.is_some_and(|base| same_content(base, ours)) {
            take(&mut entry, theirs);
        } else {
            (text, has_markers) = self.merge_bytes(base, ours, theirs)?;
        }
        if ours.attr.kind == theirs.attr.kind {
            entry.attr.perm = self.merge_mode(base, ours, theirs);
        }
        keep_news(&mut entry, base, ours, theirs);
        if let Some(text) = &text {
            entry.attr.size = text.len() as u64;
        }
        Ok(Outcome { path: BytePath::root(), entry, text, has_markers })
    }

    /// The bytes of a file that both sides changed; `None` if they stay as ours has them.
    fn merge_bytes(
        &mut self,
        base: Option<&Entry>,
        ours: &Entry,
        theirs: &Entry,
    ) -> Result<(Option<Vec<u8>>, bool), T::Error> {
        let both = if base.is_some() { ConflictKind::BothChanged } else { ConflictKind::BothAdded };
        let (Some(our_bytes), Some(their_bytes)) = (self.bytes(ours)?, self.bytes(theirs)?) else {
            self.kinds.push(both);
            return Ok((None, false));
        };
        let base_bytes = base.map(|base| self.bytes(base)).transpose()?.flatten().unwrap_or_default();
        Ok(self.merge_texts(&base_bytes, &our_bytes, &their_bytes, both))
    }

    fn merge_texts(&mut self, base: &[u8], ours: &[u8], theirs: &[u8], both: ConflictKind) -> (Option<Vec<u8>>, bool) {
        if ours == theirs {
            return (None, false);
        }
        if [base, ours, theirs].into_iter().any(is_binary) {
            self.kinds.push(both);
            return (None, false);
        }
        let merge = TextMerge::new(base, ours, theirs);
        if !merge.is_clean() {
            self.kinds.push(both);
        }
        let text = merge.render(self.options.style, &self.options.labels);
        ((text != ours).then_some(text), !merge.is_clean())
    }

    /// All bytes of a file that is not too long; `None` for all else.
    fn bytes(&self, entry: &Entry) -> Result<Option<Vec<u8>>, T::Error> {
        match &entry.body {
            Body::File(content) if entry.attr.size <= MAX_TEXT_BYTES => {
                self.trees.read(content, entry.attr.size).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn merge_mode(&mut self, base: Option<&Entry>, ours: &Entry, theirs: &Entry) -> u16 {
        let is_as_in_base = |entry: &Entry| base.is_some_and(|base| base.attr.perm == entry.attr.perm);
        if same_mode(ours, theirs) || is_as_in_base(theirs) {
            return ours.attr.perm;
        }
        if is_as_in_base(ours) {
            return theirs.attr.perm;
        }
        self.kinds.push(ConflictKind::Mode);
        ours.attr.perm
    }

    /// Two different files at one path: as if both had been added there.
    fn join(&mut self, a: &Outcome, b: &Outcome) -> Result<Outcome, T::Error> {
        if let (None, None) = (&a.text, &b.text) {
            return self.merge(None, &a.entry, &b.entry);
        }
        let mut joined = a.clone();
        if a.entry.attr.kind != b.entry.attr.kind {
            self.kinds.push(ConflictKind::Type);
            return Ok(joined);
        }
        joined.entry.attr.perm = self.merge_mode(None, &a.entry, &b.entry);
        let bytes = |outcome: &Outcome| match &outcome.text {
            Some(text) => Ok(Some(text.clone())),
            None => self.bytes(&outcome.entry),
        };
        let (Some(left), Some(right)) = (bytes(a)?, bytes(b)?) else {
            self.kinds.push(ConflictKind::BothAdded);
            return Ok(joined);
        };
        let (text, has_markers) = self.merge_texts(b"", &left, &right, ConflictKind::BothAdded);
        if let Some(text) = text {
            joined.entry.attr.size = text.len() as u64;
            (joined.text, joined.has_markers) = (Some(text), has_markers);
        }
        Ok(joined)
    }
}

/// Gives a file of ours the content of theirs. It stays the same inode.
fn take(entry: &mut Entry, theirs: &Entry) {
    let (attr, from) = (&mut entry.attr, &theirs.attr);
    if attr.kind != from.kind {
        (attr.kind, attr.perm) = (from.kind, from.perm);
    }
    (attr.size, attr.rdev) = (from.size, from.rdev);
    (attr.mtime, attr.ctime, attr.atime) = (from.mtime, from.ctime, from.atime);
    entry.body = theirs.body.clone();
}

/// Owner and extended attributes are no differences, but what only theirs changed of them comes along.
fn keep_news(entry: &mut Entry, base: Option<&Entry>, ours: &Entry, theirs: &Entry) {
    let Some(base) = base else { return };
    if entry.attr.kind == Kind::Dir {
        return;
    }
    if ours.xattrs == base.xattrs {
        entry.xattrs.clone_from(&theirs.xattrs);
    }
    let owner = |entry: &Entry| (entry.attr.uid, entry.attr.gid);
    if owner(ours) == owner(base) {
        (entry.attr.uid, entry.attr.gid) = owner(theirs);
    }
}
