//! Hearing of changes of the catalog, in whichever process they happen, without looking again and again.

use std::path::Path;
use std::slice;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Error;
use super::error::Result;

/// How long after a write to the log to look again and again. Its bytes come before it counts as written, and whoever
/// wrote it says so only if it was not killed in between.
const PATIENCE: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(500), Duration::from_secs(3)];

/// Watches the catalog from when it is made.
#[derive(Debug)]
pub struct Wakes {
    heard: Receiver<()>,
    patience: slice::Iter<'static, Duration>,
    _watcher: RecommendedWatcher,
}

impl Wakes {
    /// Watches the catalog below a data directory, which is there.
    ///
    /// # Errors
    /// The system watches no more.
    pub fn watch(data_dir: &Path) -> Result<Self> {
        let failed = |error: notify::Error| Error::Io {
            path: data_dir.to_owned(),
            source: std::io::Error::other(error.to_string()),
        };
        let (wake, heard) = channel();
        let on_event = move |event: notify::Result<notify::Event>| {
            let is_ours =
                |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"catalog."));
            if event.is_ok_and(|event| {
                !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_ours(path))
            }) {
                let _nobody_listens = wake.send(());
            }
        };
        let mut watcher = notify::recommended_watcher(on_event).map_err(failed)?;
        watcher.watch(data_dir, RecursiveMode::NonRecursive).map_err(failed)?;
        Ok(Self { heard, patience: [].iter(), _watcher: watcher })
    }

    /// Sleeps until it is worth to look again, or `limit` is over. Says whether it can be waited again.
    pub fn wait(&mut self, limit: Option<Duration>) -> bool {
        let left = self.patience.next().copied().into_iter().chain(limit).min();
        let heard = match left {
            Some(left) => self.heard.recv_timeout(left),
            None => self.heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match heard {
            Ok(()) => {
                while self.heard.try_recv().is_ok() {}
                self.patience = PATIENCE.iter();
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }
}
