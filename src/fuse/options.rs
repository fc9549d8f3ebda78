//! What `-o` may say. Pure: it reads options and writes them out for the kernel and for `fusermount3`.
//!
//! `default_permissions` is always on, and `nosuid` and `nodev` are unless root says otherwise. What is not known is
//! refused by name: an option that is silently ignored is a promise that is silently broken.

use rustix::mount::MountFlags;
use serde::{Deserialize, Serialize};

use super::init::MAX_IO_BYTES;

/// Which accesses update `st_atime`. FUSE keeps none by itself, so this is what the mount table says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Atime {
    #[default]
    Relatime,
    Noatime,
    Strictatime,
}

/// Options of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MountOptions {
    /// Refuse every change.
    pub read_only: bool,
    /// Let users other than the one who mounts in, as far as file modes do.
    pub allow_other: bool,
    /// Honour set-uid and set-gid bits.
    pub suid: bool,
    /// Honour device nodes.
    pub dev: bool,
    /// Refuse to execute programs.
    pub noexec: bool,
    /// Write synchronously.
    pub sync: bool,
    /// Change directories synchronously.
    pub dirsync: bool,
    /// Access times.
    pub atime: Atime,
    /// Do not update access times of directories.
    pub nodiratime: bool,
}

/// Why an option was refused. Messages hold the option escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// There is no such option.
    #[error("there is no mount option `{}`", .0.escape_debug())]
    Unknown(String),
    /// It is always as it is.
    #[error("the mount option `{}` cannot be set", .0.escape_debug())]
    Fixed(String),
    /// Only root may have it.
    #[error("the mount option `{0}` is for root only")]
    RootOnly(&'static str),
    /// The name of what is mounted cannot be put into a list of options.
    #[error("`{}` cannot stand in the mount table", .0.escape_debug())]
    BadTag(String),
}

impl OptionError {
    /// What the user can do, one line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Unknown(_) => vec![format!("known are: {}", KNOWN.join(", "))],
            Self::Fixed(_) => vec!["leave it out".into()],
            Self::RootOnly(_) => vec!["leave it out, or mount as root".into()],
            Self::BadTag(_) => vec!["use letters, digits and `._-+@:/` only".into()],
        }
    }
}

const KNOWN: &[&str] = &[
    "ro",
    "rw",
    "allow_other",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "atime",
    "noatime",
    "relatime",
    "norelatime",
    "strictatime",
    "diratime",
    "nodiratime",
    "sync",
    "async",
    "dirsync",
    "defaults",
    "default_permissions",
];

/// Options that belong to whoever makes the mount.
const FIXED: &[&str] = &[
    "fd",
    "rootmode",
    "user_id",
    "group_id",
    "fsname",
    "subtype",
    "max_read",
    "blksize",
    "allow_root",
    "auto_unmount",
];

