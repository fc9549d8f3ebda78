//! Who can reach into the data and runtime directories.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::config::Paths;

use super::{Finding, nearest_existing};

pub(super) fn check(data: &Path) -> Finding {
    const NAME: &str = "data-permissions";
    let show = data.display();
    let Ok(meta) = fs::metadata(data) else {
        let parent = nearest_existing(data);
        return match rustix::fs::access(parent, rustix::fs::Access::WRITE_OK) {
            Ok(()) => Finding::good(NAME, format!("`{show}` is not there yet, and can be made")),
            Err(error) => Finding::failed(
                NAME,
                format!("`{show}` is not there, and `{}` cannot be written: {error}", parent.display()),
                "point AETHER_HOME at a directory of your own",
            ),
        };
    };
    let me = rustix::process::geteuid().as_raw();
    if !meta.is_dir() {
        return Finding::failed(NAME, format!("`{show}` is not a directory"), "point AETHER_HOME at a directory");
    }
    if meta.uid() != me {
        let found = format!("`{show}` belongs to user {}, you are user {me}", meta.uid());
        return Finding::failed(NAME, found, "point AETHER_HOME at a directory of your own");
    }
    if meta.permissions().mode() & 0o077 != 0 {
        let found = format!("other users can reach into `{show}`, which holds copies of your files");
        return Finding::failed(NAME, found, format!("`chmod 700 {show}`"));
    }
    Finding::good(NAME, format!("only you can reach into `{show}`"))
}

pub(super) fn check_runtime(paths: &Paths) -> Finding {
    const NAME: &str = "runtime-permissions";
    let show = paths.runtime.display();
    match fs::symlink_metadata(&paths.runtime) {
        Err(_) => Finding::good(NAME, format!("`{show}` is not there yet")),
        Ok(meta)
            if meta.is_dir()
                && meta.uid() == rustix::process::geteuid().as_raw()
                && meta.permissions().mode() & 0o077 == 0 =>
        {
            Finding::good(NAME, format!("only you can reach into `{show}`"))
        }
        Ok(_) => Finding::failed(
            NAME,
            format!("`{show}` is not a directory of yours that is closed to others"),
            "remove it, or set XDG_RUNTIME_DIR to a directory of your own",
        ),
    }
}
