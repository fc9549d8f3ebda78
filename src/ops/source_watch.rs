//! Making revisions of a directory as it changes.
//!
//! What the kernel tells of changes says when to import again, and no more: an import finds for itself what differs. So
//! nothing is lost when events are, and an import that finds nothing makes no revision.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Config, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::catalog::SourceKind;

use super::error::{Kind, Result};
use super::import::{ImportError, ImportProgress};
use super::rules::Globs;
use super::source_import::{self, SourceImport, Watch};
use super::source_list::show;
use super::{Context, Error};

/// How long to wait between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(200);

/// How often to list directories that come and go.
const LOOKS: usize = 20;

/// The setting that limits how many directories a user can watch.
const WATCH_LIMIT: &str = "/proc/sys/fs/inotify/max_user_watches";

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The user may watch no more directories.
    #[error("`{}` has more directories than may be watched ({limit})", .path.display())]
    Limit {
        /// What was to be watched.
        path: PathBuf,
        /// The limit.
        limit: String,
    },
}

impl WatchError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "watch-limit"
    }

    /// What helps.
    #[must_use]
    pub fn hint(&self) -> String {
        "raise `fs.inotify.max_user_watches` by sysctl(8), or leave directories out with `--exclude`".into()
    }
}

/// When to import.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After so long without a change.
    pub quiet: Duration,
    /// After so long in any case, when changes never end.
    pub at_most: Duration,
}

/// How to watch.
pub struct Request<'a> {
    /// The source.
    pub source: &'a str,
    /// When to import.
    pub pace: Pace,
    /// Ends it when it becomes true.
    pub cancel: &'a AtomicBool,
}

/// What happens while a source is watched.
pub trait Observer {
    /// Why `source_watch::run` ends.
    type Error: From<Error>;

    /// An import begins; the surroundings have the time and the random bytes of a command that is given now.
    ///
    /// # Errors
    /// Ends the watch.
    fn begins(&mut self, cx: &mut Context) -> std::result::Result<Box<dyn ImportProgress>, Self::Error>;

    /// An import has ended; says whether to go on.
    ///
    /// # Errors
    /// Ends the watch.
    fn ended(&mut self, import: Result<SourceImport>) -> std::result::Result<bool, Self::Error>;
}

/// What was heard.
enum Heard {
    /// Something changed.
    Change,
    /// More changed than the kernel could tell.
    Overflow,
    /// A directory that is new cannot be watched.
    Failure(notify::Error),
}

/// Watches the origin of a source, and imports it at once and whenever it changed and is quiet again. Returns when it is
/// cancelled, or when `observer` says so.
///
/// # Errors
/// The origin is no directory, is gone, or cannot be watched; or from `observer`. An import that fails ends nothing.
pub fn run<O: Observer>(
    cx: &mut Context,
    request: &Request<'_>,
    observer: &mut O,
) -> std::result::Result<(), O::Error> {
    let source = show(cx, request.source)?.source;
    let origin = match (&source.origin, source.kind) {
        (Some(origin), SourceKind::Dir) => origin.clone(),
        (None, _) => return Err(Error::NoOrigin { name: source.name }.into()),
        (_, kind) => return Err(Error::NotForKind { option: "source watch", kind: kind.word() }.into()),
    };
    let excludes = Globs::new(&source.import.excludes).map_err(ImportError::from).map_err(Error::from)?;
    let mut watching = Watching::start(&origin, &excludes)?;
    loop {
        let progress = observer.begins(cx)?;
        let watch = Watch { progress: &*progress, cancel: request.cancel };
        let import = source_import::refresh(cx, &source.id, watch);
        drop(progress);
        if request.cancel.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Err(error) = &import
            && (error.kind() == Kind::NotFound || !origin.is_dir())
        {
            return Err(import.map(drop).expect_err("it was just looked at").into());
        }
        if !observer.ended(import)? {
            return Ok(());
        }
        match watching.wait(request)? {
            None => return Ok(()),
            Some(Heard::Overflow) => {
                // Directories may have come that are not watched. Watched before the import, so that nothing falls
                // between the two.
                watching = Watching::start(&origin, &excludes)?;
            }
            Some(_) => {}
        }
    }
}

/// A directory that is watched, with all below it.
struct Watching {
    _watcher: RecommendedWatcher,
    events: Receiver<Heard>,
    origin: PathBuf,
}

impl Watching {
    fn start(origin: &Path, excludes: &Globs) -> Result<Self> {
        let (tell, events) = channel();
        let (top, excludes) = (origin.to_owned(), excludes.clone());
        let heard = move |event: notify::Result<notify::Event>| {
            if let Some(heard) = what(event, &top, &excludes) {
                let _nobody_listens = tell.send(heard);
            }
        };
        // A link may lead anywhere, and what it leads to is not part of the tree.
        let config = Config::default().with_follow_symlinks(false);
        let failed = |error| failure(origin, error);
        let mut watcher = RecommendedWatcher::new(heard, config).map_err(failed)?;
        let mut watched = watcher.watch(origin, RecursiveMode::Recursive);
        for _ in 0..LOOKS {
            match &watched {
                // A directory went while they were listed.
                Err(error) if is_gone(error) && origin.is_dir() => {
                    watched = watcher.watch(origin, RecursiveMode::Recursive);
                }
                _ => break,
            }
        }
        watched.map_err(failed)?;
        Ok(Self { _watcher: watcher, events, origin: origin.to_owned() })
    }

