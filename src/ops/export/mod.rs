//! What a session brings, in the forms that other programs take: an archive, a patch, a commit of git.

mod git_commit;
mod tar;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::catalog::{Commit, Session};
use crate::model::{BytePath, RootId};

use super::changes::{Binaries, PatchError, Unsaid};
use super::error::Result;
use super::gate::{self, Action, Pass, Work};
use super::hooks::{self, Occasion, State, Transition};
use super::live::LiveError;
use super::names::Named;
use super::outcome::{Outcome, OutcomeError, message};
use super::session_changes::{Compared, compare, scope};
use super::states::{self, StateView};
use super::{Context, Error, blank};

pub use git_commit::{GitCommit, GitTo};

/// What to write.
#[derive(Clone, Debug)]
pub enum Form {
    /// An archive of all tracked paths, or of everything: the same tree gives the same bytes.
    Tar {
        /// Scratch too.
        all: bool,
    },
    /// The change set as a patch that `git apply` takes.
    Patch,
    /// A commit on a branch of a git repository.
    Git(GitTo),
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The session or commit, by name.
    pub from: String,
    /// What became of it in git.
    pub git: Option<GitCommit>,
    /// Paths that the form has no words for.
    pub left_out: Vec<BytePath>,
    /// Paths whose content is too long for the form.
    pub too_long: Vec<BytePath>,
}

/// What is exported.
struct Export {
    /// What it is called.
    name: String,
    /// The session that it was done in, by id and name.
    owner: (String, String),
    passes: [Pass; 2],
    source: Option<String>,
    revision: Option<u64>,
    root: RootId,
    compared: Compared,
    /// What was said of it, and by whom.
    said: Option<(String, String)>,
    _outcome: Option<Outcome>,
}

/// Writes what a session (the current one if none is named) or a commit brings. Archives and patches go to `out`.
///
/// # Errors
/// It is not there or cannot be read, [`gate::pass`], or it cannot be written.
pub fn run(cx: &mut Context, from: Option<&str>, form: &Form, out: &mut dyn Write) -> Result<Exported> {
    let _hold = cx.store()?.hold()?;
    let named = match from {
        Some(text) => states::resolve(cx, text)?,
        None => Named::Session(cx.resolve_session(None)?),
    };
    let work = match &named {
        Named::Session(session) => of_session(cx, session)?,
        Named::Commit(commit) => of_commit(cx, commit)?,
        other => return Err(OutcomeError::NoOutcome { text: other.name() }.into()),
    };
    let details = json!({ "form": form.word(), "from": work.name });
    let occasion = Occasion {
        transition: Transition::Export,
        session: Some(work.owner.clone()),
        source: work.source.clone(),
        state: State::Tree(work.root),
        details: details.clone(),
    };
    let passed = hooks::before(cx, occasion)?;
    work.passes.iter().try_for_each(|pass| pass.confirm(cx.catalog()?.view()))?;
    let mut exported = Exported { from: work.name.clone(), git: None, left_out: Vec::new(), too_long: Vec::new() };
    match form {
        Form::Tar { all } => {
            let scope = scope(cx, *all, work.source.as_deref())?;
            exported.left_out = tar::write(&StateView::frozen(cx, work.root)?, &scope, out)?;
        }
        Form::Patch => {
            for change in work.compared.visible() {
                let file = work.compared.look(change)?;
                match Unsaid::of(change, &file.diff, Binaries::Held) {
                    Some(Unsaid::Special) => exported.left_out.push(change.path.clone()),
                    Some(Unsaid::Long) => exported.too_long.push(change.path.clone()),
                    Some(Unsaid::Directory | Unsaid::Mode | Unsaid::Binary) | None => {}
                }
                work.compared.write_patch(&file, Binaries::Held, out).map_err(|error| match error {
                    PatchError::Read(error) => Error::from(LiveError::from(error)),
                    PatchError::Write(source) => Error::Io { path: "(output)".into(), source },
                })?;
            }
        }
        Form::Git(to) => {
            let (made, left_out) = git_commit::commit(cx, &work, to)?;
            (exported.git, exported.left_out) = (Some(made), left_out);
        }
    }
    out.flush().map_err(|source| Error::Io { path: "(output)".into(), source })?;
    let id = exported.git.as_ref().map(|made| made.id.clone());
    cx.write(|tx| Ok(tx.exported(&work.owner.0, &work.name, form.word(), id.as_deref())?))?;
    let mut details = details;
    details["git_commit"] = json!(id);
    passed.done_with(cx, details);
    Ok(exported)
}

