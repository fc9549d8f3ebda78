//! Questions to whoever sits at the terminal.

use std::io::{self, Write};

use super::escape;

/// Asks on standard error, reads a line from standard input.
pub(super) fn confirm(question: &str) -> io::Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "{} [y/N] ", escape(question))?;
    err.flush()?;
    drop(err);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
