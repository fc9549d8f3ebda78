//! Hooks: programs of the user's that run before something happens to a session, and after it.
//!
//! A use case says with [`before`] what it is about to do, and with [`Passed::done`] that it did it. One that runs before
//! can refuse by its exit code, one that runs after cannot: its failure is noted in the history and among
//! [`Context::notices`]. Hooks run where all is decided that does not depend on them, and before anything is held: neither
//! a transaction nor the lock of a session. What they see is what happens, by its tree (`view`); whoever acts makes sure of
//! that, or says [`HookError::Overtaken`].
//!
//! Only programs that the user installed are hooks ([`find`]): nothing that came in with a source, and nothing that
//! somebody wrote in a session, is ever run.

mod error;
pub mod find;
pub mod git_hook;
pub mod install;
mod names;
mod process;
pub(super) mod stored;
mod view;

use std::ffi::OsString;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::catalog::{ObjectType, Session, Tx};
use crate::model::RootId;
use crate::store::Hold;

use super::checkpoint_create::seal_session;
use super::error::Result;
use super::gate::policy_of;
use super::git::LOCAL_VARIABLES;
use super::policy::Skip;
use super::session_mount::{Server, live_mount, run_dir};
use super::{Context, Error};

pub use error::HookError;
pub use find::{Hook, Scope};
pub use names::{Phase, Transition, all, named};
pub use process::{End, MAX_OUTPUT_BYTES, Ran};

use view::View;

/// How deep hooks may call aether, which calls hooks.
pub const MAX_DEPTH: u32 = 4;

/// The variable that counts this.
pub const DEPTH: &str = "AETHER_HOOK_DEPTH";

/// How much of what a hook printed is kept in the history, in bytes.
const NOTED_BYTES: usize = 4 << 10;

/// Hears of a user who wants the command to stop.
pub trait Interrupts {
    /// A descriptor that can be read once that is so.
    fn heard(&self) -> BorrowedFd<'_>;
}

/// Begins to hear of interruptions.
pub type Listen = fn() -> std::io::Result<Box<dyn Interrupts>>;

/// How hooks are run.
#[derive(Clone)]
pub struct Setup {
    /// How long each may take.
    pub limit: Duration,
    /// How deep in hooks this command is.
    pub depth: u32,
    /// Leave hooks out, as far as the actor may.
    pub skip: bool,
    /// How views are mounted; without it they are copies.
    pub server: Option<Server>,
    /// The search path for programs, without directories that depend on where a hook runs.
    pub path: Option<OsString>,
    /// Begins to hear of interruptions.
    pub interrupts: Option<Listen>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("limit", &self.limit).field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl Default for Setup {
    fn default() -> Self {
        let limit = Duration::from_secs(600);
        Self { limit, depth: 0, skip: false, server: None, path: None, interrupts: None }
    }
}

/// The state that hooks speak of.
#[derive(Clone, Debug)]
pub enum State {
    /// None.
    Nothing,
    /// A frozen tree. Whoever says so holds it.
    Tree(RootId),
    /// A session as it is: sealed if there is a hook.
    Present(Box<Session>),
    /// A directory that is there.
    Dir(PathBuf),
}

/// What happens.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// Which transition it is.
    pub transition: Transition,
    /// The id and the name of the session that it happens to.
    pub session: Option<(String, String)>,
    /// The id of the source whose hooks and policy hold.
    pub source: Option<String>,
    /// What hooks see.
    pub state: State,
    /// More, for the document that hooks read: a JSON object.
    pub details: Value,
}

impl Occasion {
    /// Something that happens to a session as it is.
    #[must_use]
    pub fn of(transition: Transition, session: &Session, details: Value) -> Self {
        Self {
            transition,
            session: Some((session.id.clone(), session.name.clone())),
            source: session.base.source.clone(),
            state: State::Present(Box::new(session.clone())),
            details,
        }
    }

    /// Something that happens to a session, with a tree to look at.
    #[must_use]
    pub fn at(transition: Transition, session: &Session, root: RootId, details: Value) -> Self {
        Self { state: State::Tree(root), ..Self::of(transition, session, details) }
    }
}

/// A hook that failed where it could refuse nothing.
#[derive(Debug)]
pub struct Notice(pub Error);

/// Something that no hook refused.
#[derive(Debug)]
#[must_use = "what runs afterwards is told when it is done"]
pub struct Passed {
    occasion: Occasion,
    after: Vec<Hook>,
    view: Option<View>,
    /// The hook that ran last.
    last: Option<&'static str>,
    /// Keeps the tree that was sealed for them.
    _hold: Option<Hold>,
}

