//! Tests on real mounts. They need `/dev/fuse` and fail without it, unless `AETHER_TEST_FUSE=skip` says that there is
//! none to be had.

// In a test a failed `unwrap` is the report.
#![allow(clippy::unwrap_used)]

#[path = "mounted/accelerated.rs"]
mod accelerated;
#[path = "mounted/bounds.rs"]
mod bounds;
#[path = "mounted/building.rs"]
mod building;
#[path = "mounted/collecting.rs"]
mod collecting;
#[path = "mounted/control.rs"]
mod control;
#[path = "mounted/dying.rs"]
mod dying;
#[path = "mounted/fixture.rs"]
mod fixture;
// The parts of the generator that need no mount are tested in `main`.
#[path = "mounted/forks.rs"]
mod forks;
#[allow(dead_code)]
#[path = "generated/parts.rs"]
mod generated;
#[path = "mounted/git_work.rs"]
mod git_work;
#[path = "mounted/isolation.rs"]
mod isolation;
#[path = "mounted/like_a_disk.rs"]
mod like_a_disk;
#[path = "mounted/limits.rs"]
mod limits;
#[path = "mounted/many.rs"]
mod many;
#[path = "mounted/memory.rs"]
mod memory;
#[path = "mounted/monitor.rs"]
mod monitor;
#[path = "mounted/places.rs"]
mod places;
#[path = "mounted/privileges.rs"]
mod privileges;
#[path = "mounted/process.rs"]
mod process;
#[path = "mounted/real_tools.rs"]
mod real_tools;
#[path = "mounted/requests.rs"]
mod requests;
#[path = "mounted/restoring.rs"]
mod restoring;
#[path = "mounted/same_path.rs"]
mod same_path;
#[path = "mounted/semantics.rs"]
mod semantics;
#[path = "mounted/slow_disk.rs"]
mod slow_disk;
#[path = "mounted/space.rs"]
mod space;
#[path = "mounted/stress.rs"]
mod stress;
#[path = "mounted/syscalls.rs"]
mod syscalls;
#[path = "mounted/takeover.rs"]
mod takeover;
#[path = "mounted/unmounting.rs"]
mod unmounting;
#[path = "mounted/users.rs"]
mod users;
#[path = "mounted/workspace.rs"]
mod workspace;
