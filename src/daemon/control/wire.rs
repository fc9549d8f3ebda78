//! Messages on the control socket: a line of JSON, then as many bytes as it says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Failure;
use super::{Reply, Request};

/// The longest line, in bytes.
const MAX_LINE_BYTES: u64 = 256 * 1024;

/// The longest payload, in bytes.
pub(super) const MAX_PAYLOAD_BYTES: usize = 64 << 20;

#[derive(Serialize, Deserialize)]
struct RequestLine {
    verb: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    args: Value,
    #[serde(default, skip_serializing_if = "is_zero")]
    payload_bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct ReplyLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    result: Value,
    #[serde(default, skip_serializing_if = "is_zero")]
    payload_bytes: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One end of a conversation.
pub(super) struct Channel {
    reader: BufReader<Timed>,
    writer: Timed,
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        let writer = Timed { stream: stream.try_clone()?, end: None };
        Ok(Self { reader: BufReader::new(Timed { stream, end: None }), writer })
    }

    /// Waits up to `idle` for the first byte of a message; `false` when the other side is done, or says nothing.
    pub(super) fn wait(&mut self, idle: Option<Duration>) -> io::Result<bool> {
        self.reader.get_mut().end = idle.map(|idle| Instant::now() + idle);
        match self.reader.fill_buf() {
            Ok(bytes) => Ok(!bytes.is_empty()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn read_request(&mut self, limit: Duration) -> io::Result<Request> {
        let line: RequestLine = self.read_line(Some(limit))?;
        let payload = self.read_payload(line.payload_bytes)?;
        Ok(Request { verb: line.verb, args: line.args, payload })
    }

    pub(super) fn write_request(&mut self, request: &Request, limit: Duration) -> io::Result<()> {
        let payload_bytes = checked_len(&request.payload)?;
        let line = RequestLine { verb: request.verb.clone(), args: request.args.clone(), payload_bytes };
        self.write(&line, &request.payload, limit)
    }

    pub(super) fn read_reply(&mut self, limit: Option<Duration>) -> io::Result<Result<Reply, Failure>> {
        let line: ReplyLine = self.read_line(limit)?;
        let payload = self.read_payload(line.payload_bytes)?;
        Ok(match line.error {
            Some(failure) => Err(failure),
            None => Ok(Reply { result: line.result, payload }),
        })
    }

    pub(super) fn write_reply(&mut self, reply: Result<Reply, Failure>, limit: Duration) -> io::Result<()> {
        let (line, payload) = match reply {
            Ok(reply) => {
                let payload_bytes = checked_len(&reply.payload)?;
                (ReplyLine { error: None, result: reply.result, payload_bytes }, reply.payload)
            }
            Err(failure) => (ReplyLine { error: Some(failure), result: Value::Null, payload_bytes: 0 }, Vec::new()),
        };
        self.write(&line, &payload, limit)
    }

    fn read_line<T: for<'de> Deserialize<'de>>(&mut self, limit: Option<Duration>) -> io::Result<T> {
        self.reader.get_mut().end = limit.map(|limit| Instant::now() + limit);
        let mut line = Vec::new();
        self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        match line.pop() {
            None => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(b'\n') => serde_json::from_slice(&line).map_err(Into::into),
            Some(_) if line.len() as u64 + 1 == MAX_LINE_BYTES => Err(invalid("the message is too long")),
            Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn read_payload(&mut self, count: usize) -> io::Result<Vec<u8>> {
        if count > MAX_PAYLOAD_BYTES {
            return Err(invalid("the payload is too long"));
        }
        let mut payload = Vec::new();
        // The memory is taken as the bytes arrive, not because someone said that they will.
        self.reader.by_ref().take(count as u64).read_to_end(&mut payload)?;
        if payload.len() < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(payload) }
    }

    fn write(&mut self, line: &impl Serialize, payload: &[u8], limit: Duration) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        if text.len() as u64 > MAX_LINE_BYTES {
            return Err(invalid("the message is too long"));
        }
        self.writer.end = Some(Instant::now() + limit);
        self.writer.write_all(&text)?;
        self.writer.write_all(payload)
    }
}

fn checked_len(payload: &[u8]) -> io::Result<usize> {
    if payload.len() > MAX_PAYLOAD_BYTES { Err(invalid("the payload is too long")) } else { Ok(payload.len()) }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A stream whose reads and writes fail with `TimedOut` after a point in time, however they trickle.
struct Timed {
    stream: UnixStream,
    end: Option<Instant>,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.end.map(|end| end.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

fn timed_out(error: io::Error) -> io::Error {
    // What a socket says when its time-out has passed.
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buf).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buf).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use serde_json::json;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn pair() -> (Channel, UnixStream) {
        let (one, other) = UnixStream::pair().expect("a pair");
        (Channel::new(one).expect("cloned"), other)
    }

    #[test]
    fn requests_and_replies_carry_any_bytes() {
        let (mut one, other) = pair();
        let mut other = Channel::new(other).expect("cloned");
        let request = Request { verb: "read".into(), args: json!({"offset": 1}), payload: b"a\n\0\xff".to_vec() };
        one.write_request(&request, SOON).expect("sent");
        assert_eq!(other.read_request(SOON).expect("received"), request);
        let reply = Reply { result: json!([1]), payload: vec![b'\n'; 300_000] };
        let sent = reply.clone();
        let writer = thread::spawn(move || other.write_reply(Ok(sent), SOON));
        assert_eq!(one.read_reply(Some(SOON)).expect("received"), Ok(reply));
        writer.join().expect("no panic").expect("sent");
    }

    #[test]
    fn a_message_that_is_too_long_or_cut_off_is_refused() {
        let (mut one, mut other) = pair();
        thread::spawn(move || other.write_all(&vec![b' '; MAX_LINE_BYTES as usize * 2]));
        assert_eq!(one.read_request(SOON).expect_err("too long").kind(), io::ErrorKind::InvalidData);

        let (mut one, mut other) = pair();
        other.write_all(b"{\"verb\":\"x\",\"payload_bytes\":99999999999}\n").expect("sent");
        assert_eq!(one.read_request(SOON).expect_err("too long").kind(), io::ErrorKind::InvalidData);

        let (mut one, mut other) = pair();
        other.write_all(b"{\"verb\":\"x\",\"payload_bytes\":5}\nab").expect("sent");
        drop(other);
        assert_eq!(one.read_request(SOON).expect_err("cut off").kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_message_that_trickles_runs_out_of_time() {
        let (mut one, mut other) = pair();
        let trickle = thread::spawn(move || {
            while other.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(one.read_request(Duration::from_millis(100)).expect_err("too slow").kind(), io::ErrorKind::TimedOut);
        drop(one);
        trickle.join().expect("no panic");
    }
}
