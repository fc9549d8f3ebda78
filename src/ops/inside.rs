//! A command in a mount namespace of its own, in which a session stands where its origin is, or lies under an overlay.
//!
//! The namespace is entered by a process of its own that then becomes the command: a process with threads cannot enter
//! one, and the mounts of everybody else stay as they are.

use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, fstatfs, open, statvfs};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::disk::umask;

use super::accelerate::{UpperDir, source_of};

/// Why the namespace could not be entered, or the command not begun.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// The kernel gives the user no namespace.
    #[error("a mount namespace cannot be made: {0}")]
    Namespace(#[source] io::Error),
    /// The session cannot be bound.
    #[error("the session cannot be bound over `{}`: {source}", .over.display())]
    Bind {
        /// The directory that it was to stand for.
        over: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no overlay to be had.
    #[error("overlayfs cannot be mounted: {0}")]
    Overlay(#[source] io::Error),
    /// The command could not be begun.
    #[error("`{}` cannot be run: {source}", .program.display())]
    Program {
        /// Its name.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What the command is to see.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Where the session is mounted.
    pub mount: &'a Path,
    /// The directory that the command sees it at, and begins in. It may be the same.
    pub over: &'a Path,
    /// What the session is called in the mount table, and where an overlay on it is to write to; without it the session
    /// itself is seen.
    pub changes: Option<(&'a str, &'a UpperDir)>,
}

/// Becomes the command, in a namespace with this scene. It only returns if it fails.
///
/// The process must have one thread.
pub fn become_command(scene: Scene<'_>, command: &[OsString]) -> InsideError {
    let over = scene.over;
    let namespace = match own_namespace() {
        Ok(namespace) => namespace,
        Err(source) => return InsideError::Namespace(source),
    };
    if let Some((tag, changes)) = scene.changes {
        if let Err(source) = overlay(scene.mount, over, tag, changes, namespace) {
            return InsideError::Overlay(source);
        }
    } else if let Err(source) = mount_bind_recursive(scene.mount, over) {
        return InsideError::Bind { over: over.into(), source: source.into() };
    }
    if let Err(source) = std::env::set_current_dir(over) {
        return InsideError::Bind { over: over.into(), source };
    }
    let Some((program, args)) = command.split_first() else {
        return InsideError::Program { program: PathBuf::new(), source: io::ErrorKind::NotFound.into() };
    };
    umask::put_back();
    let source = Command::new(program).args(args).env("PWD", over).exec();
    InsideError::Program { program: program.into(), source }
}

/// Finds out whether this user may mount overlayfs in a namespace. Nothing is written anywhere.
///
/// The process must have one thread.
///
/// # Errors
/// [`InsideError`] says what is in the way.
pub fn try_overlay() -> Result<(), InsideError> {
    let namespace = own_namespace().map_err(InsideError::Namespace)?;
    let layers = ["/usr", "/etc", "/dev", "/var"].map(Path::new);
    let [first, second] = &layers.into_iter().filter(|dir| dir.is_dir()).take(2).collect::<Vec<_>>()[..] else {
        return Err(InsideError::Overlay(io::ErrorKind::NotFound.into()));
    };
    let options = format!("lowerdir={}:{}{}", first.display(), second.display(), namespace.option());
    mount_overlay("none", first, &options).map_err(InsideError::Overlay)
}

/// What kind of namespace a process is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    /// One for mounts.
    Mounts,
    /// One for users, and in it one for mounts.
    User,
}

impl Namespace {
    /// The option that has overlayfs keep its notes where this user may write them.
    fn option(self) -> &'static str {
        match self {
            Self::Mounts => "",
            Self::User => ",userxattr",
        }
    }
}

/// `FUSE_SUPER_MAGIC` in `include/uapi/linux/magic.h`.
const FUSE_MAGIC: u32 = 0x6573_5546;

/// Puts an overlay on a mount of ours.
fn overlay(lower: &Path, over: &Path, tag: &str, changes: &UpperDir, namespace: Namespace) -> io::Result<()> {
    let dir = |path: &Path| -> io::Result<OwnedFd> {
        Ok(open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
    };
    let (lower, upper, work) = (dir(lower)?, dir(&changes.upper())?, dir(&changes.work())?);
    // Whoever took the mount away in between left an empty directory.
    if fstatfs(&lower)?.f_type as u32 != FUSE_MAGIC {
        return Err(io::Error::other("the session was unmounted"));
    }
    if namespace == Namespace::User {
        changes.note_user()?;
    }
    // In this way no path needs to be escaped or to be short.
    let [lower, upper, work] = [&lower, &upper, &work].map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let options = format!(
        "lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=nofollow,metacopy=off,index=off,xino=on{}",
        namespace.option()
    );
    mount_overlay(&source_of(tag), over, &options)?;
    match statvfs(over)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        true => Err(io::Error::other("the file system of the data directory cannot be written to by overlayfs")),
        false => Ok(()),
    }
}

fn mount_overlay(source: &str, over: &Path, options: &str) -> io::Result<()> {
    let data = CString::new(options).map_err(io::Error::other)?;
    // As a mount of ours has them.
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount(source, over, "overlay", flags, Some(data.as_c_str()))?)
}

/// Leaves the mounts of the machine for a copy of them that nobody else sees. An ordinary user needs a user namespace
/// for that, in which only the user's own ids are known.
fn own_namespace() -> io::Result<Namespace> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let mut namespace = Namespace::Mounts;
    // SAFETY: no file descriptor table is unshared, so no descriptor that is borrowed elsewhere can go away.
    let made = unsafe { unshare_unsafe(UnshareFlags::NEWNS) };
    if made.is_err() {
        // SAFETY: as above.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)? };
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
        namespace = Namespace::User;
    }
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    Ok(namespace)
}
