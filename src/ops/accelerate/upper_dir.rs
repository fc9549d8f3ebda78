//! The directory that an overlay writes to, in the directory of its session.
//!
//! ```text
//! sessions/<id>/accelerate              locked by the command of ours that waits for the program
//! sessions/<id>/upper-<n>/upper, work   what was written on top of the session with delta <n>
//! sessions/<id>/upper-<n>/userxattr     the notes in it are `user.overlay.*`
//! sessions/<id>/upper-<n>/failed        why there was no overlay
//! sessions/<id>/upper-<n>/taking        it is being taken in
//! sessions/<id>/upper-<n>/modes         what had to be made readable first, as it was
//! ```
//!
//! It gets its name when it is complete, and the name is durable before anything is written to it.

use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, lsetxattr, utimensat};

use crate::disk::{Disk, RealDisk};
use crate::model::{Ino, Timestamp};
use crate::ops::import::read_xattrs_of;

use super::marks::Notes;

/// The lock of the command that waits for the program.
pub(in crate::ops) const RUNNING: &str = "accelerate";

/// What overlayfs writes on top of one state of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpperDir {
    path: PathBuf,
}

/// Permission bits and change times by inode number, of what was made readable.
pub(super) type Modes = FxHashMap<Ino, (u16, Timestamp)>;

impl UpperDir {
    /// That of a session with the delta of this number, whether it is there or not.
    #[must_use]
    pub fn of(session_dir: &Path, delta: u64) -> Self {
        Self { path: session_dir.join(format!("upper-{delta}")) }
    }

    /// The one at this path.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The number of the delta that a directory of this name belongs to.
    pub(in crate::ops) fn number(dir: &Path) -> Option<u64> {
        let name = dir.file_name()?.to_str()?.strip_prefix("upper-")?;
        name.strip_suffix(".new").unwrap_or(name).parse().ok()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is something to take in.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    /// What the overlay calls its upper directory.
    pub(in crate::ops) fn upper(&self) -> PathBuf {
        self.path.join("upper")
    }

    /// Its directory to work in.
    pub(in crate::ops) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Makes it, with the attributes of the directory that is to be seen under it.
    pub(super) fn create(&self, lower: &Path) -> io::Result<()> {
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        remove_tree(&new)?;
        for dir in ["", "upper", "work"] {
            fs::DirBuilder::new().mode(0o700).create(new.join(dir))?;
        }
        dress(&new.join("upper"), lower)?;
        fs::rename(&new, &self.path)?;
        let above = self.path.parent().unwrap_or(&self.path);
        for dir in [&self.path, above].into_iter().chain(above.parent()) {
            RealDisk.sync_dir(dir)?;
        }
        Ok(())
    }

    /// Notes, in the user namespace, whose attributes have the notes.
    pub(in crate::ops) fn note_user(&self) -> io::Result<()> {
        fs::write(self.path.join("userxattr"), b"")
    }

    pub(super) fn notes(&self) -> Notes {
        if self.path.join("userxattr").exists() { Notes::User } else { Notes::Trusted }
    }

    /// Notes why there is no overlay.
    ///
    /// # Errors
    /// What the disk says.
    pub fn note_failure(&self, why: &str) -> io::Result<()> {
        fs::write(self.path.join("failed"), why)
    }

    /// Why there was none.
    pub(super) fn failure(&self) -> Option<String> {
        fs::read_to_string(self.path.join("failed")).ok()
    }

    /// Notes that it is being taken in, for those who wait.
    pub(in crate::ops) fn begin(&self) {
        let _only_for_others = fs::write(self.path.join("taking"), b"");
    }

    /// Whether one of a session is being taken in.
    pub(super) fn is_being_taken(session_dir: &Path) -> bool {
        let dirs = RealDisk.list(session_dir).unwrap_or_default();
        dirs.iter().any(|dir| Self::number(dir).is_some() && dir.join("taking").exists())
    }

    /// Whether an overlay of this session is in somebody's mount namespace, as far as this user may look.
    pub(in crate::ops) fn is_in_use(session_id: &str) -> bool {
        let wanted = format!(" - overlay {} ", source_of(session_id));
        let mut seen = FxHashSet::default();
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        let processes = processes.flatten().map(|entry| entry.path());
        processes.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit())).any(
            |process| {
                fs::read_link(process.join("ns/mnt")).is_ok_and(|namespace| seen.insert(namespace))
                    && fs::read(process.join("mountinfo"))
                        .is_ok_and(|table| table.windows(wanted.len()).any(|part| part == wanted.as_bytes()))
            },
        )
    }

    /// What was made readable, as it was before.
    pub(super) fn modes(&self) -> io::Result<Modes> {
        let text = match fs::read_to_string(self.path.join("modes")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Modes::default()),
            other => other?,
        };
        let line = |line: &str| {
            let numbers: Vec<i64> = line.split(' ').map_while(|number| number.parse().ok()).collect();
            let [ino, mode, secs, nanos] = numbers[..] else { return None };
            Some((ino as u64, (mode as u16, Timestamp::new(secs, u32::try_from(nanos).ok()?))))
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// Makes everything readable for its owner. How it was is durable before.
    pub(super) fn open_up(&self) -> io::Result<()> {
        let mut known = self.modes()?;
        let mut dirs = vec![self.upper()];
        while let Some(dir) = dirs.pop() {
            self.loosen(&mut known, &Vec::from_iter(closed_to_owner(dir.clone())?))?;
            let mut closed = Vec::new();
            for entry in fs::read_dir(&dir)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    dirs.push(entry.path());
                } else if kind.is_file() {
                    closed.extend(closed_to_owner(entry.path())?);
                }
            }
            self.loosen(&mut known, &closed)?;
        }
        Ok(())
    }

    fn loosen(&self, known: &mut Modes, closed: &[(PathBuf, fs::Metadata)]) -> io::Result<()> {
        let mut lines = String::new();
        for (_, meta) in closed {
            let (mode, ctime) = ((meta.mode() & 0o7777) as u16, Timestamp::new(meta.ctime(), meta.ctime_nsec() as u32));
            // The first that was noted is how it was, also when noting was all that an earlier attempt came to.
            if let Entry::Vacant(free) = known.entry(meta.ino()) {
                free.insert((mode, ctime));
                let (secs, nanos) = (ctime.secs, ctime.nanos);
                let _ = writeln!(lines, "{} {mode} {secs} {nanos}", meta.ino());
            }
        }
        if !lines.is_empty() {
            let path = self.path.join("modes");
            let mut file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
            file.write_all(lines.as_bytes())?;
            file.sync_all()?;
        }
        for (path, meta) in closed {
            fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() & 0o7777 | 0o700))?;
        }
        Ok(())
    }
}

