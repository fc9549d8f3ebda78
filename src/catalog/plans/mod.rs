//! How SQLite finds what the catalog asks for: in tests every question is noted, so that its plan can be looked at.

use std::cell::RefCell;

thread_local! {
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes a question of this thread.
pub(super) fn note(sql: &str) {
    ASKED.with_borrow_mut(|asked| asked.push(sql.to_owned()));
}

/// The questions of this thread since the last time.
fn asked() -> Vec<String> {
    ASKED.take()
}

mod tests;
