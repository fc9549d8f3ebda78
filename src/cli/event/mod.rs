//! `aether event`

mod follow;
mod list;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::{Run, commands};
use crate::ops::{EventFilter, event_list};

/// Look at what happened
///
/// One line for each thing that changed: its number, the time, who did it, what it happened to. Lines are never edited.
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
