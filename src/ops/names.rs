//! What users write for objects and trees, and names for sessions that got none.

use std::borrow::Cow;
use std::path::Path;

use crate::catalog::{
    self, ApprovalFilter, ApprovalState, Catalog, Checkpoint, Commit, ObjectType, Revision, Session, Source, View,
};
use crate::model::RootId;

use super::Error;
use super::error::Result;

const ADJECTIVES: &[&str] = &[
    "amber", "bold", "brisk", "calm", "clear", "crisp", "eager", "fair", "fleet", "fresh", "gentle", "glad", "keen",
    "kind", "light", "lively", "lucid", "mellow", "merry", "mild", "neat", "nimble", "plain", "proud", "quick",
    "quiet", "sharp", "steady", "still", "sunny", "swift", "warm",
];

const NOUNS: &[&str] = &[
    "aspen", "beech", "birch", "brook", "cedar", "cliff", "cloud", "coast", "dune", "elm", "fern", "field", "fjord",
    "ford", "glade", "grove", "heath", "hill", "lake", "larch", "maple", "marsh", "meadow", "moor", "oak", "pine",
    "reef", "ridge", "river", "shore", "spruce", "vale",
];

/// A name that no session has: two words, with a number when chance would have it.
///
/// # Errors
/// What the catalog says.
pub fn free_session_name(view: View<'_>, seed: &[u8; 32]) -> Result<String> {
    let pick = |words: &'static [&str], byte: u8| words[usize::from(byte) % words.len()];
    let plain = format!("{}-{}", pick(ADJECTIVES, seed[30]), pick(NOUNS, seed[31]));
    let mut name = plain.clone();
    let mut number = 2;
    while view.name_is_taken(ObjectType::Session, &name)? {
        name = format!("{plain}-{number}");
        number += 1;
    }
    Ok(name)
}

/// The names in use, sorted; none where nothing was ever set up.
///
/// # Errors
/// What the catalog says.
pub fn known(data_dir: &Path, kind: ObjectType) -> Result<Vec<String>> {
    match Catalog::open_existing(data_dir)? {
        Some(catalog) => Ok(catalog.view().names(kind)?),
        None => Ok(Vec::new()),
    }
}

/// The checkpoints of sessions that are there, as one writes them; none where nothing was ever set up.
///
/// # Errors
/// What the catalog says.
pub fn known_checkpoints(data_dir: &Path) -> Result<Vec<(String, String)>> {
    let Some(catalog) = Catalog::open_existing(data_dir)? else { return Ok(Vec::new()) };
    let view = catalog.view();
    let sessions = view.sessions()?;
    let mut known = Vec::new();
    for checkpoint in view.all_checkpoints()? {
        if let Some(session) = sessions.iter().find(|session| session.id == checkpoint.session) {
            known.push((format!("{}@{}", session.name, checkpoint.number), checkpoint.message));
        }
    }
    Ok(known)
}

/// The commits that there are, newest first, with the first line of each; none where nothing was ever set up.
///
/// # Errors
/// What the catalog says.
pub fn known_commits(data_dir: &Path) -> Result<Vec<(String, String)>> {
    let Some(catalog) = Catalog::open_existing(data_dir)? else { return Ok(Vec::new()) };
    let commits = catalog.view().commits()?.into_iter();
    Ok(commits.map(|commit| (commit.id.clone(), commit.subject().to_owned())).collect())
}

/// The ids of approvals that are pending, each with what is asked.
///
/// # Errors
/// What the catalog says.
pub fn pending_approvals(data_dir: &Path) -> Result<Vec<(String, String)>> {
    let Some(catalog) = Catalog::open_existing(data_dir)? else { return Ok(Vec::new()) };
    let filter = ApprovalFilter { state: Some(ApprovalState::Pending), ..ApprovalFilter::default() };
    let pending = catalog.view().approvals(&filter)?.into_iter();
    Ok(pending.map(|found| (found.id, format!("{} of {}", found.action, found.session_name))).collect())
}

