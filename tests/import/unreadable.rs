//! Files that cannot be read, or that change, come or go while the import runs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aether::disk::RealDisk;
use aether::ops::import::{ImportError, ImportOptions, ImportProgress, Unreadable, WhyUnreadable, import_dir};
use aether::store::{Store, StoreOptions};
use rustix::io::Errno;

use super::Bench;
use super::compare::{all, content};

const NOBODY: u32 = 65_534;

/// Runs the closure as a user whom permissions bind. Credentials belong to a thread, and to those it starts.
fn as_ordinary_user<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::process::Uid::from_raw(NOBODY);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            work()
        });
        worker.join().unwrap()
    })
}

fn give_away(path: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

#[test]
fn every_unreadable_file_is_named_and_can_be_skipped() {
    let bench = Bench::new();
    for path in ["ok", "locked-file", "locked-dir/inside", "sub/locked"] {
        bench.write(path, "x");
    }
    for path in ["locked-file", "locked-dir", "sub/locked"] {
        fs::set_permissions(bench.origin().join(path), fs::Permissions::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(bench.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let objects = bench.dir.path().join("user-objects");
    fs::create_dir(&objects).unwrap();
    give_away(&objects);

    let (failed, skipped) = as_ordinary_user(|| {
        let store = Store::open(Arc::new(RealDisk), &objects, StoreOptions::default()).unwrap();
        let import = |skip_unreadable| {
            let options = ImportOptions { skip_unreadable, ..ImportOptions::default() };
            import_dir(&store.hold().unwrap(), &bench.origin(), None, &options, &(), &AtomicBool::new(false))
        };
        let skipped = import(true).unwrap();
        let paths: Vec<_> = all(&store, skipped.root).into_iter().map(|(path, _)| path.as_bytes().to_vec()).collect();
        (import(false).unwrap_err(), (paths, skipped.unreadable))
    });
    let ImportError::Unreadable { files } = &failed else { panic!("{failed}") };
    let named = |files: &[Unreadable]| -> Vec<_> {
        files.iter().map(|file| (file.path.as_bytes().to_vec(), file.why.clone())).collect()
    };
    let denied = || WhyUnreadable::Content(Errno::ACCESS);
    let expected = [b"locked-dir".as_slice(), b"locked-file", b"sub/locked"].map(|path| (path.to_vec(), denied()));
    assert_eq!(named(files), expected);
    assert!(failed.to_string().starts_with("3 files could not be read, first `locked-dir`"), "{failed}");
    assert_eq!(skipped.0, [b"ok".to_vec(), b"sub".to_vec()]);
    assert_eq!(named(&skipped.1), expected);
    for path in ["locked-file", "locked-dir"] {
        fs::set_permissions(bench.origin().join(path), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

/// Does something to the origin between the walk and the reading.
struct Meanwhile<F: Fn() + Sync>(F);

impl<F: Fn() + Sync> ImportProgress for Meanwhile<F> {
    fn walked(&self, _files: u64, _bytes: u64) {
        (self.0)();
    }
}

fn import_while(bench: &Bench, meanwhile: impl Fn() + Sync) -> Result<aether::ops::import::Imported, ImportError> {
    let no = AtomicBool::new(false);
    import_dir(
        &bench.store.hold().unwrap(),
        &bench.origin(),
        None,
        &ImportOptions::default(),
        &Meanwhile(meanwhile),
        &no,
    )
}

#[test]
fn a_file_that_vanishes_is_not_there() {
    let bench = Bench::new();
    bench.write("stays", "x");
    bench.write("goes", "x");
    bench.write("dir/goes", "x");
    let imported = import_while(&bench, || {
        fs::remove_file(bench.origin().join("goes")).unwrap();
        fs::remove_dir_all(bench.origin().join("dir")).unwrap();
    });
    let root = imported.unwrap().root;
    assert_eq!(bench.paths(root), ["dir/", "stays"]);
}

#[test]
fn a_file_changed_since_the_walk_is_taken_as_it_is_now() {
    let bench = Bench::new();
    bench.write("edited", "old");
    bench.write("replaced", "old");
    let imported = import_while(&bench, || {
        bench.write("edited", "new and longer");
        bench.write("tmp", "by rename");
        fs::rename(bench.origin().join("tmp"), bench.origin().join("replaced")).unwrap();
    });
    let root = imported.unwrap().root;
    let contents: Vec<_> = all(&bench.store, root).iter().map(|(_, entry)| content(&bench.store, entry)).collect();
    assert_eq!(contents, [b"new and longer".to_vec(), b"by rename".to_vec()]);
}

#[test]
fn a_file_replaced_by_a_link_is_not_followed() {
    let bench = Bench::new();
    bench.write("file", "x");
    let failed = import_while(&bench, || {
        let path = bench.origin().join("file");
        if fs::remove_file(&path).is_ok() {
            symlink("/etc/hostname", path).unwrap();
        }
    });
    let Err(ImportError::Unreadable { files }) = failed else { panic!("{failed:?}") };
    assert_eq!(files[0].why, WhyUnreadable::Changing);
}

#[test]
fn a_file_that_never_stops_changing_is_named() {
    let bench = Bench::new();
    bench.write("growing", vec![b'x'; 4 << 20]);
    bench.write("still", "x");
    let done = AtomicBool::new(false);
    let grow = || {
        let mut file = fs::File::options().append(true).open(bench.origin().join("growing")).unwrap();
        while !done.load(Ordering::Relaxed) {
            file.write_all(b"more").unwrap();
        }
    };
    // On a busy machine the writers may sleep through an attempt, so it may take several imports to meet them.
    let named = std::thread::scope(|scope| {
        scope.spawn(grow);
        scope.spawn(grow);
        let options = ImportOptions { skip_unreadable: true, ..ImportOptions::default() };
        let named = (0..50).find_map(|_| {
            let imported = bench.import_with(&options).unwrap();
            let first = imported.unreadable.into_iter().next()?;
            Some((first, bench.paths(imported.root)))
        });
        done.store(true, Ordering::Relaxed);
        named
    });
    let (unreadable, paths) = named.unwrap();
    assert_eq!((unreadable.path.as_bytes(), unreadable.why), (&b"growing"[..], WhyUnreadable::Changing));
    assert_eq!(paths, ["still"]);
    let imported = bench.import();
    super::compare::assert_same(&bench.store, imported.root, &bench.origin());
}
