//! Everything at once on one catalog.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::World;

const PROCESSES: usize = 32;
const ROUNDS: usize = 3;

/// What each of them does; `$1` is its number.
const SCRIPT: &str = r#"
set -u
me=$1
a() { aether -s fix-login --as "agent-$me" "$@"; }
must() { "$@" >/dev/null || { echo "failed: $*" >&2; exit 1; }; }
for round in 1 2 3; do
    must a cache set "own/$me/$round" "$round"
    while :; do
        entry=$(a cache get counter --json)
        version=$(echo "$entry" | sed 's/.*"version":\([0-9]*\).*/\1/')
        now=$(echo "$entry" | sed 's/.*"value":"\([0-9]*\)".*/\1/')
        a cache set counter $((now + 1)) --if-version "$version" >/dev/null 2>stale-$me && break
        [ $? = 4 ] || { cat stale-$me >&2; exit 1; }
    done
    token=$(a lock acquire "dir-$me") || exit 1
    must a bus publish "progress:$me" "$round"
    must a tag set fix-login "k$me=$round"
    must a health report pass -m "$me.$round"
    must a event list -n 3
    must a lock release "$token"
done
"#;

#[test]
fn thirty_two_processes_lose_nothing_and_are_never_refused_the_catalog() {
    let world = World::with_web();
    world.ok(["-s", "fix-login", "cache", "set", "counter", "0"]);
    world.ok(["session", "mount", "fix-login"]);
    let writer = "i=0; while [ ! -e stop ]; do i=$((i+1)); echo $i >\"f$((i % 50))\"; done; echo done >last";
    let mut writer = world.aether(["run", "fix-login", "--", "sh", "-c", writer]).spawn().unwrap();
    let started = Instant::now();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let ended = world.run(["store", "gc"]);
                assert_eq!(ended.code, 0, "{ended:?}");
            }
        });
        let start = |at: usize| {
            let mut command = world.command("sh");
            command.args(["-c", SCRIPT, "sh", &at.to_string()]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children: Vec<Child> = (0..PROCESSES).map(start).collect();
        let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        is_over.store(true, Ordering::Relaxed);
        collector.join().unwrap();
        for output in outputs {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{said}");
        }
    });
    assert!(started.elapsed() < Duration::from_secs(300), "{:?}", started.elapsed());
    let place = world.json(["session", "show", "fix-login"])[0]["mounts"][0]["path"].as_str().unwrap().to_owned();
    std::fs::write(format!("{place}/stop"), "").unwrap();
    assert!(writer.wait().unwrap().success());
    assert_eq!(world.ok(["cat", "fix-login:last"]), "done\n");
    world.ok(["session", "unmount", "fix-login"]);

    let all = PROCESSES * ROUNDS;
    assert_eq!(world.ok(["-s", "fix-login", "cache", "get", "counter"]), all.to_string());
    assert_eq!(world.json(["-s", "fix-login", "cache", "list", "--prefix", "own/"]).len(), all);
    assert_eq!(world.json(["-s", "fix-login", "bus", "subscribe", "progress:*"]).len(), all);
    assert_eq!(world.json(["health", "show", "fix-login", "--history"]).len(), all);
    assert_eq!(world.json(["tag", "list", "fix-login"]).len(), PROCESSES);
    assert!(world.json(["lock", "list"]).is_empty());
    let events = world.json(["event", "list"]);
    let count = |what: &str| events.iter().filter(|event| event["type"] == what).count();
    assert_eq!((count("lock.acquire"), count("lock.release"), count("health.report")), (all, all, all));
    assert_eq!((count("session.tag"), count("cache.set")), (all, 2 * all + 1));
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "the history has gaps");
}
