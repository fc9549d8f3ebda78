//! Where sessions come from: the revisions that they stand on, their checkpoints, commits and forks, as one graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Checkpoint, Commit, Session};

use super::Context;
use super::error::Result;
use super::names::Named;

/// A state in the graph.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub state: Named,
    /// The position of the state that it came from. Positions are those of the list, in which it comes later.
    pub parent: Option<usize>,
}

/// Sessions, checkpoints, commits and the revisions that sessions stand on; each before the state that it came from, else the
/// newest first.
///
/// # Errors
/// What the catalog says.
pub fn run(cx: &mut Context) -> Result<Vec<Node>> {
    let view = cx.catalog()?.view();
    let sessions = view.sessions()?;
    let mut found = Found::default();
    let mut used: BTreeSet<(&str, u64)> = BTreeSet::new();
    for session in &sessions {
        if let (Some(source), Some(number)) = (&session.base.source, session.base.revision) {
            used.insert((source, number));
        }
    }
    let commits = view.commits()?;
    for commit in &commits {
        if let (Some(source), Some(number)) = (&commit.source, commit.revision) {
            used.insert((source, number));
        }
    }
    for source in view.sources()? {
        for revision in view.revisions(&source.id)? {
            if used.contains(&(source.id.as_str(), revision.number)) {
                let key = Key::Revision(source.id.clone(), revision.number);
                found.add(key, revision.created_ns, Named::Revision(source.clone(), revision));
            }
        }
    }
    let mut kept: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    for checkpoint in view.all_checkpoints()? {
        kept.entry(checkpoint.session.clone()).or_default().push(Kept::Checkpoint(checkpoint));
    }
    for commit in commits {
        kept.entry(commit.session.clone()).or_default().push(Kept::Commit(commit));
    }
    kept.values_mut().for_each(|states| states.sort_by_key(Kept::created_ns));
    for session in &sessions {
        found.session(session, &sessions, &kept);
    }
    let is_gone = |id: &&String| !sessions.iter().any(|session| session.id == **id);
    for states in kept.keys().filter(is_gone).filter_map(|id| kept.get(id)) {
        found.left_over(states);
    }
    Ok(found.ordered())
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Revision(String, u64),
    Checkpoint(String, u64),
    Commit(String),
    Session(String),
}

/// A state of a session that was kept.
#[derive(Clone, Debug)]
enum Kept {
    Checkpoint(Checkpoint),
    Commit(Commit),
}

impl Kept {
    fn created_ns(&self) -> i64 {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.created_ns,
            Self::Commit(commit) => commit.created_ns,
        }
    }

    fn key(&self) -> Key {
        match self {
            Self::Checkpoint(checkpoint) => Key::Checkpoint(checkpoint.session.clone(), checkpoint.number),
            Self::Commit(commit) => Key::Commit(commit.id.clone()),
        }
    }
}

#[derive(Debug, Default)]
struct Found {
    /// When it came to be, what it is, and what it came from.
    nodes: BTreeMap<Key, (i64, Named, Option<Key>)>,
}

impl Found {
    fn add(&mut self, key: Key, time_ns: i64, state: Named) {
        // Of revisions that are shown, each came from the one before.
        let parent = match &key {
            Key::Revision(source, number) => {
                let before =
                    self.nodes.keys().filter(|key| matches!(key, Key::Revision(of, at) if of == source && at < number));
                before.max().cloned()
            }
            _ => None,
        };
        if let Key::Revision(source, number) = &key {
            let after =
                self.nodes.keys().filter(|key| matches!(key, Key::Revision(of, at) if of == source && at > number));
            if let Some(after) = after.min().cloned()
                && let Some((_, _, parent)) = self.nodes.get_mut(&after)
            {
                *parent = Some(key.clone());
            }
        }
        self.nodes.insert(key, (time_ns, state, parent));
    }

