//! Directory listings that stay stable while entries come and go.
//!
//! Positions: 1 and 2 are `.` and `..`; then come the base's entries at their index plus 3, whatever became of them
//! (a name that was replaced keeps its place); then the added names, each with a number that no other ever has. So an
//! entry that stays is listed exactly once, whatever happens around it.

use crate::model::{Attr, DirRef, Ino};

use super::core::Overlay;
use super::data_ops::frozen_bytes;
use super::inode::{Dentry, DirData, FIRST_ADDED_COOKIE, Link};
use super::known::Location;
use super::nodes::{Stop, leaf};
use super::txn::View;
use super::{DirEntry, Error, Lower, Upper};

const FIRST_BASE_COOKIE: u64 = 3;

/// How a pass over a part of a directory ended.
enum Pass {
    /// The caller wants no more, or there is no more.
    Done,
    /// Go on after this cookie.
    More(u64),
}

impl<L: Lower, U: Upper> Overlay<L, U> {
    pub(super) fn do_read_dir(
        &self,
        ino: Ino,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Error> {
        let mut at = cookie;
        loop {
            // A pass calls back only once it has every node that it needs, so a repeated one repeats no entry.
            match self.view(|view| self.pass(view, ino, at, with_attr, each))? {
                Pass::Done => return Ok(()),
                Pass::More(next) => at = next,
            }
        }
    }

    fn pass(
        &self,
        view: &View<'_>,
        ino: Ino,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<Pass, Stop> {
        let base = view.base_dir(ino)?;
        let delta = view.state.inodes.get(&ino).and_then(|inode| inode.dir());
        if cookie < FIRST_BASE_COOKIE - 1 {
            return self.list_dots(view, ino, cookie, each);
        }
        let index = (cookie + 1).saturating_sub(FIRST_BASE_COOKIE);
        if let Some(base) = base
            && cookie < FIRST_ADDED_COOKIE - 1
        {
            return self.list_base(view, ino, (base, index), delta, with_attr, each);
        }
        self.list_added(view, delta, cookie, with_attr, each)
    }

    fn list_dots(
        &self,
        view: &View<'_>,
        ino: Ino,
        cookie: u64,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<Pass, Stop> {
        let parent = match view.state.inodes.get(&ino) {
            Some(inode) => inode.parent,
            None => view.frozen(ino, |_, parent| parent)?,
        };
        let kind = crate::model::Kind::Dir;
        for (at, ino, name) in [(1, ino, &b"."[..]), (2, parent, b"..")] {
            if cookie < at && !each(DirEntry { ino, kind, name, cookie: at, attr: None, allocated_bytes: 0 }) {
                return Ok(Pass::Done);
            }
        }
        Ok(Pass::More(FIRST_BASE_COOKIE - 1))
    }

    /// Lists the rest of the leaf that holds the base's entry `index`.
    fn list_base(
        &self,
        view: &View<'_>,
        parent: Ino,
        (base, index): (DirRef, u64),
        delta: Option<&DirData>,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<Pass, Stop> {
        let Some((id, node, before)) = view.nodes.leaf_at(base, index)? else {
            return Ok(Pass::More(FIRST_ADDED_COOKIE - 1));
        };
        let entries = &leaf(id, &node)?.entries;
        let delta = delta.filter(|delta| !delta.names.is_empty());
        for (at, entry) in entries.iter().enumerate().skip((index - before) as usize) {
            let cookie = before + at as u64 + FIRST_BASE_COOKIE;
            let (ino, kind) = match delta.and_then(|delta| delta.names.get(&entry.name)).map(Dentry::link) {
                Some(None) => continue,
                Some(Some(link)) => (link.ino, link.kind),
                None => (entry.attr.ino, entry.attr.kind),
            };
            let changed = view.state.inodes.get(&ino);
            let own = changed.map(|inode| inode.attr());
            let attr = own.as_ref().unwrap_or(&entry.attr);
            let allocated_bytes = changed.map_or_else(|| frozen_bytes(entry), |inode| inode.allocated_bytes());
            let location = changed.is_none().then_some(Location { parent, leaf: id, index: at as u32 });
            let shown_attr = with_attr.then_some(attr);
            let shown = DirEntry { ino, kind, name: &entry.name, cookie, attr: shown_attr, allocated_bytes };
            if !self.offer(shown, attr, location, each) {
                return Ok(Pass::Done);
            }
        }
        Ok(Pass::More(before + entries.len() as u64 + FIRST_BASE_COOKIE - 1))
    }

    fn list_added(
        &self,
        view: &View<'_>,
        delta: Option<&DirData>,
        cookie: u64,
        with_attr: bool,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<Pass, Stop> {
        let Some(delta) = delta else { return Ok(Pass::Done) };
        for (name, Link { ino, kind, cookie }) in delta.added_from(cookie.saturating_add(1)) {
            let Some(inode) = view.state.inodes.get(&ino) else { continue };
            let own = inode.attr();
            let (attr, allocated_bytes) = (with_attr.then_some(&own), inode.allocated_bytes());
            let shown = DirEntry { ino, kind, name, cookie, attr, allocated_bytes };
            if !self.offer(shown, &own, None, each) {
                return Ok(Pass::Done);
            }
        }
        Ok(Pass::Done)
    }

    /// Hands an entry to the caller; one that it takes with attributes is a look-up by the kernel.
    fn offer(
        &self,
        entry: DirEntry<'_>,
        attr: &Attr,
        location: Option<Location>,
        each: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> bool {
        let counts = entry.attr.is_some();
        let taken = each(entry);
        if taken && counts {
            self.count_lookup(attr, location);
        }
        taken
    }
}
