//! Tests on real mounts. They need `/dev/fuse` and fail without it, unless `AETHER_TEST_FUSE=skip` says that there is
//! none to be had.

// In a test a failed `unwrap` is the report.
#![allow(clippy::unwrap_used)]

#[path = "mounted/control.rs"]
mod control;
#[path = "mounted/fixture.rs"]
mod fixture;
#[path = "mounted/memory.rs"]
mod memory;
#[path = "mounted/process.rs"]
mod process;
#[path = "mounted/requests.rs"]
mod requests;
#[path = "mounted/unmounting.rs"]
mod unmounting;
#[path = "mounted/users.rs"]
mod users;
