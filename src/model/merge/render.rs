//! A merged text as bytes, with markers where there are conflicts.

use std::ops::Range;

use super::text::{Choice, Region, TextMerge};

/// How long a marker is.
const MARKER_BYTES: usize = 7;

/// What is written where the sides do not agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictStyle {
    /// Both sides between markers.
    #[default]
    Merge,
    /// Both sides and, between them, what the base has.
    Diff3,
    /// The lines of both sides, ours first, without markers.
    Union,
}

/// What stands behind the markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Behind `<<<<<<<`.
    pub ours: Vec<u8>,
    /// Behind `|||||||`.
    pub base: Vec<u8>,
    /// Behind `>>>>>>>`.
    pub theirs: Vec<u8>,
}

impl Default for Labels {
    fn default() -> Self {
        Self { ours: b"ours".to_vec(), base: b"base".to_vec(), theirs: b"theirs".to_vec() }
    }
}

impl TextMerge<'_> {
    /// The merged text. Line ends are kept as they are, a missing last one too; markers end as the lines around them.
    #[must_use]
    pub fn render(&self, style: ConflictStyle, labels: &Labels) -> Vec<u8> {
        // The base of a conflict can be shown only beside all of it.
        let regions = if style == ConflictStyle::Diff3 { &self.whole } else { &self.regions };
        let mut out = Vec::new();
        let mut at = 0;
        for region in regions {
            copy(&mut out, &self.ours, at..region.ours.start);
            at = region.ours.end;
            match region.choice {
                Choice::Ours => copy(&mut out, &self.ours, region.ours.clone()),
                Choice::Theirs => copy(&mut out, &self.theirs, region.theirs.clone()),
                Choice::Conflict => self.conflict(&mut out, region, style, labels),
            }
        }
        copy(&mut out, &self.ours, at..self.ours.len());
        out
    }

    fn conflict(&self, out: &mut Vec<u8>, region: &Region, style: ConflictStyle, labels: &Labels) {
        let end: &[u8] = if self.ends_with_cr(region) { b"\r\n" } else { b"\n" };
        if style == ConflictStyle::Union {
            copy_whole(out, &self.ours, region.ours.clone(), end);
            copy(out, &self.theirs, region.theirs.clone());
            return;
        }
        marker(out, b'<', &labels.ours, end);
        copy_whole(out, &self.ours, region.ours.clone(), end);
        if style == ConflictStyle::Diff3 {
            marker(out, b'|', &labels.base, end);
            copy_whole(out, &self.base, region.base.clone(), end);
        }
        marker(out, b'=', b"", end);
        copy_whole(out, &self.theirs, region.theirs.clone(), end);
        marker(out, b'>', &labels.theirs, end);
    }

    /// Whether the lines before the conflict on both sides, and the first one of the base, end with CR and LF. What
    /// cannot be told does not speak against it, but something must speak for it.
    fn ends_with_cr(&self, region: &Region) -> bool {
        let votes = [
            has_cr(&self.ours, region.ours.start.saturating_sub(1)),
            has_cr(&self.theirs, region.theirs.start.saturating_sub(1)),
            has_cr(&self.base, 0),
        ];
        !votes.contains(&Some(false)) && votes[2].is_some()
    }
}

/// Whether a line ends with CR and LF. The last one may end with nothing; then the one before it tells.
fn has_cr(lines: &[&[u8]], at: usize) -> Option<bool> {
    let line = lines.get(at)?;
    match (line.ends_with(b"\n"), at.checked_sub(1)) {
        (true, _) => Some(line.ends_with(b"\r\n")),
        (false, Some(before)) => Some(lines[before].ends_with(b"\r\n")),
        (false, None) => None,
    }
}

fn copy(out: &mut Vec<u8>, lines: &[&[u8]], range: Range<usize>) {
    lines[range].iter().for_each(|line| out.extend_from_slice(line));
}

/// Copies lines and ends the last one, since something follows that is none of theirs.
fn copy_whole(out: &mut Vec<u8>, lines: &[&[u8]], range: Range<usize>, end: &[u8]) {
    let is_open = range.clone().next_back().is_some_and(|last| !lines[last].ends_with(b"\n"));
    copy(out, lines, range);
    if is_open {
        out.extend_from_slice(end);
    }
}

/// A marker is one line, whatever the label holds.
fn marker(out: &mut Vec<u8>, byte: u8, label: &[u8], end: &[u8]) {
    out.extend([byte; MARKER_BYTES]);
    if !label.is_empty() {
        out.push(b' ');
        out.extend(label.iter().map(|&byte| if byte.is_ascii_control() { b' ' } else { byte }));
    }
    out.extend_from_slice(end);
}
