//! The names that a session added to a directory, in the order they came, for listings.
//!
//! They lie in runs that are shared with snapshots until one of the two changes.

use std::sync::Arc;

use crate::model::Name;

/// Names of a run.
const RUN: usize = 256;

/// Added names by the positions they are listed at.
#[derive(Clone, Debug, Default)]
pub(super) struct Added {
    /// Never empty ones, in order.
    runs: Vec<Arc<Vec<(u64, Name)>>>,
}

impl Added {
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds a name behind all others: `cookie` is greater than every one before.
    pub fn push(&mut self, cookie: u64, name: Name) {
        match self.runs.last_mut().filter(|run| run.len() < RUN) {
            Some(run) => Arc::make_mut(run).push((cookie, name)),
            None => self.runs.push(Arc::new(vec![(cookie, name)])),
        }
    }

    pub fn remove(&mut self, cookie: u64) {
        let at = self.run_of(cookie);
        let Some(run) = self.runs.get_mut(at) else { return };
        if let Ok(place) = run.binary_search_by_key(&cookie, |(cookie, _)| *cookie) {
            if run.len() == 1 {
                self.runs.remove(at);
            } else {
                Arc::make_mut(run).remove(place);
            }
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.from(0).map(|(_, name)| name)
    }

    /// The names from a position on.
    pub fn from(&self, cookie: u64) -> impl Iterator<Item = (u64, &Name)> {
        let at = self.run_of(cookie);
        let names = self.runs[at..].iter().flat_map(|run| run.iter());
        names.skip_while(move |(own, _)| *own < cookie).map(|(cookie, name)| (*cookie, name))
    }

    /// The first run that ends at the position or behind it.
    fn run_of(&self, cookie: u64) -> usize {
        self.runs.partition_point(|run| run.last().is_none_or(|(last, _)| *last < cookie))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn name(number: u64) -> Name {
        Name::new(format!("n{number}").as_bytes()).unwrap()
    }

    #[test]
    fn names_stay_in_order_while_others_come_and_go() {
        let (mut added, mut plain) = (Added::default(), BTreeMap::new());
        for cookie in 0..3000 {
            added.push(cookie * 3, name(cookie));
            plain.insert(cookie * 3, name(cookie));
            for gone in [cookie * 2, cookie * 3 / 2] {
                added.remove(gone);
                plain.remove(&gone);
            }
        }
        for start in [0, 1, 1500, 4500, 4501, 8997, 8998] {
            let found: Vec<_> = added.from(start).collect();
            assert_eq!(found, plain.range(start..).map(|(cookie, name)| (*cookie, name)).collect::<Vec<_>>());
        }
        plain.keys().for_each(|cookie| added.remove(*cookie));
        assert!(added.is_empty() && added.names().next().is_none());
    }
}
