//! Who keeps a mount busy, from `/proc`: by reading links and tables, never by looking at the files themselves, which
//! would ask the mount.
//!
//! Of other users' processes only root sees what they hold; what cannot be seen is left out.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::mountinfo::{MountEntry, MountTable};

/// What ties a process to a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Its working directory is in it.
    WorkingDirectory(PathBuf),
    /// Its root directory is in it.
    Root(PathBuf),
    /// It runs a program from it.
    Program(PathBuf),
    /// It has this file open.
    OpenFile(PathBuf),
    /// It has this file mapped.
    Mapped(PathBuf),
    /// Something is mounted inside it.
    Mount(PathBuf),
}

/// A process that uses a mount, with the first reason that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process id; 0 for a mount inside the mount.
    pub pid: u32,
    /// The name of its program, as in `ps`; not escaped.
    pub command: OsString,
    /// Why the mount is busy.
    pub hold: Hold,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, path) = match &self.hold {
            Hold::WorkingDirectory(path) => ("works in", path),
            Hold::Root(path) => ("has its root at", path),
            Hold::Program(path) => ("runs", path),
            Hold::OpenFile(path) => ("has open", path),
            Hold::Mapped(path) => ("has mapped", path),
            Hold::Mount(path) => {
                return write!(f, "`{}` is mounted inside", path.as_os_str().as_bytes().escape_ascii());
            }
        };
        let (command, path) = (self.command.as_bytes().escape_ascii(), path.as_os_str().as_bytes().escape_ascii());
        write!(f, "process {} (`{command}`) {what} `{path}`", self.pid)
    }
}

/// Everyone who keeps this mount busy, as far as this user can see.
#[must_use]
pub fn holders(entry: &MountEntry, table: &MountTable) -> Vec<Holder> {
    let inside = table.children(entry.id).map(|child| Holder {
        pid: 0,
        command: OsString::new(),
        hold: Hold::Mount(child.mount_point.clone()),
    });
    let mut found: Vec<Holder> = inside.collect();
    let Ok(processes) = fs::read_dir("/proc") else { return found };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let dir = process.path();
        if let Some(hold) = hold_of(&dir, entry) {
            found.push(Holder { pid, command: command_of(&dir), hold });
        }
    }
    found.sort_by_key(|holder| holder.pid);
    found
}

fn command_of(process: &Path) -> OsString {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    OsString::from(std::ffi::OsStr::from_bytes(name.trim_ascii_end()))
}

fn hold_of(process: &Path, entry: &MountEntry) -> Option<Hold> {
    let link = |name: &str| fs::read_link(process.join(name)).ok().filter(|path| path.starts_with(&entry.mount_point));
    link("cwd")
        .map(Hold::WorkingDirectory)
        .or_else(|| link("root").map(Hold::Root))
        .or_else(|| link("exe").map(Hold::Program))
        .or_else(|| open_file(process, entry).map(Hold::OpenFile))
        .or_else(|| mapped(process, entry).map(Hold::Mapped))
}

/// An open file that belongs to the mount: the kernel says by number which mount a descriptor was opened through.
fn open_file(process: &Path, entry: &MountEntry) -> Option<PathBuf> {
    fs::read_dir(process.join("fdinfo")).ok()?.flatten().find_map(|descriptor| {
        let info = fs::read_to_string(descriptor.path()).ok()?;
        let mount_id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
        if mount_id != entry.id.to_string() {
            return None;
        }
        fs::read_link(process.join("fd").join(descriptor.file_name())).ok()
    })
}

/// A mapped file of the mount. The table of mappings gives the device, in hexadecimal.
fn mapped(process: &Path, entry: &MountEntry) -> Option<PathBuf> {
    let (major, minor) = entry.device.split_once(':')?;
    let device = format!("{:02x}:{:02x}", major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
    let maps = fs::read(process.join("maps")).ok()?;
    maps.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
        if fields.nth(3)? != device.as_bytes() {
            return None;
        }
        let start = line.iter().position(|&byte| byte == b'/')?;
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(&line[start..])))
    })
}
