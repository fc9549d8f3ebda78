//! An upper directory and the session below it become one tree.

use std::sync::atomic::AtomicBool;

use crate::model::{Ino, RootId};
use crate::ops::import::{ImportError, ImportOptions, Imported, import_dir};
use crate::ops::live::LiveError;
use crate::store::Hold;

use super::UpperDir;
use super::join::{Sides, join};

/// Stores the tree that the session at `lower` is with what was written on top of it; numbers from `next_ino` on were
/// never given out in it. Nothing of the directory changes, but that its owner may read all of it afterwards, so it
/// can be done again. When this returns, the tree is durable.
///
/// # Errors
/// The directory cannot be read, or the store not be read or written.
pub(in crate::ops) fn take_in(hold: &Hold, dir: &UpperDir, lower: RootId, next_ino: Ino) -> Result<RootId, LiveError> {
    let at = |source| LiveError::Io { path: dir.path().to_owned(), source };
    let imported = match import(hold, dir) {
        // The program may have closed its own files to everybody.
        Err(ImportError::Unreadable { .. }) => {
            dir.open_up().map_err(at)?;
            import(hold, dir)
        }
        other => other,
    };
    let imported = imported.map_err(|source| LiveError::TakeIn { dir: dir.path().into(), source: Box::new(source) })?;
    let store = hold.store();
    let (upper, lower) = (store.root(imported.root)?, store.root(lower)?);
    let writer = hold.writer()?;
    let sides = Sides {
        upper: &upper,
        lower: &lower,
        notes: dir.notes(),
        modes: dir.modes().map_err(at)?,
        keeps_owner: !rustix::process::geteuid().is_root(),
    };
    let root = join(store, &writer, &sides, next_ino)?;
    let root = writer.put_root(&root)?;
    writer.finish()?;
    Ok(root)
}

fn import(hold: &Hold, dir: &UpperDir) -> Result<Imported, ImportError> {
    let options = ImportOptions { everything: true, ..ImportOptions::default() };
    import_dir(hold, &dir.upper(), None, &options, &(), &AtomicBool::new(false))
}