/// Whether anything runs before a transition, or after it.
///
/// # Errors
/// A place where hooks are cannot be looked at.
pub fn any(cx: &mut Context, transition: Transition, source: Option<&str>) -> Result<bool> {
    let names = [Phase::Before, Phase::After].into_iter().filter_map(|phase| transition.hook(phase));
    for name in names {
        if !find::of(cx, name, source)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs what runs before something happens.
///
/// # Errors
/// [`HookError`], or what the catalog says.
pub fn before(cx: &mut Context, occasion: Occasion) -> Result<Passed> {
    let (transition, source) = (occasion.transition, occasion.source.clone());
    let hooks = |cx: &mut Context, phase| match transition.hook(phase) {
        Some(name) => find::of(cx, name, source.as_deref()),
        None => Ok(Vec::new()),
    };
    let (first, after) = (hooks(cx, Phase::Before)?, hooks(cx, Phase::After)?);
    let mut passed = Passed { occasion, after, view: None, last: None, _hold: None };
    if cx.hooks.skip && !(first.is_empty() && passed.after.is_empty()) {
        skip(cx, &passed.occasion, first.iter().chain(&passed.after))?;
        passed.after.clear();
        return Ok(passed);
    }
    if !(first.is_empty() && passed.after.is_empty()) {
        // Afterwards the session may be something else, or gone.
        passed.seal(cx)?;
    }
    for hook in first {
        passed.run(cx, &hook).inspect_err(|error| note(cx, &passed.occasion, "hook.refuse", hook.name, error))?;
    }
    Ok(passed)
}

impl Passed {
    /// Runs what runs after it, and sees what it saw.
    pub fn done(mut self, cx: &mut Context) {
        let after = std::mem::take(&mut self.after);
        self.run_after(cx, &after);
    }

    fn run_after(&mut self, cx: &mut Context, hooks: &[Hook]) {
        for hook in hooks {
            if let Err(error) = self.run(cx, hook) {
                note(cx, &self.occasion, "hook.fail", hook.name, &error);
                cx.notices.push(Notice(error));
            }
        }
    }

    /// As [`Passed::done`], with what came of it.
    pub fn done_as(mut self, cx: &mut Context, occasion: Occasion) {
        if self.after.is_empty() {
            return;
        }
        let is_same = matches!((&self.occasion.state, &occasion.state), (State::Tree(a), State::Tree(b)) if a == b);
        if !is_same {
            self.view = None;
        }
        self.occasion = occasion;
        if let Err(error) = self.seal(cx) {
            return cx.notices.push(Notice(error));
        }
        self.done(cx);
    }

    /// As [`Passed::done`], for each of several things that came of it, with the state that was looked at.
    pub fn done_for_each(mut self, cx: &mut Context, occasions: impl Iterator<Item = Occasion>) {
        let after = std::mem::take(&mut self.after);
        for occasion in occasions {
            self.occasion = occasion;
            self.run_after(cx, &after);
        }
    }

    /// As [`Passed::done`], with more in the document that hooks read.
    pub fn done_with(mut self, cx: &mut Context, details: Value) {
        self.occasion.details = details;
        self.done(cx);
    }

    /// Whether a hook looked: then what happens has to be what it saw.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        self.last.is_some()
    }

    /// Refuses to do something else than what a hook looked at.
    ///
    /// # Errors
    /// [`HookError::Overtaken`].
    pub fn confirm(&self, is_same: bool, name: &str) -> Result<()> {
        match self.last.filter(|_| !is_same) {
            Some(hook) => Err(HookError::Overtaken { hook, name: name.to_owned() }.into()),
            None => Ok(()),
        }
    }

    /// Gives a session as it is a tree.
    fn seal(&mut self, cx: &mut Context) -> Result<()> {
        if let State::Present(session) = &self.occasion.state {
            let hold = cx.store()?.hold()?;
            self.occasion.state = State::Tree(seal_session(cx, session)?.root);
            self._hold = Some(hold);
        }
        Ok(())
    }

    fn run(&mut self, cx: &mut Context, hook: &Hook) -> Result<()> {
        let ran = self.run_one(cx, hook)?;
        let (hook, path, limit) = (hook.name, hook.path.clone(), cx.hooks.limit);
        match ran.end {
            End::Code(0) => Ok(()),
            _ => Err(HookError::Failed { hook, path, ran: Box::new(ran), limit }.into()),
        }
    }

    fn run_one(&mut self, cx: &mut Context, hook: &Hook) -> Result<Ran> {
        if cx.hooks.depth >= MAX_DEPTH {
            return Err(HookError::TooDeep { hook: hook.name, limit: MAX_DEPTH }.into());
        }
        let refuse = |why, hint| HookError::CannotRun { hook: hook.name, path: hook.path.clone(), why, hint };
        if let Some((why, hint)) = find::objection(cx, &hook.path)? {
            return Err(refuse(why, hint).into());
        }
        if self.view.is_none() {
            let no_view = |error: Error| HookError::NoView { hook: hook.name, why: error.to_string() };
            self.view = look(cx, &self.occasion.state).map_err(no_view)?;
        }
        let document = document(cx, &self.occasion, hook, self.view.as_ref())?;
        let command = command(cx, &self.occasion, hook, self.view.as_ref())?;
        let mut interrupts = match cx.hooks.interrupts {
            Some(begin) => Some(begin().map_err(|source| Error::Io { path: "(signals)".into(), source })?),
            None => None,
        };
        let heard = interrupts.as_deref_mut().map(|heard| heard as &mut dyn Interrupts);
        self.last = Some(hook.name);
        let ran = process::run(command, &document, cx.hooks.limit, heard);
        let ran = ran.map_err(|error| refuse(error.to_string(), None))?;
        let took = i64::try_from(ran.took.as_nanos()).unwrap_or(i64::MAX);
        // What happens now does not happen at the time at which the command began.
        cx.now_ns = cx.now_ns.saturating_add(took);
        Ok(ran)
    }
}

/// Runs the hooks of one name on what a session holds now, and returns what came of each.
///
/// # Errors
/// [`HookError::Unknown`], [`HookError::NotInstalled`], it cannot be run, or the session is not there.
pub fn try_out(cx: &mut Context, name: &str, session: Option<&str>) -> Result<Vec<(Hook, Ran)>> {
    let (name, transition, _) = named(name).ok_or_else(|| HookError::Unknown { name: name.to_owned() })?;
    let session = cx.resolve_session(session)?;
    let hooks = find::of(cx, name, session.base.source.as_deref())?;
    if hooks.is_empty() {
        let place = format!("for session `{}`", session.name);
        return Err(HookError::NotInstalled { name: name.to_owned(), place }.into());
    }
    let occasion = Occasion::of(transition, &session, json!({ "trial": true }));
    let mut passed = Passed { occasion, after: Vec::new(), view: None, last: None, _hold: None };
    passed.seal(cx)?;
    let results = hooks.into_iter().map(|hook| passed.run_one(cx, &hook).map(|ran| (hook, ran))).collect();
    cx.write(|tx| {
        tx.event("hook.run", ObjectType::Session, &session.id, &json!({ "hook": name }))?;
        Ok(tx.pass_over()?)
    })?;
    results
}

/// A directory with the state, if there is one.
fn look(cx: &mut Context, state: &State) -> Result<Option<View>> {
    Ok(match state {
        State::Nothing | State::Present(_) => None,
        State::Tree(root) => Some(View::of(cx, *root)?),
        State::Dir(dir) => Some(View::given(dir.clone())),
    })
}

/// Where the session is mounted.
fn mount_of(cx: &Context, occasion: &Occasion) -> Result<Option<PathBuf>> {
    let Some((id, _)) = &occasion.session else { return Ok(None) };
    Ok(live_mount(cx, &run_dir(cx)?, id)?.map(|record| record.mount_point))
}

fn command(cx: &mut Context, occasion: &Occasion, hook: &Hook, view: Option<&View>) -> Result<Command> {
    let mut command = Command::new(&hook.path);
    for name in LOCAL_VARIABLES.iter().chain(&["AETHER_SESSION", "AETHER_MOUNT", "AETHER_SOURCE"]) {
        command.env_remove(name);
    }
    let dir = view.map_or(Path::new("/"), View::dir);
    command.current_dir(dir).env("PWD", dir).env("AETHER_VIEW", dir);
    command.env("AETHER_HOOK", hook.name).env("AETHER_TRANSITION", occasion.transition.word());
    command.env("AETHER_ACTOR", &cx.actor).env("AETHER_HOME", &cx.paths.data);
    command.env(DEPTH, (cx.hooks.depth + 1).to_string());
    if let Some((id, name)) = &occasion.session {
        command.env("AETHER_SESSION", id).env("AETHER_SESSION_NAME", name);
    }
    if let Some(mount) = mount_of(cx, occasion)? {
        command.env("AETHER_MOUNT", mount);
    }
    if let Some(id) = &occasion.source
        && let Some(source) = cx.catalog()?.view().source_by_id(id)?
    {
        command.env("AETHER_SOURCE", source.name);
    }
    if let Some(server) = &cx.hooks.server {
        command.env("AETHER_EXE", &server.exe);
    }
    if let Some(path) = &cx.hooks.path {
        command.env("PATH", path);
    }
    Ok(command)
}

/// What a hook reads: one JSON object.
fn document(cx: &mut Context, occasion: &Occasion, hook: &Hook, view: Option<&View>) -> Result<Vec<u8>> {
    let (actor, kind, command) = (cx.actor.clone(), cx.actor_kind.clone(), cx.command.clone());
    let mount = mount_of(cx, occasion)?.map(|mount| mount.to_string_lossy().into_owned());
    let rows = cx.catalog()?.view();
    let session = match &occasion.session {
        Some((id, name)) => {
            let row = rows.session_even_deleted(id)?;
            let status = row.as_ref().map(|row| row.status.word());
            let revision = row.as_ref().and_then(|row| row.base.revision);
            json!({ "id": id, "name": name, "status": status, "revision": revision, "mount": mount })
        }
        None => Value::Null,
    };
    let source = occasion.source.as_deref().map(|id| rows.source_by_id(id)).transpose()?.flatten();
    let document = json!({
        "hook": hook.name,
        "transition": occasion.transition.word(),
        "actor": actor,
        "actor_kind": kind,
        "command": command,
        "view": view.map(|view| view.dir().to_string_lossy()),
        "session": session,
        "source": source.map(|source| json!({ "id": source.id, "name": source.name })),
        "details": occasion.details,
    });
    let mut text = document.to_string().into_bytes();
    text.push(b'\n');
    Ok(text)
}

/// Leaves hooks out, if the actor may.
fn skip<'h>(cx: &mut Context, occasion: &Occasion, hooks: impl Iterator<Item = &'h Hook>) -> Result<()> {
    let names: Vec<&'static str> = hooks.map(|hook| hook.name).collect();
    if let Some(hook) = names.first() {
        refuse_skipping(cx, occasion.source.as_deref(), hook)?;
    }
    let details = json!({ "hooks": names, "transition": occasion.transition.word() });
    cx.write(|tx| event(tx, occasion, "hook.skip", &details))
}

