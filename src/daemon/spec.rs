//! What a mount process is told to do.

use std::num::NonZero;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fuse::{Config, MountOptions};

use super::{MemoryLimits, path_text};

/// The order to serve a mount. All paths are absolute and resolved; nothing in it is checked again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServeSpec {
    /// What the mount table calls it: the id of a session, or the name of a revision or checkpoint.
    pub tag: String,
    /// What to serve, for whoever makes the [`Workspace`](super::Workspace); nobody else reads it.
    pub what: Value,
    /// The data directory.
    #[serde(with = "path_text")]
    pub data_dir: PathBuf,
    /// Where records and sockets of mounts are; see [`RunDir`](super::RunDir).
    #[serde(with = "path_text")]
    pub run_dir: PathBuf,
    /// Where to mount.
    #[serde(with = "path_text")]
    pub mount_point: PathBuf,
    /// Whether the mount point was made for this mount, and goes with it.
    pub created_mount_point: bool,
    /// Mount options.
    pub options: MountOptions,
    /// Threads that answer requests; a sensible number if not given.
    pub threads: Option<NonZero<usize>>,
    /// Where a process in the background writes its log.
    #[serde(with = "path_text")]
    pub log: PathBuf,
    /// What it writes there: `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
}

impl ServeSpec {
    pub(super) fn config(&self) -> Config {
        let default = Config::default();
        let wanted = self.threads.unwrap_or(default.threads);
        Config { threads: MemoryLimits::of_process().threads(wanted), ..default }
    }
}
