//! Configuration: a flag wins over `AETHER_*` in the environment, that over the config file, that over the default.
//!
//! This is the only module that reads the environment or asks for the home directory. Everybody else is handed values.

mod env;
mod file;
mod keys;
mod paths;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use env::Env;
pub use keys::{KEYS, Key};
pub use paths::Paths;

/// Why there is no valid configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `HOME` nor the user data base knows it.
    #[error("the home directory is unknown: neither `HOME` nor `/etc/passwd` names it")]
    NoHome,
    /// The runtime directory cannot be trusted.
    #[error("the runtime directory `{}` cannot be used: {why}", .path.display())]
    Runtime {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The config file is there but cannot be read.
    #[error("the config file `{}` cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The config file is not TOML.
    #[error("the config file `{}` is not valid: {what}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        what: String,
    },
    /// The config file sets what does not exist.
    #[error("the config file `{}` sets `{key}`, which is unknown", .path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A value that the setting cannot have.
    #[error("{origin} sets `{key}` to a wrong value: {why}")]
    BadValue {
        /// Where the value comes from.
        origin: String,
        /// The setting.
        key: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An option on the command line.
    Flag(&'static str),
    /// A variable.
    Env(String),
    /// The config file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "`{flag}`"),
            Self::Env(variable) => write!(f, "`{variable}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A setting as it holds.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Which one.
    pub key: &'static Key,
    /// Its value as text; empty: none.
    pub value: String,
    /// Who won.
    pub origin: Origin,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person.
    Human,
    /// A program that acts by itself.
    Agent,
}

impl ActorKind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Human, Self::Agent].into_iter().find(|kind| kind.word() == word)
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--color`.
    pub color: Option<String>,
    /// `--as`.
    pub actor: Option<String>,
    /// `--no-pager`.
    pub no_pager: bool,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days from the expiry of a session, when it is archived, until it goes to the trash.
    pub expired_days: u64,
    /// So many of the newest automatic checkpoints of a session are kept,
    pub auto_last: u64,
    /// and the newest of each of so many hours in which there are any,
    pub auto_hourly: u64,
    /// and the newest of each of so many days in which there are any.
    pub auto_daily: u64,
    /// Days for which the history is kept; 0: for good.
    pub events_days: u64,
}

/// The configuration of one command.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where things are.
    pub paths: Paths,
    /// Every setting, in the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// Who acts.
    pub actor: String,
    /// The file of the key to sign grants with.
    pub signing_key: Option<PathBuf>,
    /// What the config file calls them.
    pub actor_kind: Option<ActorKind>,
    /// The session that `AETHER_SESSION` names.
    pub session: Option<String>,
    /// When to use colours.
    pub color: ColorChoice,
    /// The command line of the editor for messages.
    pub editor: String,
    /// The pager's command line; `None`: no pager.
    pub pager: Option<String>,
    /// Command line of a program that shows two files or directories side by side.
    pub diff_tool: Option<String>,
    /// Memory for what was read, in bytes.
    pub cache_bytes: u64,
    /// Threads that serve a mount; 0: choose.
    pub mount_threads: u32,
    /// For how long what was deleted is kept, in days.
    pub trash_days: u64,
    /// A pack of which less than this is in use is rewritten, in per cent.
    pub gc_live_percent: u8,
    /// How long things are kept.
    pub retention: Retention,
    /// How long a hook may take.
    pub hooks_timeout: Duration,
    /// The user's shell: `SHELL`, else `/bin/sh`.
    pub shell: OsString,
}

impl Config {
    /// Reads everything.
    ///
    /// # Errors
    /// [`Error`] names the file or variable and the key.
    pub fn load(env: &Env, cwd: &Path, flags: &Flags) -> Result<Self, Error> {
        let paths = Paths::from_env(env, cwd)?;
        let file::Said { settings: filed, actors } = file::read(&paths.config_file)?;
        let settings = settings(env, &paths, flags, filed);
        let setting = |name: &str| {
            settings.iter().find(|setting| setting.key.name == name).expect("every key of the table has its setting")
        };
        let text = |name: &str| Some(setting(name).value.clone()).filter(|value| !value.is_empty());
        let mib = |name: &str| number(setting(name), 1 << 20).map(|mib| mib << 20);
        let actor = flags.actor.clone().or_else(|| env.text("AETHER_ACTOR")).or_else(|| text("user.name"));
        let actor = actor.unwrap_or_else(|| env.login_name());
        Ok(Self {
            signing_key: text("user.signing_key").map(PathBuf::from),
            actor_kind: actors.get(&actor).copied(),
            actor,
            session: env.text("AETHER_SESSION"),
            color: color(setting("ui.color"), env)?,
            editor: editor(env, text("ui.editor")),
            pager: pager(flags, text("ui.pager").or_else(|| env.text("PAGER"))),
            diff_tool: text("diff.tool"),
            cache_bytes: mib("cache.memory_mib")?,
            mount_threads: number(setting("mount.threads"), 1024)? as u32,
            trash_days: number(setting("retention.trash_days"), 36_500)?,
            gc_live_percent: number(setting("gc.live_percent"), 100)? as u8,
            retention: Retention {
                expired_days: number(setting("retention.expired_days"), 36_500)?,
                auto_last: number(setting("retention.auto_last"), 1_000_000)?,
                auto_hourly: number(setting("retention.auto_hourly"), 1_000_000)?,
                auto_daily: number(setting("retention.auto_daily"), 1_000_000)?,
                events_days: number(setting("retention.events_days"), 36_500)?,
            },
            hooks_timeout: Duration::from_secs(number(setting("hooks.timeout_s"), 86_400)?.max(1)),
            shell: env.get("SHELL").filter(|shell| !shell.is_empty()).map_or_else(|| "/bin/sh".into(), Into::into),
            paths,
            settings,
        })
    }
}

/// Every setting with the layer that won.
fn settings(env: &Env, paths: &Paths, flags: &Flags, mut file: BTreeMap<&'static str, String>) -> Vec<Setting> {
    let layered = KEYS.iter().map(|key| {
        let flag = match key.name {
            "ui.color" => flags.color.clone().map(|value| (value, Origin::Flag("--color"))),
            _ => None,
        };
        let from_env = || env.text(&key.variable()).map(|value| (value, Origin::Env(key.variable())));
        let mut from_file = || file.remove(key.name).map(|value| (value, Origin::File(paths.config_file.clone())));
        let (value, origin) =
            flag.or_else(from_env).or_else(&mut from_file).unwrap_or_else(|| (key.default.into(), Origin::Default));
        Setting { key, value, origin }
    });
    layered.collect()
}

fn bad(setting: &Setting, why: impl Into<String>) -> Error {
    Error::BadValue { origin: setting.origin.to_string(), key: setting.key.name, why: why.into() }
}

fn number(setting: &Setting, max: u64) -> Result<u64, Error> {
    let number = setting.value.parse().ok().filter(|&number| number <= max);
    number.ok_or_else(|| bad(setting, format!("`{}` is not a number from 0 to {max}", setting.value)))
}

/// An explicit choice wins over `NO_COLOR` (<https://no-color.org>), which wins over what is found out.
fn color(setting: &Setting, env: &Env) -> Result<ColorChoice, Error> {
    match setting.value.as_str() {
        "always" => Ok(ColorChoice::Always),
        "never" => Ok(ColorChoice::Never),
        "auto" if env.get("NO_COLOR").is_some() || env.text("TERM").as_deref() == Some("dumb") => {
            Ok(ColorChoice::Never)
        }
        "auto" => Ok(ColorChoice::Auto),
        other => Err(bad(setting, format!("`{other}` is not `auto`, `always` or `never`"))),
    }
}

/// As git chooses: a terminal that can do little gets no full-screen editor, but `EDITOR` all the same.
fn editor(env: &Env, wanted: Option<String>) -> String {
    let visual = || env.text("VISUAL").filter(|_| env.text("TERM").is_some_and(|term| term != "dumb"));
    wanted.or_else(visual).or_else(|| env.text("EDITOR")).unwrap_or_else(|| "vi".into())
}

fn pager(flags: &Flags, wanted: Option<String>) -> Option<String> {
    let wanted = wanted.unwrap_or_else(|| "less".into());
    Some(wanted).filter(|pager| !flags.no_pager && pager != "never" && pager != "cat")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(vars: &[(&str, &str)], flags: &Flags) -> Result<Config, Error> {
        Config::load(&Env::of(vars, 12345), Path::new("/work"), flags)
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("aether")).unwrap();
        let text = "[ui]\ncolor = \"never\"\n[cache]\nmemory_mib = 8\n[mount]\nthreads = 9\n[user]\nname = \"filed\"";
        std::fs::write(dir.path().join("aether/config.toml"), text).unwrap();
        let home = dir.path().to_str().unwrap();
        let vars = [("HOME", "/home/x"), ("XDG_CONFIG_HOME", home), ("AETHER_CACHE_MEMORY_MIB", "16")];
        let config = load(&vars, &Flags::default()).unwrap();
        assert_eq!((config.color, config.actor.as_str()), (ColorChoice::Never, "filed"));
        assert_eq!((config.cache_bytes, config.mount_threads), (16 << 20, 9));
        let flags = Flags { color: Some("always".into()), actor: Some("flagged".into()), no_pager: true };
        let config = load(&vars, &flags).unwrap();
        assert_eq!((config.color, config.actor.as_str(), config.pager), (ColorChoice::Always, "flagged", None));
    }

    #[test]
    fn wrong_values_name_where_they_come_from() {
        let error = load(&[("HOME", "/h"), ("AETHER_MOUNT_THREADS", "many")], &Flags::default()).unwrap_err();
        assert!(error.to_string().contains("`AETHER_MOUNT_THREADS` sets `mount.threads`"), "{error}");
    }

    #[test]
    fn places_follow_xdg_and_aether_home() {
        let config = load(&[("HOME", "/h"), ("XDG_DATA_HOME", "relative"), ("USER", "u")], &Flags::default()).unwrap();
        assert_eq!(config.paths.data, Path::new("/h/.local/share/aether"));
        assert_eq!(config.paths.config_file, Path::new("/h/.config/aether/config.toml"));
        assert_eq!(config.paths.runtime, Path::new("/tmp/aether-12345"));
        assert_eq!(config.actor, "u");
        let config = load(&[("HOME", "/h"), ("AETHER_HOME", "data")], &Flags::default()).unwrap();
        assert_eq!(config.paths.data, Path::new("/work/data"));
        assert_eq!(config.actor, "uid-12345");
    }

    #[test]
    fn a_runtime_directory_that_others_can_reach_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::TempDir::new().unwrap();
        let paths = |runtime: PathBuf| Paths { data: "/d".into(), runtime, config_file: "/c".into() };
        let good = paths(dir.path().join("run"));
        good.make_runtime().unwrap();
        good.make_runtime().unwrap();
        std::fs::set_permissions(&good.runtime, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(good.make_runtime().is_err());
        symlink(dir.path(), dir.path().join("link")).unwrap();
        assert!(paths(dir.path().join("link")).make_runtime().is_err());
    }
}
