//! The mount process: one a mount, started by re-executing the program, in the background until the mount is gone.
//!
//! It knows how to be started, to report that it is ready, to listen on a control socket, to be found again, and to end
//! in order. What it serves it is given as a [`Workspace`]; it opens no session, store or catalog by itself.
//!
//! Invariants: it never touches its own mount; the last call of [`Workspace::finish`] comes after the last request; a
//! record of it exists before the mount does, so that whatever happens the next command finds and cleans it up.

pub mod control;

mod answers;
mod failure;
mod keeper;
mod limits;
mod logger;
mod path_text;
mod process;
mod ready;
mod registry;
mod run_dir;
mod serve;
mod setup;
mod shutdown;
mod spawn;
mod spec;
mod unmount;

pub use failure::Failure;
pub use keeper::{OWN_EXE, Roles, keep};
pub use limits::MemoryLimits;
pub use process::ProcessId;
pub use ready::{Announce, Ready};
pub use registry::{MountRecord, MountState, clean_stale, mount_of, mounts, places_of_others};
pub use run_dir::{Doing, RunDir, Turn};
pub use serve::{Connection, Opening, Workspace, serve, serve_child};
pub use spawn::spawn;
pub use spec::ServeSpec;
pub use unmount::{is_hung, kill, unmount};
