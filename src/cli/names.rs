//! Arguments that name objects, with what the shell completes for them.

use std::path::Path;

use clap_complete::engine::CompletionCandidate;

use crate::config::{Config, Env, Flags};
use crate::ops::{self, ObjectType, names};

/// A session that can be left out: then it is the current one.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SessionArg {
    /// The session; without it the current one
    #[arg(value_name = "SESSION", add = clap_complete::ArgValueCandidates::new(sessions))]
    pub(super) session: Option<String>,
}

/// Names of sessions, for the shell.
pub(super) fn sessions() -> Vec<CompletionCandidate> {
    candidates(ObjectType::Session)
}

/// Names of hooks, for the shell.
pub(super) fn hooks() -> Vec<CompletionCandidate> {
    ops::hooks::all().map(|(name, ..)| CompletionCandidate::new(name)).collect()
}

/// Names of sources, for the shell.
pub(super) fn sources() -> Vec<CompletionCandidate> {
    candidates(ObjectType::Source)
}

/// Checkpoints, for the shell, with what was said of each.
pub(super) fn checkpoints() -> Vec<CompletionCandidate> {
    let known = || names::known_checkpoints(&config()?.paths.data).ok();
    let candidate = |(name, message): (String, String)| {
        let line = message.lines().next().map(|line| crate::ui::escape(line).into_owned());
        CompletionCandidate::new(name).help(line.map(Into::into))
    };
    known().unwrap_or_default().into_iter().map(candidate).collect()
}

/// Commits, for the shell, with what was said of each.
pub(super) fn commits() -> Vec<CompletionCandidate> {
    let known = || names::known_commits(&config()?.paths.data).ok();
    let candidate = |(id, subject): (String, String)| {
        CompletionCandidate::new(id).help(Some(crate::ui::escape(&subject).into_owned().into()))
    };
    known().unwrap_or_default().into_iter().map(candidate).collect()
}

/// What can become a revision.
pub(super) fn outcomes() -> Vec<CompletionCandidate> {
    sessions().into_iter().chain(commits()).collect()
}

/// What a fork can begin with.
pub(super) fn kept() -> Vec<CompletionCandidate> {
    checkpoints().into_iter().chain(commits()).collect()
}

/// Everything that is a state: sessions, checkpoints, commits, and the newest revisions of sources.
pub(super) fn all_states() -> Vec<CompletionCandidate> {
    let mut all = sessions();
    all.extend(states());
    all
}

/// States that stay: checkpoints, commits, and the newest revisions of sources.
pub(super) fn states() -> Vec<CompletionCandidate> {
    let mut all = kept();
    all.extend(sources());
    all
}

fn config() -> Option<Config> {
    let cwd = std::env::current_dir().ok()?;
    Config::load(&Env::of_process(), &cwd, &Flags::default()).ok()
}

/// What can have tags, for the shell.
pub(super) fn tagged() -> Vec<CompletionCandidate> {
    sessions().into_iter().chain(sources()).chain(commits()).collect()
}

/// Approvals that are pending, for the shell, with what is asked.
pub(super) fn approvals() -> Vec<CompletionCandidate> {
    let known = || names::pending_approvals(&config()?.paths.data).ok();
    let candidate = |(id, what): (String, String)| CompletionCandidate::new(id).help(Some(what.into()));
    known().unwrap_or_default().into_iter().map(candidate).collect()
}

/// Names in the trash, for the shell.
pub(super) fn trash() -> Vec<CompletionCandidate> {
    offered(names::trash)
}

/// Completion has nobody to tell about failures: it then offers nothing.
fn candidates(kind: ObjectType) -> Vec<CompletionCandidate> {
    offered(|data_dir| names::known(data_dir, kind))
}

fn offered(find: impl Fn(&Path) -> ops::Result<Vec<String>>) -> Vec<CompletionCandidate> {
    let known = || find(&config()?.paths.data).ok();
    known().unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}
