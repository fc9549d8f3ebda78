//! Telling the kernel that what it remembers is no longer so.
//!
//! An invalidation waits for locks that a request in flight may hold, and that request may be waiting for us. So they
//! are never sent by a thread that answers requests nor under a lock, but by one thread of their own, in order.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use fuser::{INodeNo, Notifier};

use crate::model::Ino;
use crate::overlay::Files;

use super::handshake;

enum Message {
    Entry { parent: Ino, name: Box<[u8]> },
    Gone { parent: Ino, name: Box<[u8]>, ino: Ino },
    Inode { ino: Ino, data: bool },
    Ask { ino: Ino },
    Reached(Sender<()>),
}

/// Where invalidations are handed in. Handing in never waits. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Invalidations {
    queue: Arc<Sender<Message>>,
}

impl Invalidations {
    /// The queue, and what comes out of it.
    pub(super) fn queue() -> (Self, Queued) {
        let (queue, messages) = unbounded();
        (Self { queue: Arc::new(queue) }, Queued(messages))
    }

    /// The name in this directory means something else now, or nothing.
    pub fn entry(&self, parent: Ino, name: &[u8]) {
        self.send(Message::Entry { parent, name: name.into() });
    }

    /// The name in this directory is gone, and the inode with it: who watches the inode hears of it, and nothing can be
    /// made in it if it is a directory.
    pub fn gone(&self, parent: Ino, name: &[u8], ino: Ino) {
        self.send(Message::Gone { parent, name: name.into(), ino });
    }

    /// The attributes and xattrs of this inode changed, but not its content.
    pub fn attributes(&self, ino: Ino) {
        self.send(Message::Inode { ino, data: false });
    }

    /// The content (of a directory: its list of names) and the attributes of this inode changed.
    pub fn content(&self, ino: Ino) {
        self.send(Message::Inode { ino, data: true });
    }

    /// Asks the kernel whether it holds this inode, which has no name, and lets it go if not.
    pub(super) fn ask(&self, ino: Ino) {
        self.send(Message::Ask { ino });
    }

    /// Waits until the kernel has taken all that was handed in before; `false` if it did not within the time.
    /// Never called while answering a request.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let (done, reached) = bounded(1);
        self.send(Message::Reached(done));
        reached.recv_timeout(limit).is_ok()
    }

    fn send(&self, message: Message) {
        // The thread ends only with the last sender, or by a panic of `fuser`; then there is no one to tell.
        let _gone = self.queue.send(message);
    }
}

/// What was handed in, for the thread that sends it.
pub(super) struct Queued(Receiver<Message>);

impl Queued {
    /// Starts the thread.
    pub fn start<F: Files + ?Sized>(self, notifier: Notifier, device: OwnedFd, files: Arc<F>) -> std::io::Result<()> {
        let send = move || {
            for message in self.0 {
                let result = match message {
                    Message::Entry { parent, name } => notifier.inval_entry(INodeNo(parent), OsStr::from_bytes(&name)),
                    // Its entry is forgotten in any case; that the inode is dead is said only if nothing is in it.
                    Message::Gone { parent, name, ino } => {
                        notifier.delete(INodeNo(parent), INodeNo(ino), OsStr::from_bytes(&name))
                    }
                    // A negative offset leaves the pages alone; length 0 is up to the end.
                    Message::Inode { ino, data } => notifier.inval_inode(INodeNo(ino), if data { 0 } else { -1 }, 0),
                    Message::Ask { ino } => {
                        // `fuser` does not tell that the kernel knows no such inode.
                        if !handshake::is_held(device.as_fd(), ino) {
                            files.not_held(ino);
                        }
                        Ok(())
                    }
                    Message::Reached(done) => {
                        let _nobody_waits = done.send(());
                        Ok(())
                    }
                };
                if let Err(error) = result {
                    log::debug!("an invalidation was refused: {error}");
                }
            }
        };
        thread::Builder::new().name("notifier".into()).stack_size(256 * 1024).spawn(send)?;
        Ok(())
    }
}
