//! What was agreed with the kernel when a connection began, and agreeing on it again in another process.
//!
//! The kernel sends INIT once. So it is read here and played to `fuser` over a socket pair, and both it and the answer are
//! kept: a process that takes the connection over plays the same request, and must come to the same answer. Afterwards
//! the device takes the socket's place under its descriptor. (Verified with `fuser` 0.18, whose `from_fd` does the
//! handshake inside the call, and Linux 6.18.)

use std::io::{self, IoSlice};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use fuser::{Filesystem, Session, SessionACL};
use rustix::io::{DupFlags, Errno, dup3, read, write, writev};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown, socketpair,
};
use serde::{Deserialize, Serialize};

use crate::model::Ino;

/// The least that the kernel lets itself be read into before it knows more (`FUSE_MIN_READ_BUFFER`), and some.
const INIT_BUFFER_BYTES: usize = 64 << 10;

/// Where in INIT the upper half of its flags stands, and the bit there that says that the kernel sends requests again when
/// asked to (`FUSE_HAS_RESEND`); before it come a header of 40 bytes and four numbers of 4.
const INIT_FLAGS2_AT: usize = 40 + 16;
const HAS_RESEND: u32 = 1 << (39 - 32);

/// Codes of notifications (`enum fuse_notify_code`).
const NOTIFY_INVAL_INODE: i32 = 2;
const NOTIFY_RESEND: i32 = 7;

const OUT_HEADER_BYTES: u32 = 16;

/// INIT and its answer, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Handshake {
    /// Whether the kernel sends requests again that a dead process had taken, which it does since Linux 6.9.
    #[must_use]
    pub fn can_resend(&self) -> bool {
        let flags = self.request.get(INIT_FLAGS2_AT..INIT_FLAGS2_AT + 4);
        flags.is_some_and(|bytes| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) & HAS_RESEND != 0)
    }
}

/// Shakes hands over the descriptor of a mounted `/dev/fuse`.
pub(super) fn shake<FS: Filesystem>(
    files: FS,
    device: &OwnedFd,
    config: fuser::Config,
) -> io::Result<(Session<FS>, Handshake)> {
    let mut request = vec![0; INIT_BUFFER_BYTES];
    let count = loop {
        match read(device, &mut request) {
            Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => {}
            result => break result?,
        }
    };
    request.truncate(count);
    let (session, reply) = play(files, &request, config);
    if !reply.is_empty() {
        write(device, &reply)?;
    }
    let session = session?;
    put_in_place(&session, device)?;
    Ok((session, Handshake { request, reply }))
}

/// Takes a connection over on which hands were shaken.
pub(super) fn again<FS: Filesystem>(
    files: FS,
    device: &OwnedFd,
    config: fuser::Config,
    agreed: &Handshake,
) -> io::Result<Session<FS>> {
    let (session, reply) = play(files, &agreed.request, config);
    let session = session?;
    if reply != agreed.reply {
        return Err(io::Error::other("this program agrees on something else with the kernel than the one before"));
    }
    put_in_place(&session, device)?;
    Ok(session)
}

/// Has `fuser` answer a request of which there is only one.
fn play<FS: Filesystem>(files: FS, request: &[u8], config: fuser::Config) -> (io::Result<Session<FS>>, Vec<u8>) {
    let start = || -> io::Result<_> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        send(&ours, request, SendFlags::NOSIGNAL)?;
        // Should it want another request, it finds the end.
        shutdown(&ours, Shutdown::Write)?;
        Ok((ours, theirs))
    };
    let (ours, theirs) = match start() {
        Ok(pair) => pair,
        Err(error) => return (Err(error), Vec::new()),
    };
    // Who may enter is decided by the kernel (`allow_other`), which is why `fuser` is not asked to.
    let session = Session::from_fd(files, theirs, SessionACL::All, config);
    let mut reply = vec![0; INIT_BUFFER_BYTES];
    let count = recv(&ours, &mut *reply, RecvFlags::DONTWAIT).map_or(0, |(count, _)| count);
    reply.truncate(count);
    (session, reply)
}

/// Lets the device take the socket's place.
fn put_in_place<FS: Filesystem>(session: &Session<FS>, device: &OwnedFd) -> io::Result<()> {
    // SAFETY: the descriptor is the session's, which stays open all the while; it is not closed here.
    let mut place = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(session.as_fd().as_raw_fd()) });
    Ok(dup3(device, &mut place, DupFlags::CLOEXEC)?)
}

/// Has the kernel send again what the process before had not answered.
///
/// # Errors
/// `EINVAL` of a kernel before 6.9.
pub(super) fn resend(device: BorrowedFd<'_>) -> io::Result<()> {
    match notify(device, NOTIFY_RESEND, &[]) {
        // Unmounted meanwhile: there is nothing to be sent.
        Err(Errno::NODEV | Errno::NOTCONN | Errno::PERM) => Ok(()),
        result => Ok(result?),
    }
}

/// Whether the kernel holds an inode. Its attributes are asked for again afterwards. Must not be called while a request is
/// answered.
pub(super) fn is_held(device: BorrowedFd<'_>, ino: Ino) -> bool {
    let mut body = [0; 24];
    body[..8].copy_from_slice(&ino.to_ne_bytes());
    // A negative offset leaves the pages alone.
    body[8..16].copy_from_slice(&(-1i64).to_ne_bytes());
    notify(device, NOTIFY_INVAL_INODE, &body) != Err(Errno::NOENT)
}

fn notify(device: BorrowedFd<'_>, code: i32, body: &[u8]) -> Result<(), Errno> {
    let mut header = [0; OUT_HEADER_BYTES as usize];
    header[..4].copy_from_slice(&(OUT_HEADER_BYTES + body.len() as u32).to_ne_bytes());
    header[4..8].copy_from_slice(&code.to_ne_bytes());
    writev(device, &[IoSlice::new(&header), IoSlice::new(body)]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_requests_can_be_sent_again_is_read_from_what_the_kernel_offered() {
        let offer = |flags2: u32| {
            let mut request = vec![0; 104];
            request[INIT_FLAGS2_AT..INIT_FLAGS2_AT + 4].copy_from_slice(&flags2.to_ne_bytes());
            Handshake { request, reply: Vec::new() }
        };
        assert!(offer(HAS_RESEND).can_resend());
        assert!(!offer(!HAS_RESEND).can_resend());
        assert!(!Handshake { request: vec![0xff; 56], reply: Vec::new() }.can_resend(), "an older, shorter one");
    }
}
