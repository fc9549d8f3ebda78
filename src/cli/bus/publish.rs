//! `aether bus publish`

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::bus::{MAX_MESSAGE_BYTES, Publisher};
use crate::ops::coordination::Payload;
use crate::ui::view::PublishedView;

/// How much of standard input is read ahead: lines that are there together are published together.
const READ_AHEAD: usize = 256 << 10;

/// Publish a message
///
/// When it ends, everybody can see the message, and it survives a power cut. With `--lines` each line of standard input is a
/// message, published as soon as there is no more to read at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login bus publish tests:login started
  printf 'one\\ntwo\\n' | aether -s fix-login bus publish progress --lines")]
pub(crate) struct Args {
    /// The topic, such as `tests:login`
    topic: String,
    /// The message; without it, it is read from standard input
    #[arg(value_name = "BYTES", allow_negative_numbers = true)]
    message: Option<OsString>,
    /// Publish each line of standard input
    #[arg(long, conflicts_with = "message")]
    lines: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let mut publisher = Publisher::new(&mut cx.ops, None, &self.topic)?;
        if self.lines {
            publish_lines(&mut publisher)?;
        } else {
            let message = self.message.map_or(Payload::Stdin, |message| Payload::Bytes(message.into_vec()));
            publisher.push(message.read("the message", MAX_MESSAGE_BYTES)?)?;
            publisher.flush()?;
        }
        let view = PublishedView::new(&self.topic, publisher.published, publisher.last);
        cx.ui.show(&view)?;
        Ok(Exit::DONE)
    }
}

fn publish_lines(publisher: &mut Publisher<'_>) -> Result<(), Error> {
    let failed = |source| crate::ops::Error::Io { path: "standard input".into(), source };
    let mut input = BufReader::with_capacity(READ_AHEAD, std::io::stdin().lock());
    loop {
        let mut line = Vec::new();
        // One more than there may be, so that a longer one is noticed.
        let limit = MAX_MESSAGE_BYTES as u64 + 2;
        (&mut input).take(limit).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(publisher.flush()?);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        publisher.push(line)?;
        // The next read may wait.
        if !input.buffer().contains(&b'\n') {
            publisher.flush()?;
        }
    }
}
