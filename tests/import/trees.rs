//! Arbitrary trees, and making them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

/// A piece of a file.
#[derive(Clone, Debug)]
pub enum Piece {
    Data { seed: u8, blocks: usize, tail: usize },
    Hole { blocks: usize },
}

#[derive(Clone, Debug)]
pub enum What {
    File(Vec<Piece>),
    Dir(Vec<(Vec<u8>, Node)>),
    Symlink(Vec<u8>),
    Fifo,
    Socket,
    Device,
    /// One more name for the n-th file made so far.
    Link(usize),
}

#[derive(Clone, Debug)]
pub struct Node {
    what: What,
    mode: u32,
    mtime: (i64, i64),
    xattrs: Vec<(String, Vec<u8>)>,
}

/// Names of any bytes but the two that no name can have, and short enough for deep trees.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let any_byte = prop_oneof![Just(b'a'), Just(b'b'), Just(b'.'), Just(b'\n'), Just(0xff), 1u8..=255]
        .prop_map(|byte| if byte == b'/' { b'_' } else { byte });
    vec(any_byte, 1..12).prop_filter("reserved", |name| name != b"." && name != b"..")
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => (any::<u8>(), 0..3usize, 0..5000usize).prop_map(|(seed, blocks, tail)| Piece::Data { seed, blocks, tail }),
        1 => (any::<u8>(), 60..400usize, 0..5000usize).prop_map(|(seed, blocks, tail)| Piece::Data { seed, blocks, tail }),
        2 => (1..40usize).prop_map(|blocks| Piece::Hole { blocks }),
    ]
}

fn node(what: impl Strategy<Value = What>) -> impl Strategy<Value = Node> {
    let times = (-3_000_000_000i64..5_000_000_000, 0i64..1_000_000_000);
    let xattrs = prop_oneof![
        4 => Just(Vec::new()),
        1 => vec(("user\\.[a-z]{1,8}", vec(any::<u8>(), 0..40)), 1..3),
    ];
    (what, 0u32..0o10000, times, xattrs).prop_map(|(what, mode, mtime, xattrs)| Node { what, mode, mtime, xattrs })
}

/// A tree of some dozen nodes.
pub fn tree() -> impl Strategy<Value = Vec<(Vec<u8>, Node)>> {
    let leaf = prop_oneof![
        6 => vec(piece(), 0..4).prop_map(What::File),
        1 => vec(1u8..=255, 1..40).prop_map(What::Symlink),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
        1 => Just(What::Device),
        2 => any::<usize>().prop_map(What::Link),
    ];
    let nodes = node(leaf).prop_recursive(4, 40, 8, |inner| {
        node(btree_map(name(), inner, 0..8).prop_map(|map| What::Dir(map.into_iter().collect())))
    });
    btree_map(name(), nodes, 0..8).prop_map(|map| map.into_iter().collect())
}

/// Makes the tree in an empty directory.
pub fn make(dir: &Path, entries: &[(Vec<u8>, Node)]) {
    make_in(dir, entries, &mut Vec::new());
}

fn make_in(dir: &Path, entries: &[(Vec<u8>, Node)], files: &mut Vec<PathBuf>) {
    for (name, node) in entries {
        make_node(&dir.join(OsStr::from_bytes(name)), node, files);
    }
}

fn make_node(path: &Path, node: &Node, files: &mut Vec<PathBuf>) {
    match &node.what {
        What::File(pieces) => {
            write_pieces(&File::create(path).unwrap(), pieces);
            files.push(path.to_owned());
        }
        What::Dir(entries) => {
            fs::create_dir(path).unwrap();
            make_in(path, entries, files);
        }
        What::Symlink(target) => symlink(OsStr::from_bytes(target), path).unwrap(),
        What::Fifo => rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap(),
        What::Socket => make_socket(path),
        What::Device => {
            let device = rustix::fs::makedev(259, 70_000);
            let made = rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::from_raw_mode(0o600), device);
            if made.is_err() {
                return;
            }
        }
        What::Link(of) => {
            if !files.is_empty() {
                fs::hard_link(&files[of % files.len()], path).unwrap();
            }
            return;
        }
    }
    dress(path, node);
}

/// A socket's address is short, so it is bound where its path is.
fn make_socket(path: &Path) {
    let dir = tempfile::tempdir_in(path.parent().unwrap()).unwrap();
    let _ = UnixListener::bind(dir.path().join("s")).map(|_| fs::rename(dir.path().join("s"), path).unwrap());
}

fn write_pieces(file: &File, pieces: &[Piece]) {
    let mut at = 0u64;
    for piece in pieces {
        // Pieces begin at whole blocks, as holes do.
        at = at.next_multiple_of(4096);
        match piece {
            Piece::Data { seed, blocks, tail } => {
                let mut state = u64::from(*seed) + 1;
                let bytes: Vec<u8> = (0..blocks * 4096 + tail)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 56) as u8
                    })
                    .collect();
                file.write_all_at(&bytes, at).unwrap();
                at += bytes.len() as u64;
            }
            Piece::Hole { blocks } => {
                at += *blocks as u64 * 4096;
                file.set_len(at).unwrap();
            }
        }
    }
}

/// Attributes, times and mode, in the order in which one does not undo the other.
fn dress(path: &Path, node: &Node) {
    let is_link = matches!(node.what, What::Symlink(_));
    if matches!(node.what, What::File(_) | What::Dir(_)) {
        for (name, value) in &node.xattrs {
            rustix::fs::setxattr(path, name.as_str(), value, XattrFlags::empty()).unwrap();
        }
    }
    if !is_link && path.symlink_metadata().is_ok() {
        // Root can read everything; others must be able to read what they made.
        let floor = if rustix::process::geteuid().is_root() { 0 } else { 0o700 };
        fs::set_permissions(path, fs::Permissions::from_mode(node.mode | floor)).unwrap();
    }
    if path.symlink_metadata().is_ok() {
        let time = Timespec { tv_sec: node.mtime.0, tv_nsec: node.mtime.1 };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}
