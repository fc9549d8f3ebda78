//! Changes as a patch in git's extended format, which `git apply` takes (git-diff(1), "Generating patch text").
//!
//! Git knows files, symbolic links and one bit of mode. Directories, special files and other modes leave no trace in a
//! patch; [`Unsaid`] names them. `patch -p1` takes the same output, but for files that are no text.

use std::io::{self, Write};

use crate::model::{BytePath, ChangeKind, Kind};
use crate::overlay::{Error, SnapshotEntry};

use super::binary::{Side, blob_name, put_contents};
use super::content::FileOf;
use super::text::is_shown;
use super::{Change, FileDiff, Hunk, LineKind, Sides};

/// The beginning of the name of a blob without a byte. By it `patch` knows that a file is to come or go for which there
/// are no lines.
const EMPTY_BLOB: &[u8] = b"e69de29";

/// Why a patch could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// A tree cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// What takes the patch does not.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// What a patch has of files that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binaries {
    /// That they differ.
    Named,
    /// Their contents before and after, unless one is longer than 1 GiB: then, that they differ.
    Held,
}

/// The longest file whose content is put into a patch, in bytes. `git apply` takes no patch that is longer than this.
const MAX_BINARY_BYTES: u64 = 1 << 30;

/// What a patch cannot say of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// A directory that came or went, with nothing in it that says so.
    Directory,
    /// A file that is neither a regular one nor a symbolic link.
    Special,
    /// Permissions that git has no words for.
    Mode,
    /// Content that is no text, and was only to be named.
    Binary,
    /// Content that is too long.
    Long,
}

/// Writes the patch of one change; nothing if git has no words for it. `diff` is how the change looks between `sides`.
///
/// # Errors
/// [`PatchError`].
pub fn patch(
    change: &Change,
    diff: &FileDiff,
    sides: Sides<'_>,
    binaries: Binaries,
    out: &mut dyn Write,
) -> Result<(), PatchError> {
    let old = change.old.as_ref().filter(|entry| is_shown(entry.attr.kind));
    let new = change.new.as_ref().filter(|entry| is_shown(entry.attr.kind));
    if let (FileDiff::Replaced(gone, came), Some(_), Some(_)) = (diff, old, new) {
        // Git has one that went and one that came.
        let went = Change { kind: ChangeKind::Deleted, new: None, ..change.clone() };
        let came_as = Change { kind: ChangeKind::Added, old: None, ..change.clone() };
        patch(&went, gone, sides, binaries, out)?;
        return patch(&came_as, came, sides, binaries, out);
    }
    let (header, old_path, new_path) = match header(change, diff, old, new) {
        Some(header) => header,
        None => return Ok(()),
    };
    out.write_all(&header)?;
    match diff {
        FileDiff::Same | FileDiff::Replaced(..) => {}
        FileDiff::Binary { .. } if binaries == Binaries::Named || is_long(change) => {
            let (old, new) = (name(b"a/", old_path), name(b"b/", new_path));
            out.write_all(&[b"Binary files ", &old[..], b" and ", &new, b" differ\n"].concat())?;
        }
        FileDiff::Binary { .. } => {
            let before: Side<'_> = old.map(|entry| FileOf { view: sides.old, entry });
            let after: Side<'_> = new.map(|entry| FileOf { view: sides.new, entry });
            let kept = old.zip(new).filter(|(old, new)| mode(old) == mode(new));
            let names = (blob_name(before)?, blob_name(after)?);
            let mode = kept.and_then(|(_, new)| git_mode(new)).map(|mode| format!(" {mode}")).unwrap_or_default();
            writeln!(out, "index {}..{}{mode}", names.0, names.1)?;
            put_contents(out, before, after)?;
        }
        FileDiff::Text(hunks) => out.write_all(&text(old_path, new_path, hunks))?,
    }
    Ok(())
}

/// Whether a file is too long for its content to be in a patch.
fn is_long(change: &Change) -> bool {
    let (old_bytes, new_bytes) = change.sizes();
    old_bytes.max(new_bytes) > MAX_BINARY_BYTES
}

/// The name of a side as the lines of a patch have it.
fn name(prefix: &[u8], path: Option<&BytePath>) -> Vec<u8> {
    path.map_or_else(|| b"/dev/null".to_vec(), |path| quoted(prefix, path))
}

