//! The settings there are: one table.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `section.name`, as in the config file.
    pub name: &'static str,
    /// What holds when nobody says otherwise; empty: nothing.
    pub default: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
}

/// Every setting, in the order in which they are shown. In the environment `cache.memory_mib` is
/// `AETHER_CACHE_MEMORY_MIB`, and so on.
pub const KEYS: &[Key] = &[
    Key { name: "user.name", default: "", about: "who you are in the history; else the login name" },
    Key { name: "user.signing_key", default: "", about: "file of the SSH key that `approval grant --sign` signs with" },
    Key { name: "ui.color", default: "auto", about: "colours: auto, always or never" },
    Key { name: "ui.pager", default: "", about: "command that long output goes through; `never` for none" },
    Key { name: "diff.tool", default: "", about: "command that `diff --tool` runs with two files, or two directories" },
    Key {
        name: "ui.editor",
        default: "",
        about: "command that messages are written with; else VISUAL or EDITOR, or vi",
    },
    Key { name: "cache.memory_mib", default: "64", about: "memory of a mount process for what it read, in MiB" },
    Key {
        name: "retention.expired_days",
        default: "14",
        about: "days from when an expired session is archived until it goes to the trash",
    },
    Key { name: "retention.auto_last", default: "10", about: "automatic checkpoints kept of each session: the last" },
    Key { name: "retention.auto_hourly", default: "24", about: "and one for each of so many hours" },
    Key { name: "retention.auto_daily", default: "14", about: "and one for each of so many days" },
    Key { name: "mount.threads", default: "0", about: "threads that serve a mount; 0 chooses" },
    Key {
        name: "retention.trash_days",
        default: "30",
        about: "days for which `store gc` keeps what was deleted, and what undo could bring back",
    },
    Key {
        name: "retention.events_days",
        default: "0",
        about: "days for which `store gc` keeps the history that `event list` shows; 0: for good",
    },
    Key {
        name: "hooks.timeout_s",
        default: "600",
        about: "seconds that a hook may take, at least 1; then it is killed, and what it was asked about is refused",
    },
    Key {
        name: "gc.live_percent",
        default: "60",
        about: "a pack of which less than this is in use is rewritten by `store gc`, in per cent",
    },
];

impl Key {
    /// The setting of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("AETHER_{}", self.name.replace('.', "_").to_uppercase())
    }
}
