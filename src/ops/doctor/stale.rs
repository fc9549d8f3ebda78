//! What mount processes that died left behind.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use crate::daemon::{self, MountRecord, MountState, RunDir};
use crate::ops::mounts;

use super::Finding;

/// How long a mount process may take to say that it is there.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// What is wrong with a mount.
enum Wrong {
    Dead,
    Hung,
    /// It is served, but would be gone with the process that serves it.
    Unkept,
}

/// Mounts whose process is gone, or does not answer, or has no keeper. Those of this runtime directory are looked at
/// through their records; a mount that hangs must not be touched. For the others, the kernel tells the dead ones.
pub(super) fn check_mounts(runtime: &Path) -> Finding {
    const NAME: &str = "stale-mounts";
    let table = match mounts::table() {
        Ok(table) => table,
        Err(error) => return Finding::failed(NAME, error.to_string(), "mount `/proc`"),
    };
    // Nothing is made here, not even a directory for records.
    let run = runtime.is_dir().then(|| RunDir::open(runtime).ok()).flatten();
    let records = run.as_ref().and_then(|run| daemon::mounts(run).ok()).unwrap_or_default();
    let wrong_with = |path: &Path| match records.iter().find(|(record, _)| record.mount_point == path).zip(run.as_ref())
    {
        Some(((record, state), run)) => wrong(record, *state, run),
        None => is_dead(path).then_some(Wrong::Dead),
    };
    let all: Vec<&Path> = table.ours().map(|entry| entry.mount_point.as_path()).collect();
    let found: Vec<(&Path, Wrong)> = all.iter().filter_map(|path| Some((*path, wrong_with(path)?))).collect();
    let Some((path, wrong)) = found.first() else {
        return Finding::good(NAME, format!("{} mounted, none of them stale", all.len()));
    };
    let (count, all, path) = (found.len(), all.len(), path.display());
    match wrong {
        Wrong::Dead => Finding::failed(
            NAME,
            format!("{count} of {all} mounts have lost their process, `{path}` for one"),
            format!("`aether session unmount {path}`, or `umount -l {path}`"),
        ),
        Wrong::Hung => Finding::failed(
            NAME,
            format!("{count} of {all} mounts do not answer, `{path}` for one"),
            format!("`aether session unmount --force {path}`"),
        ),
        Wrong::Unkept => Finding::warning(
            NAME,
            format!("{count} of {all} mounts have no keeper, `{path}` for one"),
            "unmount it and mount it again, without `--foreground`, to have it outlive its process",
        ),
    }
}

fn wrong(record: &MountRecord, state: MountState, run: &RunDir) -> Option<Wrong> {
    match state {
        MountState::Dead => Some(Wrong::Dead),
        MountState::Starting => None,
        MountState::Live | MountState::Detached if daemon::is_hung(run, record, ANSWER_LIMIT) => Some(Wrong::Hung),
        _ => (!record.is_kept()).then_some(Wrong::Unkept),
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
