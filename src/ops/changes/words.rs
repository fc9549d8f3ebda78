//! How two texts differ, word by word.
//!
//! A word is a run of letters, digits and underscores, and whatever is not ASCII counts as a letter. Blanks in a row are
//! one piece, as is every other character by itself.

use similar::DiffOp;

use super::LineKind;
use super::text::operations;

/// A run of bytes that both texts have, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which text it is in.
    pub kind: LineKind,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// The pieces that make up both texts: those that are not inserted are the old one, those that are not deleted the new
/// one.
#[must_use]
pub fn words(old: &[u8], new: &[u8]) -> Vec<Piece> {
    let (old, new) = (split(old), split(new));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut add = |kind, words: &[&[u8]]| {
        if words.is_empty() {
            return;
        }
        match pieces.last_mut() {
            Some(last) if last.kind == kind => last.text.extend(words.concat()),
            _ => pieces.push(Piece { kind, text: words.concat() }),
        }
    };
    for op in operations(&old, &new) {
        if let DiffOp::Equal { .. } = op {
            add(LineKind::Context, &old[op.old_range()]);
        } else {
            add(LineKind::Deleted, &old[op.old_range()]);
            add(LineKind::Inserted, &new[op.new_range()]);
        }
    }
    pieces
}

/// What the bytes of one word have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    /// Stands alone.
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b' ' | b'\t' => Class::Blank,
        b'_' | 0x80.. => Class::Word,
        byte if byte.is_ascii_alphanumeric() => Class::Word,
        _ => Class::Other,
    }
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    text.chunk_by(|&a, &b| class(a) == class(b) && class(a) != Class::Other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_differ_are_told() {
        let pieces = words("let größe = old_name(1);\n".as_bytes(), "let größe = new_name(1, 2);\n".as_bytes());
        let found: Vec<_> = pieces.iter().map(|piece| (piece.kind, String::from_utf8_lossy(&piece.text))).collect();
        let expected = [
            (LineKind::Context, "let größe = "),
            (LineKind::Deleted, "old_name"),
            (LineKind::Inserted, "new_name"),
            (LineKind::Context, "(1"),
            (LineKind::Inserted, ", 2"),
            (LineKind::Context, ");\n"),
        ];
        assert_eq!(found, expected.map(|(kind, text)| (kind, text.into())));
    }
}
