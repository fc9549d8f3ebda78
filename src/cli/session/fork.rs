//! `aether session fork`, and `aether fork`

use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::session_fork::{self, Request};
use crate::ops::session_list;
use crate::ops::session_mount;
use crate::ui::view::{SessionAction, SessionView};

/// Make a session that begins with the state of another one
///
/// The session may be mounted and written meanwhile: the fork has one moment of it, with ignored files and build output,
/// with times and inode numbers, so that nothing has to be built again. Neither sees the other afterwards. Tags come
/// along.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session fork fix-login other-way
  aether fork fix-login --count 3 --tag round=2
  aether fork fix-login from-the-start --from 1")]
pub(crate) struct Args {
    /// The session; without it that of the checkpoint, or the current one
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// The name of the fork
    name: Option<String>,
    /// What to begin with: a checkpoint `SESSION@NUMBER`, the number or name of one of the session, or a commit
    #[arg(long, value_name = "STATE", add = clap_complete::ArgValueCandidates::new(names::kept))]
    from: Option<String>,
    /// Make several, with numbers behind their names
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Mount the fork here; of several, each in a directory of its name below it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    mount: Option<PathBuf>,
    /// Set a tag on the fork
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let (count, mount) = (self.count, self.mount);
        let request = Request { session: self.session, name: self.name, from: self.from, count, tags: self.tags };
        let mut forks = session_fork::run(&mut cx.ops, &request)?;
        if let Some(dir) = mount {
            for fork in &mut forks {
                let dir = if count > 1 { dir.join(&fork.session.name) } else { dir.clone() };
                mount_fork(cx, &fork.session.id, &dir)?;
                *fork = session_list::show(&mut cx.ops, Some(&fork.session.id))?;
            }
        }
        for fork in &forks {
            cx.ui.show(&SessionView::new(fork, SessionAction::Forked))?;
        }
        Ok(Exit::DONE)
    }
}

fn mount_fork(cx: &mut Cx, id: &str, dir: &Path) -> Result<(), Error> {
    let server = super::mount::server(cx)?;
    let (session, dir) = (Some(id.to_owned()), Some(dir.to_owned()));
    let request = session_mount::Request { session, dir, ..session_mount::Request::default() };
    session_mount::run(&mut cx.ops, &request, &server)?;
    Ok(())
}
