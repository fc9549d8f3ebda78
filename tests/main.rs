//! Tests of the library through its public interface.
#![allow(clippy::unwrap_used, missing_docs)]

mod changes;
mod crash;
mod generated;
mod import;
mod store;
