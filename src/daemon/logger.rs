//! The log file of a mount process: opened private, one line an event, bounded.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use log::{LevelFilter, Log, Metadata, Record};

/// A log longer than this, in bytes, is set aside when the next process begins.
const ROTATE_AT_BYTES: u64 = 1 << 20;

/// The most that one process writes, in bytes.
const MAX_BYTES: u64 = 8 << 20;

/// Opens a log for appending, mode 0600. One that has grown long becomes `NAME.old` first.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|file| file.len() > ROTATE_AT_BYTES) {
        let mut old = path.as_os_str().to_owned();
        old.push(".old");
        fs::rename(path, old)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Sends this process's log to the file. Once a process; a second call changes nothing.
pub(super) fn start(file: File, level: &str) {
    let level = LevelFilter::from_str(level).unwrap_or(LevelFilter::Info);
    let logger = Box::new(FileLog { file, written: AtomicU64::new(0) });
    if log::set_boxed_logger(logger).is_ok() {
        log::set_max_level(level);
    }
}

struct FileLog {
    file: File,
    written: AtomicU64,
}

impl Log for FileLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now = jiff::Timestamp::now();
        let line = format!("{now:.3} {:5} {}\n", record.level(), record.args());
        let length = line.len() as u64;
        let before = self.written.fetch_add(length, Ordering::Relaxed);
        // A log that cannot be written is no reason to stop serving files.
        if before <= MAX_BYTES {
            let _unheard = (&self.file).write_all(line.as_bytes());
            if before + length > MAX_BYTES {
                let _unheard = (&self.file).write_all(b"the log is full; nothing more is written\n");
            }
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_long_log_is_set_aside_and_the_new_one_is_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("mount.log");
        fs::write(&path, vec![b'x'; 2 << 20]).expect("written");
        open(&path).expect("opened").write_all(b"new").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"new");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(dir.path().join("mount.log.old")).expect("there").len(), 2 << 20);
    }
}
