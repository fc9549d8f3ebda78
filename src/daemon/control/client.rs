//! Asking a mount process.

use std::fmt;
use std::io;
use std::time::Duration;

use super::super::{Failure, RunDir};
use super::wire::Channel;
use super::{Reply, Request};

/// How long the other side may take to receive a request.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// A conversation with a mount process.
pub struct Client {
    channel: Channel,
    limit: Option<Duration>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the socket with this name in the run directory. Answers may take as long as they take until
    /// [`Client::within`] says otherwise.
    ///
    /// # Errors
    /// [`Failure`] `control-unreachable`.
    pub fn connect(run: &RunDir, socket: &str) -> Result<Self, Failure> {
        let stream = run.connect(socket).map_err(|error| unreachable(&error))?;
        let channel = Channel::new(stream).map_err(|error| unreachable(&error))?;
        Ok(Self { channel, limit: None })
    }

    /// Answers must come within this time.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The [`Failure`] that was answered; `control-unreachable` if the process went away, `timeout` if it took too long.
    /// After those two nothing more can be asked.
    pub fn call(&mut self, request: &Request) -> Result<Reply, Failure> {
        let asked = self.channel.write_request(request, SEND_LIMIT);
        // A process that refuses a client says so and hangs up, whatever the client was about to say.
        match self.channel.read_reply(self.limit) {
            Ok(answer) => answer,
            Err(error) => Err(unreachable(&asked.err().unwrap_or(error))),
        }
    }
}

fn unreachable(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::new("timeout", "the mount process takes too long to answer"),
        _ => Failure::new("control-unreachable", format!("the mount process cannot be reached: {error}")),
    }
}