/// The lines before the contents, and the path of each side that is there; `None` if nothing is to be said.
fn header<'a>(
    change: &'a Change,
    diff: &FileDiff,
    old: Option<&SnapshotEntry>,
    new: Option<&SnapshotEntry>,
) -> Option<(Vec<u8>, Option<&'a BytePath>, Option<&'a BytePath>)> {
    let mut out = Vec::new();
    let from = match &change.kind {
        ChangeKind::Renamed { from } => from,
        _ => &change.path,
    };
    match (old, new) {
        (None, None) => return None,
        (None, Some(new)) => {
            head(&mut out, &change.path, &change.path);
            put(&mut out, &[b"new file mode ", mode(new)]);
            if *diff == FileDiff::Same {
                put(&mut out, &[b"index 0000000..", EMPTY_BLOB]);
            }
        }
        (Some(old), None) => {
            head(&mut out, &change.path, &change.path);
            put(&mut out, &[b"deleted file mode ", mode(old)]);
            if *diff == FileDiff::Same {
                put(&mut out, &[b"index ", EMPTY_BLOB, b"..0000000"]);
            }
        }
        (Some(old), Some(new)) => {
            let renamed = from != &change.path;
            if !renamed && mode(old) == mode(new) && *diff == FileDiff::Same {
                return None;
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
        }
    }
    Some((out, old.map(|_| from), new.map(|_| &change.path)))
}

impl Unsaid {
    /// What the patch of a change leaves out, if it leaves out something.
    #[must_use]
    pub fn of(change: &Change, diff: &FileDiff, binaries: Binaries) -> Option<Self> {
        if let FileDiff::Binary { .. } = diff {
            match binaries {
                Binaries::Held if is_long(change) => return Some(Self::Long),
                Binaries::Named => return Some(Self::Binary),
                Binaries::Held => {}
            }
        }
        let kinds = || [&change.old, &change.new].into_iter().flatten().map(|entry| entry.attr.kind);
        if kinds().any(|kind| !is_shown(kind) && kind != Kind::Dir) {
            return Some(Self::Special);
        }
        match (&change.old, &change.new) {
            (Some(old), Some(new)) if old.attr.kind == new.attr.kind => {
                let said = old.attr.perm == new.attr.perm || is_plain(old) && is_plain(new);
                (!said && old.attr.kind != Kind::Symlink).then_some(Self::Mode)
            }
            _ if kinds().all(|kind| kind == Kind::Dir) => Some(Self::Directory),
            (_, Some(new)) => (new.attr.kind == Kind::File && !is_plain(new)).then_some(Self::Mode),
            _ => None,
        }
    }
}

/// Whether git has a file's permissions as they are.
fn is_plain(entry: &SnapshotEntry) -> bool {
    entry.attr.kind == Kind::File && matches!(entry.attr.perm, 0o644 | 0o755)
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
    match plain.iter().any(|&byte| !(0x20..0x7f).contains(&byte) || byte == b'"' || byte == b'\\') {
        true => in_quotes(plain),
        false => plain,
    }
}

fn in_quotes(plain: Vec<u8>) -> Vec<u8> {
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

/// The first line. A name with a space is in quotes, though git leaves them out: `patch` does not find its end otherwise where no
/// other line has it, as with an empty file or a mode, and git reads both.
fn head(out: &mut Vec<u8>, from: &BytePath, to: &BytePath) {
    let name = |prefix: &[u8], path: &BytePath| match path.as_bytes().contains(&b' ') {
        true => in_quotes([prefix, path.as_bytes()].concat()),
        false => quoted(prefix, path),
    };
    put(out, &[b"diff --git ", &name(b"a/", from), b" ", &name(b"b/", to)]);
}

fn text(old: Option<&BytePath>, new: Option<&BytePath>, hunks: &[Hunk]) -> Vec<u8> {
    // A tab marks the end of a name with a space in it.
    let tab = |path: Option<&BytePath>| -> &[u8] {
        if path.is_some_and(|path| path.as_bytes().contains(&b' ')) { b"\t" } else { b"" }
    };
    let mut out = Vec::new();
    put(&mut out, &[b"--- ", &name(b"a/", old), tab(old)]);
    put(&mut out, &[b"+++ ", &name(b"b/", new), tab(new)]);
    hunks.iter().for_each(|hunk| put_hunk(&mut out, hunk));
    out
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
