//! The delta on a disk that fails and loses power.

mod basics;
mod scene;
