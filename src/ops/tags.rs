//! Tags: `key=value` on sessions, sources and commits, and lists filtered by them.

use std::collections::BTreeMap;

use crate::catalog;
use crate::catalog::{Commit, ObjectType, Session, Source, Tx, View, check_name};

use super::error::Result;
use super::{Context, Error, names};

/// The longest value in bytes.
const MAX_VALUE_BYTES: usize = 1000;

/// A tag of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// What it is.
    pub kind: ObjectType,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// What a user wrote for the object that has the tags.
#[derive(Clone, Debug)]
pub struct Target {
    /// A name, an id or a unique prefix of an id; `@` for the current session.
    pub key: String,
    /// Whether it must be a source.
    pub is_source: bool,
}

/// Conditions on tags: `key=value`, or `key` with any value. All of them must hold.
#[derive(Clone, Debug, Default)]
pub struct TagFilter(Vec<(String, Option<String>)>);

impl TagFilter {
    /// Reads conditions.
    ///
    /// # Errors
    /// [`Error::BadTag`].
    pub fn new(texts: &[String]) -> Result<Self> {
        let one = |text: &String| match text.contains('=') {
            true => parse(text).map(|(key, value)| (key, Some(value))),
            false => parse(&format!("{text}=")).map(|(key, _)| (key, None)),
        };
        Ok(Self(texts.iter().map(one).collect::<Result<_>>()?))
    }

    /// Whether an object with these tags is wanted.
    #[must_use]
    pub fn matches(&self, tags: &BTreeMap<String, String>) -> bool {
        let holds = |(key, value): &(String, Option<String>)| {
            tags.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        self.0.iter().all(holds)
    }
}

/// Reads `key=value`.
///
/// # Errors
/// [`Error::BadTag`].
pub fn parse(text: &str) -> Result<(String, String)> {
    let bad = |why: &str| Error::BadTag { text: text.to_owned(), why: why.to_owned() };
    let (key, value) = text.split_once('=').ok_or_else(|| bad("it is not `key=value`"))?;
    check_name(key).map_err(|why| bad(&format!("of its key, {why}")))?;
    if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
        return Err(bad("a value has at most 1000 bytes and no control characters"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Sets tags; returns all that the object then has.
///
/// # Errors
/// The object is not there.
pub fn set(cx: &mut Context, target: &Target, tags: &[(String, String)]) -> Result<Vec<Tagged>> {
    let object = resolve(cx, target)?;
    cx.write(|tx| put(tx, object.kind, &object.id, tags))?;
    of(cx, &object)
}

/// Sets tags in a transaction.
pub(super) fn put(tx: &mut Tx<'_>, kind: ObjectType, id: &str, tags: &[(String, String)]) -> Result<()> {
    Ok(tags.iter().try_for_each(|(key, value)| tx.tag(kind, id, key, value))?)
}

/// Removes tags; returns those that the object still has.
///
/// # Errors
/// The object or a tag is not there; then nothing is removed.
pub fn unset(cx: &mut Context, target: &Target, keys: &[String]) -> Result<Vec<Tagged>> {
    let object = resolve(cx, target)?;
    cx.write(|tx| {
        for key in keys {
            if !tx.untag(object.kind, &object.id, key)? {
                return Err(Error::NoTag { object: target.key.clone(), key: key.clone() });
            }
        }
        Ok(())
    })?;
    of(cx, &object)
}

/// The tags of an object; of all, if none is named.
///
/// # Errors
/// The object is not there.
pub fn list(cx: &mut Context, target: Option<&Target>, filter: &TagFilter) -> Result<Vec<Tagged>> {
    let found = match target {
        Some(target) => {
            let object = resolve(cx, target)?;
            of(cx, &object)?
        }
        None => all(cx.catalog()?.view())?,
    };
    let mut tags = BTreeMap::<_, BTreeMap<_, _>>::new();
    for tagged in &found {
        tags.entry(tagged.id.clone()).or_default().insert(tagged.key.clone(), tagged.value.clone());
    }
    Ok(found.into_iter().filter(|tagged| tags.get(&tagged.id).is_some_and(|tags| filter.matches(tags))).collect())
}

fn of(cx: &mut Context, object: &Object) -> Result<Vec<Tagged>> {
    let tags = cx.catalog()?.view().tags(&object.id)?;
    Ok(tags.into_iter().map(|(key, value)| object.tagged(key, value)).collect())
}

fn all(view: View<'_>) -> Result<Vec<Tagged>> {
    let sources = view.sources()?.into_iter().map(Object::source);
    let sessions = view.sessions()?.into_iter().map(Object::session);
    let commits = view.commits()?.into_iter().map(Object::commit);
    let mut tags = view.all_tags()?;
    let tagged = sources.chain(sessions).chain(commits).flat_map(|object| {
        let own = tags.remove(&object.id).unwrap_or_default().into_iter();
        own.map(move |(key, value)| object.tagged(key, value))
    });
    Ok(tagged.collect())
}

/// What can have tags.
struct Object {
    kind: ObjectType,
    id: String,
    name: String,
}

impl Object {
    fn source(source: Source) -> Self {
        Self { kind: ObjectType::Source, id: source.id, name: source.name }
    }

    fn session(session: Session) -> Self {
        Self { kind: ObjectType::Session, id: session.id, name: session.name }
    }

    fn commit(commit: Commit) -> Self {
        Self { kind: ObjectType::Commit, name: commit.id.clone(), id: commit.id }
    }

    fn tagged(&self, key: String, value: String) -> Tagged {
        Tagged { kind: self.kind, id: self.id.clone(), name: self.name.clone(), key, value }
    }
}

/// The object that is meant. A name that a session and a source have must be told apart.
fn resolve(cx: &mut Context, target: &Target) -> Result<Object> {
    if target.is_source {
        return Ok(Object::source(cx.catalog()?.view().source(&target.key)?));
    }
    if target.key == "@" {
        return Ok(Object::session(cx.resolve_session(None)?));
    }
    let view = cx.catalog()?.view();
    if names::means_commit(view, &target.key)? {
        return Ok(Object::commit(view.commit(&target.key)?));
    }
    let source = view.source(&target.key);
    match (view.session(&target.key), source) {
        (Ok(_), Ok(_)) => Err(Error::TwoKinds { key: target.key.clone() }),
        (Err(catalog::Error::NotFound { .. }), Ok(source)) => Ok(Object::source(source)),
        (session, _) => Ok(Object::session(session?)),
    }
}
