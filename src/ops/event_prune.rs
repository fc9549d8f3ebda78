//! Letting go of the oldest part of the history.

use super::Context;
use super::error::Result;

/// What is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What happened at this time or later, in nanoseconds since the Unix epoch.
    Since(i64),
    /// So many of the newest events.
    Newest(u64),
}

/// What goes, or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The number of the last event that goes; 0: none does.
    pub upto: i64,
    /// How many go.
    pub events: u64,
}

/// What would go.
///
/// # Errors
/// What the catalog says.
pub fn plan(cx: &mut Context, keep: Keep) -> Result<Pruned> {
    let view = cx.catalog()?.view();
    let upto = match keep {
        Keep::Since(time_ns) => view.events_before(time_ns)?,
        Keep::Newest(count) => view.events_but(count)?,
    };
    Ok(Pruned { upto, events: view.events_upto(upto)? })
}

/// Removes what was planned. That it happened is in the history before anything goes.
///
/// # Errors
/// What the catalog says.
pub fn run(cx: &mut Context, planned: Pruned) -> Result<()> {
    if planned.events == 0 {
        return Ok(());
    }
    cx.write(|tx| Ok(tx.note_prune(planned.upto, planned.events)?))?;
    cx.forget_events(planned.upto)
}
