//! Commands as one could type them again.

use std::ffi::OsStr;

/// The longest text in bytes; the rest of a longer one is left out.
const MAX_BYTES: usize = 4096;

/// Words as a shell would take them, in one line, whatever characters they have.
#[must_use]
pub fn command_text<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./=@:,+%".contains(char);
    let words = words.into_iter().map(|word| {
        let word = word.to_string_lossy();
        match !word.is_empty() && word.chars().all(plain) {
            true => word.into_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    match text.len() {
        0..=MAX_BYTES => text,
        _ => format!("{}…", &text[..text.floor_char_boundary(MAX_BYTES)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["session", "rename", "a b", "it's", ""].map(OsStr::new);
        assert_eq!(command_text(words), r"session rename 'a b' 'it'\''s' ''");
        let long = "ö".repeat(3000);
        assert_eq!(command_text([OsStr::new(&long)]).len(), MAX_BYTES + "…".len());
    }
}
