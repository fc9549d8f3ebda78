//! The way to the kernel: mounting, the FUSE connection, unmounting, and what the mount table says.
//!
//! The only user of `fuser`. The adapter converts, calls an [`overlay`](crate::overlay) and replies; it decides nothing.
//! Nothing here knows sessions, stores or the command line, and nothing here ever touches the inside of a mount: a
//! mount whose process died answers nobody, so it is looked at through `/proc` only.

mod adapter;
mod convert;
mod counters;
mod errno;
mod error;
mod fusermount;
mod handshake;
mod holders;
mod init;
mod mount;
mod mountinfo;
mod mountpoint;
mod notify;
mod options;
mod server;
mod spin;
mod turn;
mod unmount;
mod writers;

pub use counters::{Counters, Op};
pub use error::MountError;
pub use handshake::Handshake;
pub use holders::{Hold, Holder, holders};
pub use mount::{Device, Mounted, mount};
pub use mountinfo::{FS_TYPE, MountEntry, MountTable};
pub use mountpoint::{Forbidden, MountPoint};
pub use notify::Invalidations;
pub use options::{Atime, MountOptions, OptionError};
pub use server::{Config, Server};
pub use turn::{Drain, Repeats};
pub use unmount::{How, unmount};
pub use writers::written;
