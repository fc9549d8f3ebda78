//! Three-way merge: its laws, and git as the judge.

mod cases;
mod forest;
mod git_trees;
mod histories;
mod laws;
mod many_texts;
mod text;
