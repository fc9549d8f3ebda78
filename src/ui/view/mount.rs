//! Mounts that came and went.

use std::path::Path;

use serde::Serialize;

use crate::ops::session_mount::Mount;
use crate::ui::{Page, Paint, View};

use super::{path_hex, path_text};

/// A mount that answers.
#[derive(Debug, Serialize)]
pub struct MountedView {
    name: String,
    tag: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    pid: u32,
    read_only: bool,
}

impl MountedView {
    /// The view of a mount.
    #[must_use]
    pub fn new(mount: &Mount) -> Self {
        Self {
            name: mount.name.clone(),
            tag: mount.tag.clone(),
            path: path_text(&mount.mount_point),
            path_hex: path_hex(&mount.mount_point),
            pid: mount.pid,
            read_only: mount.read_only,
        }
    }
}

impl View for MountedView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, &self.path).end();
    }
}

/// A mount that is gone.
#[derive(Debug, Serialize)]
pub struct UnmountedView {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

impl UnmountedView {
    /// The view of a place where nothing is mounted any more.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path_text(path), path_hex: path_hex(path) }
    }
}

impl View for UnmountedView {
    fn text(&self, page: &mut Page) {
        page.put(Paint::Plain, "Unmounted ").put(Paint::Strong, &self.path).end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.path.clone())
    }
}
