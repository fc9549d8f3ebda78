//! The only user of standard output and standard error.
//!
//! Each result has one view: a struct whose serde form is what `--json` prints and whose [`View::text`] is what people
//! read. Views know results, not tables. Whatever a view prints goes through a [`Page`], which escapes control
//! characters, so that a name or a note can never drive the terminal.
//!
//! JSON: one object for a single result, one object a line for lists. Field names are stable; units stand last
//! (`size_bytes`); times are RFC 3339 in UTC; a path is a string, and where its bytes are not UTF-8 they are replaced
//! in the string and stand in hexadecimal in a second field with `_hex` behind its name.

mod ask;
mod editor;
mod failure;
mod format;
mod graph;
mod page;
mod pager;
mod progress;
mod style;
mod table;
pub mod view;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::config::ColorChoice;

pub use failure::Failure;
pub use format::{bytes, duration, escape, rfc3339};
pub use graph::draw as draw_graph;
pub use page::Page;
pub use progress::Progress;
pub use style::Paint;
pub use table::{Align, Column, Table};

/// A result that can be shown.
pub trait View: Serialize {
    /// Writes what people read.
    fn text(&self, page: &mut Page);

    /// What `-q` leaves of it: an id or a name to work on with. `None`: the text as it is.
    fn brief(&self) -> Option<String> {
        None
    }
}

/// One entry of a list that is shown as a table.
pub trait Row: Serialize {
    /// The columns.
    const COLUMNS: &'static [Column];
    /// What a list without entries says, on standard error.
    const NONE: &'static str;

    /// The cells of this entry, one a column.
    fn cells(&self, page: &Page) -> Vec<(Paint, String)>;

    /// What `-q` leaves of it.
    fn brief(&self) -> String;
}

/// Text of our own that comes in two forms: help and usage.
#[derive(Clone, Debug)]
pub struct Styled {
    /// Without escape sequences.
    pub plain: String,
    /// With them.
    pub colored: String,
}

impl Styled {
    fn choose(&self, colors: bool) -> &str {
        if colors { &self.colored } else { &self.plain }
    }
}

/// How to speak.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Results as JSON.
    pub json: bool,
    /// Only results, and those briefly.
    pub quiet: bool,
    /// How much more than usual to say.
    pub verbose: u8,
    /// When to use colours.
    pub color: ColorChoice,
    /// Command line of the pager.
    pub pager: Option<String>,
    /// The time that ages are counted from, in nanoseconds since the Unix epoch.
    pub now_ns: i64,
}

/// The mouth of the program.
#[derive(Clone, Debug)]
pub struct Ui {
    options: Options,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
}

