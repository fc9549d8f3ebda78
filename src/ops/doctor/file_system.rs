//! What kind of file system the data directory is on.

use std::path::Path;

use super::{Finding, nearest_existing};

const NAME: &str = "data-file-system";

/// File systems on which SQLite's locks or `fsync` cannot be relied on, by their magic numbers (statfs(2)).
const REMOTE: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x6573_5546, "FUSE"),
];

/// File systems that forget everything when the machine stops.
const MEMORY: &[(u32, &str)] = &[(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

pub(super) fn check(data: &Path) -> Finding {
    let at = nearest_existing(data);
    let magic = match rustix::fs::statfs(at) {
        // The kernel's type is signed on some machines; the number is one of 32 bits everywhere.
        Ok(found) => found.f_type as u32,
        Err(error) => {
            return Finding::failed(NAME, format!("`{}`: {error}", at.display()), "make the directory usable");
        }
    };
    let name = |table: &[(u32, &'static str)]| table.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name);
    let elsewhere = "point AETHER_HOME at a directory on a local disk";
    if let Some(name) = name(REMOTE) {
        let found = format!("`{}` is on {name}, where locks and syncs cannot be relied on", data.display());
        return Finding::failed(NAME, found, elsewhere);
    }
    if let Some(name) = name(MEMORY) {
        let found = format!("`{}` is on {name}: nothing survives a restart of the machine", data.display());
        return Finding::warning(NAME, found, elsewhere);
    }
    Finding::good(NAME, format!("`{}` is on a local disk", data.display()))
}
