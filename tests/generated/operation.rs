//! The operations that all harnesses know, as plain values. They name files by path or by an open slot, never by inode
//! number, so the same list runs on anything that is a file system.

use aether::model::Kind;
use aether::overlay::{Falloc, RenameMode, SetAttr, Whence, XattrMode};

/// How many files a run can hold open at once.
pub const SLOTS: usize = 4;

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Root,
    /// A file or directory that was opened earlier, and may have lost its name since.
    Slot(usize),
}

/// A file: a base and names from there. Without names it is the base itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Where {
    pub base: Base,
    pub names: Vec<Vec<u8>>,
}

impl Where {
    pub fn root(names: &[&[u8]]) -> Self {
        Self { base: Base::Root, names: names.iter().map(|name| name.to_vec()).collect() }
    }

    pub fn slot(slot: usize) -> Self {
        Self { base: Base::Slot(slot), names: Vec::new() }
    }

    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = self.clone();
        path.names.push(name.to_vec());
        path
    }
}

impl std::fmt::Debug for Where {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.base {
            Base::Root => f.write_str("`")?,
            Base::Slot(slot) => write!(f, "#{slot}`")?,
        }
        for name in &self.names {
            if name.len() > 40 {
                write!(f, "/{}…({})", name[..8].escape_ascii(), name.len())?;
            } else {
                write!(f, "/{}", name.escape_ascii())?;
            }
        }
        f.write_str("`")
    }
}

/// Bytes to write, by recipe: `fill` 0 is zeros, anything else a sequence of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    pub fill: u64,
    pub len: usize,
}

impl Fill {
    pub fn bytes(self) -> Vec<u8> {
        if self.fill == 0 { vec![0; self.len] } else { super::rng::Rng::new(self.fill).bytes(self.len) }
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Mknod {
        at: Where,
        kind: Kind,
        perm: u16,
        rdev: u32,
    },
    Mkdir {
        at: Where,
        perm: u16,
    },
    Symlink {
        at: Where,
        target: Vec<u8>,
    },
    Link {
        from: Where,
        to: Where,
    },
    Unlink {
        at: Where,
    },
    Rmdir {
        at: Where,
    },
    Rename {
        from: Where,
        to: Where,
        mode: RenameMode,
    },
    Write {
        at: Where,
        offset: u64,
        what: Fill,
        kill_priv: bool,
    },
    Read {
        at: Where,
        offset: u64,
        len: usize,
    },
    SetAttr {
        at: Where,
        set: SetAttr,
    },
    Fallocate {
        at: Where,
        offset: u64,
        len: u64,
        how: Falloc,
    },
    CopyRange {
        from: Where,
        from_offset: u64,
        to: Where,
        to_offset: u64,
        len: u64,
    },
    Seek {
        at: Where,
        offset: u64,
        what: Whence,
    },
    Stat {
        at: Where,
    },
    Readlink {
        at: Where,
    },
    List {
        at: Where,
        step: usize,
        with_attr: bool,
    },
    SetXattr {
        at: Where,
        name: Vec<u8>,
        value: Fill,
        mode: XattrMode,
    },
    GetXattr {
        at: Where,
        name: Vec<u8>,
    },
    ListXattr {
        at: Where,
    },
    RemoveXattr {
        at: Where,
        name: Vec<u8>,
    },
    /// Holds the file in a slot; what the slot held is let go.
    Open {
        at: Where,
        slot: usize,
    },
    Close {
        slot: usize,
    },
    /// Begins a listing that goes on while the directory changes.
    StartList {
        at: Where,
    },
    /// Some more of that listing.
    MoreList {
        count: usize,
    },
    Fsync {
        at: Where,
    },
    /// The kernel drops everything it remembers but the open slots.
    Forget,
    /// Ends the process and starts it anew on what it left; slots and listings end.
    Remount,
}
