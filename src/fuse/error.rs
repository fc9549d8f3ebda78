//! What can go wrong in mounting and unmounting, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::holders::Holder;
use super::options::OptionError;

/// Why a mount could not be made or taken away. Paths in messages are escaped.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MountError {
    #[error(transparent)]
    Option(#[from] OptionError),
    #[error("`/dev/fuse` does not exist")]
    NoDevice,
    #[error("`/dev/fuse` may not be opened by this user")]
    DeviceDenied,
    #[error("`fusermount3` is not installed")]
    NoFusermount,
    #[error("other users cannot be let in: `user_allow_other` is not set in `/etc/fuse.conf`")]
    AllowOtherDenied,
    #[error("`fusermount3` failed: {}", .message.escape_debug())]
    Fusermount { message: String },
    #[error("mounting at `{}` is not permitted", .path.display().to_string().escape_debug())]
    Denied { path: PathBuf },
    #[error("`{}`: {source}", .path.display().to_string().escape_debug())]
    Io { path: PathBuf, source: io::Error },
    #[error("the connection to the kernel failed: {0}")]
    Handshake(#[source] io::Error),
    #[error("`{}` does not exist", .path.display().to_string().escape_debug())]
    Missing { path: PathBuf },
    #[error("`{}` is not a directory", .path.display().to_string().escape_debug())]
    NotADirectory { path: PathBuf },
    #[error("`{}` is not empty", .path.display().to_string().escape_debug())]
    NotEmpty { path: PathBuf },
    #[error("`{}` lies inside the data directory `{}`", .path.display().to_string().escape_debug(), .data.display().to_string().escape_debug())]
    InsideData { path: PathBuf, data: PathBuf },
    #[error("`{}` lies inside another mount of ours at `{}`", .path.display().to_string().escape_debug(), .mount.display().to_string().escape_debug())]
    InsideMount { path: PathBuf, mount: PathBuf },
    #[error("`{}` contains the data directory `{}`", .path.display().to_string().escape_debug(), .data.display().to_string().escape_debug())]
    HidesData { path: PathBuf, data: PathBuf },
    #[error("`{}` contains the runtime directory `{}`", .path.display().to_string().escape_debug(), .run.display().to_string().escape_debug())]
    HidesRun { path: PathBuf, run: PathBuf },
    #[error("`{}` is relative to the working directory, which is gone", .path.display().to_string().escape_debug())]
    NoWorkingDir { path: PathBuf },
    #[error("`{}` is a mount point already", .path.display().to_string().escape_debug())]
    AlreadyMounted { path: PathBuf },
    #[error("nothing of ours is mounted at `{}`", .path.display().to_string().escape_debug())]
    NotMounted { path: PathBuf },
    #[error("`{}` is busy", .path.display().to_string().escape_debug())]
    Busy { path: PathBuf, holders: Vec<Holder> },
}

impl MountError {
    /// A stable word for the kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Option(_) => "bad-mount-option",
            Self::NoDevice => "no-fuse-device",
            Self::DeviceDenied => "fuse-device-denied",
            Self::NoFusermount => "no-fusermount",
            Self::AllowOtherDenied => "allow-other-denied",
            Self::Fusermount { .. } => "fusermount-failed",
            Self::Denied { .. } => "mount-denied",
            Self::Io { .. } => "io",
            Self::Handshake(_) => "fuse-handshake",
            Self::Missing { .. } | Self::NoWorkingDir { .. } => "mount-point-missing",
            Self::NotADirectory { .. } => "mount-point-not-a-directory",
            Self::NotEmpty { .. } => "mount-point-not-empty",
            Self::InsideData { .. } | Self::HidesData { .. } => "mount-point-in-data",
            Self::HidesRun { .. } => "mount-point-over-runtime",
            Self::InsideMount { .. } => "mount-point-in-mount",
            Self::AlreadyMounted { .. } => "already-mounted",
            Self::NotMounted { .. } => "not-mounted",
            Self::Busy { .. } => "busy",
        }
    }

    /// What the user can do, one line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoDevice => vec![
                "load the kernel module: `modprobe fuse`".into(),
                "in a container, pass the device in: `--device /dev/fuse --cap-add SYS_ADMIN`".into(),
            ],
            Self::DeviceDenied => vec!["let users open it: `chmod 666 /dev/fuse` as root".into()],
            Self::NoFusermount => vec!["install it: `apt install fuse3`, or your system's equivalent".into()],
            Self::AllowOtherDenied => vec!["as root, add the line `user_allow_other` to `/etc/fuse.conf`".into()],
            Self::Denied { .. } => vec!["in a container, mounting needs `--cap-add SYS_ADMIN`".into()],
            Self::Missing { .. } => vec!["make the directory, or its parent, first".into()],
            Self::NotEmpty { .. } => vec!["name an empty directory, or pass `--cover` to cover its content".into()],
            Self::NoWorkingDir { .. } => vec!["change to a directory that exists, or name an absolute path".into()],
            Self::InsideData { .. } | Self::HidesData { .. } | Self::HidesRun { .. } | Self::InsideMount { .. } => {
                vec!["name a directory elsewhere".into()]
            }
            Self::AlreadyMounted { .. } => vec!["unmount it first, or name another directory".into()],
            Self::Busy { holders, .. } => {
                let mut hints: Vec<String> = holders.iter().map(ToString::to_string).collect();
                hints.push("end these first, or pass `--lazy` to detach the mount now and end it with the last".into());
                hints
            }
            Self::Option(error) => error.hints(),
            Self::Fusermount { .. } | Self::Io { .. } | Self::Handshake(_) | Self::NotADirectory { .. } => Vec::new(),
            Self::NotMounted { .. } => vec!["list what is mounted: `aether session list --mounted`".into()],
        }
    }
}