impl Ui {
    /// Looks at what the standard streams are.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, stdout_is_terminal: io::stdout().is_terminal(), stderr_is_terminal: io::stderr().is_terminal() }
    }

    /// Whether results are printed as JSON.
    #[must_use]
    pub fn json(&self) -> bool {
        self.options.json
    }

    /// How much more than usual to say.
    #[must_use]
    pub fn verbose(&self) -> u8 {
        self.options.verbose
    }

    fn colors(&self, terminal: bool) -> bool {
        match self.options.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal,
        }
    }

    /// An empty page for standard output.
    #[must_use]
    pub fn page(&self) -> Page {
        Page::new(self.colors(self.stdout_is_terminal), self.options.now_ns)
    }

    /// Shows one result.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn show(&self, view: &impl View) -> io::Result<()> {
        if self.options.json {
            return self.write(&json_line(view)?);
        }
        if let Some(brief) = view.brief().filter(|_| self.options.quiet) {
            return self.write(&format!("{}\n", escape(&brief)));
        }
        let mut page = self.page();
        view.text(&mut page);
        self.write_long(&page.finish())
    }

    /// Shows a list.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn list<R: Row>(&self, rows: &[R]) -> io::Result<()> {
        if self.options.json {
            let lines: io::Result<Vec<String>> = rows.iter().map(json_line).collect();
            return self.write(&lines?.concat());
        }
        if self.options.quiet {
            return self.write(&rows.iter().map(|row| format!("{}\n", escape(&row.brief()))).collect::<String>());
        }
        if rows.is_empty() {
            self.note(R::NONE);
            return Ok(());
        }
        let mut page = self.page();
        let mut table = Table::new(R::COLUMNS);
        for row in rows {
            table.push(row.cells(&page));
        }
        table.render(&mut page);
        self.write_long(&page.finish())
    }

    /// Whether a person reads standard output, and not a program.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        self.colors(self.stdout_is_terminal) || self.stdout_is_terminal
    }

    /// Columns of the terminal that results go to; `None` if they do not go to one.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok().filter(|_| self.stdout_is_terminal)?;
        Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
    }

    /// Whether standard output is a terminal, which control characters would drive.
    #[must_use]
    pub fn prints_on_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Prints text for another program as it is: a script, a path.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Adds one line of JSON to bytes that are printed together later, whether `--json` was given or not.
    ///
    /// # Errors
    /// The result has no JSON form.
    pub fn json_into(&self, out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
        out.extend_from_slice(json_line(value)?.as_bytes());
        Ok(())
    }

    /// Adds a result to bytes that are printed together later.
    ///
    /// # Errors
    /// The result has no JSON form.
    pub fn append(&self, out: &mut Vec<u8>, view: &impl View) -> io::Result<()> {
        if self.options.json {
            out.extend_from_slice(json_line(view)?.as_bytes());
            return Ok(());
        }
        match view.brief().filter(|_| self.options.quiet) {
            Some(brief) => out.extend_from_slice(format!("{}\n", escape(&brief)).as_bytes()),
            None => {
                let mut page = self.page();
                view.text(&mut page);
                out.extend_from_slice(page.finish().as_bytes());
            }
        }
        Ok(())
    }

    /// Prints one line of JSON, whether `--json` was given or not: for what is a stream of them in any case.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_line(&self, value: &impl Serialize) -> io::Result<()> {
        self.write(&json_line(value)?)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        self.raw(text.as_bytes())
    }

    /// Prints a page, through the pager if it is longer than the terminal is high.
    fn write_long(&self, text: &str) -> io::Result<()> {
        match &self.options.pager {
            Some(pager) if self.stdout_is_terminal && pager::is_long(text) => pager::show(pager, text),
            _ => self.write(text),
        }
    }

    /// Says something on the side, unless `-q` was given. A failure to say it is no failure.
    pub fn note(&self, text: &str) {
        if !self.options.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", escape(text));
        }
    }

    /// Says something on the side that only `-v` asks for.
    pub fn detail(&self, text: &str) {
        if self.options.verbose > 0 {
            self.note(text);
        }
    }

    /// Warns, also under `-q`.
    pub fn warn(&self, text: &str) {
        let mut page = Page::new(self.colors(self.stderr_is_terminal), self.options.now_ns);
        page.put(Paint::Warning, "warning:").put(Paint::Plain, " ").put(Paint::Plain, text).end();
        let _ = io::stderr().lock().write_all(page.finish().as_bytes());
    }

    /// Says why the command failed. A failure to say it is no failure.
    pub fn fail(&self, failure: &Failure) {
        let text = match self.options.json {
            true => json_line(failure).unwrap_or_default(),
            false => failure.text(Page::new(self.colors(self.stderr_is_terminal), self.options.now_ns)),
        };
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Shows help that was asked for.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn help(&self, text: &Styled) -> io::Result<()> {
        self.write_long(text.choose(self.colors(self.stdout_is_terminal)))
    }

    /// Shows help to somebody who said too little. A failure to say it is no failure.
    pub fn help_aside(&self, text: &Styled) {
        let text = text.choose(self.colors(self.stderr_is_terminal));
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// A progress display: bars on a terminal, else nothing.
    #[must_use]
    pub fn progress(&self, what: &str) -> Progress {
        Progress::new(what, self.stderr_is_terminal && !self.options.quiet && !self.options.json)
    }

    /// Whether there is somebody to ask.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        !self.options.json && self.stderr_is_terminal && io::stdin().is_terminal()
    }

    /// Has a text edited: writes it to `file`, runs `editor` (a command line, as a shell reads it) on that, and returns
    /// what is in the file then. The file is removed.
    ///
    /// # Errors
    /// The file cannot be written or read, or the editor does not end well.
    pub fn edit(&self, editor: &str, file: &std::path::Path, text: &str) -> io::Result<Vec<u8>> {
        editor::edit(editor, file, text)
    }

    /// Asks a yes-or-no question; anything but `y` or `yes` is no. Without somebody to ask the answer is no.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn confirm(&self, question: &str) -> io::Result<bool> {
        if !self.can_ask() {
            return Ok(false);
        }
        ask::confirm(question)
    }
}

/// A value as one line of JSON, in which nothing drives a terminal. Only strings can hold such characters.
fn json_line(value: &impl Serialize) -> io::Result<String> {
    let mut line = serde_json::to_string(value).map_err(io::Error::from)?;
    if !line.contains(format::is_odd) {
        line.push('\n');
        return Ok(line);
    }
    let mut safe = String::with_capacity(line.len() + 1);
    for char in line.chars() {
        match format::is_odd(char) {
            true => safe.extend(char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
            false => safe.push(char),
        }
    }
    safe.push('\n');
    Ok(safe)
}
