//! What every command is given: the surroundings for its use case, and the mouth.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::{ColorChoice, Config, Env};
use crate::ops::command_text::command_text;
use crate::ops::hooks::{self, Notice, Setup};
use crate::ops::{self, Context, session_run, time};
use crate::ui::{Options, Ui};

use super::Global;
use super::exit::Error;
use super::interrupt;

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
        let now_ns = time::now_ns();
        let ui =
            Ui::new(Options { color: config.color, pager: config.pager.clone(), now_ns, ..plain_options(env, global) });
        let mut ops = Context::new(
            config.paths.clone(),
            config.actor.clone(),
            command_text(args.iter().skip(1).map(OsString::as_os_str)),
            now_ns,
            seed()?,
        );
        ops.session = global.session.clone().or_else(|| config.session.clone());
        ops.actor_kind = config.actor_kind.map(|kind| kind.word().to_owned());
        ops.cwd = cwd;
        ops.via = env.text(session_run::VIA);
        let path_variable = env.get("PATH").map(Into::into);
        let mut cx = Self { ops, ui, config, session_flag: global.session.clone(), path_variable };
        cx.ops.hooks = cx.hooks(env, global.no_hooks);
        Ok(cx)
    }

    /// How hooks are run, by the configuration and the environment.
    fn hooks(&self, env: &Env, skip: bool) -> Setup {
        // A directory that depends on where a hook runs would be one of the session.
        let is_fixed = |dir: &PathBuf| dir.is_absolute();
        let fixed = |path: &OsString| std::env::join_paths(std::env::split_paths(path).filter(is_fixed)).ok();
        Setup {
            limit: self.config.hooks_timeout,
            // One that cannot be read counts as too deep.
            depth: env.text(hooks::DEPTH).map_or(0, |depth| depth.parse().unwrap_or(u32::MAX)),
            skip,
            server: super::session::mount::server(self).ok(),
            path: self.path_variable.as_ref().and_then(fixed),
            interrupts: Some(interrupt::hear),
        }
    }

    /// Warns of hooks that failed where they could refuse nothing.
    pub(super) fn tell_notices(&mut self) {
        for Notice(error) in self.ops.notices.drain(..) {
            self.ui.warn(&error.to_string());
            for line in error.details() {
                self.ui.warn(&format!("  {line}"));
            }
        }
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
    Ok((time::now_ns(), seed()?))
}

fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| ops::Error::Io {
        path: "/dev/urandom".into(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(seed)
}
