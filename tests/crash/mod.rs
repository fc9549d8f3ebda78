//! The delta on a disk that fails and loses power.

mod basics;
mod damage;
mod disk;
mod failing;
mod power;
mod rewriting;
mod rot;
mod salvage;
mod scene;
mod space;
mod syncing;
