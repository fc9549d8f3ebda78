//! Making a session: one row in the catalog, whatever the size of the tree.

use serde_json::json;

use crate::catalog::{Base, Commit, ObjectType, View};

use super::error::Result;
use super::hooks::{self, Occasion, State, Transition};
use super::session_list::{Lineage, SessionInfo};
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
    let (seen, _) = stand(cx.catalog()?.view(), from)?;
    if let Some(name) = name {
        cx.catalog()?.view().check_free(ObjectType::Session, name)?;
    }
    let passed = hooks::before(cx, occasion(&seen, name))?;
    let (session, tags, base) = cx.write(|tx| {
        let (base, commit) = stand(tx.view(), from)?;
        passed.confirm(base == seen, name.unwrap_or("(new)"))?;
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
        Ok((tx.view().session(&id)?, tx.view().tags(&id)?, base))
    })?;
    // As it was made: another command may have undone that by now.
    let (mounts, serving, lineage) = (Vec::new(), Vec::new(), Lineage::default());
    let info = SessionInfo { session, tags, health: None, mounts, serving, lineage };
    let session = Some((info.session.id.clone(), info.session.name.clone()));
    passed.done_as(cx, Occasion { session, ..occasion(&base, Some(&info.session.name)) });
    Ok(info)
}

/// What a session is to stand on, and the commit that it begins with.
fn stand(view: View<'_>, from: &From) -> Result<(Base, Option<Commit>)> {
    Ok(match from {
        From::Empty => (Base::default(), None),
        From::Commit(key) => {
            let commit = view.commit(key)?;
            (base_of(&commit), Some(commit))
        }
        From::Source(text) => {
            let (source, revision) = names::resolve_revision(view, text)?;
            let root = Some(revision.root);
            (Base { root, onto: root, source: Some(source.id), revision: Some(revision.number) }, None)
        }
    })
}

fn occasion(base: &Base, name: Option<&str>) -> Occasion {
    Occasion {
        transition: Transition::Create,
        session: None,
        source: base.source.clone(),
        state: base.root.map_or(State::Nothing, State::Tree),
        details: json!({ "name": name, "revision": base.revision }),
    }
}

/// What a session stands on that begins with a commit.
pub(super) fn base_of(commit: &Commit) -> Base {
    Base { root: Some(commit.root), onto: commit.base, source: commit.source.clone(), revision: commit.revision }
}
