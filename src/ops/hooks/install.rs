//! Installing hooks: a copy of a program gets its place among the user's hooks.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::catalog::{ObjectType, Source};
use crate::ops::error::Result;
use crate::ops::{Context, Error};

use super::find::{general_dir, source_dir};
use super::{HookError, Scope, named, refuse_skipping};

/// The longest program that can be installed, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// What to install.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The name of the hook.
    pub name: String,
    /// The program that is copied; a relative path starts at the working directory.
    pub file: PathBuf,
    /// For the sessions of this source; for all if not given.
    pub source: Option<String>,
    /// Put it in the place of one that is there.
    pub replace: bool,
}

/// What was installed, or taken away.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The name of the hook.
    pub name: &'static str,
    /// For whom it is.
    pub scope: Scope,
    /// Its file.
    pub path: PathBuf,
}

/// Copies a program to where hooks are.
///
/// # Errors
/// [`HookError::Unknown`], [`HookError::Installed`], [`HookError::NoProgram`]; the policy of the source does not let the
/// actor replace it; or it cannot be read or written.
pub fn install(cx: &mut Context, request: &Request) -> Result<Installed> {
    let (place, source) = place(cx, &request.name, request.source.as_deref())?;
    if request.replace && place.path.exists() {
        refuse_skipping(cx, source.as_ref().map(|source| source.id.as_str()), place.name)?;
    }
    let file = cx.cwd.as_ref().map_or_else(|| request.file.clone(), |cwd| cwd.join(&request.file));
    let program = program(&file)?;
    let dir = place.path.parent().unwrap_or(Path::new("/"));
    let beside = dir.join(format!(".{}.{}", place.name, std::process::id()));
    let failed = |source| Error::Io { path: place.path.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let flags = if request.replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
    let put = write(&beside, &program)
        .and_then(|()| Ok(renameat_with(CWD, &beside, CWD, &place.path, flags)?))
        .and_then(|()| File::open(dir)?.sync_all());
    if let Err(error) = put {
        let _gone = fs::remove_file(&beside);
        return Err(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                HookError::Installed { name: request.name.clone(), place: words(&place.scope) }.into()
            }
            _ => failed(error),
        });
    }
    told(cx, "hook.install", &place)?;
    Ok(place)
}

/// Takes a hook away.
///
/// # Errors
/// [`HookError::Unknown`], [`HookError::NotInstalled`]; the policy of the source does not let the actor; or it cannot be
/// removed.
pub fn uninstall(cx: &mut Context, name: &str, source: Option<&str>) -> Result<Installed> {
    let (place, source) = place(cx, name, source)?;
    let missing = || HookError::NotInstalled { name: name.to_owned(), place: words(&place.scope) };
    fs::symlink_metadata(&place.path).map_err(|_| missing())?;
    refuse_skipping(cx, source.as_ref().map(|source| source.id.as_str()), place.name)?;
    fs::remove_file(&place.path).map_err(|source| Error::Io { path: place.path.clone(), source })?;
    told(cx, "hook.uninstall", &place)?;
    Ok(place)
}

fn place(cx: &mut Context, name: &str, source: Option<&str>) -> Result<(Installed, Option<Source>)> {
    let (name, ..) = named(name).ok_or_else(|| HookError::Unknown { name: name.to_owned() })?;
    let source = source.map(|key| cx.catalog()?.view().source(key).map_err(Error::from)).transpose()?;
    let (scope, dir) = match &source {
        Some(source) => (Scope::Source(source.id.clone(), source.name.clone()), source_dir(cx, &source.id)),
        None => (Scope::All, general_dir(cx)),
    };
    Ok((Installed { name, scope, path: dir.join(name) }, source))
}

/// For whom, in half a sentence.
pub(super) fn words(scope: &Scope) -> String {
    match scope {
        Scope::All => "for all sessions".into(),
        Scope::Source(_, name) => format!("for source `{name}`"),
    }
}

fn program(file: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::Io { path: file.to_owned(), source };
    let meta = fs::metadata(file).map_err(failed)?;
    let refuse = |why| Err(HookError::NoProgram { path: file.to_owned(), why }.into());
    match meta.len() {
        _ if !meta.is_file() => return refuse("it is no file"),
        0 => return refuse("it is empty"),
        length if length > MAX_BYTES => return refuse("it is longer than 64 MiB"),
        _ => {}
    }
    let mut program = Vec::new();
    let mut reader = File::open(file).map_err(failed)?.take(MAX_BYTES);
    reader.read_to_end(&mut program).map_err(failed)?;
    Ok(program)
}

/// Writes a program that can be run, durably.
fn write(path: &Path, program: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(program)?;
    file.set_permissions(fs::Permissions::from_mode(0o755))?;
    file.sync_all()
}

/// A line of the history that no undo takes back: what is in the file system is not undone.
fn told(cx: &mut Context, what: &str, place: &Installed) -> Result<()> {
    let details = json!({ "hook": place.name, "file": place.path.to_string_lossy() });
    cx.write(|tx| {
        match &place.scope {
            Scope::All => tx.store_event(what, &details)?,
            Scope::Source(id, _) => tx.event(what, ObjectType::Source, id, &details)?,
        }
        Ok(tx.pass_over()?)
    })
}
