//! The use cases, one module a verb: what the command line and the tests both call.

pub mod import;
pub mod rules;
pub mod seal;
