//! Three texts become one, by line: what only one side changed is taken, what both changed in the same way is taken
//! once, and where they changed the same lines differently there is a conflict.
//!
//! The rules are those of git's xdiff (`xmerge.c`, level "zealous"): changes that touch are one region, lines that both
//! sides of a conflict begin or end with are no part of it, and conflicts with at most three lines between them are one.

use std::ops::Range;

use super::lines::{Edit, edits, lines};

/// So many lines, or fewer, between two conflicts do not keep them apart.
const GAP_LINES: usize = 3;

/// Where a part of the merged text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Ours,
    Theirs,
    Conflict,
}

/// A region that differs from ours, or might. What is between regions is as ours has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) choice: Choice,
    pub(super) base: Range<usize>,
    pub(super) ours: Range<usize>,
    pub(super) theirs: Range<usize>,
}

/// Three texts, merged.
#[derive(Clone, Debug)]
pub struct TextMerge<'a> {
    pub(super) base: Vec<&'a [u8]>,
    pub(super) ours: Vec<&'a [u8]>,
    pub(super) theirs: Vec<&'a [u8]>,
    /// Conflicts with what both sides agree on taken out of them.
    pub(super) regions: Vec<Region>,
    /// Conflicts as they are against the base, which is what a reader of the base needs.
    pub(super) whole: Vec<Region>,
}

impl<'a> TextMerge<'a> {
    /// Merges `ours` and `theirs`, which both come from `base`. The texts are taken as lines of bytes.
    #[must_use]
    pub fn new(base: &'a [u8], ours: &'a [u8], theirs: &'a [u8]) -> Self {
        let (base, ours, theirs) = (lines(base), lines(ours), lines(theirs));
        let whole = regions(&edits(&base, &ours), &edits(&base, &theirs), &ours, &theirs);
        let refined = whole.iter().flat_map(|region| refine(region, &ours, &theirs)).collect();
        let regions = join_near(refined, &ours);
        Self { base, ours, theirs, regions, whole }
    }

    /// How many conflicts there are.
    #[must_use]
    pub fn conflict_count(&self) -> usize {
        self.regions.iter().filter(|region| region.choice == Choice::Conflict).count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.conflict_count() == 0
    }
}

/// Goes through the edits of both sides in the order of the base.
fn regions(ours: &[Edit], theirs: &[Edit], our_lines: &[&[u8]], their_lines: &[&[u8]]) -> Vec<Region> {
    let mut regions = Vec::new();
    let (mut o, mut t) = (0, 0);
    loop {
        match (ours.get(o), theirs.get(t)) {
            (None, None) => return regions,
            (Some(a), b) if b.is_none_or(|b| a.old.end < b.old.start) => {
                let other = shifted(&a.old, t.checked_sub(1).map(|at| &theirs[at]));
                append(
                    &mut regions,
                    Region { choice: Choice::Ours, base: a.old.clone(), ours: a.new.clone(), theirs: other },
                );
                o += 1;
            }
            (a, Some(b)) if a.is_none_or(|a| b.old.end < a.old.start) => {
                let other = shifted(&b.old, o.checked_sub(1).map(|at| &ours[at]));
                append(
                    &mut regions,
                    Region { choice: Choice::Theirs, base: b.old.clone(), ours: other, theirs: b.new.clone() },
                );
                t += 1;
            }
            (Some(a), Some(b)) => {
                if a.old != b.old || our_lines[a.new.clone()] != their_lines[b.new.clone()] {
                    append(&mut regions, overlapping(a, b));
                }
                o += usize::from(a.old.end <= b.old.end);
                t += usize::from(b.old.end <= a.old.end);
            }
            (Some(_), None) | (None, Some(_)) => return regions,
        }
    }
}

/// Where lines of the base are on a side that did not edit them, or whose last edit before their end is part of the
/// same region; of that, only the end is asked for.
fn shifted(lines: &Range<usize>, last: Option<&Edit>) -> Range<usize> {
    last.map_or_else(
        || lines.clone(),
        |last| (last.new.end + lines.start).saturating_sub(last.old.end)..last.new.end + lines.end - last.old.end,
    )
}

/// The region that both edits cover together. Where one of them does not reach, its side is as the base, or belongs to
/// the region before, which this one then becomes part of.
fn overlapping(a: &Edit, b: &Edit) -> Region {
    let base = a.old.start.min(b.old.start)..a.old.end.max(b.old.end);
    let widened = |edit: &Edit| {
        edit.new.start.saturating_sub(edit.old.start - base.start)..edit.new.end + (base.end - edit.old.end)
    };
    Region { choice: Choice::Conflict, ours: widened(a), theirs: widened(b), base }
}

/// Adds a region, to the last one if they touch on either side: then it is one, and a conflict unless of one side only.
fn append(regions: &mut Vec<Region>, region: Region) {
    match regions.last_mut() {
        Some(last) if region.ours.start <= last.ours.end || region.theirs.start <= last.theirs.end => {
            if last.choice != region.choice {
                last.choice = Choice::Conflict;
            }
            last.base.end = region.base.end;
            last.ours.end = region.ours.end;
            last.theirs.end = region.theirs.end;
        }
        _ => regions.push(region),
    }
}

/// The parts of a conflict in which the sides really differ; none if they do not.
fn refine(region: &Region, ours: &[&[u8]], theirs: &[&[u8]]) -> Vec<Region> {
    if region.choice != Choice::Conflict || region.ours.is_empty() || region.theirs.is_empty() {
        return vec![region.clone()];
    }
    let (start, other_start) = (region.ours.start, region.theirs.start);
    let between = edits(&ours[region.ours.clone()], &theirs[region.theirs.clone()]);
    let part = |edit: Edit| Region {
        choice: Choice::Conflict,
        base: region.base.clone(),
        ours: edit.old.start + start..edit.old.end + start,
        theirs: edit.new.start + other_start..edit.new.end + other_start,
    };
    between.into_iter().map(part).collect()
}

/// Makes one conflict of two with next to nothing between them: they are easier to read so.
fn join_near(regions: Vec<Region>, ours: &[&[u8]]) -> Vec<Region> {
    let mut joined: Vec<Region> = Vec::with_capacity(regions.len());
    for region in regions {
        let is_near = |last: &Region| {
            let gap = &ours[last.ours.end..region.ours.start];
            gap.len() <= GAP_LINES || !gap.iter().any(|line| line.iter().any(u8::is_ascii_alphanumeric))
        };
        match joined.last_mut() {
            Some(last) if last.choice == Choice::Conflict && region.choice == Choice::Conflict && is_near(last) => {
                last.base.end = last.base.end.max(region.base.end);
                last.ours.end = region.ours.end;
                last.theirs.end = region.theirs.end;
            }
            _ => joined.push(region),
        }
    }
    joined
}
