//! What is imported is what is there.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use proptest::prelude::*;

use super::compare::{all, assert_same};
use super::{Bench, trees};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_imported_as_it_is(tree in trees::tree()) {
        let bench = Bench::new();
        trees::make(&bench.origin(), &tree);
        let imported = bench.import();
        assert_same(&bench.store, imported.root, &bench.origin());
        prop_assert!(imported.unreadable.is_empty() && imported.left_out.is_empty());

        let again = bench.refresh(imported.root);
        prop_assert_eq!(again.root, imported.root);
        prop_assert_eq!(again.stats.files_read, 0);
    }
}

#[test]
fn the_number_of_threads_does_not_show_in_the_root() {
    let bench = Bench::new();
    for index in 0..300 {
        bench.write(&format!("d{}/e{}/f{index}", index % 7, index % 3), vec![index as u8; index * 37]);
    }
    fs::hard_link(bench.origin().join("d1/e1/f1"), bench.origin().join("link")).unwrap();
    let root_with = |threads| {
        let options = aether::ops::import::ImportOptions { threads: Some(threads), ..Default::default() };
        bench.import_with(&options).unwrap().root
    };
    let one = root_with(1);
    assert_eq!(root_with(2), one);
    assert_eq!(root_with(7), one);
}

#[test]
fn a_link_count_counts_the_names_in_the_tree() {
    let bench = Bench::new();
    bench.write("a", b"x");
    fs::hard_link(bench.origin().join("a"), bench.origin().join("b")).unwrap();
    fs::hard_link(bench.origin().join("a"), bench.dir.path().join("outside")).unwrap();
    let imported = bench.import();
    let entries = all(&bench.store, imported.root);
    assert_eq!(fs::metadata(bench.origin().join("a")).unwrap().nlink(), 3);
    assert!(entries.iter().all(|(_, entry)| entry.attr.nlink == 2));
    assert_eq!(imported.stats.files, 1);
    assert_eq!(imported.stats.files_read, 1);
}

#[test]
fn large_and_sparse_files_come_back() {
    let bench = Bench::new();
    let noise: Vec<u8> = (0..5_000_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    bench.write("large", &noise);
    let sparse = fs::File::create(bench.origin().join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &noise[..2_000_000], 16 << 20).unwrap();
    bench.write("all-zero-but-stored", vec![0; 300_000]);
    let imported = bench.import();
    assert_same(&bench.store, imported.root, &bench.origin());
}

/// Attributes that need a block of their own make such a file as large on the disk as it is long.
#[test]
fn a_hole_is_seen_in_a_file_with_large_attributes() {
    let bench = Bench::new();
    for size in [100, 4096] {
        let path = bench.origin().join(format!("hole-of-{size}"));
        fs::File::create(&path).unwrap().set_len(size).unwrap();
        rustix::fs::setxattr(&path, "user.large", &[7; 2000], rustix::fs::XattrFlags::empty()).unwrap();
        assert!(fs::metadata(&path).unwrap().blocks() * 512 >= size, "a block of attributes");
    }
    let imported = bench.import();
    assert_same(&bench.store, imported.root, &bench.origin());
}

#[test]
fn the_top_may_be_a_symbolic_link_but_nothing_below_it_is_followed() {
    let bench = Bench::new();
    bench.write("file", b"x");
    symlink("/etc", bench.origin().join("etc")).unwrap();
    let link = bench.dir.path().join("link");
    symlink(bench.origin(), &link).unwrap();
    let direct = bench.import();
    assert_eq!(bench.refresh_from(&link, direct.root).root, direct.root);
    assert_eq!(bench.paths(direct.root), ["etc", "file"]);
}

#[test]
fn a_directory_deeper_than_a_path_may_be_long_is_imported() {
    let bench = Bench::new();
    let name = "d".repeat(200);
    let mut dir = rustix::fs::open(bench.origin(), rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..40 {
        rustix::fs::mkdirat(&dir, name.as_str(), 0o755.into()).unwrap();
        dir =
            rustix::fs::openat(&dir, name.as_str(), rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    let file =
        rustix::fs::openat(&dir, "f", rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY, 0o644.into()).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    let imported = bench.import();
    let (path, entry) = all(&bench.store, imported.root).pop().unwrap();
    assert_eq!(path.as_bytes().len(), 40 * 201 + 1);
    assert_eq!(super::compare::content(&bench.store, &entry), b"deep");
}

#[test]
fn what_is_no_directory_cannot_be_imported() {
    use aether::ops::import::ImportError;
    let bench = Bench::new();
    let import = |path: &str| {
        let (options, no) = (Default::default(), std::sync::atomic::AtomicBool::new(false));
        aether::ops::import::import_dir(
            &bench.store.hold().unwrap(),
            &bench.dir.path().join(path),
            None,
            &options,
            &(),
            &no,
        )
        .unwrap_err()
    };
    fs::write(bench.dir.path().join("file"), b"x").unwrap();
    assert!(matches!(import("file"), ImportError::NotADirectory { .. }));
    let missing = import("missing").to_string();
    assert!(missing.starts_with("cannot open `") && missing.contains("No such file"), "{missing}");
}
