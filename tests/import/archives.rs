//! Archives: what `tar` wrote is what a directory import would have taken, and nothing that is hostile gets through.

use std::io::{Cursor, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use aether::model::{Body, BytePath, Entry, Kind, RootId};
use aether::ops::archive::{self, ArchiveOptions, Compression, Form, ImportedArchive};
use aether::ops::import::ImportError;
use aether::ops::rules::Globs;
use aether::store::tree::find_path;

use super::{Bench, compare};

fn options() -> ArchiveOptions {
    ArchiveOptions { exclude: Globs::default(), max_bytes: 64 << 20, as_root: true, owner: (1, 2) }
}

impl Bench {
    fn archive_with(&self, bytes: &[u8], options: &ArchiveOptions) -> Result<ImportedArchive, ImportError> {
        let form = archive::recognise(&bytes[..bytes.len().min(512)]);
        let Some(Form::Tar(compression)) = form else { panic!("{form:?}") };
        let hold = self.store.hold().unwrap();
        archive::import(&hold, Cursor::new(bytes), compression, None, options, &(), &AtomicBool::new(false))
    }

    fn archive(&self, bytes: &[u8]) -> Result<ImportedArchive, ImportError> {
        self.archive_with(bytes, &options())
    }

    fn find(&self, root: RootId, path: &str) -> Option<Entry> {
        find_path(&self.store, root, &BytePath::parse(path.as_bytes()).unwrap()).unwrap()
    }
}

/// All of a tree that an archive can hold.
fn outline(bench: &Bench, root: RootId) -> Vec<String> {
    let all = compare::all(&bench.store, root).into_iter();
    all.map(|(path, entry)| {
        let Entry { attr, body, xattrs, .. } = entry;
        let body = match body {
            Body::Dir(_) => "dir".to_owned(),
            other => format!("{other:?}"),
        };
        let (kind, perm, links, size, mtime) = (attr.kind, attr.perm, attr.nlink, attr.size, attr.mtime);
        let path = path.as_bytes().escape_ascii();
        format!(
            "{path} {kind:?} {perm:o} {}:{} {links} {size} {mtime:?} {body} {xattrs:?} {}",
            attr.uid, attr.gid, attr.rdev
        )
    })
    .collect()
}

/// Runs `tar` on the origin.
fn tar(bench: &Bench, args: &[&str]) -> Vec<u8> {
    let output = Command::new("tar").args(args).arg("-C").arg(bench.origin()).args(["-cf", "-", "."]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn full(bench: &Bench) {
    bench.write("a/one.txt", "one");
    bench.write("a/big.bin", vec![7; 3 << 20]);
    bench.write("empty", "");
    bench.write(&format!("{}/{}", "d".repeat(120), "f".repeat(200)), "long");
    std::fs::create_dir(bench.origin().join("hollow")).unwrap();
    std::fs::hard_link(bench.origin().join("a/one.txt"), bench.origin().join("a/two.txt")).unwrap();
    symlink("a/one.txt", bench.origin().join("link")).unwrap();
    symlink("/nowhere/at/all", bench.origin().join("a/dangling")).unwrap();
    std::fs::set_permissions(bench.origin().join("a/big.bin"), PermissionsExt::from_mode(0o4751)).unwrap();
    let sparse = std::fs::File::create(bench.origin().join("sparse")).unwrap();
    sparse.set_len(8 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &[9; 4096], 4 << 20).unwrap();
    sparse.sync_all().unwrap();
}

#[test]
fn an_archive_of_a_directory_gives_the_same_tree_as_the_directory() {
    let bench = Bench::new();
    full(&bench);
    let wanted = outline(&bench, bench.import().root);
    // Nanoseconds are in `pax` only; the other format rounds them away, and so must what it is compared with.
    for compression in ["--gzip", "--zstd", "--xz", "--no-auto-compress"] {
        let bytes = tar(&bench, &["--format=pax", "--sparse", "--sparse-version=1.0", compression]);
        assert_eq!(outline(&bench, bench.archive(&bytes).unwrap().root), wanted, "{compression}");
    }
    let stamp = ["-exec", "touch", "-h", "-d", "@1700000000", "{}", "+"];
    assert!(Command::new("find").arg(bench.origin()).args(stamp).status().unwrap().success());
    let wanted = outline(&bench, bench.import().root);
    for format in ["--format=gnu", "--format=pax"] {
        assert_eq!(
            outline(&bench, bench.archive(&tar(&bench, &[format, "--sparse"])).unwrap().root),
            wanted,
            "{format}"
        );
    }
}

#[test]
fn an_archive_without_an_entry_for_its_top_gives_the_same_tree_each_time() {
    let bench = Bench::new();
    let bytes = made(|archive| add(archive, "deep/below/file", tar::EntryType::Regular, b"x", |_| {}));
    let (one, two) = (bench.archive(&bytes).unwrap(), bench.archive(&bytes).unwrap());
    assert_eq!(one.root, two.root);
    assert_eq!(bench.paths(one.root), ["deep/", "deep/below/", "deep/below/file"]);
    assert_eq!((one.totals.files, one.totals.dirs, one.totals.size_bytes), (1, 3, 1));
}

fn made(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    fill(&mut archive);
    archive.into_inner().unwrap()
}

/// Adds an entry whose name is written as it is, however wrong.
fn add(
    archive: &mut tar::Builder<Vec<u8>>,
    name: &str,
    kind: tar::EntryType,
    data: &[u8],
    edit: impl FnOnce(&mut tar::Header),
) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(1_700_000_000);
    edit(&mut header);
    header.set_cksum();
    archive.append(&header, data).unwrap();
}

use tar::EntryType as T;

#[test]
fn entries_that_lead_out_of_the_tree_are_refused() {
    let bench = Bench::new();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("..", made(|a| add(a, "../evil", T::Regular, b"x", |_| {}))),
        ("inner ..", made(|a| add(a, "a/../../evil", T::Regular, b"x", |_| {}))),
        (
            "through a link",
            made(|a| {
                add(a, "out", T::Symlink, b"", |h| h.set_link_name("/etc").unwrap());
                add(a, "out/passwd", T::Regular, b"x", |_| {});
            }),
        ),
        ("link to outside", made(|a| add(a, "l", T::Link, b"", |h| h.set_link_name_literal("/etc/passwd").unwrap()))),
        ("link to a parent", made(|a| add(a, "l", T::Link, b"", |h| h.set_link_name_literal("../x").unwrap()))),
        (
            "file over a full directory",
            made(|a| {
                add(a, "d/x", T::Regular, b"x", |_| {});
                add(a, "d", T::Regular, b"x", |_| {});
            }),
        ),
    ];
    for (what, bytes) in cases {
        let refused = bench.archive(&bytes);
        assert!(matches!(refused, Err(ImportError::Entry(_))), "{what}: {refused:?}");
    }
    // An absolute name is taken for one below the top, as `tar` does.
    let root = bench.archive(&made(|a| add(a, "/etc/passwd", T::Regular, b"x", |_| {}))).unwrap().root;
    assert_eq!(bench.paths(root), ["etc/", "etc/passwd"]);
}

#[test]
fn an_ordinary_user_gets_no_devices_owners_or_set_id_bits() {
    let bench = Bench::new();
    let bytes = made(|a| {
        add(a, "suid", T::Regular, b"x", |h| h.set_mode(0o6755));
        add(a, "disk", T::Block, b"", |h| {
            h.set_device_major(8).unwrap();
            h.set_device_minor(1).unwrap();
        });
        add(a, "fifo", T::Fifo, b"", |_| {});
    });
    let ordinary = ArchiveOptions { as_root: false, ..options() };
    let taken = bench.archive_with(&bytes, &ordinary).unwrap();
    let suid = bench.find(taken.root, "suid").unwrap().attr;
    assert_eq!((suid.perm, suid.uid, suid.gid), (0o755, 1, 2));
    assert_eq!(bench.paths(taken.root), ["fifo", "suid"]);
    assert!(taken.left_out[0].starts_with("`disk`: "), "{:?}", taken.left_out);
    let taken = bench.archive(&bytes).unwrap();
    let disk = bench.find(taken.root, "disk").unwrap().attr;
    assert_eq!(
        (disk.kind, disk.rdev, bench.find(taken.root, "suid").unwrap().attr.perm),
        (Kind::BlockDevice, 0x801, 0o6755)
    );
}

#[test]
fn later_entries_replace_earlier_ones_and_links_count_their_names() {
    let bench = Bench::new();
    let bytes = made(|a| {
        add(a, "f", T::Regular, b"old", |_| {});
        add(a, "g", T::Link, b"", |h| h.set_link_name("f").unwrap());
        add(a, "f", T::Regular, b"newer", |_| {});
        add(a, "d/", T::Directory, b"", |h| h.set_mode(0o700));
        add(a, "d/x", T::Regular, b"", |_| {});
        add(a, "d/", T::Directory, b"", |h| h.set_mode(0o750));
    });
    let root = bench.archive(&bytes).unwrap().root;
    let (f, g, d) = (bench.find(root, "f").unwrap(), bench.find(root, "g").unwrap(), bench.find(root, "d").unwrap());
    assert_eq!((f.attr.size, f.attr.nlink, g.attr.size, g.attr.nlink), (5, 1, 3, 1));
    assert_eq!((d.attr.perm, d.attr.nlink), (0o750, 2));
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let bench = Bench::new();
    let plain = made(|a| add(a, "zeros", T::Regular, &vec![0; 40 << 20], |_| {}));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&plain).unwrap();
    let small = ArchiveOptions { max_bytes: 8 << 20, ..options() };
    let stopped = bench.archive_with(&packed.finish().unwrap(), &small);
    assert!(matches!(stopped, Err(ImportError::TooLarge { max_bytes }) if max_bytes == 8 << 20), "{stopped:?}");
    // A name that does not end must not be taken into memory.
    let endless = made(|a| add(a, "././@LongLink", T::GNULongName, &vec![b'a'; 32 << 20], |_| {}));
    let stopped = bench.archive(&endless);
    assert!(matches!(stopped, Err(ImportError::Archive { .. })), "{stopped:?}");
    // Nor may a sparse file that is said to be endless be filled with zeros.
    let sparse = made(|a| {
        add(a, "s", T::GNUSparse, b"", |h| {
            let gnu = h.as_gnu_mut().unwrap();
            gnu.set_real_size(1 << 50);
            gnu.sparse[0].set_offset(1 << 50);
            gnu.sparse[0].set_length(0);
        });
    });
    let stopped = bench.archive(&sparse);
    assert!(matches!(stopped, Err(ImportError::TooLarge { .. })), "{stopped:?}");
}

