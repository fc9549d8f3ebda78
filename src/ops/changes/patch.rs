//! Changes as a patch in git's extended format, which `git apply` takes (git-diff(1), "Generating patch text").
//!
//! Git knows files, symbolic links and one bit of mode. Directories, special files and other modes leave no trace in a
//! patch; binary files are named only, and make `git apply` refuse.

use crate::model::{BytePath, ChangeKind, Kind};
use crate::overlay::SnapshotEntry;

use super::text::is_shown;
use super::{Change, FileDiff, Hunk, LineKind};

/// The patch of one change; empty if git has no words for it.
#[must_use]
pub fn patch(change: &Change, diff: &FileDiff) -> Vec<u8> {
    let mut out = Vec::new();
    let old = change.old.as_ref().filter(|entry| is_shown(entry.attr.kind));
    let new = change.new.as_ref().filter(|entry| is_shown(entry.attr.kind));
    if let (FileDiff::Replaced(gone, came), Some(_), Some(_)) = (diff, old, new) {
        // Git has one that went and one that came.
        let went = Change { kind: ChangeKind::Deleted, new: None, ..change.clone() };
        let came_as = Change { kind: ChangeKind::Added, old: None, ..change.clone() };
        out.extend(patch(&went, gone));
        out.extend(patch(&came_as, came));
        return out;
    }
    let from = match &change.kind {
        ChangeKind::Renamed { from } => from,
        _ => &change.path,
    };
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => {
            head(&mut out, &change.path, &change.path);
            put(&mut out, &[b"new file mode ", mode(new)]);
            body(&mut out, None, Some(&change.path), diff);
        }
        (Some(old), None) => {
            head(&mut out, &change.path, &change.path);
            put(&mut out, &[b"deleted file mode ", mode(old)]);
            body(&mut out, Some(&change.path), None, diff);
        }
        (Some(old), Some(new)) => {
            let renamed = from != &change.path;
            if !renamed && mode(old) == mode(new) && *diff == FileDiff::Same {
                return out;
            }
            head(&mut out, from, &change.path);
            if mode(old) != mode(new) {
                put(&mut out, &[b"old mode ", mode(old)]);
                put(&mut out, &[b"new mode ", mode(new)]);
            }
            if renamed {
                put(&mut out, &[format!("similarity index {}%", similarity(change, diff)).as_bytes()]);
                put(&mut out, &[b"rename from ", &quoted(b"", from)]);
                put(&mut out, &[b"rename to ", &quoted(b"", &change.path)]);
            }
            body(&mut out, Some(from), Some(&change.path), diff);
        }
    }
    out
}

/// The mode that git has for a file; `None` for what git does not keep.
#[must_use]
pub fn git_mode(entry: &SnapshotEntry) -> Option<&'static str> {
    match entry.attr.kind {
        Kind::Symlink => Some("120000"),
        Kind::File if entry.attr.perm & 0o100 != 0 => Some("100755"),
        Kind::File => Some("100644"),
        _ => None,
    }
}

fn mode(entry: &SnapshotEntry) -> &'static [u8] {
    git_mode(entry).unwrap_or_default().as_bytes()
}

/// The path behind a prefix, in double quotes with C escapes if a byte needs it, as git writes paths.
#[must_use]
pub fn quoted(prefix: &[u8], path: &BytePath) -> Vec<u8> {
    let plain = [prefix, path.as_bytes()].concat();
    if !plain.iter().any(|&byte| !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\') {
        return plain;
    }
    let mut out = vec![b'"'];
    for byte in plain {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            0x0b => out.extend(b"\\v"),
            0x0c => out.extend(b"\\f"),
            b'\r' => out.extend(b"\\r"),
            0x20..0x7f => out.push(byte),
            _ => out.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    out.push(b'"');
    out
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(b'\n');
}

fn head(out: &mut Vec<u8>, from: &BytePath, to: &BytePath) {
    put(out, &[b"diff --git ", &quoted(b"a/", from), b" ", &quoted(b"b/", to)]);
}

fn body(out: &mut Vec<u8>, old: Option<&BytePath>, new: Option<&BytePath>, diff: &FileDiff) {
    let name = |prefix: &[u8], path: Option<&BytePath>| path.map_or(b"/dev/null".to_vec(), |path| quoted(prefix, path));
    // A tab marks the end of a name with a space in it.
    let tab = |path: Option<&BytePath>| -> &[u8] {
        if path.is_some_and(|path| path.as_bytes().contains(&b' ')) { b"\t" } else { b"" }
    };
    match diff {
        FileDiff::Same | FileDiff::Replaced(..) => {}
        FileDiff::Binary { .. } => {
            put(out, &[b"Binary files ", &name(b"a/", old), b" and ", &name(b"b/", new), b" differ"]);
        }
        FileDiff::Text(hunks) => {
            put(out, &[b"--- ", &name(b"a/", old), tab(old)]);
            put(out, &[b"+++ ", &name(b"b/", new), tab(new)]);
            hunks.iter().for_each(|hunk| put_hunk(out, hunk));
        }
    }
}

fn put_hunk(out: &mut Vec<u8>, hunk: &Hunk) {
    let range = |start: usize, lines: usize| if lines == 1 { start.to_string() } else { format!("{start},{lines}") };
    let (old, new) = (range(hunk.old_start, hunk.old_lines), range(hunk.new_start, hunk.new_lines));
    put(out, &[format!("@@ -{old} +{new} @@").as_bytes()]);
    for line in &hunk.lines {
        out.push(match line.kind {
            LineKind::Context => b' ',
            LineKind::Deleted => b'-',
            LineKind::Inserted => b'+',
        });
        out.extend_from_slice(&line.text);
        if !line.text.ends_with(b"\n") {
            out.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}

/// How much of the longer file stayed, in percent, by the bytes of lines.
fn similarity(change: &Change, diff: &FileDiff) -> u64 {
    let (old_bytes, new_bytes) = change.sizes();
    match diff {
        FileDiff::Same => 100,
        FileDiff::Binary { .. } | FileDiff::Replaced(..) => 0,
        FileDiff::Text(hunks) => {
            let inserted = hunks.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.kind == LineKind::Inserted);
            let changed: u64 = inserted.map(|line| line.text.len() as u64).sum();
            let longest = old_bytes.max(new_bytes).max(1);
            // Only equal content is wholly similar.
            (new_bytes.saturating_sub(changed) * 100 / longest).min(99)
        }
    }
}
