//! Making a session that this process has open become another tree, and telling the kernel.

use std::time::{Duration, SystemTime};

use rustc_hash::FxHashSet;
use serde_json::json;

use crate::daemon::control::{Reply, Request};
use crate::daemon::{Connection, Failure};
use crate::fuse;
use crate::model::{BytePath, Ino, ObjectId, RootId};
use crate::overlay::{Stale, Switch, Switched, Upper};

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
    /// Makes the session this tree, in whole or in some paths. It is durable when this returns; whoever has it mounted
    /// tells the kernel then. The caller keeps the tree in the store.
    ///
    /// # Errors
    /// As [`Overlay::switch`](crate::overlay::Overlay::switch); what the store and the disk say.
    pub fn switch(
        &self,
        root: RootId,
        paths: &[BytePath],
        open: &dyn Fn(&FxHashSet<Ino>) -> FxHashSet<Ino>,
    ) -> Result<Switched, LiveError> {
        let target = self.overlay.lower().root(root)?;
        let switch = Switch { target: &target, paths, now: SystemTime::now().into() };
        let done = self.overlay.switch(&switch, open)?;
        self.overlay.upper().sync().map_err(crate::overlay::Error::Upper)?;
        Ok(done)
    }

    /// Carries out an [`order`] in the mount process. When this returns, every reader sees the new state.
    pub(super) fn switch_mounted(&self, request: &Request, connection: &Connection) -> Result<Reply, Failure> {
        let (root, paths) = read_order(request)?;
        let device = &connection.mounted.entry.device;
        let done = self.switch(root, &paths, &|files| fuse::written(device, files))?;
        for part in done.stale.chunks(TOLD_AT_ONCE) {
            part.iter().for_each(|stale| tell(connection, stale));
            if !connection.invalidations.wait(TELLING_LIMIT) {
                return Err(Failure::new(
                    "busy",
                    "the tree is switched, but a program keeps the kernel from seeing it",
                ));
            }
        }
        Ok(Reply::of(json!({ "changed": done.changed })))
    }
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