    /// Waits until something changed and nothing changes any more; `None` when it was cancelled.
    fn wait(&self, request: &Request<'_>) -> Result<Option<Heard>> {
        let mut heard: Option<Heard> = None;
        let (mut last, mut first) = (Instant::now(), Instant::now());
        while !request.cancel.load(Ordering::Relaxed) {
            let limit = match heard {
                None => LOOK,
                Some(_) => request.pace.quiet.saturating_sub(last.elapsed()).min(LOOK),
            };
            match self.events.recv_timeout(limit) {
                Ok(Heard::Failure(error)) => return Err(failure(&self.origin, error)),
                Ok(now) => {
                    last = Instant::now();
                    first = if heard.is_none() { last } else { first };
                    heard = match heard {
                        Some(Heard::Overflow) => heard,
                        _ => Some(now),
                    };
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failure(&self.origin, notify::Error::generic("the watch ended")));
                }
            }
            let pace = &request.pace;
            if heard.is_some() && (last.elapsed() >= pace.quiet || first.elapsed() >= pace.at_most) {
                return Ok(heard);
            }
        }
        Ok(None)
    }
}

/// What an event means. That something was read is none; so an import does not wake itself.
fn what(event: notify::Result<notify::Event>, top: &Path, excludes: &Globs) -> Option<Heard> {
    use std::os::unix::ffi::OsStrExt;
    let event = match event {
        Ok(event) if event.need_rescan() => return Some(Heard::Overflow),
        Ok(event) => event,
        // A directory went before it could be watched.
        Err(error) if is_gone(&error) => return None,
        Err(error) => return Some(Heard::Failure(error)),
    };
    let written = AccessKind::Close(AccessMode::Write);
    if matches!(event.kind, EventKind::Access(kind) if kind != written) {
        return None;
    }
    let is_left_out = |path: &PathBuf| {
        let inside = path.strip_prefix(top).map(|path| path.as_os_str().as_bytes());
        inside.is_ok_and(|inside| !inside.is_empty() && below(excludes, inside))
    };
    let all_left_out = !event.paths.is_empty() && event.paths.iter().all(is_left_out);
    (!all_left_out).then_some(Heard::Change)
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound | ErrorKind::WatchNotFound => true,
        ErrorKind::Io(error) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Whether the globs match a path, or a directory that it is in.
fn below(globs: &Globs, path: &[u8]) -> bool {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    globs.matches(path, false) || ends.into_iter().any(|end| globs.matches(&path[..end], true))
}

fn failure(origin: &Path, error: notify::Error) -> Error {
    let is_limit = matches!(&error.kind, ErrorKind::MaxFilesWatch)
        || matches!(&error.kind, ErrorKind::Io(error) if error.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()));
    if is_limit {
        let limit = std::fs::read_to_string(WATCH_LIMIT).unwrap_or_default();
        return WatchError::Limit { path: origin.to_owned(), limit: limit.trim().to_owned() }.into();
    }
    let source = match error.kind {
        ErrorKind::Io(error) => error,
        ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        _ => io::Error::other(error.to_string()),
    };
    Error::Io { path: origin.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::{CreateKind, Flag};

    use super::*;

    fn heard(event: Event, excludes: &[&str]) -> Option<Heard> {
        let globs: Vec<String> = excludes.iter().map(|glob| (*glob).to_owned()).collect();
        what(Ok(event), Path::new("/top"), &Globs::new(&globs).unwrap())
    }

    fn created(path: &str) -> Event {
        Event::new(EventKind::Create(CreateKind::File)).add_path(path.into())
    }

    #[test]
    fn lost_events_have_the_directories_watched_anew() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(matches!(heard(event, &["*"]), Some(Heard::Overflow)));
    }

    #[test]
    fn only_changes_of_what_is_taken_are_heard() {
        assert!(heard(created("/top/src/a.o"), &[]).is_some());
        assert!(heard(created("/top/src/a.o"), &["*.o"]).is_none());
        assert!(heard(created("/top/out/deep/a"), &["out"]).is_none());
        assert!(heard(created("/top/out/deep/a").add_path("/top/b".into()), &["out"]).is_some());
        let read = |kind| Event::new(EventKind::Access(kind)).add_path("/top/a".into());
        assert!(heard(read(AccessKind::Open(AccessMode::Any)), &[]).is_none());
        assert!(heard(read(AccessKind::Close(AccessMode::Write)), &[]).is_some());
    }

    #[test]
    fn too_many_directories_are_told_with_the_limit() {
        let error = failure(Path::new("/top"), notify::Error::new(ErrorKind::MaxFilesWatch));
        assert!(error.hints()[0].contains("fs.inotify.max_user_watches"), "{error}");
        let Error::Watch(WatchError::Limit { limit, .. }) = error else { panic!("{error}") };
        assert!(limit.parse::<u64>().is_ok(), "{limit}");
    }
}
