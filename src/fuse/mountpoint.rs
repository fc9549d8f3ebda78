//! Where something may be mounted.
//!
//! The checks of places are pure; only [`MountPoint::prepare`] looks at the directory, and makes it if need be.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::MountError;
use super::mountinfo::MountTable;

/// Places that must not be covered or mounted into.
#[derive(Clone, Copy, Debug)]
pub struct Forbidden<'a> {
    /// The data directory, resolved.
    pub data_dir: &'a Path,
    /// The directory with the sockets of mount processes, resolved. Mount points of ours may be inside of it.
    pub run_dir: &'a Path,
    /// What is mounted.
    pub table: &'a MountTable,
}

impl Forbidden<'_> {
    /// Checks a resolved path.
    ///
    /// # Errors
    /// [`MountError`] says what is in the way.
    pub fn check(&self, path: &Path) -> Result<(), MountError> {
        let (own, data) = (path.to_owned(), self.data_dir.to_owned());
        if path.starts_with(self.data_dir) {
            return Err(MountError::InsideData { path: own, data });
        }
        if self.data_dir.starts_with(path) {
            return Err(MountError::HidesData { path: own, data });
        }
        if self.run_dir.starts_with(path) {
            return Err(MountError::HidesRun { path: own, run: self.run_dir.to_owned() });
        }
        match self.table.containing(path).filter(|entry| entry.is_ours()) {
            Some(entry) if entry.mount_point == path => Err(MountError::AlreadyMounted { path: own }),
            Some(entry) => Err(MountError::InsideMount { path: own, mount: entry.mount_point.clone() }),
            None => Ok(()),
        }
    }
}

/// A directory that something can be mounted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// Absolute, without symlinks.
    pub path: PathBuf,
    /// Whether [`MountPoint::prepare`] made the directory, so that whoever unmounts may remove it again.
    pub created: bool,
}

impl MountPoint {
    /// Resolves and checks a mount point; makes the directory (mode 0700) if only it is missing. With `cover`, it may
    /// have content, which is out of sight while the mount is there.
    ///
    /// # Errors
    /// [`MountError`] says what is wrong with it. Nothing was made then.
    pub fn prepare(path: &Path, cover: bool, forbidden: &Forbidden<'_>) -> Result<Self, MountError> {
        let failed = |source: io::Error| MountError::Io { path: path.to_owned(), source };
        let absolute = std::path::absolute(path).map_err(failed)?;
        // A dead mount would fail to resolve; the table knows it by its name.
        forbidden.check(&absolute)?;
        let resolved = match fs::canonicalize(&absolute) {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create(&absolute, forbidden),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(MountError::NotADirectory { path: absolute });
            }
            Err(error) => return Err(failed(error)),
        };
        forbidden.check(&resolved)?;
        if !fs::metadata(&resolved).map_err(failed)?.is_dir() {
            return Err(MountError::NotADirectory { path: resolved });
        }
        if !cover && fs::read_dir(&resolved).map_err(failed)?.next().is_some() {
            return Err(MountError::NotEmpty { path: resolved });
        }
        Ok(Self { path: resolved, created: false })
    }

    fn create(absolute: &Path, forbidden: &Forbidden<'_>) -> Result<Self, MountError> {
        let missing = || MountError::Missing { path: absolute.to_owned() };
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else { return Err(missing()) };
        let parent = fs::canonicalize(parent).map_err(|_| missing())?;
        let path = parent.join(name);
        forbidden.check(&path)?;
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path, created: true }),
            // A symlink to nowhere, for one, is there and yet is not.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(missing()),
            Err(source) => Err(MountError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const TABLE: &[u8] = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 21 0:50 / /mnt/a rw - fuse.aether aether:s rw\n";

    fn check(path: &str) -> Result<(), MountError> {
        let table = MountTable::parse(TABLE);
        Forbidden { data_dir: Path::new("/data/aether"), run_dir: Path::new("/run/aether"), table: &table }
            .check(Path::new(path))
    }

    #[test]
    fn data_and_other_mounts_are_out_of_bounds() {
        assert!(matches!(check("/data/aether/x"), Err(MountError::InsideData { .. })));
        assert!(matches!(check("/data"), Err(MountError::HidesData { .. })));
        assert!(matches!(check("/mnt/a"), Err(MountError::AlreadyMounted { .. })));
        assert!(matches!(check("/mnt/a/b"), Err(MountError::InsideMount { .. })));
        assert!(matches!(check("/run"), Err(MountError::HidesRun { .. })));
        assert!(matches!(check("/run/aether"), Err(MountError::HidesRun { .. })));
        assert!(check("/run/aether/mnt/a").is_ok());
        assert!(check("/mnt/ab").is_ok());
        assert!(check("/data/aether2").is_ok());
    }

    #[test]
    fn a_mount_point_is_resolved_made_and_must_be_empty() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = fs::canonicalize(dir.path()).expect("it is there");
        let table = MountTable::default();
        let forbidden =
            Forbidden { data_dir: Path::new("/nowhere/data"), run_dir: Path::new("/nowhere/run"), table: &table };
        let prepare = |name: &str, cover| MountPoint::prepare(&home.join(name), cover, &forbidden);

        let made = prepare("new", false).expect("made");
        assert_eq!(made, MountPoint { path: home.join("new"), created: true });
        symlink("new", home.join("link")).expect("a link");
        assert_eq!(prepare("link", false).expect("resolved").path, home.join("new"));
        assert!(matches!(prepare("no/such", false), Err(MountError::Missing { .. })));
        fs::write(home.join("new/file"), b"").expect("written");
        assert!(matches!(prepare("new", false), Err(MountError::NotEmpty { .. })));
        assert!(prepare("new", true).is_ok());
        assert!(matches!(prepare("new/file", false), Err(MountError::NotADirectory { .. })));
        assert!(matches!(
            prepare("new/file/x", false),
            Err(MountError::NotADirectory { .. } | MountError::Missing { .. })
        ));
        symlink("nowhere", home.join("dangling")).expect("a link");
        assert!(matches!(prepare("dangling", false), Err(MountError::Missing { .. })));
    }
}
