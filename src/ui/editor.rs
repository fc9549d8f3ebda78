//! Texts that a person writes in their own editor.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

/// Has `text` edited in `file`, and returns what is in it then.
pub(super) fn edit(editor: &str, file: &Path, text: &str) -> io::Result<Vec<u8>> {
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let edited = written.and_then(|mut handle| {
        handle.write_all(text.as_bytes())?;
        drop(handle);
        // As git does: the editor is a piece of shell, the file its argument.
        let script = format!("{editor} \"$@\"");
        let status = Command::new("/bin/sh").args(["-c", &script, editor]).arg(file).status()?;
        match status.success() {
            true => fs::read(file),
            false => Err(io::Error::other(format!("the editor `{editor}` ended with {status}"))),
        }
    });
    let _gone_or_read = fs::remove_file(file);
    edited
}
