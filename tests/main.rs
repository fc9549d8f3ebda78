//! Tests of the library through its public interface.
#![allow(clippy::unwrap_used, missing_docs)]

<<<<<<< HEAD
mod crash;
mod generated;
=======
mod changes;
>>>>>>> 810fea0 (changes: how two trees differ, and patches of it)
mod import;
mod store;
