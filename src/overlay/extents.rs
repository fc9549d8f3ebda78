//! Which bytes of a file were written in the session, and where they lie.
//!
//! Most files have one extent (they were written front to back), so one is held without an allocation; more go into a
//! tree. Extents never overlap, never are empty, and two that continue each other in file and in place are one.

use std::collections::BTreeMap;

use crate::model::Place;

use super::core::Moved;

/// What a range of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Written data.
    Data(Place),
    /// Zeros, a hole to `lseek(2)`; whether they count as allocated decides what `stat(2)` says of the file's blocks.
    Zero { allocated: bool },
}

impl Extent {
    /// The same extent without its first `skip` bytes.
    pub fn skip(self, skip: u64) -> Self {
        match self {
            Self::Data(place) => Self::Data(Place { offset: place.offset + skip, ..place }),
            zero => zero,
        }
    }

    fn is_allocated(self) -> bool {
        self != Self::Zero { allocated: false }
    }

    pub fn continues(self, next: Self, len: u64) -> bool {
        self.skip(len) == next
    }

    /// Follows data that was moved, as [`Extents::relocate`] does.
    pub fn follow(&mut self, moved: &[Moved]) {
        if let Self::Data(place) = self
            && let Some(at) = moved.partition_point(|(from, ..)| *from <= *place).checked_sub(1)
            && let (from, len, to) = moved[at]
            && from.file == place.file
            && place.offset < from.offset + len
        {
            *place = Place { file: to.file, offset: to.offset + (place.offset - from.offset) };
        }
    }
}

/// A range and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u64,
    pub len: u64,
    /// `None` where nothing was written, so that the base or a hole shows.
    pub extent: Option<Extent>,
}

impl Span {
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

#[derive(Clone, Debug, Default)]
enum Spans {
    #[default]
    None,
    One(u64, u64, Extent),
    Many(Box<Many>),
}

/// More than one.
#[derive(Clone, Debug, Default)]
struct Many {
    tree: BTreeMap<u64, (u64, Extent)>,
    /// What they hold, kept as they change, so that asking for it costs nothing.
    held: Held,
}

/// The extents of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Extents {
    spans: Spans,
    /// Where the base's visible part ends.
    visible: u64,
}

/// How many bytes extents hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Bytes of data, and of zeros that count as allocated.
    pub allocated: u64,
    /// Bytes of the base's visible part that extents hide.
    pub hidden: u64,
}
impl Held {
    /// `visible`: where the base's visible part ends.
    fn add(&mut self, visible: u64, start: u64, len: u64, extent: Extent) {
        self.hidden += visible.min(start + len).saturating_sub(start);
        self.allocated += if extent.is_allocated() { len } else { 0 };
    }

    fn remove(&mut self, visible: u64, start: u64, len: u64, extent: Extent) {
        self.hidden -= visible.min(start + len).saturating_sub(start);
        self.allocated -= if extent.is_allocated() { len } else { 0 };
    }
}

/// Ranges of the upper that nothing refers to any more.
pub(super) type Dead = Vec<(Place, u64)>;

impl Extents {
    /// None yet, over a base of which the first `visible` bytes show.
    pub fn over_base(visible: u64) -> Self {
        Self { spans: Spans::None, visible }
    }

    /// Where the part of the base ends that can still show.
    pub fn visible(&self) -> u64 {
        self.visible
    }

    /// How many bytes they hold.
    pub fn held(&self) -> Held {
        let mut held = Held::default();
        match &self.spans {
            Spans::None => {}
            Spans::One(start, len, extent) => held.add(self.visible, *start, *len, *extent),
            Spans::Many(many) => held = many.held,
        }
        held
    }

