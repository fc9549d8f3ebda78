//! What goes by itself when its time is over: sessions with an expiry, and automatic checkpoints. A collection of the
//! store applies this; no command that writes does.

use std::collections::BTreeSet;

use crate::catalog::{Checkpoint, CheckpointKind, Session, Status};
use crate::config::Retention;

use super::error::Result;
use super::{Context, session_archive, session_delete};

const DAY_NS: i64 = 86_400_000_000_000;
const HOUR_NS: i64 = DAY_NS / 24;

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Names of sessions that were archived.
    pub archived: Vec<String>,
    /// Names of sessions that went to the trash.
    pub trashed: Vec<String>,
    /// Names of sessions that are due and in use, and why they stay for now.
    pub busy: Vec<(String, String)>,
    /// Automatic checkpoints that went to the trash.
    pub checkpoints: Vec<String>,
}

/// What is due.
#[derive(Debug, Default)]
struct Due {
    archive: Vec<Session>,
    trash: Vec<Session>,
    checkpoints: Vec<(Session, Checkpoint)>,
}

/// Applies it.
///
/// # Errors
/// What the catalog says. A session that is in use is no error: its turn comes the next time.
pub fn apply(cx: &mut Context, rules: &Retention) -> Result<Applied> {
    super::reserve::lend(&cx.paths.data);
    let due = due(cx, rules)?;
    let mut applied = Applied::default();
    for session in due.archive {
        match session_archive::archive(cx, Some(&session.id)) {
            Ok(_) => applied.archived.push(session.name),
            Err(error) => applied.busy.push((session.name, error.to_string())),
        }
    }
    for session in due.trash {
        match session_delete::to_trash(cx, &session) {
            Ok(()) => applied.trashed.push(session.name),
            Err(error) => applied.busy.push((session.name, error.to_string())),
        }
    }
    if !due.checkpoints.is_empty() {
        cx.write(|tx| Ok(due.checkpoints.iter().try_for_each(|(_, checkpoint)| tx.delete_checkpoint(checkpoint))?))?;
    }
    applied.checkpoints = names(&due.checkpoints);
    Ok(applied)
}

/// What [`apply`] would do. Whether a session is in use shows only when it is done.
///
/// # Errors
/// What the catalog says.
pub fn preview(cx: &mut Context, rules: &Retention) -> Result<Applied> {
    let due = due(cx, rules)?;
    let name = |session: Session| session.name;
    Ok(Applied {
        archived: due.archive.into_iter().map(name).collect(),
        trashed: due.trash.into_iter().map(name).collect(),
        busy: Vec::new(),
        checkpoints: names(&due.checkpoints),
    })
}

fn names(checkpoints: &[(Session, Checkpoint)]) -> Vec<String> {
    checkpoints.iter().map(|(session, checkpoint)| format!("{}@{}", session.name, checkpoint.number)).collect()
}

fn due(cx: &mut Context, rules: &Retention) -> Result<Due> {
    let now = cx.now_ns;
    let view = cx.catalog()?.view();
    let mut due = Due::default();
    for session in view.sessions()? {
        let is_over = |days| session.expires_ns.is_some_and(|expires| expires.saturating_add(days) <= now);
        if is_over(0) && session.status != Status::Archived {
            due.archive.push(session);
        } else if is_over(days(rules.expired_days)) && session.status == Status::Archived {
            due.trash.push(session);
        } else {
            let mut automatic = view.checkpoints(&session.id)?;
            automatic.retain(|checkpoint| checkpoint.kind == CheckpointKind::Auto && checkpoint.name.is_none());
            let going = superfluous(automatic, rules).into_iter();
            due.checkpoints.extend(going.map(|checkpoint| (session.clone(), checkpoint)));
        }
    }
    Ok(due)
}

fn days(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(DAY_NS)
}

/// Those that no rule keeps, of checkpoints that are sorted by age, the newest first.
fn superfluous(checkpoints: Vec<Checkpoint>, rules: &Retention) -> Vec<Checkpoint> {
    let (mut hours, mut days) = (BTreeSet::new(), BTreeSet::new());
    let first_in = |seen: &mut BTreeSet<i64>, unit: i64, limit: u64, at: i64| {
        (seen.len() as u64) < limit && seen.insert(at.div_euclid(unit))
    };
    let mut count = 0;
    let mut is_kept = |checkpoint: &Checkpoint| {
        count += 1;
        let hourly = first_in(&mut hours, HOUR_NS, rules.auto_hourly, checkpoint.created_ns);
        let daily = first_in(&mut days, DAY_NS, rules.auto_daily, checkpoint.created_ns);
        count <= rules.auto_last || hourly || daily
    };
    checkpoints.into_iter().filter(|checkpoint| !is_kept(checkpoint)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObjectId, RootId, Totals};

    fn made(at_hours: i64) -> Checkpoint {
        Checkpoint {
            id: String::new(),
            session: String::new(),
            number: 1,
            root: RootId(ObjectId([0; 32])),
            name: None,
            message: String::new(),
            kind: CheckpointKind::Auto,
            reason: None,
            totals: Totals { files: 0, dirs: 0, size_bytes: 0 },
            created_ns: at_hours * HOUR_NS + 7,
            actor: String::new(),
        }
    }

    fn going(rules: [u64; 3], at_hours: &[i64]) -> Vec<i64> {
        let [auto_last, auto_hourly, auto_daily] = rules;
        let rules = Retention { expired_days: 0, auto_last, auto_hourly, auto_daily, events_days: 0 };
        let found = superfluous(at_hours.iter().map(|&at| made(at)).collect(), &rules);
        found.iter().map(|checkpoint| checkpoint.created_ns / HOUR_NS).collect()
    }

    #[test]
    fn the_newest_of_each_hour_and_day_are_kept_and_the_last_ones() {
        let all = [100, 100, 100, 99, 98, 73, 72, 50, 49, 48, 1];
        assert_eq!(going([0, 0, 0], &all), all);
        assert_eq!(going([3, 0, 0], &all), all[3..]);
        assert_eq!(going([0, 3, 0], &all), [100, 100, 73, 72, 50, 49, 48, 1]);
        assert_eq!(going([0, 0, 3], &all), [100, 100, 99, 98, 72, 49, 48, 1]);
        assert_eq!(going([1, 2, 4], &all), [100, 100, 98, 72, 49, 48]);
        assert!(going([99, 0, 0], &all).is_empty());
    }
}
