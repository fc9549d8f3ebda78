//! What a file of the delta holds: what was written, over what can still show of its frozen content.
//!
//! Most files of a delta have no base and were written front to back, so they are held without an allocation. What is more
//! than that stays so, whatever becomes of it.

use crate::model::{Body, Content, Place};

use super::core::Moved;
use super::extents::{Dead, Extent, Extents, Span};

/// A file's frozen content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    pub content: Content,
    /// Length of the frozen file.
    pub len: u64,
}

/// The data of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileData(Form);

#[derive(Clone, Debug, Default)]
enum Form {
    /// Nothing was written, and there is no base.
    #[default]
    Empty,
    /// So many bytes from the first on, which lie in one place, and no base.
    Whole(u64, Place),
    Mixed(Box<Mixed>),
}

#[derive(Clone, Debug, Default)]
struct Mixed {
    base: Option<Base>,
    extents: Extents,
}

impl FileData {
    /// The data of a file that the session has not changed.
    pub fn frozen(body: &Body, len: u64) -> Self {
        match body {
            Body::File(content) => Self::over(Base { content: *content, len }, len),
            _ => Self::default(),
        }
    }

    /// Nothing written over a base of which the first `visible` bytes show.
    pub fn over(base: Base, visible: u64) -> Self {
        Self(Form::Mixed(Box::new(Mixed { base: Some(base), extents: Extents::over_base(visible) })))
    }

    /// The frozen content, if there is any.
    pub fn base(&self) -> Option<Base> {
        match &self.0 {
            Form::Mixed(mixed) => mixed.base,
            Form::Empty | Form::Whole(..) => None,
        }
    }

    /// How many of the base's first bytes can still show: truncation lowers it, growth does not raise it.
    pub fn visible(&self) -> u64 {
        match &self.0 {
            Form::Mixed(mixed) => mixed.extents.visible(),
            Form::Empty | Form::Whole(..) => 0,
        }
    }

    /// How many bytes of disk the file takes: what was written or allocated, and what shows of the base's data. Where
    /// the base has holes, it is not known whether writes hid these or data, and data is taken to show.
    pub fn allocated_bytes(&self) -> u64 {
        let mixed = match &self.0 {
            Form::Empty => return 0,
            Form::Whole(len, _) => return *len,
            Form::Mixed(mixed) => mixed,
        };
        let held = mixed.extents.held();
        let visible = mixed.extents.visible() - held.hidden;
        held.allocated + mixed.base.map_or(0, |base| base.content.data_bytes(base.len).min(visible))
    }

    /// The frozen content, if the file of `size` bytes is exactly that.
    pub fn unchanged(&self, size: u64) -> Option<Content> {
        let base = self.base().filter(|base| base.len == size && self.visible() == size)?;
        self.extents().next().is_none().then_some(base.content)
    }

    /// Puts an extent in, over whatever was there; data that it hides is added to `dead`.
    pub fn set(&mut self, start: u64, len: u64, extent: Extent, dead: &mut Dead) {
        match (&mut self.0, extent) {
            (Form::Empty, Extent::Data(place)) if start == 0 && len > 0 => self.0 = Form::Whole(len, place),
            (Form::Whole(own, at), extent) if start == *own && Extent::Data(*at).continues(extent, *own) => *own += len,
            (Form::Whole(own, at), Extent::Data(place)) if start == 0 && *own <= len => {
                dead.push((*at, *own));
                (*own, *at) = (len, place);
            }
            _ => self.mixed().extents.set(start, len, extent, dead),
        }
    }

    /// Forgets all from `len` on, and of the base, too, nothing shows there any more.
    pub fn truncate(&mut self, len: u64, dead: &mut Dead) {
        match &mut self.0 {
            Form::Empty => {}
            Form::Whole(own, at) => {
                if len < *own {
                    let from = Place { offset: at.offset + len, ..*at };
                    dead.push((from, *own - len));
                    *own = len;
                }
                if len == 0 {
                    self.0 = Form::Empty;
                }
            }
            Form::Mixed(mixed) => mixed.extents.truncate(len, dead),
        }
    }

