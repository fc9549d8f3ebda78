//! Tests of the program from the outside: its arguments, output, exit codes.

mod annotations;
mod applying;
mod approvals;
mod archive;
mod at_once;
mod bus;
mod cache;
mod commits;
mod comparing;
mod configuration;
mod diffs;
mod events;
mod examples;
mod exporting;
mod failures;
mod git_hooks;
mod health;
mod hooks;
mod hostile;
mod locks;
mod many;
mod merging;
mod mounts;
mod names;
mod origins;
mod output;
mod plain;
mod policies;
mod promoting;
mod rebuilding;
mod scale;
mod sources;
mod space;
mod states;
mod tags;
mod together;
mod trash;
mod undoing;
mod undoing_content;
mod watching;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Whether a test is to be left out because only root can do it. Says so past the test harness, which would keep it to itself.
pub fn needs_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let line = format!("left out, for root alone: {test}\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    !is_root
}

/// A user with a home of their own, in which nothing was done yet.
pub struct World {
    dir: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        let world = Self { dir: TempDir::new().unwrap() };
        fs::create_dir(world.path("run")).unwrap();
        world
    }

    /// With the directory `src/web`, the source `web` of it, and the session `fix-login` on that.
    pub fn with_web() -> Self {
        let world = Self::new();
        fs::create_dir_all(world.path("src/web/lib")).unwrap();
        fs::write(world.path("src/web/index.html"), "<p>hello</p>\n").unwrap();
        fs::write(world.path("src/web/lib/app.js"), "go();\n").unwrap();
        world.ok(["source", "create", "web", world.path("src/web").to_str().unwrap()]);
        world.ok(["session", "create", "fix-login", "--source", "web"]);
        world
    }

    /// A path in the home directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A command with nothing of this process's environment but the search path.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_aether"));
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.parent().unwrap().display());
        let mut command = Command::new(program);
        command.env_clear().env("PATH", path).env("HOME", self.dir.path()).env("USER", "ann");
        command.env("AETHER_HOME", self.data()).env("XDG_RUNTIME_DIR", self.path("run"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub fn aether<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_aether"));
        command.args(args);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        end(&mut self.aether(args))
    }

    /// Runs a command that must succeed; returns what it printed.
    pub fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.out
    }

    /// Runs a shell script in the home directory that must succeed.
    pub fn sh(&self, script: &str) {
        let ended = end(self.command("sh").args(["-ec", script]).env("GIT_CONFIG_NOSYSTEM", "1"));
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    /// Runs a command with `--json` that must succeed; returns the lines it printed.
    pub fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Vec<Value> {
        let mut command = self.aether(args);
        let ended = end(command.arg("--json"));
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
