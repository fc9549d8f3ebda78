//! Which calls fail, and how.

use std::io;
use std::path::Path;

use crate::disk::real::at;

/// A kind of call that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Open,
    Read,
    Write,
    SetLen,
    Allocate,
    Punch,
    SyncData,
    SyncDir,
    Rename,
    Remove,
    RemoveDir,
    CreateDir,
    List,
}

/// A planned failure.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Only calls of this kind are counted and hit; `None` is all.
    pub op: Option<Op>,
    /// How many such calls still succeed.
    pub after: u64,
    /// How many fail then; `u64::MAX` is all.
    pub count: u64,
    /// The error number they fail with.
    pub errno: i32,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    planned: Vec<Fault>,
    calls: u64,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.planned.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// Counts one call and says whether it goes through.
    pub(super) fn call(&mut self, op: Op, path: &Path) -> io::Result<()> {
        self.calls += 1;
        let mut failed = None;
        for fault in self.planned.iter_mut().filter(|fault| fault.op.is_none_or(|wanted| wanted == op)) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.count > 0 {
                fault.count -= 1;
                failed = Some(fault.errno);
            }
        }
        match failed {
            Some(errno) => Err(at(path, io::Error::from_raw_os_error(errno))),
            None => Ok(()),
        }
    }
}
