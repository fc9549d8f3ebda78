//! One view a result.

mod annotation;
mod apply;
mod approval;
mod backup;
mod bus;
mod cache;
mod changes;
mod checkpoint;
mod commit;
mod compare;
mod config;
mod conflict;
mod demo;
mod diff;
mod doctor;
mod du;
mod event;
mod export;
mod graph;
mod health;
mod hook;
mod lock;
mod materialize;
mod merge;
mod mount;
mod operation;
mod policy;
mod rebuild;
mod recover;
mod repair;
mod restore;
mod retention;
mod session;
mod source;
mod store;
mod tag;
mod trash;
mod tree;
mod verify;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub use annotation::AnnotationView;
pub use apply::ApplyView;
pub use approval::{ApprovalAction, ApprovalView};
pub use backup::BackupView;
pub use bus::{MessageView, PublishedView};
pub use cache::{CacheEntryView, CacheImportedView, CacheRemovedView, CacheSetView, CacheStatsView, CacheValueView};
pub use changes::{ChangeView, NameStatusView, StatView, StatusView};
pub use checkpoint::{CheckpointAction, CheckpointView};
pub use commit::{CommitAction, CommitView, DraftView};
pub use compare::CompareView;
pub use config::{PathsView, SettingView};
pub use conflict::{ConflictView, ResolvedView, SidesView};
pub use demo::StepView;
pub use diff::{DiffForm, DiffView};
pub use doctor::FindingView;
pub use du::DiskUseView;
pub use event::{EventView, EventsPrunedView};
pub use export::ExportView;
pub use graph::GraphView;
pub use health::{HealthRow, HealthView};
pub use hook::{HookChangeView, HookRanView, HookRow};
pub use lock::{LockAction, LockView};
pub use materialize::{AbsorbedView, MaterializedView};
pub use merge::MergeView;
pub use mount::{MountedView, UnmountedView};
pub use operation::{OperationView, UndoneView};
pub use policy::{CheckedView, PolicyView};
pub use rebuild::RebuildView;
pub use recover::RecoveryView;
pub use repair::RepairView;
pub use restore::RestoreView;
pub use retention::AppliedView;
pub use session::{SessionAction, SessionView};
pub use source::{PrunedView, RevisionView, SourceAction, SourceView};
pub use store::{GcView, StoreStatsView};
pub use tag::TagView;
pub use trash::{TrashAction, TrashView};
pub use tree::{EntryView, LogView, NamesView};
pub use verify::VerifyView;

/// So many of something whose plural takes an `s`.
#[must_use]
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A path as a JSON string: bytes that are not UTF-8 are replaced.
#[must_use]
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// All bytes of a path in hexadecimal, if they are not UTF-8: the value of the `_hex` field beside a path.
#[must_use]
pub fn path_hex(path: &Path) -> Option<String> {
    bytes_hex(path.as_os_str().as_bytes())
}

/// Bytes of a tree as a JSON string: those that are not UTF-8 are replaced.
#[must_use]
pub fn bytes_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As [`path_hex`], for the bytes of a path inside a tree.
#[must_use]
pub fn bytes_hex(bytes: &[u8]) -> Option<String> {
    match std::str::from_utf8(bytes) {
        Ok(_) => None,
        Err(_) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_are_not_text_have_a_second_field() {
        assert_eq!(path_hex(Path::new("/größe")), None);
        assert_eq!(bytes_hex(b"/\xff").as_deref(), Some("2fff"));
    }
}
