//! How many requests of each kind the kernel sent.
//!
//! The number of round trips decides how fast a mount is, so they are always counted: one relaxed addition each.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! ops {
    ($($op:ident = $name:literal,)*) => {
        /// A kind of request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Op { $($op,)* }

        impl Op {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$op,)*];

            /// The name, as in the FUSE protocol, in lower case.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$op => $name,)* }
            }
        }
    };
}

ops! {
    Lookup = "lookup",
    Forget = "forget",
    Getattr = "getattr",
    Setattr = "setattr",
    Readlink = "readlink",
    Mknod = "mknod",
    Mkdir = "mkdir",
    Symlink = "symlink",
    Link = "link",
    Unlink = "unlink",
    Rmdir = "rmdir",
    Rename = "rename",
    Open = "open",
    Opendir = "opendir",
    Create = "create",
    Read = "read",
    Write = "write",
    Flush = "flush",
    Fsync = "fsync",
    Fsyncdir = "fsyncdir",
    Readdir = "readdir",
    Readdirplus = "readdirplus",
    Statfs = "statfs",
    Getxattr = "getxattr",
    Setxattr = "setxattr",
    Listxattr = "listxattr",
    Removexattr = "removexattr",
    Fallocate = "fallocate",
    Lseek = "lseek",
    CopyFileRange = "copy_file_range",
    Other = "other",
}

/// One counter a kind.
#[derive(Debug)]
pub struct Counters([AtomicU64; Op::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// Requests of this kind so far.
    #[must_use]
    pub fn get(&self, op: Op) -> u64 {
        self.0[op as usize].load(Ordering::Relaxed)
    }

    /// Every kind that was asked for at all, with its count.
    #[must_use]
    pub fn all(&self) -> Vec<(Op, u64)> {
        Op::ALL.iter().map(|&op| (op, self.get(op))).filter(|&(_, count)| count > 0).collect()
    }

    pub(super) fn count(&self, op: Op) {
        self.0[op as usize].fetch_add(1, Ordering::Relaxed);
    }
}