impl MountOptions {
    /// Reads comma-separated options on top of these; the last of two that contradict each other holds.
    ///
    /// # Errors
    /// [`OptionError`] names the first option that is not known, or not for the user to set.
    pub fn parse(mut self, list: &str) -> Result<Self, OptionError> {
        for option in list.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            self.set(option)?;
        }
        Ok(self)
    }

    fn set(&mut self, option: &str) -> Result<(), OptionError> {
        match option {
            "ro" => self.read_only = true,
            "rw" => self.read_only = false,
            "allow_other" => self.allow_other = true,
            "suid" => self.suid = true,
            "nosuid" => self.suid = false,
            "dev" => self.dev = true,
            "nodev" => self.dev = false,
            "exec" => self.noexec = false,
            "noexec" => self.noexec = true,
            "sync" => self.sync = true,
            "async" => self.sync = false,
            "dirsync" => self.dirsync = true,
            "atime" | "relatime" => self.atime = Atime::Relatime,
            "noatime" => self.atime = Atime::Noatime,
            "strictatime" | "norelatime" => self.atime = Atime::Strictatime,
            "diratime" => self.nodiratime = false,
            "nodiratime" => self.nodiratime = true,
            "defaults" | "default_permissions" => {}
            other => {
                let name = other.split('=').next().unwrap_or(other);
                let fixed = FIXED.contains(&name);
                return Err(if fixed { OptionError::Fixed(name.into()) } else { OptionError::Unknown(other.into()) });
            }
        }
        Ok(())
    }

    /// Checks that this user may have these options.
    ///
    /// # Errors
    /// [`OptionError::RootOnly`] names the option that only root may have.
    pub fn check(&self, is_root: bool) -> Result<(), OptionError> {
        match self {
            _ if is_root => Ok(()),
            Self { suid: true, .. } => Err(OptionError::RootOnly("suid")),
            Self { dev: true, .. } => Err(OptionError::RootOnly("dev")),
            _ => Ok(()),
        }
    }

    /// The flags for `mount(2)`.
    pub(super) fn flags(&self) -> MountFlags {
        let mut flags = MountFlags::empty();
        flags.set(MountFlags::RDONLY, self.read_only);
        flags.set(MountFlags::NOSUID, !self.suid);
        flags.set(MountFlags::NODEV, !self.dev);
        flags.set(MountFlags::NOEXEC, self.noexec);
        flags.set(MountFlags::SYNCHRONOUS, self.sync);
        flags.set(MountFlags::DIRSYNC, self.dirsync);
        flags.set(MountFlags::NODIRATIME, self.nodiratime);
        flags
            | match self.atime {
                Atime::Relatime => MountFlags::RELATIME,
                Atime::Noatime => MountFlags::NOATIME,
                Atime::Strictatime => MountFlags::STRICTATIME,
            }
    }

    /// The file-system options for `mount(2)`.
    pub(super) fn kernel_data(&self, device_fd: i32, uid: u32, gid: u32) -> String {
        let allow_other = if self.allow_other { ",allow_other" } else { "" };
        format!(
            "fd={device_fd},rootmode=40000,user_id={uid},group_id={gid},default_permissions,\
             max_read={MAX_IO_BYTES}{allow_other}"
        )
    }

    /// The `-o` list for `fusermount3`, which adds the connection, the user and `nosuid,nodev` by itself.
    pub(super) fn fusermount_list(&self, source: &str) -> String {
        let mut list = vec![
            format!("fsname={source}"),
            "subtype=aether".into(),
            "default_permissions".into(),
            format!("max_read={MAX_IO_BYTES}"),
            if self.read_only { "ro" } else { "rw" }.into(),
        ];
        let switches = [
            (self.allow_other, "allow_other"),
            (self.noexec, "noexec"),
            (self.sync, "sync"),
            (self.dirsync, "dirsync"),
            (self.atime == Atime::Noatime, "noatime"),
        ];
        list.extend(switches.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned()));
        list.join(",")
    }
}

/// What the mount table shows as the source of a mount with this tag.
pub(super) fn source_of(tag: &str) -> Result<String, OptionError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+@:/".contains(&byte);
    if tag.is_empty() || tag.len() > 200 || !tag.bytes().all(plain) {
        return Err(OptionError::BadTag(tag.into()));
    }
    Ok(format!("aether:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> Result<MountOptions, OptionError> {
        MountOptions::default().parse(list)
    }

    #[test]
    fn every_known_option_is_taken() {
        for option in KNOWN {
            assert!(parse(option).is_ok(), "{option}");
        }
    }

    #[test]
    fn the_last_of_two_that_contradict_each_other_holds() {
        assert!(!parse("ro,rw").expect("known").read_only);
        assert!(parse("rw, ,ro,").expect("known").read_only);
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        assert_eq!(parse("ro,direct_io"), Err(OptionError::Unknown("direct_io".into())));
        assert_eq!(parse("fd=7"), Err(OptionError::Fixed("fd".into())));
        assert_eq!(parse("allow_root"), Err(OptionError::Fixed("allow_root".into())));
        assert_eq!(parse("x\ny").expect_err("unknown").to_string(), "there is no mount option `x\\ny`");
    }

    #[test]
    fn set_uid_and_devices_are_off_unless_root_asks() {
        let default = MountOptions::default().flags();
        assert!(default.contains(MountFlags::NOSUID | MountFlags::NODEV));
        let asked = parse("suid,dev").expect("known");
        assert!(!asked.flags().intersects(MountFlags::NOSUID | MountFlags::NODEV));
        assert_eq!(asked.check(true), Ok(()));
        assert_eq!(asked.check(false), Err(OptionError::RootOnly("suid")));
    }

    #[test]
    fn permissions_are_always_checked_by_the_kernel() {
        assert!(MountOptions::default().kernel_data(3, 0, 0).contains(",default_permissions,"));
        assert!(MountOptions::default().fusermount_list("aether:x").contains(",default_permissions,"));
    }

    #[test]
    fn a_tag_cannot_bring_options_in() {
        for bad in ["a,suid", "a\\", "a\nb", "", "ü", "a b"] {
            assert_eq!(source_of(bad), Err(OptionError::BadTag(bad.into())));
        }
        assert_eq!(source_of("s-7k2m").as_deref(), Ok("aether:s-7k2m"));
    }
}
