//! From a failing list of operations to a short one that fails too.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::operation::Op;

/// How often a failing list may be tried again in a shorter form.
const TRIES: usize = 600;

/// Seeds of the `first` million, `count` of them. By hand, `AETHER_TEST_SEED` picks one and `AETHER_TEST_SEEDS` multiplies
/// their number.
pub fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let first = first * 1_000_000;
    match (number("AETHER_TEST_SEED"), number("AETHER_TEST_SEEDS")) {
        (Some(one), _) if (first..first + 1_000_000).contains(&one) => one..one + 1,
        (Some(_), _) => first..first,
        (None, factor) => first..first + count * factor.unwrap_or(1),
    }
}

#[allow(clippy::disallowed_methods, reason = "the library must not read the environment, but its tests may")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the list; a panic counts as a failure.
fn attempt(ops: &[Op], run: &dyn Fn(&[Op]) -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| run(ops))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().map(|&text| text.into())).unwrap_or_default()))
    })
}

/// Runs the list, and on failure panics with the seed and the shortest list that was found to fail.
///
/// # Panics
/// When the list fails.
pub fn check(seed: u64, mut ops: Vec<Op>, run: &dyn Fn(&[Op]) -> Result<(), String>) {
    let Err(mut fault) = attempt(&ops, run) else { return };
    let (mut tries, mut chunk) = (0, ops.len().div_ceil(2));
    while chunk > 0 && tries < TRIES {
        let mut at = 0;
        let before = ops.len();
        while at < ops.len() && tries < TRIES {
            let mut shorter = ops.clone();
            shorter.drain(at..(at + chunk).min(ops.len()));
            tries += 1;
            match attempt(&shorter, run) {
                Err(other) => (ops, fault) = (shorter, other),
                Ok(()) => at += chunk,
            }
        }
        if ops.len() == before {
            chunk /= 2;
        }
    }
    let mut text = format!("seed {seed} fails: {fault}\nafter");
    for (step, op) in ops.iter().enumerate() {
        let _ = write!(text, "\n{step:4} {op:?}");
    }
    panic!("{text}");
}