    /// All of `start..start + len` in order, what was not written included.
    pub fn spans(&self, start: u64, len: u64) -> Vec<Span> {
        let end = start + len;
        let gap = |from: u64| (from < end).then(|| Span { start: from, len: end - from, extent: None });
        match &self.0 {
            Form::Empty => gap(start).into_iter().collect(),
            Form::Whole(own, at) => {
                let upto = end.min(*own);
                let extent = Extent::Data(*at).skip(start);
                let data = (start < upto).then(|| Span { start, len: upto - start, extent: Some(extent) });
                data.into_iter().chain(gap(start.max(upto))).collect()
            }
            Form::Mixed(mixed) => mixed.extents.spans(start, len),
        }
    }

    /// Every extent, in file order.
    pub fn extents(&self) -> Box<dyn Iterator<Item = (u64, u64, Extent)> + '_> {
        match &self.0 {
            Form::Empty => Box::new(std::iter::empty()),
            Form::Whole(len, place) => Box::new(std::iter::once((0, *len, Extent::Data(*place)))),
            Form::Mixed(mixed) => mixed.extents.iter(),
        }
    }

    /// Follows data that was moved. `moved` is sorted by where it was, and an extent is moved as a whole or not at all.
    pub fn relocate(&mut self, moved: &[Moved]) {
        match &mut self.0 {
            Form::Empty => {}
            Form::Whole(_, place) => {
                let mut extent = Extent::Data(*place);
                extent.follow(moved);
                if let Extent::Data(to) = extent {
                    *place = to;
                }
            }
            Form::Mixed(mixed) => mixed.extents.relocate(moved),
        }
    }

    fn mixed(&mut self) -> &mut Mixed {
        if let Form::Empty | Form::Whole(..) = self.0 {
            let mut mixed = Box::<Mixed>::default();
            for (start, len, extent) in self.extents() {
                mixed.extents.set(start, len, extent, &mut Dead::new());
            }
            self.0 = Form::Mixed(mixed);
        }
        match &mut self.0 {
            Form::Mixed(mixed) => mixed,
            Form::Empty | Form::Whole(..) => unreachable!("made mixed just above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_of_a_delta_is_small() {
        assert!(size_of::<FileData>() <= 24, "{}", size_of::<FileData>());
    }

    proptest! {
        /// The forms differ in memory only: what is done to a file has the outcome that it has with extents alone.
        #[test]
        fn all_forms_behave_alike(ops in prop::collection::vec((0u64..60, 0u64..40, 0u8..5), 1..12)) {
            let (mut data, mut dead) = (FileData::default(), Dead::new());
            let (mut plain, mut plain_dead) = (Extents::default(), Dead::new());
            let (mut next, mut end) = (0, 0);
            for (start, len, what) in ops {
                if what == 0 {
                    data.truncate(start, &mut dead);
                    plain.truncate(start, &mut plain_dead);
                    end = end.min(start);
                    continue;
                }
                // Often at the start or at the end, where most writes are.
                let start = [start, 0, end, end][usize::from(what) - 1];
                let extent = Extent::Data(Place { file: 1, offset: next });
                data.set(start, len, extent, &mut dead);
                plain.set(start, len, extent, &mut plain_dead);
                next += len + u64::from(what == 4);
                end = end.max(start + len);
            }
            let moved = [(Place { file: 1, offset: 0 }, next + 1, Place { file: 2, offset: 7 })];
            for is_moved in [false, true] {
                if is_moved {
                    data.relocate(&moved);
                    plain.relocate(&moved);
                }
                prop_assert_eq!(data.extents().collect::<Vec<_>>(), plain.iter().collect::<Vec<_>>());
                for (start, len) in [(0, 200), (5, 10), (30, 1), (150, 3)] {
                    prop_assert_eq!(data.spans(start, len), plain.spans(start, len));
                }
            }
            prop_assert_eq!(data.allocated_bytes(), plain.held().allocated);
            let buried = |dead: &Dead| dead.iter().map(|(_, len)| len).sum::<u64>();
            prop_assert_eq!(buried(&dead), buried(&plain_dead));
        }
    }
}
