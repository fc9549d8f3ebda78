//! What the kernel asks, and what it does not: the agreements on which correctness and speed rest.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::time::Duration;

use aether::fuse::Op;
use aether::model::{ROOT_INO, Timestamp};
use aether::overlay::SetTime;
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, XattrFlags, renameat_with, utimensat};

use crate::fixture::{Live, needs_root, skipped};

#[test]
fn opening_costs_no_request() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"one").unwrap();
    for _ in 0..10 {
        assert_eq!(fs::read(live.path("a")).unwrap(), b"one");
        assert_eq!(fs::read_dir(live.root()).unwrap().count(), 1);
    }
    // The first of each is refused, and no other follows.
    assert!(live.count(Op::Open) <= 1, "{:?}", live.counters.all());
    assert!(live.count(Op::Opendir) <= 1);
    assert!(live.count(Op::Flush) <= 1);
    // Content and listing come from the kernel's cache.
    assert!(live.count(Op::Read) <= 1);
    assert!(live.count(Op::Readdirplus) + live.count(Op::Readdir) <= 4);
    live.end();
}

#[test]
fn opening_for_truncation_truncates() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"a long text").unwrap();
    let mut file = OpenOptions::new().write(true).truncate(true).open(live.path("a")).unwrap();
    assert_eq!(fs::metadata(live.path("a")).unwrap().len(), 0);
    file.write_all(b"x").unwrap();
    assert_eq!(fs::read(live.path("a")).unwrap(), b"x");
}

#[test]
fn a_name_that_is_not_there_is_asked_for_once() {
    if skipped() {
        return;
    }
    let live = Live::new();
    for _ in 0..5 {
        assert!(fs::metadata(live.path("no")).is_err());
    }
    assert_eq!(live.count(Op::Lookup), 1);
    fs::write(live.path("no"), b"yes").unwrap();
    assert_eq!(fs::read(live.path("no")).unwrap(), b"yes");
}

#[test]
fn what_was_created_is_read_back_from_the_cache() {
    if skipped() {
        return;
    }
    let live = Live::new();
    let mut file = File::options().read(true).write(true).create_new(true).open(live.path("a")).unwrap();
    file.write_all(&[7; 10_000]).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut back = Vec::new();
    file.read_to_end(&mut back).unwrap();
    assert_eq!(back, [7; 10_000]);
    assert_eq!(live.count(Op::Create), 1);
}

#[test]
fn times_before_the_epoch_keep_their_nanoseconds() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"").unwrap();
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    for (secs, nanos) in [(-2, 750_000_000), (-1, 0), (-86_400, 1), (0, 5), (1_700_000_000, 999_999_999)] {
        let times = Timestamps { last_access: time(secs, nanos), last_modification: time(secs, nanos) };
        utimensat(CWD, live.path("a"), &times, AtFlags::empty()).unwrap();
        let set = *live.files.state().set_attrs.last().unwrap();
        let expected = SetTime::At(Timestamp { secs, nanos: u32::try_from(nanos).unwrap() });
        assert_eq!((set.atime, set.mtime), (Some(expected), Some(expected)));
        let meta = fs::metadata(live.path("a")).unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (secs, nanos));
        assert_eq!((meta.atime(), meta.atime_nsec()), (secs, nanos));
    }
}

#[test]
fn a_directory_of_ten_thousand_is_listed_whole_and_forgotten_whole() {
    if skipped() {
        return;
    }
    let live = Live::new();
    let mut expected: Vec<String> = (0..10_000).map(|number| format!("a rather long name number {number}")).collect();
    for name in &expected {
        live.files.add(ROOT_INO, name.as_bytes(), b"x");
    }
    let mut listed: Vec<String> = Vec::new();
    for entry in fs::read_dir(live.root()).unwrap() {
        let entry = entry.unwrap();
        // The attributes came along with the listing.
        assert_eq!(entry.metadata().unwrap().len(), 1);
        listed.push(entry.file_name().into_string().unwrap());
    }
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    assert!(live.count(Op::Lookup) < 100, "{:?}", live.counters.all());
    let files = std::sync::Arc::clone(&live.files);
    fs::write("/proc/sys/vm/drop_caches", "2").ok();
    live.end();
    // The look-ups that were counted here and those that the kernel counted agree: it took back no more than it had,
    // which `forget` checks, and it held each entry that was listed.
    assert!(files.state().looked_up.len() >= 10_000);
}

