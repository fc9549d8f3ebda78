//! Making a session that this process has open become another tree, and telling the kernel.

use std::time::{Duration, SystemTime};

use rustc_hash::FxHashSet;
use serde_json::json;

use crate::daemon::control::{Reply, Request};
use crate::daemon::{Connection, Failure};
use crate::fuse;
use crate::model::{BytePath, Ino, ObjectId, RootId};
use crate::overlay::{Stale, Switch, Upper};

use super::{LiveError, OpenSession};

/// How much the kernel is told at a time, before it is waited for.
const TOLD_AT_ONCE: usize = 4096;

/// How long the kernel may take for that. It waits for programs that are in the middle of a system call.
const TELLING_LIMIT: Duration = Duration::from_secs(60);

/// The order to a mount process; the reply says whether anything changed.
#[must_use]
pub fn order(root: RootId, paths: &[BytePath]) -> Request {
    let payload: Vec<u8> = paths.iter().flat_map(|path| path.as_bytes().iter().copied().chain([0])).collect();
    Request { verb: "switch".into(), args: json!({ "root": root.0.to_hex(), "paths": paths.len() }), payload }
}

/// What an [`order`] says.
fn read_order(request: &Request) -> Result<(RootId, Vec<BytePath>), Failure> {
    let bad = |what: &str| Failure::new("control-protocol", format!("the order to switch has no {what}"));
    let root = request.args.get("root").and_then(|root| root.as_str()).and_then(ObjectId::from_hex);
    let count = request.args.get("paths").and_then(serde_json::Value::as_u64).ok_or_else(|| bad("paths"))?;
    let mut paths = Vec::new();
    for path in request.payload.split_inclusive(|byte| *byte == 0) {
        let path = path.strip_suffix(b"\0").ok_or_else(|| bad("whole path"))?;
        paths.push(BytePath::parse(path).map_err(|_| bad("path that can be"))?);
    }
    match paths.len() as u64 == count {
        true => Ok((RootId(root.ok_or_else(|| bad("tree"))?), paths)),
        false => Err(bad("whole list of paths")),
    }
}

impl OpenSession {
    /// Makes the session this tree, in whole or in some paths. The change is durable when `tell` is called, which is to
    /// tell the kernel. The caller keeps the tree in the store, and what this returns.
    ///
    /// # Errors
    /// As [`Overlay::switch`](crate::overlay::Overlay::switch); what the store, the disk and `tell` say.
    pub fn switch<E: From<LiveError>>(
        &self,
        root: RootId,
        paths: &[BytePath],
        open: &dyn Fn(&FxHashSet<Ino>) -> FxHashSet<Ino>,
        tell: impl FnOnce(&[Stale]) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let store = self.overlay.lower();
        let target = store.root(root).map_err(LiveError::from)?;
        let switch = Switch { target: &target, paths, now: SystemTime::now().into() };
        // What was touched since the last seal is known for as long as there is no other.
        let mut sealing = self.sealing.lock();
        let (done, before) = self.overlay.switch(&switch, open).map_err(LiveError::from)?;
        let sync = self.overlay.upper().sync().map_err(crate::overlay::Error::Upper);
        sync.map_err(LiveError::from)?;
        tell(&done.stale)?;
        let replaced = before.map(|before| sealing.store_replaced(store, before)).transpose()?;
        Ok(Outcome { changed: done.changed, replaced })
    }

    /// Carries out an [`order`] in the mount process. When this returns, every reader sees the new state.
    pub(super) fn switch_mounted(&self, request: &Request, connection: &Connection) -> Result<Reply, Failure> {
        let (root, paths) = read_order(request)?;
        let device = &connection.mounted.entry.device;
        let done =
            self.switch(root, &paths, &|files| fuse::written(device, files), |stale| tell_all(connection, stale))?;
        Ok(Reply::of(json!({ "changed": done.changed, "replaced": done.replaced.map(|root| root.0.to_hex()) })))
    }
}

/// What became of a switch.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Whether anything differed.
    pub changed: bool,
    /// The state just before, which is durable, if something of it had not been sealed until then.
    pub replaced: Option<RootId>,
}

impl Outcome {
    /// What a mount process replied to an [`order`].
    ///
    /// # Errors
    /// The reply makes no sense.
    pub fn of(reply: &Reply) -> Result<Self, Failure> {
        let root = |value: &serde_json::Value| value.as_str().and_then(ObjectId::from_hex).map(RootId);
        let changed = reply.result.get("changed").and_then(serde_json::Value::as_bool);
        let changed =
            changed.ok_or_else(|| Failure::new("control-protocol", "the mount process did not say what it did"))?;
        Ok(Self { changed, replaced: reply.result.get("replaced").and_then(root) })
    }
}

fn tell_all(connection: &Connection, stale: &[Stale]) -> Result<(), Failure> {
    for part in stale.chunks(TOLD_AT_ONCE) {
        part.iter().for_each(|stale| tell(connection, stale));
        if !connection.invalidations.wait(TELLING_LIMIT) {
            return Err(Failure::new("busy", "the tree is switched, but a program keeps the kernel from seeing it"));
        }
    }
    Ok(())
}

fn tell(connection: &Connection, stale: &Stale) {
    let kernel = &connection.invalidations;
    match stale {
        Stale::Entry { parent, name } => kernel.entry(*parent, name),
        Stale::Gone { parent, name, ino } => kernel.gone(*parent, name, *ino),
        Stale::Attributes(ino) => kernel.attributes(*ino),
        Stale::Content(ino) => kernel.content(*ino),
    }
}
