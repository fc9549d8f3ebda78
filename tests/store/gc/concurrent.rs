//! Imports, readers and collections at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use aether::model::RootId;
use aether::store::StoreError;
use aether::store::gc::{Look, Options};
use tempfile::tempdir;

use super::scene::{Files, files, ids, read_tree, store_tree};
use crate::generated::rng::Rng;
use crate::store::open;

type Rows = (Vec<(RootId, Files)>, Vec<RootId>);

#[test]
fn imports_and_readers_never_miss_anything_while_collections_run() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()));
    // The catalog of this test: a row is added while the importer has its hold. Beside it, what was dropped.
    let rows: Mutex<Rows> = Mutex::default();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let importers: Vec<_> = (0..3u64)
            .map(|number| {
                let (rows, dir) = (&rows, dir.path());
                scope.spawn(move || {
                    let store = open(dir);
                    let mut rng = Rng::new(number);
                    for _ in 0..25 {
                        let from = rng.below(30);
                        let files = files(from..from + 1 + rng.below(4));
                        let hold = store.hold().unwrap();
                        let root = store_tree(&hold, &files).unwrap();
                        rows.lock().unwrap().0.push((root, files));
                        drop(hold);
                        // Old rows go.
                        let mut rows = rows.lock().unwrap();
                        if rows.0.len() > 6 {
                            let at = rng.below(rows.0.len() as u64) as usize;
                            let (root, _) = rows.0.swap_remove(at);
                            rows.1.push(root);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let store = open(dir.path());
            let mut collections = 0;
            while !ended.load(Ordering::Relaxed) || collections == 0 {
                let mut roots = |look| {
                    let mut rows = rows.lock().unwrap();
                    if look == Look::First {
                        rows.1.clear();
                    }
                    let all: Vec<_> = rows.0.iter().map(|(root, _)| *root).chain(rows.1.iter().copied()).collect();
                    Ok::<_, StoreError>(ids(&all))
                };
                store.collect(&mut roots, &Options::default(), &()).unwrap();
                collections += 1;
            }
        });
        scope.spawn(|| {
            let store = open(dir.path());
            while !ended.load(Ordering::Relaxed) {
                // Whoever has a hold can read what was referred to when he looked, also if that ends.
                let _hold = store.hold().unwrap();
                let row = rows.lock().unwrap().0.first().cloned();
                if let Some((root, files)) = row {
                    read_tree(&store, root, &files).unwrap();
                }
            }
        });
        let results: Vec<_> = importers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.store(true, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
    });
    let rows = rows.into_inner().unwrap();
    for (root, files) in &rows.0 {
        read_tree(&open(dir.path()), *root, files).unwrap();
    }
}