/// The names of what is in the trash, sorted.
///
/// # Errors
/// What the catalog says.
pub fn trash(data_dir: &Path) -> Result<Vec<String>> {
    let Some(catalog) = Catalog::open_existing(data_dir)? else { return Ok(Vec::new()) };
    let mut names: Vec<_> = catalog.view().trash()?.into_iter().map(|found| found.name).collect();
    names.sort_unstable();
    Ok(names)
}

/// Splits `web@3` into the name and the number.
///
/// # Errors
/// [`Error::BadRevision`] when what follows `@` is no number above 0.
pub fn split_revision(text: &str) -> Result<(&str, Option<u64>)> {
    match text.split_once('@') {
        None => Ok((text, None)),
        Some((name, number)) => match number.parse() {
            Ok(number @ 1..) if !number_is_odd(number, text) => Ok((name, Some(number))),
            _ => Err(Error::BadRevision { text: text.to_owned() }),
        },
    }
}

/// Whether the number was written in another way than we would, as `+3` or `03`.
fn number_is_odd(number: u64, text: &str) -> bool {
    !text.ends_with(&format!("@{number}"))
}

/// A tree that can be named, and what it is.
#[derive(Clone, Debug)]
// One of them lives for one look-up.
#[allow(clippy::large_enum_variant)]
pub enum Named {
    /// A session as it is at this moment.
    Session(Session),
    /// A state that a session was in.
    Checkpoint(Session, Checkpoint),
    /// A revision of a source.
    Revision(Source, Revision),
    /// What came of a session.
    Commit(Commit),
}

impl Named {
    /// The name that it can be found by again.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Session(session) => session.name.clone(),
            Self::Checkpoint(session, checkpoint) => format!("{}@{}", session.name, checkpoint.number),
            Self::Revision(source, revision) => format!("{}@{}", source.name, revision.number),
            Self::Commit(commit) => commit.id.clone(),
        }
    }

    /// A text that names it for good, whatever is renamed.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Session(session) => session.id.clone(),
            Self::Checkpoint(_, checkpoint) => checkpoint.id.clone(),
            Self::Revision(source, revision) => format!("{}@{}", source.id, revision.number),
            Self::Commit(commit) => commit.id.clone(),
        }
    }

    /// The id of the source that it came from.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Session(session) | Self::Checkpoint(session, _) => session.base.source.as_deref(),
            Self::Revision(source, _) => Some(&source.id),
            Self::Commit(commit) => commit.source.as_deref(),
        }
    }

    /// The root of a tree that never changes.
    #[must_use]
    pub fn frozen_root(&self) -> Option<RootId> {
        match self {
            Self::Session(_) => None,
            Self::Checkpoint(_, checkpoint) => Some(checkpoint.root),
            Self::Revision(_, revision) => Some(revision.root),
            Self::Commit(commit) => Some(commit.root),
        }
    }
}

/// The tree that a text stands for: `S@3` or `S@name` a checkpoint of session `S`, `@3` one of the session `current`, an
/// id one too; `o-…` a commit; `web@3` a revision of source `web`; a name alone the session of that name, else the newest revision of
/// the source.
///
/// # Errors
/// [`Error::AmbiguousTree`] when a session and a source have what is asked for; or what the catalog says.
pub fn resolve(view: View<'_>, text: &str, current: Option<&Session>) -> Result<Named> {
    let Some((key, which)) = text.split_once('@') else {
        return resolve_alone(view, text);
    };
    if key.is_empty() {
        let session = current.ok_or(Error::NoSession)?;
        return match which {
            "" => Ok(Named::Session(session.clone())),
            which => Ok(Named::Checkpoint(session.clone(), view.checkpoint(session, which)?)),
        };
    }
    let checkpoint = view.session(key).map_err(Error::from).and_then(|session| {
        let checkpoint = view.checkpoint(&session, which)?;
        Ok(Named::Checkpoint(session, checkpoint))
    });
    let revision = resolve_revision(view, text).map(|(source, revision)| Named::Revision(source, revision));
    match (checkpoint, revision) {
        (Ok(Named::Checkpoint(session, _)), Ok(Named::Revision(source, _))) => Err(Error::AmbiguousTree {
            text: text.to_owned(),
            candidates: vec![format!("{}@{which} (session)", session.id), format!("{}@{which} (source)", source.id)],
        }),
        (Ok(found), _) | (_, Ok(found)) => Ok(found),
        // What says most: that the session or the source is there, but not this state of it.
        (Err(Error::Catalog(catalog::Error::NotFound { .. })), Err(error)) => Err(error),
        (Err(error), _) => Err(error),
    }
}

