//! The hooks of sources as files of the data directory: they go with their source, and into backups.
//!
//! In a backup they are what they are here. What is not run here is not run there either: a link stays a link, to the same
//! file, and a file that cannot be trusted is copied without being executable, so that it refuses there, too.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::catalog::has_id_form;
use crate::ops::error::Result;
use crate::ops::{Context, Error};

use super::find::{is_ours, objection};

/// Where the hooks of sources are, below a data directory.
const DIR: &str = "hooks";

/// Removes the hooks of sources that are gone for good. What is no directory of a source is left alone.
///
/// # Errors
/// What the catalog or the disk says.
pub(in crate::ops) fn remove_left(cx: &mut Context) -> Result<()> {
    let all = cx.paths.data.join(DIR);
    for (name, dir) in entries(&all)? {
        let Some(id) = name.to_str().filter(|id| id.starts_with("b-") && has_id_form(id)) else { continue };
        if cx.catalog()?.view().source_by_id(id)?.is_none() {
            fs::remove_dir_all(&dir).map_err(failed(&dir))?;
        }
    }
    Ok(())
}

/// Writes the hooks of all sources into a new directory, durably; says whether there are any.
///
/// # Errors
/// One of them cannot be read, or the directory not written.
pub(in crate::ops) fn copy_to(cx: &mut Context, to: &Path) -> Result<bool> {
    let all = cx.paths.data.join(DIR);
    let mut has_any = false;
    for (id, dir) in entries(&all)? {
        if !dir.is_dir() {
            continue;
        }
        let copy = to.join(&id);
        for (name, from) in entries(&dir)?.into_iter().filter(|(name, _)| !is_ours(name)) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&copy).map_err(failed(&copy))?;
            has_any = true;
            copy_one(cx, &from, &copy.join(name))?;
        }
        if copy.is_dir() {
            sync(&copy)?;
        }
    }
    if has_any {
        sync(to)?;
    }
    Ok(has_any)
}

fn copy_one(cx: &mut Context, from: &Path, to: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(from).map_err(failed(from))?;
    if meta.is_symlink() {
        let target = fs::read_link(from).map_err(failed(from))?;
        let above = from.parent().unwrap_or(Path::new("/"));
        return symlink(above.join(target), to).map_err(failed(to));
    }
    let is_trusted = objection(cx, from)?.is_none();
    let mode = if is_trusted { meta.permissions().mode() & 0o777 } else { 0o600 };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(failed(to))?;
    // Of what is no file there is only the name, which refuses.
    if meta.is_file() {
        let mut program = fs::File::open(from).map_err(failed(from))?;
        io::copy(&mut program, &mut file).map_err(failed(to))?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode)).and_then(|()| file.sync_all()).map_err(failed(to))
}

/// Has these hooks take the place of those of another data directory; without any, those are removed.
///
/// # Errors
/// What the disk says.
pub(in crate::ops) fn put_in_place(from: Option<&Path>, data: &Path) -> Result<()> {
    let place = data.join(DIR);
    let is_there = fs::symlink_metadata(&place).is_ok();
    match from {
        Some(from) if is_there => {
            renameat_with(CWD, from, CWD, &place, RenameFlags::EXCHANGE)
                .map_err(|error| failed(&place)(error.into()))?;
            fs::remove_dir_all(from).map_err(failed(from))
        }
        Some(from) => fs::rename(from, &place).map_err(failed(&place)),
        None if is_there => fs::remove_dir_all(&place).map_err(failed(&place)),
        None => Ok(()),
    }
}

/// What a directory has, in order; nothing if it is not there.
fn entries(dir: &Path) -> Result<Vec<(std::ffi::OsString, PathBuf)>> {
    let found = match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        other => other.and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed(dir))?,
    };
    let mut found: Vec<_> = found.into_iter().map(|entry| (entry.file_name(), entry.path())).collect();
    found.sort();
    Ok(found)
}

fn sync(dir: &Path) -> Result<()> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed(dir))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path: path.clone(), source }
}
