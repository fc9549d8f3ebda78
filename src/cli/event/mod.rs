//! `aether event`

mod export;
mod follow;
mod list;
mod prune;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};
use crate::ops::{EventFilter, event_list, time};

/// Look at what happened
///
/// One line for each thing that changed: its number, the time, who did it, what it happened to. Lines are never edited.
/// With `--session` only those about that session, and about what it has: checkpoints, commits, approvals, notes, locks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether event list --since 2h
  aether event list --session fix-login --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

commands! {
    /// The commands.
    Command {
        List(list::Args),
        Follow(follow::Args),
        Export(export::Args),
        Prune(prune::Args),
    }
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        self.command.run(cx)
    }
}

/// Which events are wanted.
#[derive(Debug, clap::Args)]
struct Which {
    /// Only of this type; `*` stands for anything
    #[arg(long = "type", value_name = "TYPE")]
    what: Option<String>,
    /// Only those after the event of this number
    #[arg(long, value_name = "N")]
    after: Option<i64>,
}

impl Which {
    fn filter(&self, cx: &mut Cx) -> Result<EventFilter, Error> {
        // `--session` of every command says which one is meant, here, too.
        let key = cx.session_flag.clone();
        let object_id = key.map(|key| event_list::object(&mut cx.ops, &key)).transpose()?;
        Ok(EventFilter { after: self.after.unwrap_or(0), what: self.what.clone(), object_id, ..EventFilter::default() })
    }
}

/// The times that are wanted.
#[derive(Debug, clap::Args)]
struct Window {
    /// Only from this time on: a time, or a duration counted back from now
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Window {
    /// Both ends, in nanoseconds since the Unix epoch.
    fn times(&self, cx: &Cx) -> Result<(Option<i64>, Option<i64>), Error> {
        let now = cx.ops.now_ns;
        let moment = |text: &Option<String>| text.as_ref().map(|text| time::moment(text, now)).transpose();
        Ok((moment(&self.since)?, moment(&self.until)?))
    }
}