/// Refuses when the policy of a source does not let the actor do without hooks.
fn refuse_skipping(cx: &mut Context, source: Option<&str>, hook: &'static str) -> Result<()> {
    let policy = policy_of(cx.catalog()?.view(), source)?.unwrap_or_default();
    let (may, whom) = match policy.skip {
        Skip::Anybody => (true, "anybody do so"),
        Skip::Human => (cx.actor_kind.as_deref() == Some("human"), "only actors do so that the config calls human"),
        Skip::Nobody => (false, "nobody do so"),
    };
    match may {
        true => Ok(()),
        false => Err(HookError::MayNotSkip { hook, actor: cx.actor.clone(), whom }.into()),
    }
}

/// Notes that a hook failed. That it cannot be noted changes nothing about that.
fn note(cx: &mut Context, occasion: &Occasion, what: &str, hook: &str, error: &Error) {
    let mut details = json!({
        "hook": hook,
        "transition": occasion.transition.word(),
        "code": error.code(),
        "error": error.to_string(),
    });
    if let Error::Hook(failed) = error
        && let HookError::Failed { ran, .. } = &**failed
    {
        let from = ran.output.len().saturating_sub(NOTED_BYTES);
        details["output"] = json!(String::from_utf8_lossy(&ran.output[from..]));
        details["duration_ms"] = json!(u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX));
    }
    let _best_effort = cx.write(|tx| event(tx, occasion, what, &details));
}

/// A line of the history that no undo takes back.
fn event(tx: &mut Tx<'_>, occasion: &Occasion, what: &str, details: &Value) -> Result<()> {
    match (&occasion.session, &occasion.source) {
        (Some((id, _)), _) => tx.event(what, ObjectType::Session, id, details)?,
        (None, Some(id)) => tx.event(what, ObjectType::Source, id, details)?,
        (None, None) => tx.store_event(what, details)?,
    }
    Ok(tx.pass_over()?)
}
