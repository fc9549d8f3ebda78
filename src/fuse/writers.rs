//! Which files of a mount somebody writes to, or runs, from `/proc`: with opens that nobody is asked about, the kernel is
//! the only one who knows.
//!
//! Of other users' processes only root sees what they hold; what cannot be seen is taken to be closed. Nothing here looks
//! at the files themselves, which would ask the mount.

use std::fs;
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::Ino;

/// The access mode bits of `O_WRONLY` and `O_RDWR`.
const WRITES: u32 = 0o3;

/// Those of `wanted`, files of the file system with this device number (`major:minor`), that a process has open for
/// writing, has mapped so that it can write to them, or runs.
#[must_use]
pub fn written(device: &str, wanted: &FxHashSet<Ino>) -> FxHashSet<Ino> {
    let mut found = FxHashSet::default();
    let Ok(processes) = fs::read_dir("/proc") else { return found };
    let mut look = Look { device, mapped: in_hexadecimal(device), mounts: FxHashMap::default() };
    for process in processes.flatten() {
        let is_process =
            process.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        if is_process {
            look.at(&process.path(), &mut |ino| {
                if wanted.contains(&ino) {
                    found.insert(ino);
                }
            });
        }
    }
    found
}

struct Look<'a> {
    device: &'a str,
    /// The device as the table of mappings has it.
    mapped: Option<String>,
    /// The numbers that mounts of the device have, by mount namespace.
    mounts: FxHashMap<Vec<u8>, FxHashSet<String>>,
}

impl Look<'_> {
    fn at(&mut self, process: &Path, each: &mut dyn FnMut(Ino)) {
        if let (Some(device), Ok(maps)) = (&self.mapped, fs::read_to_string(process.join("maps"))) {
            maps.lines().filter_map(|line| mapping(line, device)).for_each(&mut *each);
        }
        let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return };
        for descriptor in descriptors.flatten() {
            // Sockets, pipes and the like are no paths.
            if !fs::read_link(descriptor.path()).is_ok_and(|path| path.is_absolute()) {
                continue;
            }
            let Ok(info) = fs::read_to_string(process.join("fdinfo").join(descriptor.file_name())) else { continue };
            if let Some((ino, mount)) = open_for_writing(&info)
                && self.mounts_of(process).contains(mount)
            {
                each(ino);
            }
        }
    }

    fn mounts_of(&mut self, process: &Path) -> &FxHashSet<String> {
        use std::os::unix::ffi::OsStrExt;
        let space = fs::read_link(process.join("ns/mnt")).map(|link| link.as_os_str().as_bytes().to_vec());
        let device = self.device;
        self.mounts.entry(space.unwrap_or_default()).or_insert_with(|| {
            let table = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
            let ours = table.lines().filter_map(|line| {
                let mut fields = line.split(' ');
                let number = fields.next()?;
                (fields.nth(1)? == device).then(|| number.to_owned())
            });
            ours.collect()
        })
    }
}

/// The inode and the mount's number of a descriptor that can be written to.
fn open_for_writing(info: &str) -> Option<(Ino, &str)> {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let flags = u32::from_str_radix(field("flags:")?, 8).ok()?;
    (flags & WRITES != 0).then_some(())?;
    Some((field("ino:")?.parse().ok()?, field("mnt_id:")?))
}

/// The inode of a mapping of the device that writes to the file, or runs it.
fn mapping(line: &str, device: &str) -> Option<Ino> {
    let mut fields = line.split_ascii_whitespace();
    let (_, mode, _, of, ino) =
        (fields.next()?, fields.next()?.as_bytes(), fields.next()?, fields.next()?, fields.next()?);
    let counts = mode.get(2) == Some(&b'x') || (mode.get(1) == Some(&b'w') && mode.get(3) == Some(&b's'));
    (of == device && counts).then(|| ino.parse().ok())?
}

fn in_hexadecimal(device: &str) -> Option<String> {
    let (major, minor) = device.split_once(':')?;
    Some(format!("{:02x}:{:02x}", major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_and_mappings_are_read() {
        let info = "pos:\t0\nflags:\t02100002\nmnt_id:\t31\nino:\t77\n";
        assert_eq!(open_for_writing(info), Some((77, "31")));
        assert_eq!(open_for_writing(&info.replace("02100002", "0100000")), None);
        let line = |mode: &str| format!("7f00-7f01 {mode} 00001000 00:2f 1234                       /mnt/with space");
        assert_eq!(mapping(&line("rw-s"), "00:2f"), Some(1234));
        assert_eq!(mapping(&line("r-xp"), "00:2f"), Some(1234));
        assert_eq!(mapping(&line("rw-p"), "00:2f"), None);
        assert_eq!(mapping(&line("rw-s"), "00:30"), None);
    }
}
