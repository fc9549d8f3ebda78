//! Lines of foreign files on their way to a terminal.

use std::fmt::Write;

use crate::ui::escape;

/// Columns from one tab stop to the next.
const TAB_COLUMNS: usize = 8;

/// A piece of a line as text that cannot drive a terminal: tabs are spaces, control characters are written
/// out, and so is each byte that is not UTF-8, as `\xff`. `column` is where it begins.
pub(super) fn text(bytes: &[u8], column: usize) -> String {
    let mut text = String::with_capacity(bytes.len());
    for piece in bytes.utf8_chunks() {
        for (at, part) in piece.valid().split('\t').enumerate() {
            if at > 0 {
                let used = column + width(&text);
                text.push_str(&" ".repeat(TAB_COLUMNS - used % TAB_COLUMNS));
            }
            text.push_str(&escape(part));
        }
        for byte in piece.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_file_can_drive_the_terminal() {
        assert_eq!(text(b"a\x1b[31m\xff\xc3(\xc3\xa4)\r", 0), "a\\x1b[31m\\xff\\xc3(ä)\\r");
    }

    #[test]
    fn tabs_go_to_the_next_stop_wherever_the_line_begins() {
        assert_eq!(text(b"a\tb\t\tc", 0), "a       b               c");
        assert_eq!(text(b"\ta", 1), "       a");
        assert_eq!(text("日本\ta".as_bytes(), 0), "日本    a");
    }
}
