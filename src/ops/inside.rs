//! A command in a mount namespace of its own, in which a session stands where its origin is.
//!
//! The namespace is entered by a process of its own that then becomes the command: a process with threads cannot enter
//! one, and the mounts of everybody else stay as they are.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountPropagationFlags, mount_bind_recursive, mount_change};
use rustix::process::{getegid, geteuid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::disk::umask;

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
    /// The command could not be begun.
    #[error("`{}` cannot be run: {source}", .program.display())]
    Program {
        /// Its name.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Becomes the command, in a namespace where `mount` stands over `over`. It only returns if it fails.
///
/// The process must have one thread.
pub fn become_command(mount: &Path, over: &Path, command: &[OsString]) -> InsideError {
    if let Err(source) = own_namespace() {
        return InsideError::Namespace(source);
    }
    let bound = mount_bind_recursive(mount, over);
    if let Err(source) = bound.map_err(io::Error::from).and_then(|()| std::env::set_current_dir(over)) {
        return InsideError::Bind { over: over.into(), source };
    }
    let Some((program, args)) = command.split_first() else {
        return InsideError::Program { program: PathBuf::new(), source: io::ErrorKind::NotFound.into() };
    };
    umask::put_back();
    let source = Command::new(program).args(args).env("PWD", over).exec();
    InsideError::Program { program: program.into(), source }
}

/// Leaves the mounts of the machine for a copy of them that nobody else sees. An ordinary user needs a user namespace
/// for that, in which only the user's own ids are known.
fn own_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    // SAFETY: no file descriptor table is unshared, so no descriptor that is borrowed elsewhere can go away.
    let made = unsafe { unshare_unsafe(UnshareFlags::NEWNS) };
    if made.is_err() {
        // SAFETY: as above.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)? };
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    Ok(mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?)
}
