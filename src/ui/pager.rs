//! Long output on a terminal goes through the pager.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Whether the text is longer than the terminal is high.
pub(super) fn is_long(text: &str) -> bool {
    let rows = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).map_or(0, |size| size.ws_row);
    // A terminal that nobody looks at has no height.
    let rows = if rows == 0 { 24 } else { rows };
    text.lines().count() >= usize::from(rows)
}

/// Shows the text in the pager; prints it plainly when the pager cannot be started.
pub(super) fn show(pager: &str, text: &str) -> io::Result<()> {
    // The defaults of git: leave at once what fits, keep colours, do not clear the screen. A LESS of the user wins.
    let script = format!("LESS=${{LESS-FRX}} LV=${{LV--c}}; export LESS LV; exec {pager}");
    let child = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        return io::stdout().lock().write_all(text.as_bytes());
    };
    if let Some(mut stdin) = child.stdin.take() {
        // Leaving the pager before the end of the text is no failure.
        match stdin.write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    match child.wait()?.code() {
        // The shell's code for a command that is not there.
        Some(126 | 127) => io::stdout().lock().write_all(text.as_bytes()),
        _ => Ok(()),
    }
}
