//! `aether bus subscribe`

use std::time::Duration;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::bus::{self, Ending, From, Heard, Subscription};
use crate::ops::time;
use crate::ui::view::MessageView;

/// How many bytes of messages wait to be printed together.
const PRINT_AT_ONCE: usize = 64 << 10;

/// Print messages
///
/// Without `--follow` it prints what is kept, all of it or what `--replay` or `--since` say. With `--follow` it begins with what
/// is published from now on, unless they say otherwise, and goes on until it is interrupted, or `--count` or `--timeout` end it
/// (with exit code 6, if nothing came in time). The number of the last message is the cursor to go on from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login bus subscribe
  aether -s fix-login bus subscribe 'tests:*' --replay 10 --json
  aether -s fix-login bus publish done 1 && aether -s fix-login bus subscribe done --follow --replay 1 --count 1")]
pub(crate) struct Args {
    /// Topics; `*`, `?` and `[…]` are wildcards. All, if none is named
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// Begin with the last so many messages
    #[arg(long, value_name = "N", conflicts_with = "since")]
    replay: Option<u64>,
    /// Begin after the message of this number
    #[arg(long, value_name = "CURSOR")]
    since: Option<i64>,
    /// Go on as messages come
    #[arg(short, long)]
    follow: bool,
    /// Those of the sessions that it was forked from and of its forks, too
    #[arg(long)]
    lineage: bool,
    /// Print each message as it is, with a line end and nothing else
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// End after so many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// With `--follow`, end when nothing came for so long
    #[arg(long, value_name = "DURATION", requires = "follow")]
    timeout: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let timeout = self.timeout.as_deref().map(time::duration).transpose()?;
        let from = match (self.since, self.replay) {
            (Some(cursor), _) => From::Cursor(cursor),
            (None, Some(count)) => From::Last(count),
            (None, None) if self.follow => From::Now,
            (None, None) => From::Cursor(0),
        };
        let subscription = Subscription {
            session: None,
            topics: self.topics,
            lineage: self.lineage,
            from,
            follow: self.follow,
            count: self.count,
            timeout: timeout.map(|nanos| Duration::from_nanos(nanos.unsigned_abs())),
        };
        let (ui, raw) = (cx.ui.clone(), self.raw);
        // What comes together is printed together.
        let mut out = Vec::new();
        let ending = bus::subscribe(&mut cx.ops, &subscription, |heard| {
            if out.len() >= PRINT_AT_ONCE || !matches!(heard, Heard::Message(_)) {
                ui.raw(&out)?;
                out.clear();
            }
            match heard {
                Heard::Message(message) if raw => {
                    out.extend_from_slice(&message.body);
                    out.push(b'\n');
                }
                Heard::Message(message) => ui.append(&mut out, &MessageView::new(&message))?,
                Heard::Lost(upto) => ui.warn(&format!("messages up to {upto} are not kept any more")),
                Heard::Pause(_) => {}
            }
            Ok::<_, Error>(true)
        });
        ui.raw(&out)?;
        match ending? {
            Ending::Complete => Ok(Exit::DONE),
            Ending::TimedOut => Ok(Exit::BUSY),
        }
    }
}
