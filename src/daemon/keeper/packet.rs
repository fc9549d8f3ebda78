//! Packets between a mount process and its keeper: JSON, and descriptors, over a socket that keeps them apart.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest packet, in bytes; what a socket takes by default is more.
const MAX_PACKET_BYTES: usize = 128 << 10;

/// The most descriptors in one packet.
const MAX_DESCRIPTORS: usize = 8;

/// Two ends.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends a packet; never waits.
pub(super) fn send(socket: impl AsFd, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one packet"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    loop {
        match sendmsg(&socket, &[IoSlice::new(&text)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(drop)?),
        }
    }
}

/// Takes a packet; `None` when the other end is closed. Waits for one, unless it is told not to.
pub(super) fn receive<T: DeserializeOwned>(socket: impl AsFd, wait: bool) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut text = vec![0; MAX_PACKET_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = if wait { RecvFlags::CMSG_CLOEXEC } else { RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT };
    let count = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut text)], &mut ancillary, flags) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            result => break result?.bytes,
        }
    };
    if count == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok(Some((serde_json::from_slice(&text[..count])?, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_arrive_whole_in_order_and_with_descriptors() {
        let (one, other) = pair().expect("a pair");
        let file = tempfile::tempfile().expect("a file");
        send(&one, &vec![1, 2], &[file.as_fd(), file.as_fd()]).expect("sent");
        send(&one, &"next", &[]).expect("sent");
        let (numbers, descriptors) = receive::<Vec<u32>>(&other, true).expect("received").expect("there");
        assert_eq!((numbers, descriptors.len()), (vec![1, 2], 2));
        assert_eq!(receive::<String>(&other, false).expect("received").expect("there").0, "next");
        assert_eq!(receive::<String>(&other, false).expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
        drop(one);
        assert!(receive::<String>(&other, true).expect("closed").is_none());
    }
}
