//! A session looked at from outside, whoever has it open.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;

use crate::daemon::control::{Client, Request};
use crate::daemon::{Failure, MountRecord, RunDir};
use crate::delta::Delta;
use crate::model::{Body, Entry, Root};
use crate::ops::Context;
use crate::ops::changes::{Frozen, TreeView};
use crate::ops::error::Result;
use crate::overlay::{Error, Snapshot, SnapshotBody, SnapshotDir, SnapshotEntry, Whence};
use crate::store::Store;

use super::{LiveError, LiveTree, OpenSession};

/// How much of a written file is asked for at a time, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// A session at one moment.
#[derive(Debug)]
pub struct SessionView {
    store: Arc<Store>,
    /// What it is compared with.
    onto: Root,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nobody has it open, so this process has.
    Own { _session: Box<OpenSession>, snapshot: Box<Snapshot<Store, Delta>> },
    /// A mount process has it open, and is asked.
    Remote { tree: Box<LiveTree>, number: u64, client: Box<Mutex<Client>> },
}

impl SessionView {
    /// Looks at a session that a mount process serves.
    ///
    /// # Errors
    /// The process cannot be reached, or cannot tell.
    pub fn remote(
        run: &RunDir,
        record: &MountRecord,
        store: Arc<Store>,
        onto: Root,
    ) -> std::result::Result<Self, LiveError> {
        let mut client = record.connect(run)?;
        let reply = client.call(&Request::new("snapshot", json!({})))?;
        let broken = |what: &str| Failure::new("control-protocol", format!("the mount process sent no {what}"));
        let number = reply.result.get("snapshot").and_then(serde_json::Value::as_u64);
        let number = number.ok_or_else(|| broken("snapshot"))?;
        let tree = LiveTree::decode(&reply.payload).map_err(|_| broken("tree"))?;
        Ok(Self {
            store,
            onto,
            state: State::Remote { tree: Box::new(tree), number, client: Box::new(Mutex::new(client)) },
        })
    }

    /// Opens a session that nobody else has open.
    ///
    /// # Errors
    /// As `open_session`.
    pub fn own(cx: &mut Context, id: &str, store: Arc<Store>, onto: Root) -> Result<Self> {
        let session = cx.open_session(id)?;
        let snapshot = session.overlay.snapshot().map_err(LiveError::from)?;
        Ok(Self { store, onto, state: State::Own { _session: Box::new(session), snapshot: Box::new(snapshot) } })
    }

    /// The tree that the session is compared with.
    #[must_use]
    pub fn onto(&self) -> Frozen<'_> {
        Frozen::new(&*self.store, &self.onto)
    }
}

impl TreeView for SessionView {
    fn root(&self) -> std::result::Result<SnapshotEntry, Error> {
        match &self.state {
            State::Own { snapshot, .. } => Ok(snapshot.root()),
            State::Remote { tree, .. } => {
                let mut root = self.onto().root()?;
                let (attr, xattrs) = tree.root();
                (root.attr, root.xattrs) = (attr.clone(), xattrs.cloned());
                root.body = SnapshotBody::Dir(SnapshotDir::Changed { ino: root.attr.ino, base: None });
                Ok(root)
            }
        }
    }

    fn list(&self, dir: SnapshotDir) -> std::result::Result<Vec<SnapshotEntry>, Error> {
        match (&self.state, dir) {
            (State::Own { snapshot, .. }, dir) => snapshot.list(dir),
            (State::Remote { .. }, SnapshotDir::Frozen(_)) => self.onto().list(dir),
            (State::Remote { tree, .. }, SnapshotDir::Changed { ino, .. }) => {
                let entries = tree.dir(ino).ok_or(Error::Stale)?;
                Ok(entries.iter().map(|entry| listed(tree, entry)).collect())
            }
        }
    }

    fn read(&self, file: &SnapshotEntry, offset: u64, buf: &mut [u8]) -> std::result::Result<usize, Error> {
        match (&self.state, &file.body) {
            (State::Own { snapshot, .. }, _) => snapshot.read(file, offset, buf),
            (State::Remote { .. }, SnapshotBody::File(Some(_))) => self.onto().read(file, offset, buf),
            (State::Remote { number, client, .. }, _) => {
                let mut done = 0;
                while done < buf.len() {
                    let want = (buf.len() - done).min(PIECE_BYTES);
                    let args = json!({
                        "snapshot": number, "ino": file.attr.ino, "offset": offset + done as u64, "len": want,
                    });
                    let reply = client.lock().call(&Request::new("read", args));
                    let bytes = reply.map_err(|failure| Error::Upper(std::io::Error::other(failure)))?.payload;
                    let count = bytes.len().min(want);
                    buf[done..done + count].copy_from_slice(&bytes[..count]);
                    done += count;
                    if count == 0 {
                        break;
                    }
                }
                Ok(done)
            }
        }
    }

    fn seek(&self, file: &SnapshotEntry, offset: u64, what: Whence) -> std::result::Result<Option<u64>, Error> {
        match (&self.state, &file.body) {
            (State::Own { snapshot, .. }, _) => snapshot.seek(file, offset, what),
            (State::Remote { .. }, SnapshotBody::File(Some(_))) => self.onto().seek(file, offset, what),
            (State::Remote { number, client, .. }, _) => {
                let args = json!({
                    "snapshot": number, "ino": file.attr.ino, "offset": offset, "data": what == Whence::Data,
                });
                match client.lock().call(&Request::new("seek", args)) {
                    Ok(reply) => Ok(reply.result.get("at").and_then(serde_json::Value::as_u64)),
                    // A mount process of a program before this one does not know: its holes are read as the zeros that they are.
                    Err(failure) if failure.code == "control-protocol" => {
                        Ok((what == Whence::Data && offset < file.attr.size).then_some(offset))
                    }
                    Err(failure) => Err(Error::Upper(std::io::Error::other(failure))),
                }
            }
        }
    }
}

fn listed(tree: &LiveTree, entry: &Entry) -> SnapshotEntry {
    let ino = entry.attr.ino;
    let body = match &entry.body {
        Body::File(_) if tree.is_written(ino) => SnapshotBody::File(None),
        Body::File(content) => SnapshotBody::File(Some(*content)),
        Body::Dir(_) if tree.dir(ino).is_some() => SnapshotBody::Dir(SnapshotDir::Changed { ino, base: None }),
        Body::Dir(dir) => SnapshotBody::Dir(SnapshotDir::Frozen(*dir)),
        Body::Symlink(target) => SnapshotBody::Symlink(target.clone()),
        Body::Special => SnapshotBody::Special,
    };
    SnapshotEntry { name: entry.name.clone(), attr: entry.attr.clone(), xattrs: entry.xattrs.clone(), body }
}
