//! Where things are: the data directory, the runtime directory, the config file.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Env, Error};

/// The places of one user. All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Catalog, store and sessions: `AETHER_HOME`, else `aether` below `$XDG_DATA_HOME`.
    pub data: PathBuf,
    /// Control sockets and default mount points: `aether` below `$XDG_RUNTIME_DIR`, else a directory in `/tmp`.
    pub runtime: PathBuf,
    /// The config file, whether it exists or not.
    pub config_file: PathBuf,
}

impl Paths {
    /// Works the places out.
    ///
    /// # Errors
    /// [`Error::NoHome`] when nothing says where the home directory is.
    pub fn from_env(env: &Env, cwd: &Path) -> Result<Self, Error> {
        let below_home = |variable: &str, default: &str| match env.absolute(variable) {
            Some(path) => Ok(path.join("aether")),
            None => Ok(env.home().ok_or(Error::NoHome)?.join(default).join("aether")),
        };
        let data = match env.get("AETHER_HOME") {
            Some(path) => cwd.join(path),
            None => below_home("XDG_DATA_HOME", ".local/share")?,
        };
        let config_file = below_home("XDG_CONFIG_HOME", ".config")?.join("config.toml");
        let runtime = match env.absolute("XDG_RUNTIME_DIR").filter(|path| path.is_dir()) {
            Some(path) => path.join("aether"),
            None => PathBuf::from(format!("/tmp/aether-{}", env.uid())),
        };
        Ok(Self { data, runtime, config_file })
    }

    /// Makes the runtime directory if it is missing, and makes sure that nobody else can reach into it.
    ///
    /// # Errors
    /// [`Error::Runtime`] when it is a link, somebody else's, or open to others.
    pub fn make_runtime(&self) -> Result<&Path, Error> {
        let path = &self.runtime;
        let refuse = |why: String| Error::Runtime { path: path.clone(), why };
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refuse(error.to_string())),
            _ => {}
        }
        let found = fs::symlink_metadata(path).map_err(|error| refuse(error.to_string()))?;
        if !found.is_dir() {
            return Err(refuse("it is not a directory".into()));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse(format!("it belongs to user {}", found.uid())));
        }
        if found.permissions().mode() & 0o077 != 0 {
            return Err(refuse("other users can reach into it".into()));
        }
        Ok(path)
    }
}
