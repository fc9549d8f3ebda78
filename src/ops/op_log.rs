//! Looking at the operation log.

use crate::catalog::{Event, Operation, RowChange, UndoError, View};

use super::error::Result;
use super::{Context, Error};

/// An operation and what it did.
#[derive(Clone, Debug)]
pub struct OperationInfo {
    /// The operation.
    pub operation: Operation,
    /// Its lines in the history, each with the name of its object.
    pub events: Vec<(Event, Option<String>)>,
}

/// The newest operations, newest first.
///
/// # Errors
/// What the catalog says.
pub fn list(cx: &mut Context, limit: u32) -> Result<Vec<OperationInfo>> {
    let view = cx.catalog()?.view();
    view.operations(limit)?.into_iter().map(|operation| info(view, operation)).collect()
}

/// One operation, with what it did to rows.
///
/// # Errors
/// [`UndoError::NoOperation`], or what the catalog says.
pub fn show(cx: &mut Context, seq: i64) -> Result<(OperationInfo, Vec<RowChange>)> {
    let view = cx.catalog()?.view();
    let none = || Error::Catalog(UndoError::NoOperation { seq }.into());
    let operation = view.operation(seq)?.ok_or_else(none)?;
    Ok((info(view, operation)?, view.row_changes(seq)?))
}

fn info(view: View<'_>, operation: Operation) -> Result<OperationInfo> {
    let events = view.events_of(operation.seq)?.into_iter();
    let events = events.map(|event| {
        let name = view.name_of(&event)?;
        Ok((event, name))
    });
    Ok(OperationInfo { operation, events: events.collect::<Result<_>>()? })
}
