//! What is mounted where, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
//!
//! The only way to learn it that cannot hang: a mount whose process died or is stuck is never touched. Paths given to
//! these functions must be absolute and free of symlinks and dots, as `getcwd(2)` returns them.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The file-system type of our mounts.
pub const FS_TYPE: &str = "fuse.aether";

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// The kernel's number of the mount.
    pub id: u32,
    /// The mount that this one is mounted on.
    pub parent: u32,
    /// Device as `major:minor`; each FUSE connection has its own.
    pub device: String,
    /// The directory of the file system that is mounted, `/` unless it is a bind mount of less.
    pub root: PathBuf,
    /// Where.
    pub mount_point: PathBuf,
    /// Options of this mount, such as `rw,nosuid`.
    pub options: String,
    /// Type, with subtype.
    pub fs_type: String,
    /// What is mounted, as its file system calls it.
    pub source: OsString,
}

impl MountEntry {
    /// Whether it is a mount of ours.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.fs_type == FS_TYPE
    }

    /// The tag a mount of ours was given, in most cases the id of a session.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.source.to_str().filter(|_| self.is_ours())?.strip_prefix("aether:")
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u32>().ok();
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let id = number(fields.next()?)?;
        let parent = number(fields.next()?)?;
        let device = text(fields.next()?);
        let root = PathBuf::from(unescape(fields.next()?));
        let mount_point = PathBuf::from(unescape(fields.next()?));
        let options = text(fields.next()?);
        // Any number of optional fields end with a lone dash.
        fields.by_ref().find(|field| *field == b"-")?;
        let fs_type = text(unescape(fields.next()?).as_bytes());
        let source = unescape(fields.next()?);
        Some(Self { id, parent, device, root, mount_point, options, fs_type, source })
    }
}

/// The mount table, in the order of the kernel: what is mounted later on the same place comes later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable {
    entries: Vec<MountEntry>,
}

impl MountTable {
    /// The table of this process's mount namespace.
    ///
    /// # Errors
    /// What reading `/proc/self/mountinfo` says.
    pub fn read() -> io::Result<Self> {
        let path = "/proc/self/mountinfo";
        let text = std::fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("`{path}`: {error}")))?;
        Ok(Self::parse(&text))
    }

    /// The table in this text; lines that make no sense are left out.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self { entries: text.split(|&byte| byte == b'\n').filter_map(MountEntry::parse).collect() }
    }

    /// All mounts.
    #[must_use]
    pub fn entries(&self) -> &[MountEntry] {
        &self.entries
    }

    /// Our mounts.
    pub fn ours(&self) -> impl Iterator<Item = &MountEntry> {
        self.entries.iter().filter(|entry| entry.is_ours())
    }

    /// What one sees at this very place: the last thing mounted there.
    #[must_use]
    pub fn at(&self, mount_point: &Path) -> Option<&MountEntry> {
        self.entries.iter().rfind(|entry| entry.mount_point == mount_point)
    }

    /// The mount that a path lies in, whosever it is.
    #[must_use]
    pub fn containing(&self, path: &Path) -> Option<&MountEntry> {
        path.ancestors().find_map(|ancestor| self.at(ancestor))
    }

    /// The mounts that are mounted on this one.
    pub fn children(&self, id: u32) -> impl Iterator<Item = &MountEntry> {
        self.entries.iter().filter(move |entry| entry.parent == id && entry.id != id)
    }
}

/// Octal escapes stand for space, tab, newline and backslash.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\'
            && let Some((digits, tail)) = after.split_at_checked(3)
            && let Some(byte) = octal(digits)
        {
            bytes.push(byte);
            rest = tail;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    OsString::from_vec(bytes)
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0u8, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 21 0:50 / /mnt/a\\040b rw,nosuid,nodev,relatime shared:2 master:3 - fuse.aether aether:s-1 rw,user_id=0
41 40 0:51 / /mnt/a\\040b/inner rw - tmpfs tmpfs rw
42 21 0:52 / /mnt/twice rw - fuse.aether aether:s-2 rw
43 42 0:53 / /mnt/twice rw - fuse.other x rw
garbage
44 21 0:50 /sub /mnt/bound rw - fuse.aether aether:s-1 rw
45 21 0:54 / /mnt/\\134\\011\\012 rw - fuse.aether aether:web@3 rw
";

    #[test]
    fn our_mounts_are_found_whatever_their_paths_hold() {
        let table = MountTable::parse(TABLE);
        let ours: Vec<_> = table.ours().map(|entry| (entry.mount_point.clone(), entry.tag())).collect();
        assert_eq!(
            ours,
            [
                ("/mnt/a b".into(), Some("s-1")),
                ("/mnt/twice".into(), Some("s-2")),
                ("/mnt/bound".into(), Some("s-1")),
                ("/mnt/\\\t\n".into(), Some("web@3")),
            ]
        );
    }

    #[test]
    fn a_path_belongs_to_the_innermost_mount_around_it() {
        let table = MountTable::parse(TABLE);
        let tag = |path: &str| table.containing(Path::new(path)).and_then(MountEntry::tag);
        assert_eq!(tag("/mnt/a b"), Some("s-1"));
        assert_eq!(tag("/mnt/a b/src/lib"), Some("s-1"));
        assert_eq!(tag("/mnt/a b/inner/x"), None);
        assert_eq!(tag("/mnt/a bc"), None);
        assert_eq!(tag("/mnt/bound/deep"), Some("s-1"));
        assert_eq!(tag("/home"), None);
    }

    #[test]
    fn what_was_mounted_last_covers_what_is_below() {
        let table = MountTable::parse(TABLE);
        assert_eq!(table.at(Path::new("/mnt/twice")).map(|entry| entry.id), Some(43));
        assert_eq!(table.children(40).map(|entry| entry.id).collect::<Vec<_>>(), [41]);
    }

    #[test]
    fn a_backslash_that_begins_no_escape_stays() {
        assert_eq!(unescape(b"a\\9\\04"), "a\\9\\04");
        assert_eq!(unescape(b"\\377\\400"), OsString::from_vec(b"\xff\\400".to_vec()));
    }
}
