//! A data directory of its own, and the program that works on it: what the tests of whole sessions stand on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A place for one test: a data directory, a runtime directory, and a directory to work in.
pub struct Workspace {
    dir: TempDir,
}

impl Workspace {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("aether-test-").tempdir().unwrap();
        for name in ["run", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    /// A path in the directory to work in.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("work").join(name)
    }

    /// The program, with this place as all that it knows.
    pub fn command(&self, args: &[&OsStr]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aether"));
        command.args(args).env_clear().stdin(Stdio::null()).current_dir(self.dir.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", self.dir.path());
        command.env("AETHER_HOME", self.dir.path().join("data")).env("XDG_RUNTIME_DIR", self.dir.path().join("run"));
        command
    }

    /// Runs the program, which must succeed.
    pub fn aether<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let output = self.command(&args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aether {args:?}: {}\n{said}", output.status);
        output
    }

    /// Imports a directory as the source `base`, and makes the session `session` on it.
    pub fn session_on(&self, origin: &Path) {
        self.aether(&[OsStr::new("source"), "create".as_ref(), "base".as_ref(), origin.as_os_str()]);
        self.aether(&["session", "create", "session", "--source", "base"]);
    }

    /// Mounts the session until the guard is dropped.
    pub fn mount(&self) -> Mount<'_> {
        let point = self.path("mount");
        std::fs::create_dir_all(&point).unwrap();
        self.aether(&[OsStr::new("session"), "mount".as_ref(), "session".as_ref(), point.as_os_str()]);
        Mount { workspace: self, point }
    }
}

/// A mounted session.
pub struct Mount<'a> {
    workspace: &'a Workspace,
    point: PathBuf,
}

impl Mount<'_> {
    pub fn root(&self) -> &Path {
        &self.point
    }

    /// Unmounts in order, which must succeed.
    pub fn end(self) {
        self.workspace.aether(&["session", "unmount", "session"]);
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        // After `end` there is nothing left to do. A failed test may still hold files: the mount must go all the same.
        for command in ["fusermount3", "umount"] {
            let mut lazy = Command::new(command);
            lazy.args(if command == "umount" { &["-l"][..] } else { &["-u", "-z", "-q"] }).arg(&self.point);
            let _ = lazy.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}