fn resolve_alone(view: View<'_>, text: &str) -> Result<Named> {
    if text.starts_with("c-")
        && let Ok(checkpoint) = view.checkpoint_by_id(text)
    {
        return Ok(Named::Checkpoint(view.session(&checkpoint.session)?, checkpoint));
    }
    if means_commit(view, text)? {
        return Ok(Named::Commit(view.commit(text)?));
    }
    match view.session(text) {
        Ok(session) => Ok(Named::Session(session)),
        Err(error @ catalog::Error::NotFound { .. }) => match resolve_revision(view, text) {
            Ok((source, revision)) => Ok(Named::Revision(source, revision)),
            Err(Error::Catalog(catalog::Error::NotFound { .. })) => Err(error.into()),
            Err(other) => Err(other),
        },
        Err(error) => Err(error.into()),
    }
}

/// Whether a text speaks of a commit. A session or a source may have a name that begins like the id of one.
///
/// # Errors
/// What the catalog says.
pub fn means_commit(view: View<'_>, text: &str) -> Result<bool> {
    let is_name = |kind| view.name_is_taken(kind, text);
    Ok(text.starts_with("o-") && !is_name(ObjectType::Session)? && !is_name(ObjectType::Source)?)
}

/// A number alone as `@number`, the checkpoint of the current session; any other text as it is.
#[must_use]
pub fn own_number(text: &str) -> Cow<'_, str> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Cow::Owned(format!("@{text}")) } else { Cow::Borrowed(text) }
}

/// The checkpoint that a text stands for, as [`resolve`] reads it.
///
/// # Errors
/// [`Error::NotACheckpoint`], or as [`resolve`].
pub fn resolve_checkpoint(view: View<'_>, text: &str, current: Option<&Session>) -> Result<(Session, Checkpoint)> {
    match resolve(view, text, current)? {
        Named::Checkpoint(session, checkpoint) => Ok((session, checkpoint)),
        Named::Session(_) | Named::Revision(..) | Named::Commit(_) => {
            Err(Error::NotACheckpoint { text: text.to_owned() })
        }
    }
}

/// The source and revision that `web`, `web@3`, an id or a prefix stand for.
///
/// # Errors
/// [`Error::BadRevision`], or what the catalog says.
pub fn resolve_revision(view: View<'_>, text: &str) -> Result<(Source, Revision)> {
    let (key, number) = split_revision(text)?;
    let source = view.source(key)?;
    let revision = view.revision(&source, number)?;
    Ok((source, revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_written_in_one_way() {
        assert_eq!(split_revision("web").unwrap(), ("web", None));
        assert_eq!(split_revision("web@3").unwrap(), ("web", Some(3)));
        for bad in ["web@", "web@0", "web@03", "web@+3", "web@-1", "web@x", "web@3@4", "web@99999999999999999999"] {
            assert!(matches!(split_revision(bad), Err(Error::BadRevision { .. })), "{bad}");
        }
    }

    #[test]
    fn every_generated_name_is_allowed() {
        for word in ADJECTIVES.iter().chain(NOUNS) {
            crate::catalog::check_name(word).unwrap();
        }
    }
}
