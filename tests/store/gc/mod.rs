//! Collections: what they delete, what they never delete, whoever writes or reads meanwhile, wherever they are killed.

mod concurrent;
mod killed;
mod large;
mod random;
pub mod scene;
mod simple;
