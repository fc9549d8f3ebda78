//! What a file's bytes were at one moment, without the bytes: where each of them lies.
//!
//! Data that was written stays where it is as long as a process has the session open, or moves; its place is never used
//! again. So a range that lies where it lay has the bytes that it had. A range that moved counts as changed, which costs
//! time and does no harm.

use std::ops::Range;

use crate::model::{Content, Ino};

use super::extents::Extent;
use super::file_data::FileData;
use super::snapshot::Snapshot;
use super::{Lower, Upper};

/// Where the bytes of a file lay at one moment.
#[derive(Clone, Debug)]
pub struct FileMark {
    size: u64,
    data: FileData,
}

impl<L: Lower, U: Upper> Snapshot<L, U> {
    /// Where the bytes of a written file lie; `None` for what is none.
    #[must_use]
    pub fn mark(&self, ino: Ino) -> Option<FileMark> {
        let inode = self.state.inodes.get(&ino)?;
        Some(FileMark { size: inode.size(), data: inode.file()?.clone() })
    }
}

impl FileMark {
    /// The frozen content that the file began with, and where the bytes of that lie.
    #[must_use]
    pub fn of_base(&self) -> Option<(Content, Self)> {
        let base = self.data.base()?;
        let data = FileData::frozen(&crate::model::Body::File(base.content), base.len);
        Some((base.content, Self { size: base.len, data }))
    }

    /// The ranges in which every byte lies where it lay before, in order, none next to another.
    #[must_use]
    pub fn same_as(&self, before: &Self) -> Vec<Range<u64>> {
        let end = self.size.min(before.size);
        let (old, new) = (before.data.spans(0, end), self.data.spans(0, end));
        let mut same: Vec<Range<u64>> = Vec::new();
        let mut add = |range: Range<u64>| match same.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => same.push(range),
        };
        let (mut a, mut b) = (0, 0);
        while let (Some(x), Some(y)) = (old.get(a), new.get(b)) {
            let range = x.start.max(y.start)..x.end().min(y.end());
            let moved = |extent: Option<Extent>, start: u64| extent.map(|extent| extent.skip(range.start - start));
            match (moved(x.extent, x.start), moved(y.extent, y.start)) {
                (None, None) => {
                    let (shown, hidden) = self.shown_alike(before);
                    add(range.start..range.end.min(shown));
                    add(range.start.max(hidden)..range.end);
                }
                (Some(Extent::Data(x)), Some(Extent::Data(y))) if x == y => add(range.clone()),
                (Some(Extent::Zero { .. }), Some(Extent::Zero { .. })) => add(range.clone()),
                _ => {}
            }
            a += usize::from(x.end() == range.end);
            b += usize::from(y.end() == range.end);
        }
        same
    }

    /// Up to where both show the same base, and from where on neither shows any.
    fn shown_alike(&self, before: &Self) -> (u64, u64) {
        let content = |mark: &Self| mark.data.base().map(|base| (base.content, base.len));
        let (new, old) = (self.data.visible(), before.data.visible());
        let shown = if content(self) == content(before) { new.min(old) } else { 0 };
        (shown, new.max(old).max(shown))
    }
}