/// What the mount table has as the source of an overlay over a session.
pub(in crate::ops) fn source_of(session_id: &str) -> String {
    format!("aether:{session_id}")
}

fn closed_to_owner(path: PathBuf) -> io::Result<Option<(PathBuf, fs::Metadata)>> {
    let meta = fs::symlink_metadata(&path)?;
    let wanted = if meta.is_dir() { 0o500 } else { 0o400 };
    Ok((meta.mode() & wanted != wanted).then_some((path, meta)))
}

/// Whether an attribute is of a kind that every owner of a file may set.
pub(super) fn is_for_everyone(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_")
}

/// Gives a directory the attributes of another: what is at the top of an overlay is its upper directory.
fn dress(dir: &Path, like: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(like)?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(dir, Some(meta.uid()), Some(meta.gid()))?;
    }
    let open = fs::File::open(like)?;
    for (name, value) in read_xattrs_of(&open)?.iter().flat_map(|map| map.iter()) {
        // A note of another overlay, which came with a source, would be taken for one of this.
        let is_note = [&b"trusted.overlay."[..], b"user.overlay."].iter().any(|prefix| name.starts_with(prefix));
        if is_note {
            continue;
        }
        match lsetxattr(dir, &name[..], value, XattrFlags::empty()) {
            Err(errno) if is_for_everyone(name) => return Err(errno.into()),
            _ => {}
        }
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(meta.mode() & 0o7777))?;
    let time = |secs, nanos| Timespec { tv_sec: secs, tv_nsec: nanos };
    let times = Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    };
    utimensat(CWD, dir, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Removes a directory with all that is in it, also what its owner may not enter; it is no error if it is not there.
///
/// # Errors
/// What the disk says.
pub(in crate::ops) fn remove_tree(dir: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let mut dirs = vec![dir.to_owned()];
            while let Some(dir) = dirs.pop() {
                fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
                for entry in fs::read_dir(&dir)? {
                    let entry = entry?;
                    if entry.file_type()?.is_dir() {
                        dirs.push(entry.path());
                    }
                }
            }
            gone(fs::remove_dir_all(dir))
        }
        result => gone(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_complete_has_no_name_that_counts() {
        let dir = tempfile::tempdir().unwrap();
        let upper = UpperDir::of(dir.path(), 7);
        assert_eq!(upper.path().file_name().unwrap(), "upper-7");
        assert_eq!(UpperDir::number(upper.path()), Some(7));
        assert_eq!(UpperDir::number(Path::new("/x/upper-12.new")), Some(12));
        assert_eq!(UpperDir::number(Path::new("/x/upper-x")), None);
        assert_eq!(UpperDir::number(Path::new("/x/delta-7")), None);
        fs::create_dir(dir.path().join("upper-7.new")).unwrap();
        assert!(!upper.is_there());
        let like = dir.path().join("like");
        fs::create_dir(&like).unwrap();
        fs::set_permissions(&like, fs::Permissions::from_mode(0o1750)).unwrap();
        upper.create(&like).unwrap();
        assert!(upper.is_there());
        let (made, like) = (fs::metadata(upper.upper()).unwrap(), fs::metadata(&like).unwrap());
        assert_eq!((made.mode(), made.mtime(), made.mtime_nsec()), (like.mode(), like.mtime(), like.mtime_nsec()));
        assert_eq!(fs::metadata(upper.path()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_made_readable_is_remembered_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let upper = UpperDir::of(dir.path(), 0);
        upper.create(dir.path()).unwrap();
        let (inner, file) = (upper.upper().join("closed"), upper.upper().join("closed/file"));
        fs::create_dir(&inner).unwrap();
        fs::write(&file, "x").unwrap();
        let ino = |path: &Path| fs::metadata(path).unwrap().ino();
        let (dir_ino, file_ino) = (ino(&inner), ino(&file));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o200)).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o0)).unwrap();
        for _ in 0..2 {
            upper.open_up().unwrap();
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o700);
            let modes = upper.modes().unwrap();
            assert_eq!((modes[&dir_ino].0, modes[&file_ino].0, modes.len()), (0, 0o200, 2));
        }
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o0)).unwrap();
        remove_tree(upper.path()).unwrap();
        assert!(!upper.is_there());
        remove_tree(upper.path()).unwrap();
    }

    #[test]
    fn an_overlay_that_nobody_has_is_not_in_use() {
        assert!(!UpperDir::is_in_use("s-that-nobody-has"));
    }
}
