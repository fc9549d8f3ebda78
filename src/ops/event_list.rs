//! The history: looking at it, and following it.

use crate::catalog::{self, Event, EventFilter, ObjectType};

use super::coordination::check_text;
use super::error::Result;
use super::wake::Wakes;
use super::{Context, Error};

/// The longest type, or pattern of types, in bytes.
const MAX_TYPE_BYTES: usize = 1000;

/// A line of the history, and the name of its object, if that is known.
pub type Named = (Event, Option<String>);

/// The lines that are wanted, oldest first.
///
/// # Errors
/// What the catalog says.
pub fn list(cx: &mut Context, filter: &EventFilter) -> Result<Vec<Named>> {
    check(filter)?;
    let view = cx.catalog()?.view();
    let events = view.events(filter)?.into_iter();
    events.map(|event| view.name_of(&event).map(|name| (event, name)).map_err(Into::into)).collect()
}

/// Refuses a type that none can be.
fn check(filter: &EventFilter) -> Result<()> {
    filter.what.as_ref().map_or(Ok(()), |what| check_text("the type", what, MAX_TYPE_BYTES))
}

/// The id of the session that events are wanted of; one in the trash is found, too, and one that is gone by its id.
///
/// # Errors
/// There is none of that name, or several could be meant.
pub fn object(cx: &mut Context, key: &str) -> Result<String> {
    match cx.resolve_session(Some(key)) {
        Ok(session) => Ok(session.id),
        Err(error) => {
            let view = cx.catalog()?.view();
            let is_gone = || catalog::has_id_form(key).then(|| key.to_owned());
            let trashed = view.trashed(key).ok().filter(|found| found.kind == ObjectType::Session);
            trashed.map(|found| found.id).or_else(is_gone).ok_or(error)
        }
    }
}

/// Hands over lines as they come, until `show` says that it was enough: those after `filter.after`, or else those from now on.
///
/// # Errors
/// What the catalog, the system or `show` says.
pub fn follow<E: From<Error>>(
    cx: &mut Context,
    mut filter: EventFilter,
    from_now: bool,
    mut show: impl FnMut(&Named) -> std::result::Result<bool, E>,
) -> std::result::Result<(), E> {
    check(&filter)?;
    let data_dir = cx.paths.data.clone();
    let newest = cx.catalog().map_err(E::from)?.view().newest_event().map_err(Error::from)?;
    // Watched before the first look, so that nothing falls between the two.
    let mut wakes = Wakes::watch(&data_dir)?;
    if from_now {
        filter.after = newest;
    }
    loop {
        if !show_new(cx, &mut filter, &mut show)? || !wakes.wait(None) {
            return Ok(());
        }
    }
}

fn show_new<E: From<Error>>(
    cx: &mut Context,
    filter: &mut EventFilter,
    show: &mut impl FnMut(&Named) -> std::result::Result<bool, E>,
) -> std::result::Result<bool, E> {
    // Lines that are not wanted are passed over, too; those that come after this look are not.
    let newest = cx.catalog().map_err(E::from)?.view().newest_event().map_err(Error::from)?;
    if newest <= filter.after {
        return Ok(true);
    }
    for event in list(cx, filter)? {
        if !show(&event)? {
            return Ok(false);
        }
        filter.after = event.0.seq;
    }
    filter.after = filter.after.max(newest);
    Ok(true)
}
