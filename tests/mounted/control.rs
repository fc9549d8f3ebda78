//! The control socket of a real mount process.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use aether::daemon::control::Request;
use serde_json::{Value, json};

use crate::fixture::{needs_root, skipped};
use crate::process::Daemon;
use crate::users::in_thread_of_nobody;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_mount_process_answers_for_itself_and_for_its_workspace() {
    if skipped() {
        return;
    }
    let (daemon, ready) = Daemon::started();
    fs::write(daemon.point.join("a"), b"x").unwrap();
    let record = daemon.record();
    let mut client = record.connect(&daemon.run).unwrap().within(SOON);
    let mut ask = |verb: &str| client.call(&Request::new(verb, Value::Null));
    assert_eq!(ask("ping").unwrap().result["pid"], json!(ready.pid));
    assert_eq!(ask("requests").unwrap().result["create"], json!(1));
    assert_eq!(ask("connected").unwrap().result, json!(true));
    assert_eq!(ask("what").unwrap_err().code, "unknown-verb");
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let echo = Request { verb: "echo".into(), args: json!({"n": 1}), payload: bytes };
    let reply = client.call(&echo).unwrap();
    assert_eq!((reply.result, reply.payload), (echo.args, echo.payload));

    client.call(&Request::new("stop", Value::Null)).unwrap();
    assert!(record.process.wait_end(SOON));
    assert_eq!(record.connect(&daemon.run).unwrap_err().code, "control-unreachable");
}

#[test]
fn another_users_client_is_refused_even_if_it_gets_at_the_socket() {
    if skipped() || needs_root() {
        return;
    }
    let (daemon, _) = Daemon::started();
    let socket = fs::read_dir(daemon.run.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "sock"))
        .unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let own = socket.clone();
    let kept_out = in_thread_of_nobody(move || UnixStream::connect(own).is_err());
    assert!(kept_out, "the directory is closed");
    for open in [daemon.home.as_path(), daemon.run.path(), &socket] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let answer = in_thread_of_nobody(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(b"{\"verb\":\"stop\"}\n").ok();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        answer
    });
    assert!(answer.contains("control-denied"), "{answer}");
    assert!(daemon.record().process.is_alive());
}