    /// Puts an extent in, over whatever was there; data that it hides is added to `dead`.
    pub fn set(&mut self, start: u64, len: u64, extent: Extent, dead: &mut Dead) {
        if len == 0 {
            return;
        }
        match &mut self.spans {
            Spans::None => self.spans = Spans::One(start, len, extent),
            Spans::One(first, first_len, old) if *first + *first_len == start && old.continues(extent, *first_len) => {
                *first_len += len;
            }
            Spans::One(first, first_len, old) if start <= *first && *first + *first_len <= start + len => {
                bury(*first_len, *old, dead);
                self.spans = Spans::One(start, len, extent);
            }
            spans => {
                let Many { tree, held } = spans.many(self.visible);
                held.add(self.visible, start, len, extent);
                let mut gone = Gone { visible: self.visible, held, dead };
                set_in_tree(tree, start, len, extent, &mut gone);
            }
        }
    }

    /// Forgets all from `len` on, and of the base, too, nothing shows there any more.
    pub fn truncate(&mut self, len: u64, dead: &mut Dead) {
        match &mut self.spans {
            Spans::None => {}
            Spans::One(first, first_len, old) => {
                if *first >= len {
                    bury(*first_len, *old, dead);
                    self.spans = Spans::None;
                } else if *first + *first_len > len {
                    let keep = len - *first;
                    bury(*first_len - keep, old.skip(keep), dead);
                    *first_len = keep;
                }
            }
            Spans::Many(many) => {
                let Many { tree, held } = &mut **many;
                let mut gone = Gone { visible: self.visible, held, dead };
                cut_at(tree, len);
                for (first, (first_len, extent)) in tree.split_off(&len) {
                    gone.bury(first, first_len, extent);
                }
            }
        }
        self.visible = self.visible.min(len);
    }

    /// All of `start..start + len` in order, what was not written included.
    pub fn spans(&self, start: u64, len: u64) -> Vec<Span> {
        let end = start + len;
        let mut at = start;
        let mut out = Vec::new();
        let mut push = |first: u64, first_len: u64, extent: Extent| {
            let (from, to) = (first.max(start), (first + first_len).min(end));
            if from >= to {
                return;
            }
            if from > at {
                out.push(Span { start: at, len: from - at, extent: None });
            }
            out.push(Span { start: from, len: to - from, extent: Some(extent.skip(from - first)) });
            at = to;
        };
        match &self.spans {
            Spans::None => {}
            Spans::One(first, first_len, extent) => push(*first, *first_len, *extent),
            Spans::Many(many) => {
                let from = many.tree.range(..=start).next_back().map_or(start, |(&first, _)| first);
                for (&first, &(first_len, extent)) in many.tree.range(from..end) {
                    push(first, first_len, extent);
                }
            }
        }
        if at < end {
            out.push(Span { start: at, len: end - at, extent: None });
        }
        out
    }

    /// Every extent, in file order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (u64, u64, Extent)> + '_> {
        match &self.spans {
            Spans::None => Box::new(std::iter::empty()),
            Spans::One(first, len, extent) => Box::new(std::iter::once((*first, *len, *extent))),
            Spans::Many(many) => Box::new(many.tree.iter().map(|(&first, &(len, extent))| (first, len, extent))),
        }
    }

    /// Follows data that was moved. `moved` is sorted by where it was, and an extent is moved as a whole or not at all.
    pub fn relocate(&mut self, moved: &[Moved]) {
        match &mut self.spans {
            Spans::None => {}
            Spans::One(_, _, extent) => extent.follow(moved),
            Spans::Many(many) => many.tree.values_mut().for_each(|(_, extent)| extent.follow(moved)),
        }
    }
}

impl Spans {
    /// As many, whatever they were; `visible`: where the base's visible part ends.
    fn many(&mut self, visible: u64) -> &mut Many {
        match *self {
            Self::None => *self = Self::Many(Box::default()),
            Self::One(first, len, extent) => {
                let mut held = Held::default();
                held.add(visible, first, len, extent);
                *self = Self::Many(Box::new(Many { tree: BTreeMap::from([(first, (len, extent))]), held }));
            }
            Self::Many(_) => {}
        }
        match self {
            Self::Many(many) => many,
            Self::None | Self::One(..) => unreachable!("made many just above"),
        }
    }
}

