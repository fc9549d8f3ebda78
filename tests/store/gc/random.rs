//! Random commands against a model: a set of trees.

use aether::model::RootId;
use aether::store::StoreError;
use aether::store::gc::Options;
use tempfile::tempdir;

use super::scene::{Files, collect, files, ids, import, read_tree, store_tree};
use crate::generated::rng::Rng;
use crate::store::open;

#[test]
fn under_random_commands_every_tree_that_is_referred_to_can_be_read() {
    for seed in 0..6 {
        run(seed);
    }
}

fn run(seed: u64) {
    let mut rng = Rng::new(seed);
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let mut trees: Vec<(RootId, Files)> = Vec::new();
    for step in 0..40 {
        match rng.below(8) {
            0..=2 => {
                let files = some_files(&mut rng);
                trees.push((import(&store, &files), files));
            }
            3 if !trees.is_empty() => {
                let at = rng.below(trees.len() as u64) as usize;
                trees.swap_remove(at);
            }
            // Stored, and never referred to.
            4 => drop(import(&store, &some_files(&mut rng))),
            5 => store = open(dir.path()),
            6 => {
                // Someone stores a tree while it is collected, and refers to it in time.
                let hold = store.hold().unwrap();
                let files = some_files(&mut rng);
                let root = store_tree(&hold, &files).unwrap();
                trees.push((root, files));
                let mut hold = Some(hold);
                let mut roots = |_| {
                    // The first look comes too early to see it.
                    let early = usize::from(hold.take().is_some());
                    Ok::<_, StoreError>(ids(&roots_of(&trees)[..trees.len() - early]))
                };
                store.collect(&mut roots, &Options::default(), &()).unwrap();
            }
            _ => drop(collect(&store, &roots_of(&trees)).unwrap()),
        }
        for (root, files) in &trees {
            read_tree(&store, *root, files).unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error:?}"));
        }
    }
    let done = collect(&store, &roots_of(&trees)).unwrap();
    let again = collect(&store, &roots_of(&trees)).unwrap();
    assert_eq!(done.live_objects, again.live_objects);
    assert_eq!(again.deleted_packs, 0);
    for (root, files) in &trees {
        read_tree(&open(dir.path()), *root, files).unwrap();
    }
}

fn some_files(rng: &mut Rng) -> Files {
    let (from, count) = (rng.below(40), rng.below(6));
    files(from..from + count)
}

fn roots_of(trees: &[(RootId, Files)]) -> Vec<RootId> {
    trees.iter().map(|(root, _)| *root).collect()
}
