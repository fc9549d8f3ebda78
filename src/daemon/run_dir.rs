//! The directory where mount processes are found: their records and their sockets. Nobody else may look into it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use super::Failure;

/// The longest path a socket address holds, in bytes (`sun_path`, with its NUL).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// How many locks there are for the turns of one kind.
const TURNS: u32 = 64;

/// What only one process does with a mount at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Looking whether it is there, and making it.
    Mounting,
    /// Beginning or ending to run a command in it. Whoever does so may mount.
    Entering,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Mounting => "mounting",
            Self::Entering => "entering",
        }
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

/// A private directory, mode 0700, of this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Opens the directory, and makes it if only it is missing. One that belongs to someone else, or is a symlink, is
    /// refused: it may lie in a place where anyone can make directories.
    ///
    /// # Errors
    /// [`Failure`] `run-dir` or `io`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::io(path, &error);
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let there = fs::symlink_metadata(path).map_err(failed)?;
        if !there.is_dir() || (there.uid() != geteuid().as_raw() && !geteuid().is_root()) {
            let shown = path.display().to_string();
            return Err(Failure::new("run-dir", format!("`{}` is not a directory of this user", shown.escape_debug()))
                .hint("remove it, or set another runtime directory"));
        }
        if there.mode() & 0o7777 != 0o700 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Waits for the directory's lock, which is held until the file is dropped.
    pub(super) fn lock(&self) -> io::Result<File> {
        let lock = fs::OpenOptions::new().create(true).write(true).truncate(false).open(self.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(lock)
    }

    /// Waits until nobody else does this with what has the tag. There are a few locks for all tags, so that no files are
    /// left behind; two tags that share one wait for each other without need.
    ///
    /// # Errors
    /// [`Failure`] `io`.
    pub fn turn(&self, doing: Doing, tag: &str) -> Result<Turn, Failure> {
        let number = tag.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % TURNS;
        let path = self.join(&format!("{}-{number}.lock", doing.word()));
        let failed = |error: io::Error| Failure::io(&path, &error);
        let mut options = fs::OpenOptions::new();
        let lock = options.create(true).write(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        loop {
            match flock(&lock, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                locked => {
                    locked.map_err(|errno| failed(errno.into()))?;
                    return Ok(Turn { _lock: lock });
                }
            }
        }
    }

    /// Listens on a socket in it, mode 0600; a socket left there is replaced.
    pub(super) fn listen(&self, name: &str) -> io::Result<UnixListener> {
        let path = self.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (_open, address) = self.address(name)?;
        let listener = UnixListener::bind(address)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Connects to a socket in it.
    pub(super) fn connect(&self, name: &str) -> io::Result<UnixStream> {
        let (_open, address) = self.address(name)?;
        UnixStream::connect(address)
    }

    /// A path that fits into a socket address. A long one is reached through a descriptor of the directory, which has to
    /// stay open while the path is used.
    fn address(&self, name: &str) -> io::Result<(Option<File>, PathBuf)> {
        let path = self.join(name);
        if path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
            return Ok((None, path));
        }
        let dir = File::open(&self.path)?;
        let short = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
        Ok((Some(dir), short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_could_read_is_closed_to_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run");
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("changed");
        RunDir::open(&path).expect("it is ours");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_symlink_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("run");
        std::os::unix::fs::symlink("/tmp", &path).expect("made");
        assert_eq!(RunDir::open(&path).expect_err("refused").code, "run-dir");
    }

    #[test]
    fn a_socket_works_below_a_path_of_any_length() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("d".repeat(120));
        fs::create_dir(&deep).expect("made");
        let run = RunDir::open(&deep.join("run")).expect("made");
        let listener = run.listen("x.sock").expect("listening");
        run.connect("x.sock").expect("connected");
        listener.accept().expect("accepted");
        assert_eq!(fs::metadata(run.join("x.sock")).expect("there").mode() & 0o777, 0o600);
    }
}