#[test]
fn an_archive_cut_off_anywhere_gives_an_error_or_the_whole_entries_before() {
    let bench = Bench::new();
    bench.write("a", "some text");
    bench.write("dir/b", vec![1; 5000]);
    let whole = tar(&bench, &["--format=pax"]);
    let mut failed = 0;
    for end in (1..whole.len()).step_by(97) {
        match archive::recognise(&whole[..end.min(512)]) {
            Some(_) => failed += usize::from(bench.archive(&whole[..end]).is_err()),
            None => failed += 1,
        }
    }
    assert!(failed > 10, "{failed}");
    let packed = tar(&bench, &["--gzip"]);
    for end in (20..packed.len() - 8).step_by(7) {
        assert!(bench.archive(&packed[..end]).is_err(), "{end}");
    }
}

#[test]
fn garbage_never_panics() {
    let bench = Bench::new();
    bench.write("a", "some text");
    let whole = tar(&bench, &["--format=pax"]);
    let mut rng = 88_172_645_463_325_252_u64;
    let mut next = || {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        rng as usize
    };
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..1 + next() % 4 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        let hold = bench.store.hold().unwrap();
        let _either =
            archive::import(&hold, &bytes[..], Compression::None, None, &options(), &(), &AtomicBool::new(false));
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Xz] {
            let garbage = bytes[..200].chain(std::io::empty());
            assert!(
                archive::import(&hold, garbage, compression, None, &options(), &(), &AtomicBool::new(false)).is_err()
            );
        }
    }
}
