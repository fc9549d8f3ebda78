//! The watcher: takes a mount away that nobody holds any more.
//!
//! When a mount process and its keeper are killed at once, the connection closes, and the mount stays in the table as a ghost
//! that answers ENOTCONN. So a third process holds one end of a socket; every mount process and keeper holds the other
//! one, and the kernel closes that with the last of them. The watcher then takes the mount away, if nobody has done so. It
//! has nothing else to do, and nothing of the connection.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::fuse::{How, MountEntry, MountError, MountTable, unmount};

use super::super::registry::{self, remove_record};
use super::super::{RunDir, ServeSpec, logger, path_text};
use super::{Kept, Part, Roles, packet};

/// What a mount leaves behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Remains {
    /// The name of its record in the run directory.
    stem: String,
    mount_id: u32,
    device: String,
    /// The directory that was made for it, if one was.
    #[serde(with = "path_text")]
    mount_point: PathBuf,
    created_mount_point: bool,
    #[serde(with = "path_text")]
    run_dir: PathBuf,
    #[serde(with = "path_text")]
    log: PathBuf,
    log_level: String,
}

impl Remains {
    /// Those of a mount.
    pub fn of(spec: &ServeSpec, kept: &Kept) -> Self {
        Self {
            stem: kept.stem.clone(),
            mount_id: kept.mount_id,
            device: kept.device.clone(),
            mount_point: spec.mount_point.clone(),
            created_mount_point: spec.created_mount_point,
            run_dir: spec.run_dir.clone(),
            log: spec.log.clone(),
            log_level: spec.log_level.clone(),
        }
    }

    /// The kernel gives numbers of mounts and devices that are gone to the next ones, so the place counts too: it is the
    /// one of the beginning, or, if a directory above was renamed, one that no other record has.
    fn is_own(&self, entry: &MountEntry) -> bool {
        let is_elsewhere = || {
            let run = RunDir::open(&self.run_dir).ok();
            run.is_some_and(|run| registry::is_unclaimed(&run, &self.stem, &entry.mount_point))
        };
        (entry.id, &entry.device) == (self.mount_id, &self.device)
            && entry.is_ours()
            && (entry.mount_point == self.mount_point || is_elsewhere())
    }

    /// Whether nobody has cleaned up: whoever takes the mount away removes the record after that.
    fn is_recorded(&self) -> bool {
        RunDir::open(&self.run_dir).is_ok_and(|run| run.join(&format!("{}.json", self.stem)).exists())
    }

    /// Takes away whatever of it is there: the mount, its directory, its record.
    pub fn clear(&self) {
        let table = MountTable::read().unwrap_or_default();
        if let Some(entry) = table.entries().iter().find(|entry| self.is_own(entry)) {
            match unmount(entry, How::Lazy) {
                Ok(()) | Err(MountError::NotMounted { .. }) => {}
                Err(error) => log::error!("{error}"),
            }
        }
        if self.created_mount_point {
            let _kept_if_used = std::fs::remove_dir(&self.mount_point);
        }
        if let Ok(run) = RunDir::open(&self.run_dir) {
            remove_record(&run, &self.stem);
        }
    }
}

/// Starts a watcher; it watches for as long as somebody has the descriptor open that is returned.
pub(super) fn start(roles: &Roles, remains: Remains) -> io::Result<OwnedFd> {
    let (ours, theirs) = packet::pair()?;
    let mut child = roles.command(&roles.exe, &roles.keep).stdin(Stdio::from(theirs)).spawn()?;
    packet::send(&ours, &Part::Watch(Box::new(remains)), &[])?;
    // It is waited for so that a mount process that lives longer keeps no remains of it.
    let reap = move || drop(child.wait());
    let _stays = std::thread::Builder::new().name("reaper".into()).stack_size(64 * 1024).spawn(reap);
    Ok(ours)
}

/// Waits until nobody holds the other end, and takes the remains away.
pub(super) fn watch(other_end: &OwnedFd, remains: &Remains) {
    let _stays = rustix::thread::set_name(c"aether-watcher");
    while let Err(Errno::INTR) = poll(&mut [PollFd::new(other_end, PollFlags::IN)], None) {}
    if !remains.is_recorded() {
        return;
    }
    if let Ok(log) = logger::open(&remains.log) {
        logger::start(log, &remains.log_level);
    }
    log::error!("the mount process and its keeper are both gone; the mount is taken away");
    remains.clear();
}
