//! Looking at sources and their revisions.

use std::collections::BTreeMap;

use crate::catalog::{Revision, Source};

use super::Context;
use super::error::Result;

/// A source and what is known about it.
#[derive(Clone, Debug)]
pub struct SourceInfo {
    /// The source.
    pub source: Source,
    /// Its newest revision, if it has one.
    pub newest: Option<Revision>,
    /// The names of the sessions that stand on it.
    pub sessions: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// All sources, by name.
///
/// # Errors
/// What the catalog says.
pub fn list(cx: &mut Context) -> Result<Vec<SourceInfo>> {
    let view = cx.catalog()?.view();
    let mut newest: BTreeMap<String, Revision> =
        view.newest_revisions()?.into_iter().map(|revision| (revision.source.clone(), revision)).collect();
    let mut sessions = BTreeMap::<String, Vec<String>>::new();
    for session in view.sessions()? {
        if let Some(source) = session.base.source {
            sessions.entry(source).or_default().push(session.name);
        }
    }
    let mut tags = view.all_tags()?;
    let info = |source: Source| SourceInfo {
        newest: newest.remove(&source.id),
        sessions: sessions.remove(&source.id).unwrap_or_default(),
        tags: tags.remove(&source.id).unwrap_or_default(),
        source,
    };
    Ok(view.sources()?.into_iter().map(info).collect())
}

/// One source.
///
/// # Errors
/// What the catalog says.
pub fn show(cx: &mut Context, key: &str) -> Result<SourceInfo> {
    let view = cx.catalog()?.view();
    let source = view.source(key)?;
    Ok(SourceInfo {
        newest: view.newest_revision(&source.id)?,
        sessions: view.sessions_on(&source.id)?.into_iter().map(|session| session.name).collect(),
        tags: view.tags(&source.id)?,
        source,
    })
}

/// The revisions of a source, newest first.
///
/// # Errors
/// What the catalog says.
pub fn log(cx: &mut Context, key: &str) -> Result<(Source, Vec<Revision>)> {
    let view = cx.catalog()?.view();
    let source = view.source(key)?;
    let revisions = view.revisions(&source.id)?;
    Ok((source, revisions))
}
