//! Which sessions are mounted where, as the kernel says it (proc_pid_mountinfo(5)).
//!
//! Our mounts are known by their source, `aether:` and the id of the session. Nothing here touches a mount: a look at
//! a dead one could hang.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::error::Result;

/// What the kernel shows as the source of our mounts, before the id of the session.
pub const SOURCE_PREFIX: &str = "aether:";

/// One of our mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// The id of the session.
    pub session: String,
    /// Where it is mounted.
    pub path: PathBuf,
    /// Whether it cannot be written through.
    pub read_only: bool,
}

/// All mounts of ours that this process can see, in the order in which they were made.
///
/// # Errors
/// [`Error::Io`] when the kernel's list cannot be read.
pub fn ours() -> Result<Vec<MountPoint>> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    Ok(parse(&text))
}

/// Our mounts in a `mountinfo`. Lines that make no sense are passed over.
#[must_use]
pub fn parse(mountinfo: &[u8]) -> Vec<MountPoint> {
    mountinfo.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<MountPoint> {
    // ID PARENT DEVICE ROOT MOUNT-POINT OPTIONS [TAG…] - TYPE SOURCE SUPER-OPTIONS
    let mut fields = line.split(|&byte| byte == b' ');
    let path = fields.nth(4)?;
    let options = fields.next()?;
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    rest.next().filter(|kind| kind.starts_with(b"fuse"))?;
    let source = String::from_utf8(unescape(rest.next()?)).ok()?;
    let session = source.strip_prefix(SOURCE_PREFIX)?.to_owned();
    let read_only = options.split(|&byte| byte == b',').any(|option| option == b"ro");
    Some(MountPoint { session, path: OsString::from_vec(unescape(path)).into(), read_only })
}

/// Undoes the kernel's `\ooo` for spaces, newlines and backslashes.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// The mount that holds a path: the innermost, and of two at one place the later.
#[must_use]
pub fn of_path<'m>(mounts: &'m [MountPoint], path: &Path) -> Option<&'m MountPoint> {
    mounts.iter().filter(|mount| path.starts_with(&mount.path)).max_by_key(|mount| mount.path.as_os_str().len())
}

/// Where a session is mounted.
#[must_use]
pub fn of_session(mounts: &[MountPoint], id: &str) -> Vec<PathBuf> {
    mounts.iter().filter(|mount| mount.session == id).map(|mount| mount.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
40 22 0:50 / /run/user/1/aether/mnt/fix rw,nosuid,nodev shared:7 master:2 - fuse.aether aether:s-0123456789 rw,user_id=1
41 22 0:51 / /home/u/a\\040b\\134 ro,nosuid - fuse aether:s-abc rw
42 41 0:52 / /home/u/a\\040b\\134/deep rw - fuse aether:s-deep rw
43 22 0:53 / /mnt rw - fuse.sshfs host:/x rw
44 22 0:54 / /tmp rw - tmpfs aether:s-fake rw
garbage
";

    #[test]
    fn only_our_mounts_are_found_with_their_real_paths() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[0].session, "s-0123456789");
        assert_eq!(mounts[1].path, Path::new("/home/u/a b\\"));
        assert!(mounts[1].read_only && !mounts[0].read_only);
    }

    #[test]
    fn a_path_belongs_to_the_innermost_mount_around_it() {
        let mounts = parse(TEXT);
        let session = |path: &str| of_path(&mounts, Path::new(path)).map(|mount| mount.session.as_str());
        assert_eq!(session("/home/u/a b\\/x/y"), Some("s-abc"));
        assert_eq!(session("/home/u/a b\\/deep/x"), Some("s-deep"));
        assert_eq!(session("/home/u/a b\\c"), None);
        assert_eq!(session("/mnt/x"), None);
    }
}
