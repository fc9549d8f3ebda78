//! Freezing: until a decision about its content, a session cannot be changed.
//!
//! The catalog says whether it is frozen, so that it stays so over remounts and take-overs; a mount that is there is told.

use serde_json::json;

use crate::daemon::Failure;
use crate::daemon::control::Request as Order;

use super::Context;
use super::error::Result;
use super::session_mount::{live_mount, run_dir};

/// Tells the mount of a session, if it has one, what the catalog says.
///
/// # Errors
/// The mount process cannot be reached.
pub fn tell(cx: &mut Context, session: &str) -> Result<()> {
    let frozen = cx.catalog()?.view().freezing(session)?.is_some();
    order(cx, session, frozen)
}

/// Has the mount of a session refuse changes, or allow them again.
///
/// # Errors
/// As [`tell`].
pub fn order(cx: &mut Context, session: &str, frozen: bool) -> Result<()> {
    let run = run_dir(cx)?;
    let Some(record) = live_mount(cx, &run, session)? else { return Ok(()) };
    let mut client = record.connect(&run)?;
    match client.call(&Order::new("freeze", json!({ "frozen": frozen }))) {
        // It was unmounted meanwhile; the next mount asks the catalog.
        Err(Failure { code, .. }) if code == "control-unreachable" && live_mount(cx, &run, session)?.is_none() => {
            Ok(())
        }
        answer => Ok(answer.map(drop)?),
    }
}
