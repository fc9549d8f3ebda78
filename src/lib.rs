//! Copy-on-write workspaces: sources, sessions, and the mounts that make them live.
//!
//! The modules stand in reading order. Imports go one way only, which a test enforces:
//! `cli → ops → {catalog, store, delta, overlay} → {model, disk}`, `fuse → overlay`, `daemon → {fuse, ops}`.
//! ARCHITECTURE.md tells the whole story.

pub mod model;

pub mod disk;

pub mod overlay;

pub mod store;

pub mod delta;

pub mod fuse;

pub mod ops;

pub mod daemon;
