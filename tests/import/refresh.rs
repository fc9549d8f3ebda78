//! A second import reads only what changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use aether::store::tree;

use super::Bench;
use super::compare::{all, assert_same};

fn sample() -> Bench {
    let bench = Bench::new();
    for index in 0..50 {
        bench.write(&format!("src/{}/file{index}", index % 5), format!("content {index}"));
    }
    bench
}

#[test]
fn an_untouched_tree_gives_the_same_root_without_opening_a_file() {
    let bench = sample();
    let first = bench.import();
    assert_eq!(first.stats.files_read, 50);
    // Reading changes access times, which are no change.
    fs::read(bench.origin().join("src/0/file0")).unwrap();
    let second = bench.refresh(first.root);
    assert_eq!((second.root, second.stats.files_read, second.stats.written.objects), (first.root, 0, 0));
}

#[test]
fn only_files_that_changed_are_read() {
    let bench = sample();
    let first = bench.import();
    bench.write("src/1/file1", "other");
    bench.write("new/file", "new");
    fs::remove_file(bench.origin().join("src/2/file2")).unwrap();
    fs::set_permissions(bench.origin().join("src/3/file3"), fs::Permissions::from_mode(0o600)).unwrap();
    let second = bench.refresh(first.root);
    // A change of mode changes the ctime, which covers extended attributes too.
    assert_eq!(second.stats.files_read, 3);
    assert_same(&bench.store, second.root, &bench.origin());
}

#[test]
fn a_file_rewritten_with_the_same_length_and_mtime_is_read_again() {
    let bench = sample();
    let first = bench.import();
    let path = bench.origin().join("src/1/file1");
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "CONTENT 1").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(mtime).unwrap();
    let second = bench.refresh(first.root);
    assert_same(&bench.store, second.root, &bench.origin());
    assert_ne!(second.root, first.root);
}

#[test]
fn a_file_changed_right_after_the_import_is_seen_by_the_next() {
    // Within one tick of the kernel's clock the change would have the same time.
    let bench = Bench::new();
    let mut root = None;
    for round in 0..20u8 {
        bench.write("file", [round; 8]);
        let imported = match root {
            None => bench.import(),
            Some(root) => bench.refresh(root),
        };
        root = Some(imported.root);
        assert_same(&bench.store, imported.root, &bench.origin());
    }
}

#[test]
fn directories_that_did_not_change_keep_their_nodes() {
    let bench = sample();
    let first = bench.import();
    bench.write("src/1/file1", "other");
    let second = bench.refresh(first.root);
    let dir = |root, path: &str| {
        let path = aether::model::BytePath::parse(path.as_bytes()).unwrap();
        tree::find_path(&bench.store, root, &path).unwrap().unwrap().body
    };
    assert_eq!(dir(first.root, "src/2"), dir(second.root, "src/2"));
    assert_ne!(dir(first.root, "src/1"), dir(second.root, "src/1"));
}

#[test]
fn a_renamed_file_keeps_its_number_and_its_stored_content() {
    let bench = sample();
    let first = bench.import();
    fs::rename(bench.origin().join("src/1/file1"), bench.origin().join("moved")).unwrap();
    let ino = fs::metadata(bench.origin().join("moved")).unwrap().ino();
    let second = bench.refresh(first.root);
    let (_, entry) = all(&bench.store, second.root).into_iter().find(|(path, _)| path.as_bytes() == b"moved").unwrap();
    assert_eq!(entry.attr.ino, ino);
}

#[test]
fn files_of_another_file_system_get_numbers_that_stay() {
    let bench = sample();
    let other = bench.origin().join("src/other");
    fs::create_dir(&other).unwrap();
    let Some(_mount) = Tmpfs::mount(&other) else { return };
    for index in 0..20 {
        fs::write(other.join(format!("f{index}")), "x").unwrap();
    }
    fs::hard_link(other.join("f1"), other.join("g1")).unwrap();
    let first = bench.import();
    let numbers = |root| -> Vec<u64> {
        let inside = all(&bench.store, root).into_iter().filter(|(path, _)| path.as_bytes().starts_with(b"src/other"));
        inside.map(|(_, entry)| entry.attr.ino).collect()
    };
    let mut distinct = numbers(first.root);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 21, "the directory, 20 files, and the second name of one");
    let highest_kept =
        fs::read_dir(bench.origin().join("src/1")).unwrap().map(|e| e.unwrap().metadata().unwrap().ino());
    assert!(distinct[0] > highest_kept.max().unwrap());

    let again = bench.refresh(first.root);
    assert_eq!((again.root, again.stats.files_read), (first.root, 0));
    fs::remove_file(other.join("f0")).unwrap();
    fs::write(other.join("f5"), "changed").unwrap();
    let changed = bench.refresh(first.root);
    let mut expected = numbers(first.root);
    expected.remove(1);
    assert_eq!(numbers(changed.root), expected);
    assert_eq!(changed.stats.files_read, 1);
}

/// A file system of its own at a directory, as long as it lives.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    /// `None` where this user may not mount.
    fn mount(dir: &std::path::Path) -> Option<Self> {
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", dir, "tmpfs", flags, None).ok()?;
        Some(Self(dir.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
