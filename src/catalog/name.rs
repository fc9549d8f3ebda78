//! The rules for names of sources, sessions and whatever else a user names.
//!
//! A name is 1 to 100 bytes of UTF-8 that can be typed, printed and used as a file name: no spaces or control
//! characters, none of `@`, `/` and `:` (which separate names from revisions and paths), no `.` or `-` in front, and
//! not of the form of an id. Names are compared byte by byte.

use super::id;

/// The longest name in bytes.
pub const MAX_BYTES: usize = 100;

/// The rule that a text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error("it is longer than 100 bytes")]
    TooLong,
    /// A character that is not allowed.
    #[error("spaces, control characters, `@`, `/` and `:` are not allowed")]
    BadCharacter,
    /// It could be taken for an option or a hidden file.
    #[error("it begins with `.` or `-`")]
    BadStart,
    /// It could be taken for the number of something.
    #[error("it is a number")]
    LikeANumber,
    /// It could be taken for an id.
    #[error("it has the form of an id")]
    LikeAnId,
}

/// Checks a name.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(name: &str) -> Result<(), NameError> {
    match name {
        "" => Err(NameError::Empty),
        long if long.len() > MAX_BYTES => Err(NameError::TooLong),
        bad if bad.chars().any(is_bad) => Err(NameError::BadCharacter),
        odd if odd.starts_with(['.', '-']) => Err(NameError::BadStart),
        id if id::has_id_form(id) => Err(NameError::LikeAnId),
        _ => Ok(()),
    }
}

/// Characters that cannot be seen, or that mean something in an argument.
fn is_bad(char: char) -> bool {
    char.is_control()
        || char.is_whitespace()
        || matches!(char, '@' | '/' | ':')
        // Zero-width and direction-changing characters: two names that look alike would be different.
        || matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_confuse_are_refused() {
        for (name, why) in [
            ("", NameError::Empty),
            ("a b", NameError::BadCharacter),
            ("web@3", NameError::BadCharacter),
            ("a/b", NameError::BadCharacter),
            ("a\u{1b}[31m", NameError::BadCharacter),
            ("a\u{202e}b", NameError::BadCharacter),
            ("-rf", NameError::BadStart),
            (".hidden", NameError::BadStart),
            ("s-0123456789", NameError::LikeAnId),
        ] {
            assert_eq!(check(name), Err(why), "{name:?}");
        }
        assert_eq!(check(&"x".repeat(101)), Err(NameError::TooLong));
    }

    #[test]
    fn ordinary_names_are_taken() {
        for name in ["web", "fix-login", "v1.2_rc", "größe", "日本", "'; DROP TABLE source; --", "s-curve"] {
            let spaced = name.contains(' ');
            assert_eq!(check(name).is_ok(), !spaced, "{name}");
        }
    }
}
