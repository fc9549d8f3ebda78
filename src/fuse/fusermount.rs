//! Mounting and unmounting through the set-uid helper `fusermount3`, for everyone but root.
//!
//! The helper opens the device, mounts it, and sends the descriptor over a Unix socket whose number it finds in
//! `_FUSE_COMMFD` (libfuse, `util/fusermount.c`). Here the socket is its standard input, so that no descriptor has to be
//! made inheritable in a process with threads.

use std::io::{self, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg, socketpair,
};

use super::error::MountError;
use super::mount::{Device, device_error};
use super::options::MountOptions;

const HELPER: &str = "fusermount3";

/// The most of the helper's complaints that is kept, in bytes.
const MAX_MESSAGE_BYTES: u64 = 4096;

/// Mounts, and returns the connection.
pub(super) fn mount(mount_point: &Path, source: &str, options: &MountOptions) -> Result<Device, MountError> {
    let failed = |source| MountError::Io { path: HELPER.into(), source };
    check_device()?;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| failed(errno.into()))?;
    let mut command = Command::new(HELPER);
    command.arg("-o").arg(options.fusermount_list(source)).arg("--").arg(mount_point);
    command.env("_FUSE_COMMFD", "0").stdin(Stdio::from(theirs));
    let message = run(command)?;
    match receive(ours.as_fd()).map_err(failed)? {
        Some(device) => Ok(device),
        None => Err(complaint(message)),
    }
}

/// Unmounts. An error is what the helper said.
pub(super) fn unmount(mount_point: &Path, lazy: bool) -> Result<(), MountError> {
    let mut command = Command::new(HELPER);
    command.arg("-u");
    if lazy {
        command.arg("-z");
    }
    command.arg("--").arg(mount_point).stdin(Stdio::null());
    match run(command)? {
        None => Ok(()),
        message => Err(complaint(message)),
    }
}

/// The helper opens the device with the user's rights; what it says about it is vaguer than what can be found out here.
fn check_device() -> Result<(), MountError> {
    let path = Path::new("/dev/fuse");
    match std::fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(_opens) => Ok(()),
        Err(error) => Err(device_error(path, error)),
    }
}

/// Runs the helper to its end; `None` if it succeeded, otherwise what it said.
fn run(mut command: Command) -> Result<Option<String>, MountError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => MountError::NoFusermount,
        _ => MountError::Io { path: HELPER.into(), source: error },
    };
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    // The command holds our copy of the helper's end of the socket; only without it does the socket end with the helper.
    drop(command);
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(MAX_MESSAGE_BYTES).read_to_end(&mut said).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Ok(match status.success() {
        true => None,
        false if said.is_empty() => Some(status.to_string()),
        false => Some(said),
    })
}

fn complaint(message: Option<String>) -> MountError {
    let message = message.unwrap_or_else(|| "it sent no descriptor".into());
    if message.contains("user_allow_other") {
        MountError::AllowOtherDenied
    } else {
        MountError::Fusermount { message: message.strip_prefix("fusermount3: ").unwrap_or(&message).to_owned() }
    }
}

/// The descriptor that was sent, if any.
fn receive(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    loop {
        let flags = RecvFlags::CMSG_CLOEXEC;
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags) {
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => break,
        }
    }
    Ok(ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_to_let_others_in_is_recognised() {
        let said = "fusermount3: option allow_other only allowed if 'user_allow_other' is set in /etc/fuse.conf";
        assert!(matches!(complaint(Some(said.into())), MountError::AllowOtherDenied));
    }

    #[test]
    fn a_socket_that_ends_without_a_descriptor_is_no_device() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a pair");
        drop(theirs);
        assert!(receive(ours).expect("end of file").is_none());
    }
}
