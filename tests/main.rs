//! Tests of the library through its public interface.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod changes;
mod cli;
mod crash;
mod durability;
mod generated;
mod import;
mod merge;
mod review;
mod store;
mod tidy;
