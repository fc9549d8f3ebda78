//! What every command is given: the surroundings for its use case, and the mouth.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::config::{ColorChoice, Config, Env};
use crate::ops::{self, Context};
use crate::ui::{Options, Ui};

use super::Global;
use super::exit::Error;

/// The surroundings of a command.
#[derive(Debug)]
pub(crate) struct Cx {
    /// For use cases.
    pub(crate) ops: Context,
    /// For results.
    pub(crate) ui: Ui,
    /// For commands that look at it.
    pub(crate) config: Config,
    /// The session that `--session` names, if it does.
    pub(crate) session_flag: Option<String>,
    /// The search path for programs.
    pub(crate) path_variable: Option<OsString>,
}

impl Cx {
    pub(super) fn new(env: &Env, args: &[OsString], global: &Global) -> Result<Self, Error> {
        let cwd = std::env::current_dir().ok();
        let root = PathBuf::from("/");
        let config = Config::load(env, cwd.as_ref().unwrap_or(&root), &global.flags()).map_err(ops::Error::from)?;
        let now_ns = now_ns();
        let ui =
            Ui::new(Options { color: config.color, pager: config.pager.clone(), now_ns, ..plain_options(env, global) });
        let mut ops = Context::new(config.paths.clone(), config.actor.clone(), spelled(args), now_ns, seed()?);
        ops.session = global.session.clone().or_else(|| config.session.clone());
        ops.actor_kind = config.actor_kind.map(|kind| kind.word().to_owned());
        ops.cwd = cwd;
        let path_variable = env.get("PATH").map(Into::into);
        Ok(Self { ops, ui, config, session_flag: global.session.clone(), path_variable })
    }
}

/// How to speak before (or without) a valid configuration.
pub(super) fn plain_options(env: &Env, global: &Global) -> Options {
    let color = match global.color.as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ if env.get("NO_COLOR").is_some() => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    Options { json: global.json, quiet: global.quiet, verbose: global.verbose, color, ..Options::default() }
}

/// The time, and random bytes, for what a command does now.
pub(super) fn moment() -> Result<(i64, [u8; 32]), Error> {
    Ok((now_ns(), seed()?))
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| ops::Error::Io {
        path: "/dev/urandom".into(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(seed)
}

/// The command as one could type it again, for the operation log.
fn spelled(args: &[OsString]) -> String {
    let plain = |char: char| char.is_alphanumeric() || "-_./=@:,+%".contains(char);
    let words = args.iter().skip(1).map(|arg| {
        let word = arg.to_string_lossy();
        match !word.is_empty() && word.chars().all(plain) {
            true => word.into_owned(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_log_shows_a_command_that_can_be_typed_again() {
        let args = ["aether", "session", "rename", "a b", "it's", ""].map(OsString::from);
        assert_eq!(spelled(&args), r"session rename 'a b' 'it'\''s' ''");
    }
}
