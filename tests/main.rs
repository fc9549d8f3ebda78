//! Tests.

mod import;
mod store;
