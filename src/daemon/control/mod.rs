//! The control socket of a mount process: how other commands ask it about, and change, what it serves.
//!
//! Requests and replies are one line of JSON, followed by as many raw bytes as the line says (paths and contents are
//! bytes, and JSON has none). Every message has a limit of size and of time, and every client a thread of its own, so a
//! slow or hostile one harms itself only. Clients of other users are refused, root excepted.
//!
//! Every mount process answers `ping` (its record), `requests` (the kernel's requests by kind) and `stop` (unmount and
//! end); all else is its [`Workspace`](super::Workspace)'s.

mod client;
mod service;
mod wire;

pub use client::Client;
pub(super) use service::Service;

use serde_json::Value;

use super::Failure;

/// A question, or an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// What to do.
    pub verb: String,
    /// With what.
    pub args: Value,
    /// Raw bytes that belong to it.
    pub payload: Vec<u8>,
}

impl Request {
    /// A request without payload.
    #[must_use]
    pub fn new(verb: &str, args: Value) -> Self {
        Self { verb: verb.into(), args, payload: Vec::new() }
    }
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The result.
    pub result: Value,
    /// Raw bytes that belong to it.
    pub payload: Vec<u8>,
}

impl Reply {
    /// A reply without payload.
    #[must_use]
    pub fn of(result: Value) -> Self {
        Self { result, payload: Vec::new() }
    }
}

/// Who answers.
pub(super) trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request) -> Result<Reply, Failure>;
}
