//! Letting go of the older revisions of a source.

use crate::catalog::{Revision, Source};

use super::Context;
use super::error::Result;

/// What to let go of.
#[derive(Clone, Debug)]
pub struct Request {
    /// The source.
    pub source: String,
    /// So many of the newest revisions stay.
    pub keep: u64,
    /// Also those that sessions stand on.
    pub force: bool,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What went, and what did not.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// The source.
    pub source: Source,
    /// The revisions that went, newest first.
    pub gone: Vec<Revision>,
    /// Older revisions that stay, with the names of the sessions that stand on them.
    pub in_use: Vec<(Revision, Vec<String>)>,
    /// Nothing was done.
    pub dry_run: bool,
}

/// Lets go of all but the newest revisions. One that a session stands on stays, unless that is forced; the session then
/// keeps its content all the same. The bytes go with the next collection of the store, when an undo needs them no more.
///
/// # Errors
/// The source is not there, or what the catalog says.
pub fn run(cx: &mut Context, request: &Request) -> Result<Pruned> {
    if request.dry_run {
        return plan(cx.catalog()?.view(), request);
    }
    cx.write(|tx| {
        let pruned = plan(tx.view(), request)?;
        for revision in &pruned.gone {
            tx.delete_revision(&pruned.source, revision)?;
        }
        Ok(pruned)
    })
}

fn plan(view: crate::catalog::View<'_>, request: &Request) -> Result<Pruned> {
    let source = view.source(&request.source)?;
    let sessions = view.sessions_on(&source.id)?;
    let on = |number: u64| -> Vec<String> {
        let standing = sessions.iter().filter(|session| session.base.revision == Some(number));
        standing.map(|session| session.name.clone()).collect()
    };
    let (mut gone, mut in_use) = (Vec::new(), Vec::new());
    for revision in view.revisions(&source.id)?.into_iter().skip(usize::try_from(request.keep).unwrap_or(usize::MAX)) {
        match on(revision.number) {
            names if names.is_empty() || request.force => gone.push(revision),
            names => in_use.push((revision, names)),
        }
    }
    Ok(Pruned { source, gone, in_use, dry_run: request.dry_run })
}
