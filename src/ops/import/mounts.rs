//! Which mounts an import must not enter: those of sessions, and the kernel's own file systems.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A session's mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMount {
    /// Where it is mounted, without symbolic links.
    pub path: PathBuf,
    /// Major and minor device number.
    pub device: (u32, u32),
}

/// The mounts of type `fuse.aether` in the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)). Lines that cannot
/// be understood are passed over.
#[must_use]
pub fn own_mounts(mountinfo: &[u8]) -> Vec<OwnMount> {
    mountinfo.split(|&byte| byte == b'\n').filter_map(own_mount).collect()
}

fn own_mount(line: &[u8]) -> Option<OwnMount> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let separator = fields.iter().position(|field| *field == b"-")?;
    if *fields.get(separator + 1)? != b"fuse.aether" {
        return None;
    }
    let (major, minor) = std::str::from_utf8(fields.get(2)?).ok()?.split_once(':')?;
    let path = OsString::from_vec(unescape(fields.get(4)?));
    Some(OwnMount { path: path.into(), device: (major.parse().ok()?, minor.parse().ok()?) })
}

/// Undoes the octal escapes (`\040` for a space) of the mount table.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|digit| (b'0'..b'8').contains(digit)));
        match octal {
            Some(digits) => {
                bytes.push(digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &tail[3..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

/// Whether a file system with this magic number (`statfs(2)`, `include/uapi/linux/magic.h`) shows kernel state.
pub(super) fn is_kernel_file_system(magic: u64) -> bool {
    const KERNEL: [u64; 22] = [
        0x9fa0,      // proc
        0x6265_6572, // sysfs
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x1cd1,      // devpts
        0xcafe_4a11, // bpf
        0x7363_6673, // securityfs
        0x6265_6570, // configfs
        0x6165_676c, // pstore
        0xde5e_81e4, // efivarfs
        0x1980_0202, // mqueue
        0x4249_4e4d, // binfmt_misc
        0x6573_5543, // fusectl
        0xf97c_ff8c, // selinuxfs
        0x4341_5d53, // smackfs
        0x0187,      // autofs
        0x6e73_6673, // nsfs
        0x5049_4446, // pidfs
        0x6759_6969, // rpc_pipefs
        0x0bad_1dea, // futexfs
    ];
    KERNEL.contains(&magic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_of_sessions_are_picked_from_the_mount_table() {
        let table = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n\
            41 22 0:40 / /home/a\\040b\\134/mnt rw,nosuid shared:7 - fuse.aether aether rw\n\
            42 22 0:41 / /x rw - fuse.sshfs sshfs rw\nnonsense\n";
        let found = own_mounts(table);
        assert_eq!(found, [OwnMount { path: "/home/a b\\/mnt".into(), device: (0, 40) }]);
    }
}