impl Form {
    /// The stable word for it.
    fn word(&self) -> &'static str {
        match self {
            Self::Tar { .. } => "tar",
            Self::Patch => "patch",
            Self::Git(_) => "git",
        }
    }
}

/// What is exported leaves aether as what is applied does, and a policy can say more of it.
fn pass(cx: &mut Context, work: Work) -> Result<[Pass; 2]> {
    Ok([gate::pass(cx, Action::Apply, work.clone())?, gate::pass(cx, Action::Export, work)?])
}

fn of_session(cx: &mut Context, session: &Session) -> Result<Export> {
    let outcome = Outcome::of(cx, session.clone())?;
    let passes = pass(cx, Work::present(session, Some(outcome.state)))?;
    let chain = cx.catalog()?.view().commit_chain(session.head_commit.as_deref())?;
    // What its last commit says, as long as nothing came since.
    let said = chain.into_iter().next().filter(|commit| commit.change_set == outcome.change_set);
    let sides = (StateView::frozen(cx, outcome.onto)?, StateView::frozen(cx, outcome.state)?);
    let tracked = scope(cx, false, session.base.source.as_deref())?;
    Ok(Export {
        name: session.name.clone(),
        owner: (session.id.clone(), session.name.clone()),
        passes,
        source: session.base.source.clone(),
        revision: session.base.revision,
        root: outcome.state,
        compared: compare(sides.0.into(), sides.1.into(), &tracked, &[])?,
        said: said.map(|commit| (commit.message, commit.author)),
        _outcome: Some(outcome),
    })
}

fn of_commit(cx: &mut Context, commit: &Commit) -> Result<Export> {
    let passes = pass(cx, Work::committed(commit))?;
    let base = match commit.base {
        Some(base) => base,
        None => blank::root(cx.store()?, commit.created_ns)?,
    };
    let tracked = scope(cx, false, commit.source.as_deref())?;
    let sides = (StateView::frozen(cx, base)?, StateView::frozen(cx, commit.root)?);
    Ok(Export {
        name: commit.id.clone(),
        owner: (commit.session.clone(), commit.session_name.clone()),
        passes,
        source: commit.source.clone(),
        revision: commit.revision,
        root: commit.root,
        compared: compare(sides.0.into(), sides.1.into(), &tracked, &[])?,
        said: Some((commit.message.clone(), commit.author.clone())),
        _outcome: None,
    })
}

/// Writes a file beside its place, and puts it there when it is whole and durable.
///
/// # Errors
/// What `write` says, or the file cannot be written.
pub fn to_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let beside: PathBuf = path.with_file_name(name);
    let failed = |source: io::Error| Error::Io { path: path.to_owned(), source };
    let result = File::create_new(&beside).map_err(failed).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let result = write(&mut out)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&beside, path)).map_err(failed)?;
        Ok(result)
    });
    if result.is_err() {
        let _gone = std::fs::remove_file(&beside);
    }
    result
}

impl Export {
    /// What is said of it: what the caller says, what its commit says, else what is made from the changes.
    fn message(&self, given: Option<&str>) -> Result<String> {
        let said = given.map(str::to_owned).or_else(|| self.said.as_ref().map(|(message, _)| message.clone()));
        Ok(message::checked(&said.unwrap_or_else(|| message::summary(&self.compared.changes)))?)
    }
}
