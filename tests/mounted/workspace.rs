//! A data directory of its own, and the program that works on it: what the tests of whole sessions stand on.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::users::NOBODY;

/// A place for one test: a data directory, a runtime directory, and a directory to work in.
pub struct Workspace {
    dir: TempDir,
    /// The program, and who runs it if that is not whoever runs the test.
    program: PathBuf,
    user: Option<u32>,
}

impl Workspace {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("aether-test-").tempdir().unwrap();
        for name in ["run", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, program: env!("CARGO_BIN_EXE_aether").into(), user: None }
    }

    /// A place of the user `nobody`, in which the program runs as that user. Only root can make one.
    pub fn of_nobody() -> Self {
        let mut workspace = Self::new();
        // The program's own directory may be closed to others.
        workspace.program = workspace.dir.path().join("aether");
        std::fs::copy(env!("CARGO_BIN_EXE_aether"), &workspace.program).unwrap();
        for name in ["", "run", "work"] {
            let path = workspace.dir.path().join(name);
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        workspace.user = Some(NOBODY);
        workspace
    }

    /// Who runs the program, if that is not whoever runs the test.
    pub fn user(&self) -> Option<u32> {
        self.user
    }

    /// Lets other users into the directory to work in.
    pub fn open_to_all(&self) {
        for path in [self.dir.path(), &self.path("")] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// A path in the directory to work in.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("work").join(name)
    }

    /// The program, with this place as all that it knows.
    pub fn command(&self, args: &[&OsStr]) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.args(args).env_clear().stdin(Stdio::null()).current_dir(self.dir.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", self.dir.path());
        command.env("AETHER_HOME", self.dir.path().join("data")).env("XDG_RUNTIME_DIR", self.dir.path().join("run"));
        command
    }

    /// A shell with a script, in the same environment.
    pub fn shell(&self, script: &str) -> Command {
        let program = self.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-ec", script]).env_clear().stdin(Stdio::null()).current_dir(self.dir.path());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
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

    /// The process that serves the only mount.
    pub fn mount_process(&self) -> u32 {
        let run = aether::daemon::RunDir::open(&self.path("../run/aether")).unwrap();
        let mounts = aether::daemon::mounts(&run).unwrap();
        let [(record, _)] = &mounts[..] else { panic!("{mounts:?}") };
        record.process.pid
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
        take_away(&self.point);
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let place = self.path("");
        let all = aether::fuse::MountTable::read().map_or_else(|_| Vec::new(), |table| table.ours().cloned().collect());
        // The innermost first.
        for entry in all.iter().rev().filter(|entry| entry.mount_point.starts_with(place.parent().unwrap())) {
            take_away(&entry.mount_point);
        }
    }
}

/// After an orderly end there is nothing left to do. A failed test may still hold files: the mount must go all the same.
fn take_away(point: &Path) {
    for command in ["fusermount3", "umount"] {
        let mut lazy = Command::new(command);
        lazy.args(if command == "umount" { &["-l"][..] } else { &["-u", "-z", "-q"] }).arg(point);
        let _ = lazy.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