/// An extent that nothing refers to any more.
fn bury(len: u64, extent: Extent, dead: &mut Dead) {
    if let Extent::Data(place) = extent {
        dead.push((place, len));
    }
}

/// Takes what is no longer held.
struct Gone<'a> {
    /// Where the base's visible part ends.
    visible: u64,
    held: &'a mut Held,
    dead: &'a mut Dead,
}

impl Gone<'_> {
    fn bury(&mut self, start: u64, len: u64, extent: Extent) {
        self.held.remove(self.visible, start, len, extent);
        bury(len, extent, self.dead);
    }
}

/// Splits the extent that spans `at`, so that one starts there.
fn cut_at(tree: &mut BTreeMap<u64, (u64, Extent)>, at: u64) {
    if let Some((&first, entry)) = tree.range_mut(..at).next_back() {
        let (len, extent) = *entry;
        if first + len > at {
            entry.0 = at - first;
            tree.insert(at, (first + len - at, extent.skip(at - first)));
        }
    }
}

fn set_in_tree(tree: &mut BTreeMap<u64, (u64, Extent)>, start: u64, len: u64, extent: Extent, gone: &mut Gone<'_>) {
    cut_at(tree, start);
    cut_at(tree, start + len);
    while let Some((&first, &(first_len, old))) = tree.range(start..start + len).next() {
        tree.remove(&first);
        gone.bury(first, first_len, old);
    }
    if let Some((&before, entry)) = tree.range_mut(..start).next_back()
        && before + entry.0 == start
        && entry.1.continues(extent, entry.0)
    {
        entry.0 += len;
        return;
    }
    tree.insert(start, (len, extent));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(offset: u64) -> Extent {
        Extent::Data(Place { file: 1, offset })
    }

    #[test]
    fn front_to_back_writes_stay_one_extent() {
        let (mut extents, mut dead) = (Extents::default(), Dead::new());
        for at in 0..100 {
            extents.set(at * 10, 10, data(500 + at * 10), &mut dead);
        }
        assert_eq!(extents.iter().count(), 1);
        assert!(dead.is_empty());
    }

    proptest! {
        /// Against a vector of bytes' origins: every byte is where it was last put, and what is dead is dead once.
        #[test]
        fn extents_behave_like_a_map_of_bytes(ops in prop::collection::vec((0u64..200, 1u64..60, 0u8..4), 1..40)) {
            const VISIBLE: u64 = 120;
            let (mut extents, mut dead) = (Extents::over_base(VISIBLE), Dead::new());
            let mut visible = VISIBLE;
            let mut model = vec![None; 300];
            let mut next = 0;
            for (start, len, what) in ops {
                match what {
                    0 => {
                        extents.truncate(start, &mut dead);
                        visible = visible.min(start);
                        model[start as usize..].fill(None);
                    }
                    1 => {
                        extents.set(start, len, Extent::Zero { allocated: false }, &mut dead);
                        model[start as usize..(start + len) as usize].fill(Some(Extent::Zero { allocated: false }));
                    }
                    _ => {
                        extents.set(start, len, data(next), &mut dead);
                        for step in 0..len {
                            model[(start + step) as usize] = Some(data(next + step));
                        }
                        next += len;
                    }
                }
            }
            let allocated = model.iter().filter(|byte| byte.is_some_and(Extent::is_allocated)).count();
            let hidden = model[..visible as usize].iter().filter(|byte| byte.is_some()).count();
            prop_assert_eq!(extents.held(), Held { allocated: allocated as u64, hidden: hidden as u64 });
            prop_assert_eq!(extents.visible(), visible);
            let mut live = 0;
            for span in extents.spans(0, 300) {
                for step in 0..span.len {
                    prop_assert_eq!(span.extent.map(|extent| extent.skip(step)), model[(span.start + step) as usize]);
                    live += u64::from(matches!(span.extent, Some(Extent::Data(_))));
                }
            }
            let buried: u64 = dead.iter().map(|(_, len)| len).sum();
            prop_assert_eq!(live + buried, next);
        }
    }
}
