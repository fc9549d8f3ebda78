//! Rename in the reference model, with every mode of `renameat2(2)`.

use aether::model::{Attr, Ino, Kind, Timestamp};
use aether::overlay::{Caller, Error, RenameMode};

use super::model::{Body, State};

/// A directory and a name in it.
type Place<'a> = (Ino, &'a [u8]);

pub fn rename(
    state: &mut State,
    caller: Caller,
    from: Place<'_>,
    to: Place<'_>,
    mode: RenameMode,
) -> Result<(), Error> {
    let exchange = mode.contains(RenameMode::EXCHANGE);
    if exchange && mode.intersects(RenameMode::NO_REPLACE | RenameMode::WHITEOUT) {
        return Err(Error::Invalid);
    }
    let moved = state.find(from.0, from.1)?;
    let replaced = state.find(to.0, to.1)?;
    let moved = moved.ok_or(Error::NotFound)?;
    match replaced {
        Some(_) if mode.contains(RenameMode::NO_REPLACE) => return Err(Error::Exists),
        None if exchange => return Err(Error::NotFound),
        _ => {}
    }
    if is_above(state, moved, to.0) {
        return Err(Error::IntoItself);
    }
    if replaced.is_some_and(|replaced| is_above(state, replaced, from.0)) {
        return Err(if exchange { Error::IntoItself } else { Error::NotEmpty });
    }
    if replaced == Some(moved) {
        return Ok(());
    }
    if state.inode(to.0)?.attr.nlink == 0 {
        return Err(Error::NotFound);
    }
    match replaced {
        Some(replaced) if exchange => swap(state, (from, moved), (to, replaced), caller.now),
        _ => {
            check_replace(state, moved, replaced)?;
            replace(state, (from, moved), (to, replaced), caller.now);
            if mode.contains(RenameMode::WHITEOUT) {
                leave_whiteout(state, caller, from);
            }
        }
    }
    Ok(())
}

/// Whether `ino` is `dir` or a directory above it.
fn is_above(state: &mut State, ino: Ino, mut dir: Ino) -> bool {
    loop {
        if dir == ino {
            return true;
        }
        match state.dir(dir) {
            Ok(found) if found.parent != dir => dir = found.parent,
            _ => return false,
        }
    }
}

fn kind(state: &mut State, ino: Ino) -> Kind {
    state.inodes[&ino].attr.kind
}

fn check_replace(state: &mut State, moved: Ino, replaced: Option<Ino>) -> Result<(), Error> {
    let Some(replaced) = replaced else { return Ok(()) };
    match (kind(state, moved) == Kind::Dir, kind(state, replaced) == Kind::Dir) {
        (true, false) => Err(Error::NotDir),
        (false, true) => Err(Error::IsDir),
        (true, true) if !state.dir(replaced)?.entries.is_empty() => Err(Error::NotEmpty),
        _ => Ok(()),
    }
}

fn replace(state: &mut State, from: (Place<'_>, Ino), to: (Place<'_>, Option<Ino>), now: Timestamp) {
    let ((from, moved), (to, replaced)) = (from, to);
    if let Some(replaced) = replaced {
        if kind(state, replaced) == Kind::Dir {
            state.inodes.get_mut(&to.0).unwrap().attr.nlink -= 1;
        }
        state.unlink(replaced, now);
    }
    state.dir(from.0).unwrap().entries.remove(from.1);
    state.insert(to.0, to.1, moved);
    settle(state, moved, from.0, to.0, now);
    state.touch_dir(from.0, now);
    state.touch_dir(to.0, now);
}

fn swap(state: &mut State, from: (Place<'_>, Ino), to: (Place<'_>, Ino), now: Timestamp) {
    let ((from, a), (to, b)) = (from, to);
    state.insert(from.0, from.1, b);
    state.insert(to.0, to.1, a);
    settle(state, a, from.0, to.0, now);
    settle(state, b, to.0, from.0, now);
    state.touch_dir(from.0, now);
    state.touch_dir(to.0, now);
}

/// What an inode's move from one directory to another changes beside the names.
fn settle(state: &mut State, ino: Ino, from: Ino, to: Ino, now: Timestamp) {
    let inode = state.inodes.get_mut(&ino).unwrap();
    inode.attr.ctime = now;
    if let Body::Dir(dir) = &mut inode.body {
        dir.parent = to;
        state.inodes.get_mut(&from).unwrap().attr.nlink -= 1;
        state.inodes.get_mut(&to).unwrap().attr.nlink += 1;
    }
}

fn leave_whiteout(state: &mut State, caller: Caller, at: Place<'_>) {
    let made = state.make(caller, at.0, at.1, (Kind::CharDevice, 0, 0), Body::Special);
    let Attr { ino, .. } = made.expect("the name was just taken away");
    state.inodes.get_mut(&ino).unwrap().lookups = 0;
}
