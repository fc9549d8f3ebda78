//! The helper that mounts for ordinary users.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Finding, is_root};

const NAME: &str = "fusermount3";

pub(super) fn check(path_variable: Option<&OsStr>) -> Finding {
    let dirs = path_variable.map(OsStr::as_bytes).unwrap_or(b"/usr/bin:/bin");
    let candidates = dirs.split(|&byte| byte == b':').map(|dir| Path::new(OsStr::from_bytes(dir)).join(NAME));
    let found = candidates.filter(|path| path.is_absolute()).find_map(|path| Some((path.metadata().ok()?, path)));
    let install = "install it: `apt install fuse3`, `dnf install fuse3` or `pacman -S fuse3`";
    match found {
        None if is_root() => Finding::good(NAME, "`fusermount3` is not there, and root does not need it"),
        None => Finding::failed(NAME, "`fusermount3` is not in PATH, and only root can mount without it", install),
        Some((meta, path)) if meta.uid() == 0 && meta.permissions().mode() & 0o4000 != 0 => {
            Finding::good(NAME, format!("`{}` is there and set-uid root", path.display()))
        }
        Some((_, path)) if is_root() => {
            Finding::good(NAME, format!("`{}` is not set-uid root, and root does not need it", path.display()))
        }
        Some((_, path)) => Finding::failed(
            NAME,
            format!("`{}` is not set-uid root, so it cannot mount", path.display()),
            format!("as root: `chown root {0} && chmod u+s {0}`", path.display()),
        ),
    }
}
