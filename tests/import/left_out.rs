//! What an import does not take: by its options, by rule files, and by itself.

use std::fs;

use aether::ops::import::{ImportError, ImportOptions, WhyLeftOut};

use super::Bench;

fn exclude(globs: &[&str]) -> ImportOptions {
    ImportOptions { exclude: globs.iter().map(|&glob| glob.to_owned()).collect(), ..ImportOptions::default() }
}

#[test]
fn globs_leave_out_files_and_whole_directories() {
    let bench = Bench::new();
    for path in ["a.o", "src/b.o", "src/b.c", "target/debug/x", "src/target/y", "doc/target"] {
        bench.write(path, "x");
    }
    let imported = bench.import_with(&exclude(&["*.o", "/target"])).unwrap();
    assert_eq!(bench.paths(imported.root), ["doc/", "doc/target", "src/", "src/b.c", "src/target/", "src/target/y"]);
    assert_eq!(imported.stats.excluded, 3);
    let imported = bench.import_with(&exclude(&["target/", "*.c"])).unwrap();
    assert_eq!(bench.paths(imported.root), ["a.o", "doc/", "doc/target", "src/", "src/b.o"]);
    assert!(matches!(bench.import_with(&exclude(&["a[b"])), Err(ImportError::Glob(_))));
}

#[test]
fn git_rules_are_heeded_only_when_asked_for() {
    let bench = Bench::new();
    bench.write(".gitignore", "*.log\n/build/\n.git\n");
    bench.write(".git/config", "x");
    bench.write(".git/info/exclude", "secret\n");
    bench.write("sub/.gitignore", "!keep.log\nlocal\n");
    for path in ["a.log", "build/out", "secret", "sub/keep.log", "sub/b.log", "sub/local", "local"] {
        bench.write(path, "x");
    }
    let whole = bench.import();
    assert_eq!(whole.stats.excluded, 0);
    assert_eq!(whole.stats.files, 11);
    let options = ImportOptions { respect_gitignore: true, ..ImportOptions::default() };
    let imported = bench.import_with(&options).unwrap();
    let expected = [
        ".git/",
        ".git/config",
        ".git/info/",
        ".git/info/exclude",
        ".gitignore",
        "local",
        "sub/",
        "sub/.gitignore",
        "sub/keep.log",
    ];
    assert_eq!(bench.paths(imported.root), expected);
}

#[test]
fn own_rule_files_are_always_heeded_and_overrule_git() {
    let bench = Bench::new();
    bench.write(".gitignore", "*.bin\n");
    bench.write(".aetherignore", "node_modules/\n!wanted.bin\n");
    for path in ["node_modules/a/b", "pkg/node_modules/c", "wanted.bin", "other.bin"] {
        bench.write(path, "x");
    }
    let plain = bench.import();
    assert_eq!(bench.paths(plain.root), [".aetherignore", ".gitignore", "other.bin", "pkg/", "wanted.bin"]);
    let options = ImportOptions { respect_gitignore: true, ..ImportOptions::default() };
    let imported = bench.import_with(&options).unwrap();
    assert_eq!(bench.paths(imported.root), [".aetherignore", ".gitignore", "pkg/", "wanted.bin"]);
}

#[test]
fn the_data_directory_and_sessions_mounts_are_left_out_and_named() {
    let bench = Bench::new();
    for path in ["file", "data/objects/x", "mnt/s/inside", "mnt/other"] {
        bench.write(path, "x");
    }
    let options = ImportOptions {
        data_dirs: vec![bench.origin().join("data"), bench.dir.path().join("not-there")],
        mounts: vec![bench.origin().canonicalize().unwrap().join("mnt/s"), "/elsewhere".into()],
        ..ImportOptions::default()
    };
    let imported = bench.import_with(&options).unwrap();
    assert_eq!(bench.paths(imported.root), ["file", "mnt/", "mnt/other"]);
    let named: Vec<_> = imported.left_out.iter().map(|out| (out.path.as_bytes(), out.why)).collect();
    assert_eq!(named, [(&b"data"[..], WhyLeftOut::DataDirectory), (&b"mnt/s"[..], WhyLeftOut::OwnMount)]);
}

#[test]
fn the_data_directory_itself_cannot_be_imported() {
    let bench = Bench::new();
    bench.write("file", "x");
    for dir in [bench.origin(), bench.dir.path().to_owned()] {
        let options = ImportOptions { data_dirs: vec![dir], ..ImportOptions::default() };
        assert!(matches!(bench.import_with(&options), Err(ImportError::InsideDataDirectory { .. })));
    }
}

#[test]
fn a_kernel_file_system_is_not_entered() {
    let bench = Bench::new();
    bench.write("file", "x");
    let proc = bench.origin().join("proc");
    fs::create_dir(&proc).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    if rustix::mount::mount("proc", &proc, "proc", flags, None).is_err() {
        return;
    }
    let imported = bench.import();
    rustix::mount::unmount(&proc, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert_eq!(bench.paths(imported.root), ["file"]);
    assert_eq!(imported.left_out[0].why, WhyLeftOut::KernelFileSystem);
}