#[test]
fn changes_behind_the_kernels_back_show_once_announced() {
    if skipped() {
        return;
    }
    let live = Live::new();
    let ino = live.files.add(ROOT_INO, b"a", b"before");
    assert_eq!(fs::read(live.path("a")).unwrap(), b"before");
    assert!(fs::metadata(live.path("b")).is_err());
    live.files.rewrite(ino, b"afterwards");
    live.files.add(ROOT_INO, b"b", b"new");
    live.invalidations.content(ino);
    live.invalidations.entry(ROOT_INO, b"b");
    live.invalidations.content(ROOT_INO);
    assert!(live.invalidations.wait(Duration::from_secs(10)));
    assert_eq!(fs::read(live.path("a")).unwrap(), b"afterwards");
    assert_eq!(fs::read(live.path("b")).unwrap(), b"new");
    assert_eq!(fs::read_dir(live.root()).unwrap().count(), 2);
}

#[test]
fn extended_attributes_follow_the_size_protocol() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"").unwrap();
    let path = live.path("a");
    let get = |buffer: &mut [u8]| rustix::fs::getxattr(&path, c"user.x", buffer);
    assert_eq!(rustix::fs::getxattr_query(&path, c"user.x"), Err(rustix::io::Errno::NODATA));
    rustix::fs::setxattr(&path, c"user.x", b"value", XattrFlags::CREATE).unwrap();
    let again = rustix::fs::setxattr(&path, c"user.x", b"other", XattrFlags::CREATE);
    assert_eq!(again, Err(rustix::io::Errno::EXIST));
    assert_eq!(rustix::fs::getxattr_query(&path, c"user.x"), Ok(5));
    assert_eq!(get(&mut [0; 4]), Err(rustix::io::Errno::RANGE));
    let mut exact = [0; 5];
    assert_eq!(get(&mut exact), Ok(5));
    assert_eq!(&exact, b"value");
    let mut list = [0; 64];
    assert_eq!(rustix::fs::listxattr(&path, &mut list), Ok(7));
    assert_eq!(&list[..7], b"user.x\0");
    rustix::fs::removexattr(&path, c"user.x").unwrap();
    assert_eq!(rustix::fs::removexattr(&path, c"user.x"), Err(rustix::io::Errno::NODATA));
}

#[test]
fn rename_passes_its_flags_on() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"a").unwrap();
    fs::write(live.path("b"), b"b").unwrap();
    let rename = |flags| renameat_with(CWD, live.path("a"), CWD, live.path("b"), flags);
    assert_eq!(rename(RenameFlags::NOREPLACE), Err(rustix::io::Errno::EXIST));
    rename(RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(live.path("a")).unwrap(), b"b");
    rename(RenameFlags::empty()).unwrap();
    assert_eq!(fs::read(live.path("b")).unwrap(), b"b");
}

#[test]
fn a_write_by_a_user_clears_set_uid_and_one_by_root_does_not() {
    if skipped() || needs_root() {
        return;
    }
    let live = Live::with(&aether::fuse::MountOptions::default().parse("allow_other,suid").unwrap());
    let path = live.path("a");
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let mode = || fs::metadata(&path).unwrap().mode() & 0o7777;
    fs::write(&path, b"x").unwrap();
    set(0o6777);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"root").unwrap();
    assert_eq!(mode(), 0o6777);
    crate::users::as_nobody(&format!("echo user >> {}", path.display()));
    assert_eq!(mode(), 0o777);
    set(0o6777);
    crate::users::as_nobody(&format!(": > {}", path.display()));
    assert_eq!(mode(), 0o777);
    set(0o6777);
    std::os::unix::fs::chown(&path, Some(1), Some(1)).unwrap();
    assert_eq!(mode(), 0o777);
    set(0o6777);
    std::os::unix::fs::chown(&path, None, None).unwrap();
    assert_eq!(mode(), 0o777);
}

