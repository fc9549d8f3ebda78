//! Sessions as they live: opened from their base and their delta, served by a mount process, or looked at from outside.

mod error;
mod frozen;
mod open;
mod salvage;
mod sealing;
mod switching;
mod tree;
mod view;
mod workspace;

pub use error::LiveError;
pub use frozen::NoUpper;
pub use open::{
    MOMENT, OpenSession, Resume, SessionBase, SessionLock, Standing, dead_deltas, delta_dir, has_files, newest_delta,
    open_session, open_store, resume_session, session_dir,
};
pub use salvage::{DamagedSession, SalvagedState, read_damaged};
pub use switching::{Outcome, order};
pub use tree::LiveTree;
pub use view::SessionView;
pub use workspace::{Rows, SessionWorkspace, What, open_workspace};
