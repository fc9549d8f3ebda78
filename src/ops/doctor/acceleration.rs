//! Whether `session run --accelerate` can be had.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Finding, is_root, nearest_existing};

const NAME: &str = "acceleration";

/// File systems that overlayfs does not write to, by their magic numbers (statfs(2)).
const NO_UPPER: &[(u32, &str)] = &[
    (0x794c_7630, "overlayfs"),
    (0x6573_5546, "FUSE"),
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x4d44, "FAT"),
    (0x2011_bab0, "exFAT"),
];

/// `exe` is this program, which is started once more, because only a process of one thread can enter a user namespace.
pub(super) fn check(data: &Path, exe: &Path) -> Finding {
    let magic = rustix::fs::statfs(nearest_existing(data)).map_or(0, |found| found.f_type as u32);
    if let Some((_, name)) = NO_UPPER.iter().find(|(known, _)| *known == magic) {
        return Finding::warning(
            NAME,
            format!("`session run --accelerate` runs on the mount: overlayfs does not write to {name}"),
            "point AETHER_HOME at a directory on a local disk",
        );
    }
    let tried = Command::new(exe).args(["inside", "--try"]).stdin(Stdio::null()).output();
    let why = match tried {
        Ok(output) if output.status.success() => {
            return Finding::good(NAME, "`session run --accelerate` has overlayfs");
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            said.strip_prefix("warning: ").map_or(said.clone(), str::to_owned)
        }
        Err(error) => error.to_string(),
    };
    let remedy = match is_root() {
        true => "it needs CAP_SYS_ADMIN and overlayfs in the kernel; all else works without",
        false => {
            "it needs user namespaces for ordinary users and Linux 5.11 or newer; all else works without, \
             and root can do without them"
        }
    };
    Finding::warning(NAME, format!("`session run --accelerate` runs on the mount: {why}"), remedy)
}
