//! The bus: messages on topics of a session, for whoever listens in whichever process.
//!
//! Who publishes writes to the catalog; who listens sleeps until the system says that the catalog changed, and reads what
//! is new. A message can be seen by all before `publish` returns. From a cursor on, each one is delivered in order, and
//! again to whoever begins again from an older cursor.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::catalog::{BusFilter, BusLimits, BusMessage};

use super::coordination::{CoordinationError, check_text};
use super::error::Result;
use super::wake::Wakes;
use super::{Context, time};

/// The longest topic in bytes.
pub const MAX_TOPIC_BYTES: usize = 200;

/// The longest message in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// What is kept of a session's messages.
pub const LIMITS: BusLimits = BusLimits { messages: 100_000, size_bytes: 64 << 20 };

/// How many messages, and how many of their bytes, are published at once at most.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 << 20;

/// Publishes messages on one topic, in this order.
#[derive(Debug)]
pub struct Publisher<'c> {
    cx: &'c mut Context,
    session: String,
    topic: String,
    waiting: Vec<(String, Vec<u8>)>,
    waiting_bytes: usize,
    /// How many were published.
    pub published: u64,
    /// The number of the last one.
    pub last: i64,
}

impl<'c> Publisher<'c> {
    /// For a topic of a session; of the current one, if none is named.
    ///
    /// # Errors
    /// The topic cannot be one, or the session is not there.
    pub fn new(cx: &'c mut Context, session: Option<&str>, topic: &str) -> Result<Self> {
        check_topic(topic)?;
        let session = cx.resolve_session(session)?.id;
        let topic = topic.to_owned();
        Ok(Self { cx, session, topic, waiting: Vec::new(), waiting_bytes: 0, published: 0, last: 0 })
    }

    /// Takes a message, and publishes all that were taken if those are many.
    ///
    /// # Errors
    /// The message is too long, or what the catalog says.
    pub fn push(&mut self, body: Vec<u8>) -> Result<()> {
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(CoordinationError::TooLarge { what: "the message", max_mib: MAX_MESSAGE_BYTES >> 20 }.into());
        }
        self.waiting_bytes += body.len();
        self.waiting.push((self.topic.clone(), body));
        if self.waiting.len() >= BATCH || self.waiting_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Publishes what was taken.
    ///
    /// # Errors
    /// What the catalog says. Then none of it was published.
    pub fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        // A publisher may run for long: each batch has the time at which it is published.
        self.last = self.cx.publish(&self.session, time::now_ns(), &self.waiting, LIMITS)?;
        self.published += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// Where listening begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With what is published from now on.
    Now,
    /// After the message of this number.
    Cursor(i64),
    /// With so many of those that were published last.
    Last(u64),
}

/// What to listen to.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The session; the current one if not given.
    pub session: Option<String>,
    /// Topics, with wildcards; all if there are none.
    pub topics: Vec<String>,
    /// The sessions that it was forked from and its forks, too.
    pub lineage: bool,
    /// Where to begin.
    pub from: From,
    /// Go on when all that there are have been delivered.
    pub follow: bool,
    /// End after so many.
    pub count: Option<u64>,
    /// With `follow`, end when nothing came for so long.
    pub timeout: Option<Duration>,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(BusMessage),
    /// Messages up to this number are not kept any more, and some may have been among them that were not delivered.
    Lost(i64),
    /// All that there are now have been delivered; the cursor behind them.
    Pause(i64),
}

/// How listening ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With what was asked for.
    Complete,
    /// Nothing came for too long.
    TimedOut,
}

/// Delivers messages in order, until there are no more, or `show` says that it was enough.
///
/// # Errors
/// A topic cannot be one, the session is not there, or what the catalog, the system or `show` says.
pub fn subscribe<E: std::convert::From<super::Error>>(
    cx: &mut Context,
    subscription: &Subscription,
    mut show: impl FnMut(Heard) -> std::result::Result<bool, E>,
) -> std::result::Result<Ending, E> {
    let mut listener = Listener::new(cx, subscription)?;
    // Watched before the first look, so that nothing falls between the two.
    let mut wakes = match subscription.follow {
        true => Some(Wakes::watch(&cx.paths.data)?),
        false => None,
    };
    let mut left = subscription.count;
    let mut quiet_since = Instant::now();
    loop {
        while let Some(heard) = listener.next(cx)? {
            let is_message = matches!(heard, Heard::Message(_));
            if !show(heard)? {
                return Ok(Ending::Complete);
            }
            if is_message {
                quiet_since = Instant::now();
                left = left.map(|left| left - 1);
            }
            if left == Some(0) {
                return Ok(Ending::Complete);
            }
        }
        if !show(Heard::Pause(listener.cursor))? {
            return Ok(Ending::Complete);
        }
        let Some(wakes) = &mut wakes else { return Ok(Ending::Complete) };
        let limit = subscription.timeout.map(|timeout| timeout.saturating_sub(quiet_since.elapsed()));
        if limit == Some(Duration::ZERO) {
            return Ok(Ending::TimedOut);
        }
        if !wakes.wait(limit) {
            return Ok(Ending::Complete);
        }
    }
}

/// A place in the messages.
struct Listener {
    filter: BusFilter,
    cursor: i64,
    ready: VecDeque<Heard>,
}

impl Listener {
    fn new(cx: &mut Context, subscription: &Subscription) -> Result<Self> {
        for topic in &subscription.topics {
            check_text("the topic", topic, MAX_TOPIC_BYTES)?;
        }
        let session = cx.resolve_session(subscription.session.as_deref())?.id;
        let filter = BusFilter { session, lineage: subscription.lineage, topics: subscription.topics.clone() };
        let view = cx.catalog()?.view();
        let cursor = match subscription.from {
            From::Now => view.newest_message()?,
            From::Cursor(cursor) => cursor,
            From::Last(count) => view.bus_cursor_before(&filter, count)?,
        };
        Ok(Self { filter, cursor, ready: VecDeque::new() })
    }

    /// What is to be delivered next; `None`: nothing now.
    fn next(&mut self, cx: &mut Context) -> Result<Option<Heard>> {
        while self.ready.is_empty() {
            let view = cx.catalog()?.view();
            // Those that come after this look have higher numbers, and are read with the next one.
            let newest = view.newest_message()?;
            if newest <= self.cursor {
                return Ok(None);
            }
            let (messages, upto) = view.messages(&self.filter, self.cursor, newest)?;
            let dropped = view.bus_stats(&self.filter)?.dropped;
            // Of those after a cursor of 0 nobody was promised all.
            if dropped > self.cursor && self.cursor > 0 {
                self.ready.push_back(Heard::Lost(dropped));
            }
            self.ready.extend(messages.into_iter().map(Heard::Message));
            self.cursor = upto;
        }
        Ok(self.ready.pop_front())
    }
}

fn check_topic(topic: &str) -> Result<()> {
    check_text("the topic", topic, MAX_TOPIC_BYTES)?;
    if topic.chars().any(|char| char.is_control() || char.is_whitespace() || "*?[]".contains(char)) {
        let why = "it has a blank, a control character or a wildcard in it".to_owned();
        return Err(CoordinationError::BadText { what: "the topic", why }.into());
    }
    Ok(())
}
