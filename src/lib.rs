//! Copy-on-write workspaces: sources, sessions, and the mounts that make them live.
//!
//! The modules stand in reading order. Imports go one way only, which a test enforces:
//! `cli → ops → {catalog, store, delta, daemon} → overlay → {model, disk}`, `daemon → fuse → overlay`.
//! ARCHITECTURE.md tells the whole story.

pub mod model;

pub mod disk;

pub mod overlay;

pub mod store;

pub mod delta;

pub mod catalog;

pub mod config;

pub mod fuse;

pub mod daemon;

pub mod ops;

pub mod ui;

pub mod cli;
