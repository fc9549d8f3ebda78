//! Kernel overlayfs under one command, and what it wrote, taken into the session.
//!
//! The command runs in a mount namespace of its own, on an overlay whose lower layer is a mount of the session of which
//! nothing can change (`attempt`, and [`inside`](super::inside) in the namespace). What the overlay writes goes to a
//! directory beside the session's delta ([`UpperDir`]); it lies on the session as it is with that very delta, and has the
//! delta's number in its name. The mount process ends when the last who uses the overlay has ended, and takes in what is
//! there ([`OpenSession::take_upper`](super::live::OpenSession::take_upper)): the directory becomes a tree (`take`), which
//! is joined with the session's own (`join`), and the session is put on what comes of it, with an empty delta of the next
//! number. That is one row, so it happens once; the directory has an old number then, and is litter. Whoever opens a
//! session and finds one that was not taken in, because its mount process died, does the same before anything else.
//!
//! What an overlay writes is described in `Documentation/filesystems/overlayfs.rst` of the kernel. Redirects, metadata-only
//! copies and the index are switched off, so that the directory tells all by itself.

mod attempt;
mod join;
mod marks;
mod take;
#[cfg(test)]
mod tests;
mod upper_dir;
mod wait;

pub(in crate::ops) use attempt::{Attempt, attempt};
pub(in crate::ops) use take::take_in;
pub use upper_dir::UpperDir;
pub(in crate::ops) use upper_dir::{RUNNING, remove_tree, source_of};
pub(in crate::ops) use wait::{end, end_orphan, is_accelerated};
