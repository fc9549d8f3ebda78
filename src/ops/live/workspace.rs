//! What a mount process serves: a session with its delta, or a frozen tree that nobody can change.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::daemon::control::{Reply, Request};
use crate::daemon::{Connection, Failure, Opening, ServeSpec, Workspace};
use crate::delta::Delta;
use crate::disk::{Disk, Gate, GatedDisk, RealDisk};
use crate::model::{ObjectId, RootId};
use crate::overlay::{Files, Overlay, Snapshot, Whence};
use crate::store::{Store, StoreOptions};

use super::open::{MOMENT, SessionBase};
use super::{LiveError, LiveTree, OpenSession, Resume, Standing, open_session, open_store, resume_session};

/// How many snapshots are kept for those who look at the session; the oldest go first.
const MAX_SNAPSHOTS: usize = 4;

/// The longest read in one request, in bytes.
const MAX_READ_BYTES: u64 = 1 << 20;

/// The niceness of what happens beside serving.
const BACKGROUND_NICENESS: i32 = 5;

/// What to serve, as it stands in a [`ServeSpec`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum What {
    /// A session.
    Session {
        /// Its id.
        id: String,
        /// Whether it is only read, from below an overlay; what that wrote is taken in at the end.
        #[serde(default)]
        accelerated: bool,
    },
    /// A frozen tree.
    Tree {
        /// The root's hash, 64 hexadecimal digits.
        root: String,
    },
}

type LiveSnapshot = Snapshot<Store, Delta>;

/// A session, or a frozen tree, as a mount process serves it.
pub struct SessionWorkspace {
    served: Served,
    /// Whether it was mounted so that nothing can be changed.
    is_read_only: bool,
    /// Whether it lies below an overlay.
    is_accelerated: bool,
    fold: Fold,
    gate: Arc<Gate>,
    snapshots: Mutex<Kept>,
    connection: OnceLock<Connection>,
}

/// Snapshots by number, the oldest first, and the number of the last.
#[derive(Debug, Default)]
struct Kept {
    last: u64,
    snapshots: VecDeque<(u64, Arc<LiveSnapshot>)>,
}

#[derive(Debug)]
enum Served {
    Session(Box<OpenSession>),
    Tree(Arc<Overlay<Store, super::frozen::NoUpper>>),
}

/// Notes in the catalog that a session stands on another tree, with an empty delta; says whether it did.
pub type Fold = Box<dyn Fn(&SessionBase, RootId) -> Result<bool, Failure> + Send + Sync>;

impl std::fmt::Debug for SessionWorkspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionWorkspace").field("served", &self.served).finish_non_exhaustive()
    }
}

/// What a mount process asks and tells the catalog about a session, given the data directory and the session's id.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// What the session stands on.
    pub base: fn(&Path, &str) -> Result<SessionBase, Failure>,
    /// Whether it must not change for now.
    pub is_frozen: fn(&Path, &str) -> Result<bool, Failure>,
    /// That it stands on another tree from now on, with an empty delta; says whether it does.
    pub fold: fn(&Path, &str, &SessionBase, RootId) -> Result<bool, Failure>,
}

