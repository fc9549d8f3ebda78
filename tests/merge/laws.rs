//! What must hold of any merge, whatever the trees.

use std::collections::BTreeSet;

use aether::model::BytePath;
use aether::model::merge::{Conflict, ConflictKind, Merged};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::forest::{Forest, Paths, What};
use super::histories::{History, Style, history};

/// What a conflict is about, whichever side one stands on.
fn subject(conflict: &Conflict) -> (Vec<ConflictKind>, BTreeSet<BytePath>) {
    // At a path where more than two files meet, two of them are named.
    if conflict.kinds.contains(&ConflictKind::BothAdded) {
        return (conflict.kinds.clone(), BTreeSet::from([conflict.path.clone()]));
    }
    let versions = [&conflict.base, &conflict.ours, &conflict.theirs].into_iter().flatten();
    (conflict.kinds.clone(), versions.map(|version| version.path.clone()).collect())
}

/// All bytes of files, and targets of links, that a tree has.
fn lines(tree: &Paths) -> BTreeSet<Vec<u8>> {
    let mut lines = BTreeSet::new();
    for thing in tree.0.values() {
        match &thing.what {
            What::File(bytes) => lines.extend(bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec)),
            What::Link(target) => drop(lines.insert(target.clone())),
            What::Dir => {}
        }
    }
    lines
}

fn seed() -> RngSeed {
    match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_240),
        named => named,
    }
}

proptest! {
    // The same histories each time, unless PROPTEST_RNG_SEED names others.
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn what_only_one_side_changed_is_taken(seed: u64) {
        let History { base, ours, .. } = history(seed, Style::Any);
        let forest = Forest::default();
        let (kept, merged) = forest.merge(&base, &ours, &base);
        prop_assert!(merged.is_nothing());
        prop_assert_eq!(kept, ours.clone());
        let (taken, merged) = forest.merge(&base, &base, &ours);
        prop_assert!(merged.is_clean(), "{:#?}", merged.conflicts);
        prop_assert_eq!(taken.contents(), ours.contents());
        let (same, merged) = forest.merge(&base, &ours, &ours);
        prop_assert!(merged.is_nothing());
        prop_assert_eq!(same, ours);
    }

    #[test]
    fn both_sides_see_the_same_conflicts_and_the_same_tree(seed: u64) {
        let History { base, ours, theirs } = history(seed, Style::Any);
        let forest = Forest::default();
        let (tree, there) = forest.merge(&base, &ours, &theirs);
        let (other, back) = forest.merge(&base, &theirs, &ours);
        prop_assert_eq!(there.is_clean(), back.is_clean());
        // Ours stays where a directory and a file meet, and where both moved a file apart. What that is in the way of is
        // not the same on both sides.
        let depends = |merged: &Merged| {
            let kinds = merged.conflicts.iter().flat_map(|conflict| &conflict.kinds);
            kinds.into_iter().any(|kind| matches!(kind, ConflictKind::DirectoryFile | ConflictKind::Rename))
        };
        if !depends(&there) && !depends(&back) {
            let subjects = |conflicts: &[Conflict]| conflicts.iter().map(subject).collect::<BTreeSet<_>>();
            let (left, right) = (subjects(&there.conflicts), subjects(&back.conflicts));
            let differing: Vec<_> = left.symmetric_difference(&right).collect();
            prop_assert!(left == right, "{differing:?}");
        }
        if there.is_clean() {
            let (left, right) = (tree.contents(), other.contents());
            let differing: Vec<_> = left.iter().filter(|(path, it)| right.get(path) != Some(it)).collect();
            prop_assert!(left == right, "{differing:#?}");
        }
    }

    #[test]
    fn merging_the_result_again_does_nothing(seed: u64) {
        let History { base, ours, theirs } = history(seed, Style::Any);
        let forest = Forest::default();
        let (tree, merged) = forest.merge(&base, &ours, &theirs);
        if merged.is_clean() {
            // With the old base, what was renamed is guessed anew from another tree, and may not be clear any more.
            let (again, merged) = forest.merge(&base, &tree, &theirs);
            prop_assert!(!merged.is_clean() || again == tree, "{merged:#?}");
        }
        // But that is never asked for: what was merged is in ours from then on, and theirs is the base of the next merge.
        let (again, merged) = forest.merge(&theirs, &tree, &theirs);
        prop_assert!(merged.is_nothing());
        prop_assert_eq!(again, tree);
    }

    #[test]
    fn nothing_appears_that_neither_side_had(seed: u64) {
        let History { base, ours, theirs } = history(seed, Style::Any);
        let (tree, merged) = Forest::default().merge(&base, &ours, &theirs);
        let mut known = lines(&ours);
        known.extend(lines(&theirs));
        if merged.conflicts.iter().all(|conflict| !conflict.has_markers) {
            prop_assert!(lines(&tree).is_subset(&known));
        }
    }

    #[test]
    fn what_theirs_did_not_touch_stays_the_same_file(seed: u64) {
        let History { base, ours, theirs } = history(seed, Style::Any);
        let (tree, merged) = Forest::default().merge(&base, &ours, &theirs);
        let touched: BTreeSet<_> = merged.placed.iter().map(|placed| &placed.path).chain(&merged.removed).collect();
        for (path, thing) in ours.0.iter().filter(|(path, _)| !touched.contains(path)) {
            prop_assert_eq!(tree.0.get(path), Some(thing));
        }
    }
}
