//! Making a session: one row in the catalog, whatever the size of the tree.

use crate::catalog::{Base, Commit, ObjectType};

use super::error::Result;
use super::session_list::SessionInfo;
use super::{Context, names};

/// What a session is to stand on.
#[derive(Clone, Debug)]
pub enum From {
    /// A source, or a revision of one, as the user wrote it.
    Source(String),
    /// Nothing.
    Empty,
    /// What a commit has, compared with what that is compared with.
    Commit(String),
}

/// What else a session is to have.
#[derive(Clone, Debug, Default)]
pub struct With {
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// When it is archived by itself, in nanoseconds since the Unix epoch.
    pub expires_ns: Option<i64>,
}

/// Makes a session. Without a name it gets one.
///
/// # Errors
/// The source is not there, has no revision yet, or the name is wrong or taken.
pub fn run(cx: &mut Context, name: Option<&str>, from: &From, with: &With) -> Result<SessionInfo> {
    let seed = cx.seed;
    let id = cx.write(|tx| {
        let commit = match from {
            From::Commit(key) => Some(tx.view().commit(key)?),
            From::Empty | From::Source(_) => None,
        };
        let base = match from {
            From::Commit(_) => commit.as_ref().map(base_of).unwrap_or_default(),
            From::Empty => Base::default(),
            From::Source(text) => {
                let (source, revision) = names::resolve_revision(tx.view(), text)?;
                let root = Some(revision.root);
                Base { root, onto: root, source: Some(source.id), revision: Some(revision.number) }
            }
        };
        let name = match name {
            Some(name) => name.to_owned(),
            None => names::free_session_name(tx.view(), &seed)?,
        };
        let id = tx.create_session(&name, &base, None)?;
        if let Some(commit) = &commit {
            tx.begin_with_commit(&id, commit)?;
        }
        super::tags::put(tx, ObjectType::Session, &id, &with.tags)?;
        if with.expires_ns.is_some() {
            tx.set_session_expiry(&tx.view().session(&id)?, with.expires_ns)?;
        }
        Ok(id)
    })?;
    super::session_list::show(cx, Some(&id))
}

/// What a session stands on that begins with a commit.
pub(super) fn base_of(commit: &Commit) -> Base {
    Base { root: Some(commit.root), onto: commit.base, source: commit.source.clone(), revision: commit.revision }
}