/// Opens what `spec` names.
///
/// # Errors
/// [`Failure`] when it is damaged, in use, or not there.
pub fn open_workspace(
    spec: &ServeSpec,
    opening: Opening,
    memory: StoreOptions,
    rows: Rows,
) -> Result<SessionWorkspace, Failure> {
    let what: What = serde_json::from_value(spec.what.clone())
        .map_err(|error| Failure::new("spec", format!("what to serve cannot be read: {error}")))?;
    let gate = Arc::new(Gate::default());
    let disk: Arc<dyn Disk> = Arc::new(GatedDisk::new(RealDisk, Arc::clone(&gate)));
    let store = open_store(&disk, &spec.data_dir, memory)?;
    let mut fold_here: Fold = Box::new(|_, _| Ok(false));
    let is_accelerated = matches!(what, What::Session { accelerated: true, .. });
    let served = match what {
        What::Session { id, .. } => {
            let dir = &spec.data_dir;
            let session = match opening.before.map(|heirlooms| heirlooms.into_iter().next()) {
                // Commands have it open for a moment.
                None => open_session(&disk, dir, &id, &store, MOMENT, &mut OwnRows { rows, data_dir: dir, id: &id })?,
                Some(Some(lock)) => {
                    let before = Resume { lock, connection: opening.connection };
                    resume_session(&disk, dir, &id, store, || (rows.base)(dir, &id), before)?
                }
                Some(None) => return Err(Failure::new("spec", "the lock of the session was not kept")),
            };
            session.overlay.begin_connection(opening.connection);
            let is_frozen = (rows.is_frozen)(&spec.data_dir, &id)?;
            session.overlay.set_read_only(spec.options.read_only || is_frozen);
            session.keep_up()?;
            let data_dir = spec.data_dir.clone();
            fold_here = Box::new(move |place, root| (rows.fold)(&data_dir, &id, place, root));
            Served::Session(Box::new(session))
        }
        What::Tree { root } => {
            let id = ObjectId::from_hex(&root).ok_or_else(|| Failure::new("spec", "the root is no hash"))?;
            let root = store.root(RootId(id)).map_err(LiveError::from)?;
            let resumed = opening.before.map(|_| opening.connection);
            Served::Tree(Arc::new(super::frozen::overlay(store, spec.data_dir.clone(), &root, resumed)))
        }
    };
    let is_read_only = spec.options.read_only;
    let (snapshots, connection) = (Mutex::default(), OnceLock::new());
    Ok(SessionWorkspace { served, is_read_only, is_accelerated, fold: fold_here, gate, snapshots, connection })
}

/// The rows of the session that is opened.
struct OwnRows<'a> {
    rows: Rows,
    data_dir: &'a Path,
    id: &'a str,
}

impl Standing for OwnRows<'_> {
    type Error = Failure;

    fn base(&mut self) -> Result<SessionBase, Failure> {
        (self.rows.base)(self.data_dir, self.id)
    }

    fn fold(&mut self, from: &SessionBase, root: RootId) -> Result<bool, Failure> {
        (self.rows.fold)(self.data_dir, self.id, from, root)
    }
}

/// A number that a request must have.
fn number(request: &Request, name: &str) -> Result<u64, Failure> {
    let value = request.args.get(name).and_then(serde_json::Value::as_u64);
    value.ok_or_else(|| Failure::new("control-protocol", format!("`{name}` is missing")))
}

/// Lets those go first who serve programs: on this thread, to its end. Without the right to do it, nothing is lost.
fn step_back() {
    let _as_before = rustix::process::setpriority_process(None, BACKGROUND_NICENESS);
}

impl SessionWorkspace {
    /// Takes a snapshot, keeps it for `read`, and sends its changed part.
    fn snapshot(&self) -> Result<Reply, Failure> {
        let Served::Session(session) = &self.served else {
            return Err(Failure::new("frozen", "a frozen tree has no changes"));
        };
        let snapshot = Arc::new(session.overlay.snapshot().map_err(LiveError::from)?);
        let tree = LiveTree::of(&*snapshot).map_err(LiveError::from)?;
        let mut kept = self.snapshots.lock();
        kept.last += 1;
        let number = kept.last;
        kept.snapshots.push_back((number, snapshot));
        if kept.snapshots.len() > MAX_SNAPSHOTS {
            kept.snapshots.pop_front();
        }
        Ok(Reply { result: json!({ "snapshot": number }), payload: tree.encode() })
    }

    /// Stores the present state, and says what its root is.
    fn seal(&self) -> Result<Reply, Failure> {
        let Served::Session(session) = &self.served else {
            return Err(Failure::new("frozen", "a frozen tree has no state but the one"));
        };
        let root = session.seal(step_back)?;
        Ok(Reply::of(json!({ "root": root.0.to_hex() })))
    }

    /// Refuses changes until a decision, or allows them again.
    fn freeze(&self, request: &Request) -> Result<Reply, Failure> {
        let frozen = request.args.get("frozen").and_then(serde_json::Value::as_bool);
        let frozen = frozen.ok_or_else(|| Failure::new("control-protocol", "`frozen` is missing"))?;
        if let Served::Session(session) = &self.served {
            session.overlay.set_read_only(self.is_read_only || frozen);
        }
        Ok(Reply::of(json!({})))
    }

