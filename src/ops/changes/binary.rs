//! Files that are no text in a patch: git's `GIT binary patch`, which holds both contents whole.
//!
//! Git puts 52 bytes of deflated content on a line, behind a letter that says how many there are, in its own base 85
//! (git's `base85.c`, `diff.c: emit_binary_diff_body`, `apply.c: parse_binary_hunk`). It finds the two contents by the
//! names of their blobs, which are SHA-1: a repository of another hash refuses such a patch.
//!
//! Content is read and written piece by piece, twice: for its name, and as itself.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha1::{Digest, Sha1};

use super::content::FileOf;
use super::patch::PatchError;

const DIGITS: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

/// The bytes that one line stands for.
const LINE_BYTES: usize = 52;

/// The name of a blob that is not there.
const NO_BLOB: &str = "0000000000000000000000000000000000000000";

/// One side of a change: a file, or none.
pub(super) type Side<'a> = Option<FileOf<'a>>;

/// The name that git has for the content, in hexadecimal.
pub(super) fn blob_name(side: Side<'_>) -> Result<String, PatchError> {
    let Some(file) = side else { return Ok(NO_BLOB.to_owned()) };
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", file.len()));
    file.pieces(&mut |piece| {
        hasher.update(piece);
        Ok::<_, PatchError>(())
    })?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes both contents, the new one first, so that the patch can be applied either way.
pub(super) fn put_contents(out: &mut dyn Write, old: Side<'_>, new: Side<'_>) -> Result<(), PatchError> {
    out.write_all(b"GIT binary patch\n")?;
    put_literal(out, new)?;
    put_literal(out, old)
}

fn put_literal(out: &mut dyn Write, side: Side<'_>) -> Result<(), PatchError> {
    writeln!(out, "literal {}", side.map_or(0, FileOf::len))?;
    let mut deflated = ZlibEncoder::new(Lines { out, pending: Vec::new() }, Compression::default());
    if let Some(file) = side {
        file.pieces(&mut |piece| Ok::<_, PatchError>(deflated.write_all(piece)?))?;
    }
    let lines = deflated.finish()?;
    lines.end()?.write_all(b"\n")?;
    Ok(())
}

/// Writes bytes as lines in base 85.
struct Lines<'a> {
    out: &'a mut dyn Write,
    /// Less than a line.
    pending: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// Writes what is left as a short line.
    fn end(self) -> io::Result<&'a mut dyn Write> {
        if !self.pending.is_empty() {
            self.out.write_all(&line(&self.pending))?;
        }
        Ok(self.out)
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.len() - self.pending.len() % LINE_BYTES;
        for piece in self.pending[..whole].chunks(LINE_BYTES) {
            self.out.write_all(&line(piece))?;
        }
        self.pending.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line for 1 to [`LINE_BYTES`] bytes, with its line feed.
fn line(bytes: &[u8]) -> Vec<u8> {
    let count = bytes.len() as u8;
    let mut line = vec![if count <= 26 { b'A' + count - 1 } else { b'a' + count - 27 }];
    for group in bytes.chunks(4) {
        let mut padded = [0; 4];
        padded[..group.len()].copy_from_slice(group);
        let mut value = u32::from_be_bytes(padded);
        let mut digits = [0; 5];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(value % 85) as usize];
            value /= 85;
        }
        line.extend(digits);
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_eight_deflated_bytes_on_one_line() {
        let mut out = Vec::new();
        put_literal(&mut out, None).unwrap();
        assert_eq!(out, b"literal 0\nHc$@<O00001\n\n");
    }

    #[test]
    fn a_line_says_how_many_bytes_it_stands_for() {
        assert_eq!(line(b"a")[0], b'A');
        assert_eq!(line(&[0; 26])[0], b'Z');
        assert_eq!(line(&[0; 27])[0], b'a');
        assert_eq!(line(&[0xff; 52]), [&b"z"[..], b"|NsC0".repeat(13).as_slice(), b"\n"].concat());
    }
}
