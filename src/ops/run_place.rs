//! Where a command runs in a session: its mount, made for it if there is none, and shared by all who run commands then.
//!
//! Whoever runs a command in a mount has a lock on a file, shared with the others. The file names the mount, and says
//! whether one of them made it; then the last one unmounts. So a mount that somebody asked for by name is never taken
//! away, and one whose maker was killed goes with the next who runs something in it.
//!
//! No turn is held while something is mounted or unmounted: hooks may run then.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use crate::catalog::Session;
use crate::daemon::{Doing, MountRecord, RunDir};
use crate::fuse::MountTable;

use super::error::Result;
use super::session_mount::{self, Request, Server, live_mount, run_dir};
use super::session_unmount::{self, Way};
use super::{Context, Error};

/// A mount that stays while this is there, but for one who takes it away by force.
#[derive(Debug)]
pub struct Place {
    /// Its root directory.
    pub dir: PathBuf,
    /// The id of the session.
    session: String,
    /// The root directory, open: it keeps the mount busy.
    hold: File,
    /// The lock shared with others.
    users: File,
}

/// How often to look again when others mount and unmount the session.
const LOOKS: usize = 100;

/// Mounts a session if it is not, and keeps it mounted until [`leave`].
///
/// # Errors
/// It cannot be mounted.
pub fn enter(cx: &mut Context, session: &Session, server: &Server) -> Result<Place> {
    let run = run_dir(cx)?;
    let request = Request { session: Some(session.id.clone()), ..Request::default() };
    let mut looks = 0..LOOKS;
    let mut made = None;
    loop {
        // One that is being made is there then, or is not to be.
        drop(run.turn(Doing::Mounting, &session.id)?);
        let turn = run.turn(Doing::Entering, &session.id)?;
        if let Some(record) = live_mount(cx, &run, &session.id)?
            && let Some(hold) = hold(&record)
        {
            let is_ours = made.as_ref() == Some(&record.mount_point);
            let users = share(&run, &record, is_ours)?;
            return Ok(Place { dir: record.mount_point, session: session.id.clone(), hold, users });
        }
        drop(turn);
        match session_mount::run(cx, &request, server) {
            Ok(mount) => made = Some(mount.mount_point),
            // Somebody else was faster, or it is being taken away.
            Err(Error::Mounted { .. }) if looks.next().is_some() => std::thread::sleep(PATIENCE[0]),
            Err(error) => return Err(error),
        }
    }
}

/// Lets go of a mount; the last who does takes it away if one of those who ran commands in it made it. `told` hears of it
/// when that is not to be had because something still uses it.
///
/// # Errors
/// It cannot be unmounted.
pub fn leave(cx: &mut Context, place: Place, told: &mut dyn FnMut(&str)) -> Result<()> {
    let Place { session, hold, mut users, .. } = place;
    drop(hold);
    let run = run_dir(cx)?;
    let turn = run.turn(Doing::Entering, &session)?;
    if flock(&users, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    let path = users_file(&run, &session);
    let said = read(&mut users).map_err(at(&path))?;
    std::fs::remove_file(&path).map_err(at(&path))?;
    let is_ours = live_mount(cx, &run, &session)?.is_some_and(|record| said == text(&record, true));
    drop(turn);
    match is_ours {
        true => unmount(cx, &session, told),
        false => Ok(()),
    }
}

/// Opens the root of a mount; `None` if it is not in the tree, or not any more.
fn hold(record: &MountRecord) -> Option<File> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(&record.mount_point, flags, Mode::empty()).ok()?;
    let device = rustix::fs::fstat(&root).ok()?.st_dev;
    let table = MountTable::read().ok()?;
    let shown = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    record.entry(&table).filter(|entry| entry.device == shown).map(|_| root.into())
}

fn users_file(run: &RunDir, session_id: &str) -> PathBuf {
    run.join(&format!("{session_id}.users"))
}

/// Joins those who run commands in this mount; notes that one of them made it, if so. The turn to enter is ours.
fn share(run: &RunDir, record: &MountRecord, is_made: bool) -> Result<File> {
    let path = users_file(run, &record.tag);
    let mut options = File::options();
    let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(&path);
    let mut file = file.map_err(at(&path))?;
    flock(&file, FlockOperation::LockShared).map_err(|errno| at(&path)(errno.into()))?;
    let made = text(record, true);
    let said = read(&mut file).map_err(at(&path))?;
    let due = text(record, is_made);
    if said != made && said != due {
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(due.as_bytes()));
        written.map_err(at(&path))?;
    }
    Ok(file)
}

/// What the file says: which mount, and whether it goes with those who use it.
fn text(record: &MountRecord, is_made: bool) -> String {
    format!("{} {}\n", record.stem, if is_made { "goes" } else { "stays" })
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.take(1024).read_to_string(&mut text)?;
    Ok(text)
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// How long to wait, again and again, for a mount that is still in use when its command has ended.
pub(super) const PATIENCE: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(400)];

fn unmount(cx: &mut Context, session_id: &str, told: &mut dyn FnMut(&str)) -> Result<()> {
    let mut result = session_unmount::run(cx, Some(session_id.as_ref()), Way::Plain);
    // What the command started in the background may be about to end.
    for patience in PATIENCE {
        match &result {
            Err(error) if error.code() == "busy" => std::thread::sleep(patience),
            _ => break,
        }
        result = session_unmount::run(cx, Some(session_id.as_ref()), Way::Plain);
    }
    match result {
        Ok(_) | Err(Error::NotMounted { .. }) => Ok(()),
        Err(error) if error.code() == "busy" || matches!(error, Error::Hook(_)) => {
            told(&format!("{error}; it stays mounted"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