    /// Makes the session another tree.
    fn switch(&self, request: &Request) -> Result<Reply, Failure> {
        match (&self.served, self.connection.get()) {
            (Served::Session(session), Some(connection)) => session.switch_mounted(request, connection),
            (Served::Session(_), None) => Err(Failure::new("busy", "the session is being mounted")),
            (Served::Tree(_), _) => Err(Failure::new("frozen", "a frozen tree cannot become another")),
        }
    }

    /// The snapshot that a request speaks of.
    fn kept(&self, request: &Request) -> Result<Arc<LiveSnapshot>, Failure> {
        let wanted = number(request, "snapshot")?;
        let kept = self.snapshots.lock();
        let found = kept.snapshots.iter().find(|(number, _)| *number == wanted).map(|(_, snapshot)| snapshot.clone());
        found.ok_or_else(|| Failure::new("stale", "the snapshot is gone"))
    }

    /// Finds data, or a hole, in a written file of a snapshot.
    fn seek(&self, request: &Request) -> Result<Reply, Failure> {
        let snapshot = self.kept(request)?;
        let is_data = request.args.get("data").and_then(serde_json::Value::as_bool);
        let what = match is_data.ok_or_else(|| Failure::new("control-protocol", "`data` is missing"))? {
            true => Whence::Data,
            false => Whence::Hole,
        };
        let at = snapshot.seek_written(number(request, "ino")?, number(request, "offset")?, what);
        Ok(Reply::of(json!({ "at": at.map_err(LiveError::from)? })))
    }

    /// Reads from a written file of a snapshot.
    fn read(&self, request: &Request) -> Result<Reply, Failure> {
        let snapshot = self.kept(request)?;
        let number = |name| number(request, name);
        let (ino, offset, len) = (number("ino")?, number("offset")?, number("len")?.min(MAX_READ_BYTES));
        let mut payload = vec![0; len as usize];
        let count = snapshot.read_written(ino, offset, &mut payload).map_err(LiveError::from)?;
        payload.truncate(count);
        Ok(Reply { result: json!({}), payload })
    }
}

impl Workspace for SessionWorkspace {
    fn files(&self) -> Arc<dyn Files> {
        match &self.served {
            Served::Session(session) => session.overlay.clone(),
            Served::Tree(overlay) => overlay.clone(),
        }
    }

    fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    fn heirlooms(&self) -> Result<Vec<OwnedFd>, Failure> {
        match &self.served {
            Served::Session(session) => Ok(session.lock_descriptor()?.into_iter().collect()),
            Served::Tree(_) => Ok(Vec::new()),
        }
    }

    fn connected(&self, connection: &Connection) {
        let _is_told_once = self.connection.set(connection.clone());
    }

    fn control(&self, request: Request) -> Result<Reply, Failure> {
        if self.is_accelerated {
            return Err(Failure::new("busy", "a command of `session run --accelerate` changes the session"));
        }
        match request.verb.as_str() {
            "snapshot" => self.snapshot(),
            "read" => self.read(&request),
            "seek" => self.seek(&request),
            "seal" => self.seal(),
            "switch" => self.switch(&request),
            "freeze" => self.freeze(&request),
            verb => Err(Failure::new("control-protocol", format!("`{}` is no request", verb.escape_debug()))),
        }
    }

    fn hand_over(&self) -> Result<(), Failure> {
        match &self.served {
            // Folding would put the session on another tree, under the feet of the kernel and of open files.
            Served::Session(session) => Ok(session.close()?),
            Served::Tree(_) => Ok(()),
        }
    }

    fn finish(&self) -> Result<(), Failure> {
        self.snapshots.lock().snapshots.clear();
        match &self.served {
            Served::Session(session) => {
                session.close()?;
                let fold = |place: SessionBase, root| (self.fold)(&place, root);
                if self.is_accelerated {
                    return session.take_upper(fold);
                }
                if let Err(failure) = session.settle(fold) {
                    log::warn!("the session keeps its delta: {failure}");
                }
                Ok(())
            }
            Served::Tree(_) => Ok(()),
        }
    }
}
