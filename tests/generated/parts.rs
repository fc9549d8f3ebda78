//! What of the generator the tests on real mounts use: the operations and who makes them, without the harnesses in memory.

pub mod generator;
pub mod model;
mod model_rename;
pub mod operation;
pub mod rng;
pub mod runner;
pub mod shrink;
pub mod sparse;
