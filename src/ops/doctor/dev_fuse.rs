//! The device through which the kernel talks to a mount process.

use std::fs::OpenOptions;
use std::io::ErrorKind;

use super::Finding;

const NAME: &str = "dev-fuse";

pub(super) fn check() -> Finding {
    match OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        Ok(_) => Finding::good(NAME, "`/dev/fuse` can be opened"),
        Err(error) if error.kind() == ErrorKind::NotFound => Finding::failed(
            NAME,
            "there is no `/dev/fuse`",
            "load the kernel module (`modprobe fuse`); in a container, pass the device in (`--device /dev/fuse`)",
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::failed(
            NAME,
            "`/dev/fuse` may not be opened",
            "give yourself access to it; its usual mode is 0666 (`chmod 666 /dev/fuse` as root)",
        ),
        // The node is there and the kernel's side is not.
        Err(error) => Finding::failed(NAME, format!("`/dev/fuse`: {error}"), "load the kernel module: `modprobe fuse`"),
    }
}
