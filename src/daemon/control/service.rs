//! The mount process's side: a thread that accepts, and one a client.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::super::{Failure, RunDir};
use super::Handler;
use super::wire::Channel;

/// The most clients at once.
const MAX_CLIENTS: usize = 64;

/// How long a client may be silent between two requests.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How long one message may take on its way.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// How long a client that is turned away may take to hear so.
const REFUSAL_LIMIT: Duration = Duration::from_millis(200);

/// A control socket that is listened on. Clients that are connected when it stops get their answer.
pub(in crate::daemon) struct Service {
    stopped: Arc<AtomicBool>,
    run: RunDir,
    socket: String,
}

impl Service {
    pub(in crate::daemon) fn start(run: &RunDir, socket: &str, handler: Arc<dyn Handler>) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::io(&run.join(socket), &error);
        let listener = run.listen(socket).map_err(failed)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        thread::Builder::new()
            .name("control".into())
            .stack_size(256 * 1024)
            .spawn(move || accept(&listener, &handler, &seen))
            .map_err(failed)?;
        Ok(Self { stopped, run: run.clone(), socket: socket.into() })
    }

    pub(in crate::daemon) fn stop(self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The thread waits in accept; a client that says nothing wakes it up.
        let _gone = self.run.connect(&self.socket);
    }
}

fn accept(listener: &UnixListener, handler: &Arc<dyn Handler>, stopped: &AtomicBool) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, most likely; asking again at once would only burn a processor.
                log::warn!("a control client could not be accepted: {error}");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let guest = Guest::new(&clients);
        let refusal = refusal(&stream, clients.load(Ordering::SeqCst));
        let handler = Arc::clone(handler);
        let started = thread::Builder::new().name("control-client".into()).spawn(move || {
            let _counted = guest;
            match refusal {
                Some(failure) => refuse(stream, failure),
                None => converse(stream, &*handler),
            }
        });
        if let Err(error) = started {
            log::warn!("no thread for a control client: {error}");
        }
    }
}

/// Why this client is turned away, if it is.
fn refusal(stream: &UnixStream, clients: usize) -> Option<Failure> {
    match socket_peercred(stream) {
        Ok(peer) if peer.uid == geteuid() || peer.uid.is_root() => {}
        Ok(peer) => {
            log::warn!("user {} was refused at the control socket", peer.uid.as_raw());
            return Some(Failure::new("control-denied", "this mount belongs to another user"));
        }
        Err(errno) => return Some(Failure::new("control-denied", errno.to_string())),
    }
    (clients > MAX_CLIENTS).then(|| Failure::new("control-busy", "too many clients talk to this mount already"))
}

fn refuse(stream: UnixStream, failure: Failure) {
    let told = Channel::new(stream).and_then(|mut channel| channel.write_reply(Err(failure), REFUSAL_LIMIT));
    if let Err(error) = told {
        log::debug!("a refused client did not listen: {error}");
    }
}

fn converse(stream: UnixStream, handler: &dyn Handler) {
    let talk = || -> io::Result<()> {
        let mut channel = Channel::new(stream)?;
        while channel.wait(Some(IDLE_LIMIT))? {
            let request = match channel.read_request(MESSAGE_LIMIT) {
                Ok(request) => request,
                Err(error) => {
                    let failure = Failure::new("control-protocol", error.to_string());
                    // What follows a message that made no sense makes none either.
                    return channel.write_reply(Err(failure), MESSAGE_LIMIT);
                }
            };
            let reply = handler.handle(request);
            channel.write_reply(reply, MESSAGE_LIMIT)?;
        }
        Ok(())
    };
    if let Err(error) = talk() {
        log::debug!("a control client went away: {error}");
    }
}

/// Counts a client as long as it is there.
struct Guest(Arc<AtomicUsize>);

impl Guest {
    fn new(clients: &Arc<AtomicUsize>) -> Self {
        clients.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(clients))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Client, Reply, Request};
    use super::*;

    struct Echo;

    impl Handler for Echo {
        fn handle(&self, request: Request) -> Result<Reply, Failure> {
            match request.verb.as_str() {
                "echo" => Ok(Reply { result: request.args, payload: request.payload }),
                other => Err(Failure::new("unknown", other)),
            }
        }
    }

    fn start() -> (tempfile::TempDir, RunDir, Service) {
        let dir = tempfile::tempdir().expect("a directory");
        let run = RunDir::open(&dir.path().join("run")).expect("made");
        let service = Service::start(&run, "x.sock", Arc::new(Echo)).expect("started");
        (dir, run, service)
    }

    #[test]
    fn a_client_is_answered_while_others_say_nothing() {
        let (_dir, run, service) = start();
        let _silent: Vec<_> = (0..10).map(|_| run.connect("x.sock").expect("connected")).collect();
        let mut client = Client::connect(&run, "x.sock").expect("connected").within(Duration::from_secs(10));
        for round in 0..3 {
            let request = Request { verb: "echo".into(), args: json!(round), payload: vec![0xff; round] };
            let reply = client.call(&request).expect("answered");
            assert_eq!((reply.result, reply.payload), (request.args, request.payload));
        }
        assert_eq!(client.call(&Request::new("no", Value::Null)).expect_err("refused").code, "unknown");
        service.stop();
    }

    #[test]
    fn nonsense_is_answered_with_an_error_and_hung_up_on() {
        let (_dir, run, _service) = start();
        let mut stream = run.connect("x.sock").expect("connected");
        io::Write::write_all(&mut stream, b"what?\n").expect("sent");
        let mut text = String::new();
        io::Read::read_to_string(&mut stream, &mut text).expect("answered and closed");
        assert!(text.contains("control-protocol"), "{text}");
    }
}
