//! One generator of random operations, a reference model of a file system, and harnesses that hold the real things
//! against it: the overlay in memory, the overlay over a delta on a disk that fails, and (in `mounted`) a real mount.
//!
//! A failing run prints its seed and the shortest list of operations that it was found to fail with.

mod delta;
pub mod freeze;
pub mod generator;
pub mod memory;
pub mod model;
mod model_rename;
pub mod operation;
mod overlay;
pub mod rng;
pub mod runner;
mod seal;
mod self_test;
pub mod shrink;
pub mod sparse;
mod switching;
pub mod tree;
