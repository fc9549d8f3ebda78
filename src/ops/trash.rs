//! The trash: looking into it, taking things out, emptying it.
//!
//! Deleting marks a row, and nothing else: name and place in lists are free at once, the files of a session stay where
//! they are. Emptying removes rows and files. What only they held of the store is given back by the next collection.

use crate::catalog::{ObjectType, Trashed};

use super::error::Result;
use super::{Context, hooks, reserve, session_status};

/// What emptying did.
#[derive(Clone, Debug)]
pub struct Emptied {
    /// What is gone for good.
    pub removed: Vec<Trashed>,
    /// Sources that stay, because sessions came from them.
    pub kept: Vec<Trashed>,
}

/// Everything in the trash, what was deleted last first.
///
/// # Errors
/// What the catalog says.
pub fn list(cx: &mut Context) -> Result<Vec<Trashed>> {
    Ok(cx.catalog()?.view().trash()?)
}

/// What these names, ids or prefixes stand for; everything if there are none.
///
/// # Errors
/// One of them is not in the trash, or stands for several.
pub fn find(cx: &mut Context, keys: &[String]) -> Result<Vec<Trashed>> {
    if keys.is_empty() {
        return list(cx);
    }
    let view = cx.catalog()?.view();
    keys.iter().map(|key| Ok(view.trashed(key)?)).collect()
}

/// Takes an object out of the trash, under another name if one is given. Returns it with the name that it has.
///
/// # Errors
/// It is not there, or its name is taken.
pub fn restore(cx: &mut Context, key: &str, name: Option<&str>) -> Result<Trashed> {
    cx.write(|tx| {
        let mut found = tx.view().trashed(key)?;
        tx.take_from_trash(&found, name)?;
        if let Some(name) = name.filter(|_| matches!(found.kind, ObjectType::Source | ObjectType::Session)) {
            name.clone_into(&mut found.name);
        }
        Ok(found)
    })
}

/// Removes objects from the trash for good, with their files.
///
/// # Errors
/// What the catalog or the disk says.
pub fn empty(cx: &mut Context, objects: &[Trashed]) -> Result<Emptied> {
    reserve::lend(&cx.paths.data);
    let kept = cx.write(|tx| Ok(tx.purge(objects)?))?;
    // Rows first: a session without files is empty, files without a session are found by the next collection.
    let removed: Vec<_> = objects.iter().filter(|found| !kept.contains(found)).cloned().collect();
    for found in removed.iter().filter(|found| found.kind == ObjectType::Session) {
        session_status::remove_files(cx, &found.id)?;
    }
    if removed.iter().any(|found| found.kind == ObjectType::Source) {
        hooks::stored::remove_left(cx)?;
    }
    Ok(Emptied { removed, kept })
}
