//! Directories for what is needed for a moment only, below the data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Error, Result};

/// A directory that nobody else can enter, and that goes when it is no longer needed.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one, and removes what processes left there that are gone.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(data_dir: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let above = data_dir.join("tmp");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        fs::create_dir_all(&above).map_err(failed(&above))?;
        for entry in fs::read_dir(&above).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| name.split('-').nth(1)?.parse::<u32>().ok());
            if owner.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
                let _gone = fs::remove_dir_all(entry.path());
            }
        }
        for number in 0.. {
            let path = above.join(format!("scratch-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path)(error)),
            }
        }
        unreachable!("some number is free")
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}
