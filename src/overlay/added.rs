//! The names that a session added to a directory, in the order they came, for listings.
//!
//! The names themselves are in the map of the directory's names; here is what they are found by there. It lies in runs that
//! are shared with snapshots until one of the two changes.

use std::sync::Arc;

/// Names of a run.
const RUN: usize = 256;

/// Added names by the positions they are listed at.
#[derive(Clone, Debug, Default)]
pub(super) struct Added {
    /// Never empty ones, in order.
    runs: Vec<Arc<Run>>,
}

#[derive(Clone, Debug)]
struct Run {
    /// The position that the others are told from.
    first: u64,
    /// Distances from it, and what names are found by.
    names: Vec<(u32, u32)>,
}

impl Run {
    fn last(&self) -> u64 {
        self.names.last().map_or(self.first, |(distance, _)| self.first + u64::from(*distance))
    }

    /// The distance of a position, if the run can have it.
    fn distance(&self, cookie: u64) -> Option<u32> {
        u32::try_from(cookie.checked_sub(self.first)?).ok()
    }
}

impl Added {
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds a name behind all others: `cookie` is greater than every one before. `spread` is what the name is found by.
    pub fn push(&mut self, cookie: u64, spread: u32) {
        if let Some(run) = self.runs.last_mut().filter(|run| run.names.len() < RUN)
            && let Some(distance) = run.distance(cookie)
        {
            return Arc::make_mut(run).names.push((distance, spread));
        }
        self.runs.push(Arc::new(Run { first: cookie, names: vec![(0, spread)] }));
    }

    pub fn remove(&mut self, cookie: u64) {
        let at = self.run_of(cookie);
        let Some(run) = self.runs.get_mut(at) else { return };
        let Some(distance) = run.distance(cookie) else { return };
        if let Ok(place) = run.names.binary_search_by_key(&distance, |(distance, _)| *distance) {
            if run.names.len() == 1 {
                self.runs.remove(at);
            } else {
                Arc::make_mut(run).names.remove(place);
            }
        }
    }

    /// From a position on: positions, and what the names at them are found by.
    pub fn from(&self, cookie: u64) -> impl Iterator<Item = (u64, u32)> + '_ {
        let runs = &self.runs[self.run_of(cookie)..];
        let all = runs
            .iter()
            .flat_map(|run| run.names.iter().map(|&(distance, spread)| (run.first + u64::from(distance), spread)));
        all.skip_while(move |(own, _)| *own < cookie)
    }

    /// The first run that ends at the position or behind it.
    fn run_of(&self, cookie: u64) -> usize {
        self.runs.partition_point(|run| run.last() < cookie)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn names_stay_in_order_while_others_come_and_go() {
        // Also far from each other, as when the session made others meanwhile.
        for step in [3_u64, 1 << 31] {
            let (mut added, mut plain) = (Added::default(), BTreeMap::new());
            for number in 0..3000_u32 {
                let cookie = u64::from(number) * step;
                added.push(cookie, number);
                plain.insert(cookie, number);
                for gone in [cookie / step * 2 / 3 * step, cookie / step / 2 * step] {
                    added.remove(gone);
                    plain.remove(&gone);
                }
                added.remove(cookie + 1);
            }
            assert!(plain.len() > 500);
            for start in [0, 1, 500, 1500, 1501, 2999, 3000].map(|number| number * step) {
                for start in [start, start + 1] {
                    let found: Vec<_> = added.from(start).collect();
                    assert_eq!(found, plain.range(start..).map(|(a, b)| (*a, *b)).collect::<Vec<_>>());
                }
            }
            plain.keys().for_each(|cookie| added.remove(*cookie));
            assert!(added.is_empty() && added.from(0).next().is_none());
        }
    }
}