#[test]
fn many_writes_cost_no_other_requests() {
    if skipped() {
        return;
    }
    let live = Live::new();
    let file = File::create(live.path("a")).unwrap();
    for block in 0..100 {
        file.write_all_at(&[1; 4096], block * 4096).unwrap();
    }
    assert_eq!(live.count(Op::Write), 100);
    // Whether the file has capabilities is asked once, not before every write.
    assert!(live.count(Op::Getxattr) <= 2, "{:?}", live.counters.all());
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    assert_eq!(live.files.state().syncs, 2);
}

#[test]
fn large_reads_and_writes_come_in_large_requests() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), vec![5; 8 << 20]).unwrap();
    assert!(live.count(Op::Write) <= 16, "{:?}", live.counters.all());
    live.files.add(ROOT_INO, b"b", &vec![6; 8 << 20]);
    assert_eq!(fs::read(live.path("b")).unwrap(), vec![6; 8 << 20]);
    assert!(live.count(Op::Read) <= 80, "{:?}", live.counters.all());
    // What does not go through the cache is not cut up either.
    let direct = OpenOptions::new().read(true).custom_flags(0o40000).open(live.path("b")).unwrap();
    let before = live.count(Op::Read);
    let mut buffer = vec![0; 4 << 20];
    direct.read_exact_at(&mut buffer, 0).unwrap();
    assert!(live.count(Op::Read) - before <= 8);
}

#[test]
fn seeking_statfs_links_and_special_files_reach_the_overlay() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"12345").unwrap();
    let file = File::open(live.path("a")).unwrap();
    assert_eq!(rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(2)), Ok(5));
    assert_eq!(rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(9)), Err(rustix::io::Errno::NXIO));
    let space = rustix::fs::statvfs(live.root()).unwrap();
    assert_eq!((space.f_blocks, space.f_bavail, space.f_namemax), (1000, 500, 255));
    fs::hard_link(live.path("a"), live.path("b")).unwrap();
    assert_eq!(fs::metadata(live.path("a")).unwrap().nlink(), 2);
    std::os::unix::fs::symlink("a/b/../c", live.path("s")).unwrap();
    for _ in 0..3 {
        assert_eq!(fs::read_link(live.path("s")).unwrap().to_str(), Some("a/b/../c"));
    }
    assert_eq!(live.count(Op::Readlink), 1);
    rustix::fs::mknodat(CWD, live.path("f"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&fs::metadata(live.path("f")).unwrap().file_type()));
    assert_eq!(rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive), Ok(()));
}

#[test]
fn the_earliest_and_the_latest_time_can_be_set() {
    if skipped() {
        return;
    }
    let live = Live::new();
    fs::write(live.path("a"), b"").unwrap();
    // The kernel takes the nanoseconds from the first and the last second there is.
    for (sec, nsec) in [(i64::MIN, 0), (i64::MIN + 1, 5), (-1, 999_999_999), (i64::MAX - 1, 999_999_999), (i64::MAX, 0)]
    {
        let time = Timespec { tv_sec: sec, tv_nsec: nsec };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, live.path("a"), &times, AtFlags::empty()).unwrap();
        let stat = fs::metadata(live.path("a")).unwrap();
        assert_eq!((stat.mtime(), stat.mtime_nsec()), (sec, nsec));
        assert_eq!((stat.atime(), stat.atime_nsec()), (sec, nsec));
    }
}
