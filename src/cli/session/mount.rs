//! `aether session mount`, and `aether mount`

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::fsmonitor;
use crate::ops::session_mount::{self, Request, Server};
use crate::ops::session_upgrade;
use crate::ui::view::MountedView;

/// Mount a session
///
/// The session is served by a process of its own in the background, until it is unmounted. Without a directory it is
/// mounted below the runtime directory, and the path is printed. With `--at`, a checkpoint, a commit or a revision is
/// mounted read-only, any number at once; then a single argument is the directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session mount fix-login
  aether session mount --at fix-login@1
  aether session mount --at web@1 ~/old
  aether session mount --upgrade --all")]
pub(crate) struct Args {
    /// The session; the current one if it is left out
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// Where to mount it; made if it is missing
    #[arg(value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// Mount a state that stays: a checkpoint `SESSION@NUMBER`, `@NUMBER` one of the session, a commit, or a revision
    /// `SOURCE@NUMBER`
    #[arg(long, value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::states))]
    at: Option<String>,
    /// Refuse changes
    #[arg(long)]
    read_only: bool,
    /// Let other users in, as far as permissions allow
    #[arg(long)]
    allow_other: bool,
    /// Mount options, separated by commas
    #[arg(short = 'o', value_name = "OPTIONS")]
    options: Vec<String>,
    /// Mount on a directory that has content, which is then covered
    #[arg(long)]
    cover: bool,
    /// Serve in this process until the mount is gone
    #[arg(long)]
    foreground: bool,
    /// Have git in the session ask which files changed, and not look at all: sets `core.fsmonitor` in its `.git/config`
    #[arg(long, conflicts_with_all = ["foreground", "at", "read_only"])]
    git_fsmonitor: bool,
    /// Have running mounts served by this program from now on; those who use them notice a pause
    #[arg(long, value_name = "MOUNT", num_args = 0.., conflicts_with_all = ["session", "dir", "at", "foreground"])]
    upgrade: Option<Vec<OsString>>,
    /// With `--upgrade`: everything that is mounted from this data directory
    #[arg(long, requires = "upgrade")]
    all: bool,
}

impl Args {
    fn request(self) -> Result<Request, Error> {
        let mut options = session_mount::options(&self.options)?;
        options.read_only |= self.read_only;
        options.allow_other |= self.allow_other;
        let relative = self.at.as_ref().is_some_and(|at| at.starts_with('@'));
        let (session, dir) = match (self.at.is_some() && !relative, self.session, self.dir) {
            (true, Some(dir), None) => (None, Some(dir.into())),
            (_, session, dir) => (session, dir),
        };
        Ok(Request { session, dir, at: self.at, cover: self.cover, options, ..Request::default() })
    }
}

/// How mount processes are run, by the configuration.
pub(crate) fn server(cx: &Cx) -> Result<Server, Error> {
    let exe =
        std::env::current_exe().map_err(|source| crate::ops::Error::Io { path: "/proc/self/exe".into(), source })?;
    let threads = NonZero::new(cx.config.mount_threads as usize);
    let log_level = if cx.ui.verbose() > 0 { "debug" } else { "info" };
    Ok(Server { exe, threads, cache_bytes: cx.config.cache_bytes, log_level: log_level.into() })
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        if let Some(mounts) = &self.upgrade {
            let exe = server(cx)?.exe;
            let moved = match self.all {
                true => session_upgrade::run_all(&mut cx.ops, &exe)?,
                false => session_upgrade::run(&mut cx.ops, mounts, &exe)?,
            };
            for mount in moved {
                cx.ui.show(&MountedView::new(&mount))?;
            }
            return Ok(Exit::DONE);
        }
        let (foreground, git_fsmonitor, server) = (self.foreground, self.git_fsmonitor, server(cx)?);
        let request = self.request()?;
        if foreground {
            let ui = cx.ui.clone();
            session_mount::run_here(&mut cx.ops, &request, &server, move |mount| {
                // Who started it may be gone; the mount is there all the same.
                let _told = ui.show(&MountedView::new(mount));
            })?;
        } else {
            let mount = session_mount::run(&mut cx.ops, &request, &server)?;
            cx.ui.show(&MountedView::new(&mount))?;
            if git_fsmonitor {
                fsmonitor::switch_on(&mount.mount_point, &server.exe)?;
            }
        }
        Ok(Exit::DONE)
    }
}
