//! What users write for objects and trees, and names for sessions that got none.

use std::path::Path;

use crate::catalog::{Catalog, ObjectType, Revision, Source, View};

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
