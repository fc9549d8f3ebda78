//! The use cases, one module a verb: what the command line and the tests both call.
//!
//! A use case takes a [`Context`] and values, does its work in one catalog transaction, and returns a result. It prints
//! nothing, reads no environment, and asks nobody anything: what has to be decided is an argument.

pub mod absorb;
pub mod accelerate;
pub mod annotation;
pub mod apply;
pub mod approval;
pub mod archive;
pub mod assemble;
pub mod blank;
pub mod bus;
pub mod cache;
mod catalog_error;
pub mod changes;
pub mod checkpoint_create;
pub mod checkpoint_list;
pub mod checkpoint_restore;
pub mod command_text;
pub mod commit_create;
pub mod commit_list;
pub mod context;
pub mod coordination;
pub mod demo;
pub mod diff_tool;
pub mod doctor;
pub mod du;
mod error;
pub mod event_list;
pub mod event_prune;
pub mod export;
pub mod freeze;
pub mod fsmonitor;
pub mod gate;
pub mod git;
pub mod glob_table;
pub mod health;
mod hints;
pub mod hooks;
pub mod import;
pub mod inside;
pub mod live;
pub mod lock;
pub mod materialize;
pub mod merge;
pub mod mounts;
pub mod names;
pub mod op_log;
pub mod outcome;
mod parallel;
pub mod path_log;
pub mod policy;
mod reserve;
pub mod retention;
mod review_error;
pub mod rules;
mod run_place;
pub mod run_summary;
mod scratch;
pub mod seal;
pub mod session_apply;
pub mod session_archive;
pub mod session_changes;
pub mod session_compare;
pub mod session_create;
pub mod session_delete;
pub mod session_fork;
pub mod session_graph;
pub mod session_list;
pub mod session_mount;
pub mod session_recover;
pub mod session_rename;
pub mod session_run;
pub mod session_status;
pub mod session_unmount;
pub mod session_upgrade;
pub mod source_delete;
pub mod source_import;
pub mod source_list;
pub mod source_origin;
pub mod source_promote;
pub mod source_prune;
pub mod source_rename;
pub mod source_watch;
pub mod store_backup;
pub mod store_gc;
pub mod store_rebuild;
pub mod store_repair;
pub mod store_stats;
pub mod store_verify;

pub mod states;
pub mod stop;
pub mod tags;
pub mod time;
pub mod trash;
pub mod tree_read;
pub mod trial;
pub mod undo;
mod verify_sessions;
pub mod wake;

pub use crate::catalog::{
    Base, BusMessage, Checkpoint, CheckpointKind, Commit, ConflictRow, Event, EventFilter, Health, HealthNow,
    ImportSettings, Merge, NewSource, ObjectType, Operation, Revision, RowChange, Session, Source, SourceKind, Status,
    Trashed,
};
pub use crate::disk::umask::let_owner_in;
pub use context::Context;
pub use error::{Error, Kind, Result};
pub use review_error::ReviewError;
