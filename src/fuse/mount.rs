//! Mounting: by `mount(2)` as root, by `fusermount3` otherwise. What comes out is an open `/dev/fuse`, whichever way.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::process::{getegid, geteuid};

use super::error::MountError;
use super::mountinfo::{FS_TYPE, MountEntry, MountTable};
use super::options::{MountOptions, source_of};
use super::{How, fusermount, unmount};

/// The connection to the kernel, before its handshake.
pub type Device = OwnedFd;

/// Something of ours that is mounted. Dropping it does nothing: who mounts decides when to unmount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Its line in the mount table.
    pub entry: MountEntry,
}

impl Mounted {
    /// A mount that another process made, by what the kernel calls it: its number and its device. Whether it is still there
    /// is found out by whoever does something with it.
    ///
    /// # Errors
    /// What reading the mount table says.
    pub fn known(id: u32, device: &str, mount_point: &Path, tag: &str) -> io::Result<Self> {
        let table = MountTable::read()?;
        let entry = table.entries().iter().find(|entry| entry.id == id && entry.device == device).cloned();
        let gone = || MountEntry {
            id,
            parent: 0,
            device: device.to_owned(),
            root: "/".into(),
            mount_point: mount_point.to_owned(),
            options: String::new(),
            fs_type: FS_TYPE.into(),
            source: format!("aether:{tag}").into(),
        };
        Ok(Self { entry: entry.unwrap_or_else(gone) })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mount_point(&self) -> &Path {
        &self.entry.mount_point
    }

    /// Takes this very mount away; if something else is mounted at its place by now, that stays.
    ///
    /// # Errors
    /// [`MountError::Busy`] with the processes that hold it, unless `how` is lazy; [`MountError::NotMounted`] when it is
    /// gone.
    pub fn unmount(&self, how: How) -> Result<(), MountError> {
        unmount(&self.entry, how)
    }

    /// Whether it is still in the mount table.
    ///
    /// # Errors
    /// What reading the mount table says.
    pub fn is_there(&self) -> io::Result<bool> {
        Ok(MountTable::read()?.entries().iter().any(|entry| same(entry, &self.entry)))
    }
}

/// Whether two lines of the table, perhaps read at different times, are of one mount.
pub(super) fn same(one: &MountEntry, other: &MountEntry) -> bool {
    (one.id, &one.device, &one.mount_point) == (other.id, &other.device, &other.mount_point)
}

/// Mounts at a directory that exists; see [`MountPoint`](super::MountPoint) for what it has to be. `tag` is shown in the
/// mount table.
///
/// # Errors
/// [`MountError`] says what is missing: device, permission, `fusermount3`.
pub fn mount(mount_point: &Path, tag: &str, options: &MountOptions) -> Result<(Device, Mounted), MountError> {
    let is_root = geteuid().is_root();
    options.check(is_root)?;
    let source = source_of(tag)?;
    let device = if is_root {
        mount_as_root(mount_point, &source, options)?
    } else {
        fusermount::mount(mount_point, &source, options)?
    };
    let at = |error| MountError::Io { path: mount_point.to_owned(), source: error };
    let table = MountTable::read().map_err(at)?;
    match table.at(mount_point).filter(|entry| entry.is_ours()) {
        Some(entry) => Ok((device, Mounted { entry: entry.clone() })),
        // Someone covered it already, or the path was not a resolved one. What was made answers nobody: away with it.
        None => {
            drop(device);
            let _best_effort = detach(mount_point, is_root);
            Err(MountError::NotMounted { path: mount_point.to_owned() })
        }
    }
}

fn detach(mount_point: &Path, is_root: bool) -> Result<(), MountError> {
    if !is_root {
        return fusermount::unmount(mount_point, true);
    }
    rustix::mount::unmount(mount_point, UnmountFlags::DETACH)
        .map_err(|errno| MountError::Io { path: mount_point.to_owned(), source: errno.into() })
}

fn mount_as_root(mount_point: &Path, source: &str, options: &MountOptions) -> Result<Device, MountError> {
    let device = open_device()?;
    let data = options.kernel_data(device.as_raw_fd(), geteuid().as_raw(), getegid().as_raw());
    let data = CString::new(data).expect("numbers and fixed words hold no NUL");
    rustix::mount::mount(source, mount_point, FS_TYPE, options.flags(), Some(data.as_c_str())).map_err(|errno| {
        let path = mount_point.to_owned();
        match errno {
            Errno::PERM | Errno::ACCESS => MountError::Denied { path },
            Errno::NODEV => MountError::NoDevice,
            Errno::NOENT => MountError::Missing { path },
            Errno::NOTDIR => MountError::NotADirectory { path },
            errno => MountError::Io { path, source: errno.into() },
        }
    })?;
    Ok(device)
}

fn open_device() -> Result<Device, MountError> {
    let path = Path::new("/dev/fuse");
    let device = OpenOptions::new().read(true).write(true).open(path).map_err(|error| device_error(path, error))?;
    Ok(device.into())
}

/// What is wrong with the device, from the error of opening it.
pub(super) fn device_error(path: &Path, error: io::Error) -> MountError {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => MountError::NoDevice,
        Some(Errno::ACCESS | Errno::PERM) => MountError::DeviceDenied,
        _ => MountError::Io { path: PathBuf::from(path), source: error },
    }
}
