//! What every use case stands on: where things are, who acts, what time it is. All of it is handed in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Act, BusLimits, Catalog, Checkpoint, ObjectType, Session, Status, Tx, View};
use crate::config::Paths;
use crate::disk::{Disk, RealDisk};
use crate::model::RootId;
use crate::store::{Store, StoreOptions};

use super::error::Result;
use super::live::{self, OpenSession, SessionBase, Standing};
use super::{Error, approval, blank, hooks, mounts, names};

/// The surroundings of one command.
#[derive(Debug)]
pub struct Context {
    /// Where things are.
    pub paths: Paths,
    /// Who acts.
    pub actor: String,
    /// `human` or `agent`, if the configuration says what the actor is.
    pub actor_kind: Option<String>,
    /// The command as the operation log shows it.
    pub command: String,
    /// The session that a flag or the environment names, for commands that are given none.
    pub session: Option<String>,
    /// The working directory, if there still is one.
    pub cwd: Option<PathBuf>,
    /// The command of `session run` that this happens in, if it does.
    pub via: Option<String>,
    /// The time in nanoseconds since the Unix epoch.
    pub now_ns: i64,
    /// Random bytes for new ids and names.
    pub seed: [u8; 32],
    /// How hooks are run.
    pub hooks: hooks::Setup,
    /// Hooks that failed where they could refuse nothing.
    pub notices: Vec<hooks::Notice>,
    catalog: Option<Catalog>,
    store: Option<Store>,
}

impl Context {
    /// Surroundings in which nothing was opened yet.
    #[must_use]
    pub fn new(paths: Paths, actor: String, command: String, now_ns: i64, seed: [u8; 32]) -> Self {
        Self {
            paths,
            actor,
            actor_kind: None,
            command,
            session: None,
            cwd: None,
            via: None,
            now_ns,
            seed,
            hooks: hooks::Setup::default(),
            notices: Vec::new(),
            catalog: None,
            store: None,
        }
    }

    /// The catalog, opened (and made) on first use.
    ///
    /// # Errors
    /// [`catalog::Error`](crate::catalog::Error).
    pub fn catalog(&mut self) -> Result<&Catalog> {
        Ok(self.catalog_mut()?)
    }

    /// The store, opened (and made) on first use.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError).
    pub fn store(&mut self) -> Result<&Store> {
        if self.store.is_none() {
            let dir = self.paths.data.join("objects");
            self.store = Some(Store::open(Arc::new(RealDisk), &dir, StoreOptions::default())?);
        }
        Ok(self.store.as_ref().expect("it was just opened"))
    }

    /// Opens a session that nobody else has open.
    ///
    /// # Errors
    /// [`LiveError::InUse`](live::LiveError::InUse), or what the catalog, the store or the disk say.
    pub fn open_session(&mut self, id: &str) -> Result<OpenSession> {
        self.open_found(id, Duration::ZERO, |view, id| Ok(view.session(id)?))
    }

    /// Opens a session that another command may have open for a moment, and waits for that.
    ///
    /// # Errors
    /// As [`Context::open_session`].
    pub fn open_session_soon(&mut self, id: &str) -> Result<OpenSession> {
        self.open_found(id, live::MOMENT, |view, id| Ok(view.session(id)?))
    }

    /// Opens a session that may be in the trash, and waits as well.
    ///
    /// # Errors
    /// As [`Context::open_session`].
    pub fn open_even_deleted(&mut self, id: &str) -> Result<OpenSession> {
        let gone = || crate::catalog::Error::NotFound { kind: ObjectType::Session, key: id.to_owned() };
        self.open_found(id, live::MOMENT, |view, id| Ok(view.session_even_deleted(id)?.ok_or_else(gone)?))
    }

