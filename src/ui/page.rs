//! Text on its way to a terminal: escaped, and coloured if wanted.

use std::fmt::Write;

use super::{Paint, escape, format};

/// A text that is being written.
#[derive(Clone, Debug)]
pub struct Page {
    text: String,
    colors: bool,
    now_ns: i64,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(colors: bool, now_ns: i64) -> Self {
        Self { text: String::new(), colors, now_ns }
    }

    /// Adds a piece of text to the line.
    pub fn put(&mut self, paint: Paint, text: &str) -> &mut Self {
        let text = escape(text);
        match paint.sgr().filter(|_| self.colors && !text.is_empty()) {
            Some(sgr) => {
                let _ = write!(self.text, "\x1b[{sgr}m{text}\x1b[0m");
            }
            None => self.text.push_str(&text),
        }
        self
    }

    /// Ends the line.
    pub fn end(&mut self) {
        self.text.push('\n');
    }

    /// Adds a plain line.
    pub fn line(&mut self, text: &str) {
        self.put(Paint::Plain, text).end();
    }

    /// Adds a line `name: value`, values standing below each other.
    pub fn field(&mut self, name: &str, value: &str) {
        self.put(Paint::Dim, &format!("{:<11}", format!("{name}:"))).put(Paint::Plain, " ");
        self.put(Paint::Plain, value).end();
    }

    /// How long ago something was, for people.
    #[must_use]
    pub fn ago(&self, time_ns: i64) -> String {
        format::ago(time_ns, self.now_ns)
    }

    /// A time in the zone of the machine.
    #[must_use]
    pub fn local(&self, time_ns: i64) -> String {
        format::local(time_ns)
    }

    /// When something ends, for people.
    #[must_use]
    pub fn expires(&self, time_ns: i64) -> String {
        format::expires(time_ns, self.now_ns)
    }

    /// A time with how long ago that was.
    #[must_use]
    pub fn when(&self, time_ns: i64) -> String {
        format!("{} ({})", format::local(time_ns), self.ago(time_ns))
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_put_on_a_page_can_drive_the_terminal() {
        for colors in [false, true] {
            let mut page = Page::new(colors, 0);
            page.put(Paint::Strong, "a\u{1b}]0;title\u{7}\r\nb\u{9b}31m").end();
            let text = page.finish();
            let bare = text.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
            assert_eq!(bare, "a\\x1b]0;title\\x07\\r\\nb\\x9b31m\n");
        }
    }
}
