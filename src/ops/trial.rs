//! A trial: work in a copy of a directory, and decide afterwards.

use std::path::Path;

use crate::catalog::{ImportSettings, ObjectType, SourceKind};

use super::error::Result;
use super::session_create::{self, From as Base};
use super::session_list::SessionInfo;
use super::source_import::{self, From, SourceImport, Watch};
use super::{Context, Error};

/// A trial that can begin.
#[derive(Debug)]
pub struct Trial {
    /// The source that the directory is, made or refreshed.
    pub import: SourceImport,
    /// The session on it.
    pub session: SessionInfo,
}

impl Trial {
    /// The number of the revision that the session stands on.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.session.session.base.revision.unwrap_or(0)
    }
}

/// Takes the directory as a source, anew or again, and makes a session on it.
///
/// # Errors
/// The directory cannot be imported.
pub fn begin(cx: &mut Context, dir: &Path, watch: Watch<'_>) -> Result<Trial> {
    let path = cx.cwd.as_ref().map_or_else(|| dir.to_owned(), |cwd| cwd.join(dir));
    let origin = path.canonicalize().map_err(|source| Error::Io { path, source })?;
    let known = cx.catalog()?.view().sources()?.into_iter();
    let known = known.filter(|source| source.kind == SourceKind::Dir && source.origin.as_ref() == Some(&origin));
    let import = match known.min_by_key(|source| source.created_ns) {
        Some(source) => source_import::refresh(cx, &source.id, watch)?,
        None => {
            let name = free_source_name(cx, &origin)?;
            let from = From::Dir(origin);
            source_import::create(cx, &name, from, ImportSettings::default(), Vec::new(), &[], watch)?
        }
    };
    let session = session_create::run(cx, None, &Base::Source(import.info.source.id.clone()), &Default::default())?;
    Ok(Trial { import, session })
}

/// A name for the source after that of the directory.
fn free_source_name(cx: &mut Context, origin: &Path) -> Result<String> {
    let last = origin.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let fits = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let mut plain: String = last.chars().map(|char| if fits(char) { char } else { '-' }).take(40).collect();
    if !plain.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        plain.insert_str(0, "dir");
    }
    let view = cx.catalog()?.view();
    let mut name = plain.clone();
    let mut number = 2;
    while view.check_free(ObjectType::Source, &name).is_err() {
        name = format!("{plain}-{number}");
        number += 1;
    }
    Ok(name)
}