    fn open_found(
        &mut self,
        id: &str,
        patience: Duration,
        find: impl Fn(View<'_>, &str) -> Result<Session>,
    ) -> Result<OpenSession> {
        let store = Arc::new(self.store()?.clone());
        let data_dir = self.paths.data.clone();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let mut rows = OwnRows { catalog: self.catalog_mut()?, store: &store, id, find };
        live::open_session(&disk, &data_dir, id, &store, patience, &mut rows)
    }

    /// Notes in the catalog that a session's delta was folded; see [`Catalog::fold_session`].
    ///
    /// # Errors
    /// What the catalog says.
    pub fn fold_session(&mut self, id: &str, from: u64, root: RootId) -> Result<bool> {
        Ok(self.catalog_mut()?.fold_session(id, from, root)?)
    }

    /// Notes in the catalog that a collection begins; see [`Catalog::begin_collection`].
    ///
    /// # Errors
    /// What the catalog says.
    pub fn begin_collection(&mut self) -> Result<()> {
        Ok(self.catalog_mut()?.begin_collection()?)
    }

    /// Notes in the catalog that it ended.
    ///
    /// # Errors
    /// What the catalog says.
    pub fn end_collection(&mut self) -> Result<()> {
        Ok(self.catalog_mut()?.end_collection()?)
    }

    /// Writes the labels of the store anew; see [`Catalog::write_labels`].
    ///
    /// # Errors
    /// What the catalog says.
    pub fn write_labels(&mut self) -> Result<()> {
        Ok(self.catalog_mut()?.write_labels()?)
    }

    /// How many labels are missing or wrong; see [`Catalog::wrong_labels`].
    ///
    /// # Errors
    /// What the catalog says.
    pub fn wrong_labels(&mut self) -> Result<u64> {
        Ok(self.catalog_mut()?.wrong_labels()?)
    }

    /// Removes the oldest events; see [`Catalog::forget_events`].
    ///
    /// # Errors
    /// What the catalog says.
    pub fn forget_events(&mut self, upto: i64) -> Result<()> {
        Ok(self.catalog_mut()?.forget_events(upto)?)
    }

    fn catalog_mut(&mut self) -> Result<&mut Catalog> {
        if self.catalog.is_none() {
            let mut catalog = Catalog::open(&self.paths.data)?;
            catalog.happens_in(self.via.clone());
            self.catalog = Some(catalog);
        }
        Ok(self.catalog.as_mut().expect("it was just opened"))
    }

    /// Publishes messages on the bus; see [`Catalog::publish`].
    ///
    /// # Errors
    /// What the catalog says.
    pub fn publish(
        &mut self,
        session_id: &str,
        now_ns: i64,
        messages: &[(String, Vec<u8>)],
        limits: BusLimits,
    ) -> Result<i64> {
        let act = Act { actor: self.actor.clone(), command: self.command.clone(), now_ns, seed: self.seed };
        Ok(self.catalog_mut()?.publish(&act, session_id, messages, limits)?)
    }

    /// Does the command's one transaction.
    ///
    /// # Errors
    /// What `change` says, or [`catalog::Error`](crate::catalog::Error).
    pub fn write<T>(&mut self, change: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let act = self.act();
        self.catalog_mut()?.write(&act, change)
    }

    /// Who acts, when, as what.
    pub(super) fn act(&self) -> Act {
        Act { actor: self.actor.clone(), command: self.command.clone(), now_ns: self.now_ns, seed: self.seed }
    }

    /// The session that a command is about: the one named (`@` stands for the current one), else the current one.
    ///
    /// # Errors
    /// [`Error::NoSession`], or what the catalog says.
    pub fn resolve_session(&mut self, named: Option<&str>) -> Result<Session> {
        let key = match named {
            Some(key) if key != "@" => key.to_owned(),
            _ => self.current_session()?,
        };
        let session = self.catalog()?.view().session(&key)?;
        if matches!(session.status, Status::Review | Status::PendingApproval) {
            // What nobody decided in time holds nobody up any more, whoever looks next.
            approval::lapse(self)?;
            return Ok(self.catalog()?.view().session(&session.id)?);
        }
        Ok(session)
    }

    /// The current session, for a text that begins with `@` and so speaks of it.
    ///
    /// # Errors
    /// As [`Context::resolve_session`].
    pub fn current(&mut self, text: &str) -> Result<Option<Session>> {
        match text.starts_with('@') {
            true => self.resolve_session(None).map(Some),
            false => Ok(None),
        }
    }

    /// The checkpoint that a text stands for, and its session. A number alone is one of the current session's: no id is a
    /// number, and a session or source that has one for its name is no checkpoint.
    ///
    /// # Errors
    /// As [`Context::resolve_session`] and [`names::resolve_checkpoint`].
    pub fn resolve_checkpoint(&mut self, text: &str) -> Result<(Session, Checkpoint)> {
        let text = names::own_number(text);
        let current = self.current(&text)?;
        names::resolve_checkpoint(self.catalog()?.view(), &text, current.as_ref())
    }

    /// The current session: the one that a flag or the environment names, else the one whose mount holds the working
    /// directory.
    fn current_session(&mut self) -> Result<String> {
        if let Some(key) = self.session.clone().filter(|key| key != "@") {
            return Ok(key);
        }
        let cwd = self.cwd.as_ref().ok_or(Error::NoSession)?;
        let table = mounts::table()?;
        table.containing(cwd).and_then(|entry| entry.tag()).map(str::to_owned).ok_or(Error::NoSession)
    }
}

/// The rows of a session that this process opens.
struct OwnRows<'a, F> {
    catalog: &'a mut Catalog,
    store: &'a Store,
    id: &'a str,
    find: F,
}

impl<F: Fn(View<'_>, &str) -> Result<Session>> Standing for OwnRows<'_, F> {
    type Error = Error;

    fn base(&mut self) -> Result<SessionBase> {
        let session = (self.find)(self.catalog.view(), self.id)?;
        Ok(blank::base_of(self.store, &session)?)
    }

    fn fold(&mut self, from: &SessionBase, root: RootId) -> Result<bool> {
        Ok(self.catalog.fold_session(self.id, from.delta, root)?)
    }
}