    fn session(&mut self, session: &Session, all: &[Session], kept: &BTreeMap<String, Vec<Kept>>) {
        let mut parent = origin(session, all, kept);
        for state in kept.get(&session.id).into_iter().flatten() {
            let (key, created_ns) = (state.key(), state.created_ns());
            let named = match state {
                Kept::Checkpoint(checkpoint) => Named::Checkpoint(session.clone(), checkpoint.clone()),
                Kept::Commit(commit) => Named::Commit(commit.clone()),
            };
            self.nodes.insert(key.clone(), (created_ns, named, parent));
            parent = Some(key);
        }
        let state = Named::Session(session.clone());
        self.nodes.insert(Key::Session(session.id.clone()), (session.updated_ns, state, parent));
    }

    /// The commits of a session that is gone.
    fn left_over(&mut self, states: &[Kept]) {
        let mut parent = None;
        for state in states {
            let Kept::Commit(commit) = state else { continue };
            let revision = commit.source.clone().zip(commit.revision).map(|(source, at)| Key::Revision(source, at));
            let before = parent.take().or_else(|| commit.parent.clone().map(Key::Commit)).or(revision);
            self.nodes.insert(state.key(), (commit.created_ns, Named::Commit(commit.clone()), before));
            parent = Some(state.key());
        }
    }

    /// Children before parents, else the newest first.
    fn ordered(mut self) -> Vec<Node> {
        let mut children: BTreeMap<Key, usize> = BTreeMap::new();
        for (_, _, parent) in self.nodes.values() {
            if let Some(parent) = parent {
                *children.entry(parent.clone()).or_default() += 1;
            }
        }
        let is_free = |key: &Key, children: &BTreeMap<Key, usize>| children.get(key).is_none_or(|count| *count == 0);
        let mut free: BTreeSet<(i64, Key)> = self
            .nodes
            .iter()
            .filter(|(key, _)| is_free(key, &children))
            .map(|(key, node)| (node.0, key.clone()))
            .collect();
        let mut order: Vec<(Key, Named, Option<Key>)> = Vec::with_capacity(self.nodes.len());
        while let Some((_, key)) = free.pop_last() {
            let Some((_, state, parent)) = self.nodes.remove(&key) else { continue };
            if let Some(above) = &parent {
                if let Some(count) = children.get_mut(above) {
                    *count -= 1;
                }
                if let (true, Some(node)) = (is_free(above, &children), self.nodes.get(above)) {
                    free.insert((node.0, above.clone()));
                }
            }
            order.push((key, state, parent));
        }
        let places: BTreeMap<Key, usize> = order.iter().enumerate().map(|(at, (key, ..))| (key.clone(), at)).collect();
        let node = |(_, state, parent): (Key, Named, Option<Key>)| Node {
            state,
            parent: parent.and_then(|parent| places.get(&parent).copied()),
        };
        order.into_iter().map(node).collect()
    }
}

/// What a session began with, as far as it is still there.
fn origin(session: &Session, all: &[Session], kept: &BTreeMap<String, Vec<Kept>>) -> Option<Key> {
    if let Some(id) = &session.from_commit
        && kept.values().flatten().any(|state| matches!(state, Kept::Commit(commit) if commit.id == *id))
    {
        return Some(Key::Commit(id.clone()));
    }
    let parent = session.parent.as_ref().and_then(|id| all.iter().find(|other| other.id == *id));
    let Some(parent) = parent else {
        let (source, revision) = (session.base.source.clone()?, session.base.revision?);
        return Some(Key::Revision(source, revision));
    };
    let states = kept.get(&parent.id).into_iter().flatten();
    let last = match session.parent_checkpoint {
        Some(number) => {
            states.rev().find(|state| matches!(state, Kept::Checkpoint(checkpoint) if checkpoint.number <= number))
        }
        None => states.rev().find(|state| state.created_ns() <= session.created_ns),
    };
    match last {
        Some(state) => Some(state.key()),
        None => origin(parent, all, kept),
    }
}
