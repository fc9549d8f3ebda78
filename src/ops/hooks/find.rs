//! Where hooks are, and which of them can be trusted.
//!
//! Those for everything are in the directory `hooks` beside the config file, those for the sessions of one source in
//! `hooks/SOURCE-ID` of the data directory. Both are the user's own. A file there that leads into a mounted session or
//! into the directory that a source was made of is not run: whoever works in the session could have written it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::catalog::{Source, SourceKind};
use crate::ops::error::Result;
use crate::ops::{Context, mounts};

use super::{HookError, names};

/// For whom a hook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For all sessions.
    All,
    /// For the sessions of the source with this id and name.
    Source(String, String),
}

/// A hook that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its name.
    pub name: &'static str,
    /// For whom.
    pub scope: Scope,
    /// Its file.
    pub path: PathBuf,
}

/// A file where hooks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name of the file.
    pub name: OsString,
    /// For whom.
    pub scope: Scope,
    /// Where it is.
    pub path: PathBuf,
    /// Why it is not run; `None`: it is.
    pub objection: Option<String>,
}

/// The directory of hooks for everything.
#[must_use]
pub fn general_dir(cx: &Context) -> PathBuf {
    cx.paths.config_file.with_file_name("hooks")
}

/// The directory of hooks for the sessions of one source.
#[must_use]
pub fn source_dir(cx: &Context, source_id: &str) -> PathBuf {
    cx.paths.data.join("hooks").join(source_id)
}

/// The hooks of a name, in the order in which they run. Costs one look for each place.
pub(super) fn of(cx: &mut Context, name: &'static str, source: Option<&str>) -> Result<Vec<Hook>> {
    let mut found = Vec::new();
    let path = general_dir(cx).join(name);
    if is_there(&path, name)? {
        found.push(Hook { name, scope: Scope::All, path });
    }
    if let Some(id) = source {
        let path = source_dir(cx, id).join(name);
        if is_there(&path, name)? {
            let known = cx.catalog()?.view().source_by_id(id)?;
            let source_name = known.map_or_else(|| id.to_owned(), |source| source.name);
            found.push(Hook { name, scope: Scope::Source(id.to_owned(), source_name), path });
        }
    }
    Ok(found)
}

/// A place that cannot be looked at may have a hook that would refuse.
fn is_there(path: &Path, hook: &'static str) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => {
            Err(HookError::CannotRun { hook, path: path.to_owned(), why: error.to_string(), hint: None }.into())
        }
    }
}

/// All that is where hooks are, also what is none.
///
/// # Errors
/// What the catalog says, or a directory that is there cannot be read.
pub fn list(cx: &mut Context) -> Result<Vec<Listed>> {
    let sources = cx.catalog()?.view().sources()?;
    let mut places = vec![(Scope::All, general_dir(cx))];
    places.extend(sources.iter().map(|source| {
        let scope = Scope::Source(source.id.clone(), source.name.clone());
        (scope, source_dir(cx, &source.id))
    }));
    let mut listed = Vec::new();
    for (scope, dir) in places {
        let entries = match fs::read_dir(&dir) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            result => result.map_err(|source| crate::ops::Error::Io { path: dir.clone(), source })?,
        };
        let mut names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names.into_iter().filter(|name| !is_ours(name)) {
            let path = dir.join(&name);
            let objection = match name.to_str().and_then(names::named) {
                None => Some("no hook has this name".to_owned()),
                Some(_) => objection(cx, &path)?.map(|(why, _)| why),
            };
            listed.push(Listed { name, scope: scope.clone(), path, objection });
        }
    }
    Ok(listed)
}

/// A file that an installation was about to put in its place.
pub(super) fn is_ours(name: &OsString) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Why a file is not run as a hook, and what helps.
pub(super) fn objection(cx: &mut Context, path: &Path) -> Result<Option<(String, Option<String>)>> {
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) => return Ok(Some((error.to_string(), None))),
    };
    let copy = Some(format!("`aether hook install --replace` takes a copy of `{}`", real.display()));
    if mounts::table()?.containing(&real).is_some_and(|entry| entry.tag().is_some()) {
        return Ok(Some(("it is in a mounted session, where anybody could have written it".into(), copy)));
    }
    let origins = cx.catalog()?.view().sources()?;
    // Where the directory of hooks is itself in there, it was the user who made it the origin.
    let home = path.parent().and_then(|dir| dir.canonicalize().ok());
    let leads_into =
        |source: &&Source| is_below(source, &real) && !home.as_ref().is_some_and(|dir| is_below(source, dir));
    if let Some(source) = origins.iter().find(leads_into) {
        let why =
            format!("it is in the directory that source `{}` was made of, and sessions are applied to", source.name);
        return Ok(Some((why, copy)));
    }
    Ok(untrusted(&real))
}

fn is_below(source: &Source, real: &Path) -> bool {
    let origin = source.origin.as_ref().filter(|_| source.kind == SourceKind::Dir);
    origin.is_some_and(|origin| real.starts_with(origin))
}

/// What the file system says against it.
fn untrusted(real: &Path) -> Option<(String, Option<String>)> {
    let of = |path: &Path| fs::metadata(path);
    let (meta, above) = match (of(real), of(real.parent().unwrap_or(real))) {
        (Ok(meta), Ok(above)) => (meta, above),
        (Err(error), _) | (_, Err(error)) => return Some((error.to_string(), None)),
    };
    if !meta.is_file() {
        return Some(("it is no file".into(), None));
    }
    let me = rustix::process::geteuid().as_raw();
    if [&meta, &above].iter().any(|found| found.uid() != me && found.uid() != 0) {
        return Some(("it, or its directory, belongs to another user".into(), None));
    }
    let is_open = |mode: u32| mode & 0o002 != 0;
    if is_open(meta.permissions().mode()) || is_open(above.permissions().mode()) {
        let hint = format!("`chmod o-w` for `{}` and its directory", real.display());
        return Some(("everybody can write it, or its directory".into(), Some(hint)));
    }
    if access(real, Access::EXEC_OK).is_err() {
        return Some(("it is not executable".into(), Some(format!("`chmod +x {}`", real.display()))));
    }
    None
}
