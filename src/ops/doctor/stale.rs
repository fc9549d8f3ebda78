//! What mount processes that died left behind.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::ops::mounts;

use super::Finding;

/// Mounts whose process is gone: the kernel answers for them with ENOTCONN.
pub(super) fn check_mounts() -> Finding {
    const NAME: &str = "stale-mounts";
    let table = match mounts::table() {
        Ok(table) => table,
        Err(error) => return Finding::failed(NAME, error.to_string(), "mount `/proc`"),
    };
    let mounts: Vec<&PathBuf> = table.ours().map(|entry| &entry.mount_point).collect();
    let dead: Vec<&PathBuf> = mounts.iter().copied().filter(|path| is_dead(path)).collect();
    match dead.as_slice() {
        [] => Finding::good(NAME, format!("{} mounted, none of them stale", mounts.len())),
        [path, rest @ ..] => Finding::failed(
            NAME,
            format!(
                "{} of {} mounts have lost their process, `{}` for one",
                rest.len() + 1,
                mounts.len(),
                path.display()
            ),
            format!("`aether session unmount {}`, or `umount -l {0}`", path.display()),
        ),
    }
}

/// `statfs(2)` of the mount's root is answered by the process, or, when it is gone, at once by the kernel.
fn is_dead(path: &Path) -> bool {
    matches!(rustix::fs::statfs(path), Err(Errno::NOTCONN | Errno::CONNABORTED))
}

/// Sockets that nobody listens on any more.
pub(super) fn check_sockets(runtime: &Path) -> Finding {
    const NAME: &str = "stale-sockets";
    let mut found = Vec::new();
    collect_sockets(runtime, 2, &mut found);
    let dead = found
        .iter()
        .filter(|path| UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused));
    match dead.collect::<Vec<_>>().as_slice() {
        [] => Finding::good(NAME, format!("{} control sockets, none of them stale", found.len())),
        [path, rest @ ..] => Finding::warning(
            NAME,
            format!("nobody listens on {} control sockets, `{}` for one", rest.len() + 1, path.display()),
            "the next mount of the session replaces it; removing it does no harm",
        ),
    }
}

/// Sockets below a directory. Mount points are not looked into: only the runtime directory's own levels.
fn collect_sockets(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_socket() => found.push(entry.path()),
            Ok(kind) if kind.is_dir() && depth > 1 && entry.file_name() != "mnt" => {
                collect_sockets(&entry.path(), depth - 1, found);
            }
            _ => {}
        }
    }
}
