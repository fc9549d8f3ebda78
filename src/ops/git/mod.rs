//! Git repositories, through git's own plumbing commands.
//!
//! Repositories are not trusted. What is run reads objects and refs: no hook, filter, text conversion or file-system
//! monitor of a repository runs, nothing is checked out, and no transport but the usual ones is spoken. Variables that
//! tie git to another repository, as a hook has them, are not passed on.

mod branch;
mod fetch;
mod import;
mod objects;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::ops::import::ImportError;
use crate::ops::scratch::Scratch;

pub use fetch::{Address, remote_commit};
pub use import::{GitOptions, ImportedGit, import};

/// Variables that name a repository or parts of one (`git rev-parse --local-env-vars`).
pub(super) const LOCAL_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_WORK_TREE",
];

/// A repository that can be read.
#[derive(Debug)]
pub struct Repository {
    /// The directory with `objects` and `refs`.
    dir: PathBuf,
    /// Where it was fetched to, if it was.
    _scratch: Option<Scratch>,
}

impl Repository {
    /// The repository at, or above, a directory.
    ///
    /// # Errors
    /// [`ImportError::Git`] when there is none, or git does not trust its owner.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let mut command = git(None);
        command.arg("-C").arg(path).args(["rev-parse", "--absolute-git-dir"]);
        let output = run("rev-parse", command)?;
        Ok(Self { dir: PathBuf::from(os(output.stdout.trim_ascii_end())), _scratch: None })
    }

    /// The full id of the commit that `rev` stands for.
    ///
    /// # Errors
    /// [`ImportError::Git`] when it stands for none.
    pub fn resolve(&self, rev: &str) -> Result<String, ImportError> {
        let mut command = git(Some(&self.dir));
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options"]).arg(format!("{rev}^{{commit}}"));
        match run("rev-parse", command) {
            Ok(output) => Ok(String::from_utf8_lossy(output.stdout.trim_ascii_end()).into_owned()),
            Err(_) => Err(ImportError::Git { what: "rev-parse".into(), why: format!("`{rev}` is no commit in it") }),
        }
    }
}

/// The commit that a working directory is at, if it is one of git's and there is one.
#[must_use]
pub fn head_of(dir: &Path) -> Option<String> {
    // Most directories are none; no process need be started to know.
    fs::symlink_metadata(dir.join(".git")).ok()?;
    Repository::open(dir).ok()?.resolve("HEAD").ok()
}

/// Where git looks for the hooks of the repository that has a directory, and the directories that are this repository's.
/// Nothing of it is run; its configuration is asked.
///
/// # Errors
/// [`ImportError::Git`] when there is none, or git does not trust its owner.
pub fn hooks_dir(path: &Path) -> Result<(PathBuf, Vec<PathBuf>), ImportError> {
    let ask = |what: &[&str]| {
        let mut command = Command::new("git");
        for name in LOCAL_VARIABLES {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").stdin(Stdio::null()).arg("-C").arg(path).arg("rev-parse").args(what);
        let output = run("rev-parse", command)?;
        Ok::<_, ImportError>(path.join(os(output.stdout.trim_ascii_end())))
    };
    let own = ask(&["--git-common-dir"])?;
    // A bare one has no other.
    let top = ask(&["--show-toplevel"]).ok();
    let inside = top.into_iter().chain([own]).filter_map(|dir| dir.canonicalize().ok());
    Ok((ask(&["--git-path", "hooks"])?, inside.collect()))
}

/// Whether a directory is a repository without a working directory.
#[must_use]
pub fn is_bare(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

/// A git command on a repository.
fn git(dir: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    for name in LOCAL_VARIABLES {
        command.env_remove(name);
    }
    command
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null"]);
    if let Some(dir) = dir {
        command.arg("--git-dir").arg(dir);
    }
    command
}

/// Makes a setting in a configuration file, which is replaced as a whole.
///
/// # Errors
/// [`ImportError::Git`].
pub fn set_config(file: &Path, key: &str, value: &str) -> Result<(), ImportError> {
    let mut command = git(None);
    command.args(["config", "--file"]).arg(file).args(["--replace-all", key, value]);
    run("config", command).map(drop)
}

/// Runs a command to its end.
fn run(what: &str, mut command: Command) -> Result<Output, ImportError> {
    let output = command.output().map_err(|error| cannot_run(what, &error))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(failed(what, &output.stderr, &output.status.to_string())),
    }
}

fn cannot_run(what: &str, error: &io::Error) -> ImportError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "git is not installed".to_owned(),
        _ => error.to_string(),
    };
    ImportError::Git { what: what.to_owned(), why }
}

/// What git said, without what it always says.
fn failed(what: &str, stderr: &[u8], status: &str) -> ImportError {
    let said = String::from_utf8_lossy(stderr);
    let lines = said.lines().map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: "));
    let why: Vec<String> = lines.filter(|line| !line.trim().is_empty()).take(3).map(str::to_owned).collect();
    let why = if why.is_empty() { status.to_owned() } else { why.join("; ") };
    ImportError::Git { what: what.to_owned(), why }
}

fn os(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}
