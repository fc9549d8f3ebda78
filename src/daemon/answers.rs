//! The requests that every mount process answers, before those of its workspace.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use crate::fuse::Drain;
use crate::model::ROOT_INO;

use super::Failure;
use super::control::{Handler, Reply, Request};
use super::keeper::{Link, Note};
use super::registry::MountRecord;
use super::serve::{Connection, Workspace};
use super::shutdown::Ending;

/// How long requests under way may take before the process makes way for another program.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Answers.
pub(super) struct Own<W> {
    pub workspace: Arc<W>,
    pub connection: Connection,
    pub ending: Arc<Ending>,
    pub record: Arc<Mutex<MountRecord>>,
    pub link: Option<Arc<Link>>,
    pub drain: Drain,
}

impl<W: Workspace> Handler for Own<W> {
    fn handle(&self, request: Request) -> Result<Reply, Failure> {
        match request.verb.as_str() {
            "ping" => {
                let record = serde_json::to_value(&*self.record.lock());
                Ok(Reply::of(record.map_err(|error| Failure::new("io", error.to_string()))?))
            }
            "requests" => {
                let counts = self.connection.counters.all();
                let named = counts.into_iter().map(|(op, count)| (op.name().to_owned(), Value::from(count)));
                Ok(Reply::of(named.collect()))
            }
            "stop" => {
                self.ending.begin();
                Ok(Reply::default())
            }
            "upgrade" => match serde_json::from_value::<PathBuf>(request.args) {
                Ok(exe) => Err(self.make_way(exe)),
                Err(error) => Err(Failure::new("control-protocol", format!("no program is named: {error}"))),
            },
            _ => self.workspace.control(request),
        }
    }
}

impl<W: Workspace> Own<W> {
    /// Ends this process in order, for another program to take over. Returns only if that cannot be.
    fn make_way(&self, exe: PathBuf) -> Failure {
        let refused = |why: &str| Failure::new("upgrade-refused", format!("the mount cannot be taken over: {why}"));
        let link = match &self.link {
            Some(link) if !link.can_resend() => return refused("that needs Linux 6.9"),
            Some(link) if link.is_kept() => link,
            _ => return refused("it has no keeper").hint("unmount it, and mount it again"),
        };
        // Most of what has to reach the disk gets there while requests are still answered.
        if let Err(error) = self.workspace.files().fsync(ROOT_INO) {
            return refused(&error.to_string());
        }
        if !self.drain.close(DRAIN_LIMIT) {
            return refused("a request takes too long").hint("try again when the mount is less busy");
        }
        if let Err(failure) = self.workspace.hand_over() {
            log::error!("the last sync failed: {failure}");
        }
        log::info!("making way for `{}`", exe.display().to_string().escape_debug());
        match link.say(&Note::Upgrade(exe)) {
            Ok(()) => std::process::exit(0),
            // The workspace is closed, so this process cannot go on. The keeper, or the next one, starts another.
            Err(error) => {
                log::error!("the keeper does not listen: {error}");
                std::process::abort()
            }
        }
    }
}
