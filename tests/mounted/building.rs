//! A build does not notice that the process that serves its files is killed, but for a pause.
//!
//! `AETHER_TEST_BUILD` names another workspace to build than the small one made here, `AETHER_TEST_PAUSE_MS` how long a program
//! may have to wait. Both are for a release build by hand, on a machine that has nothing else to do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixture::skipped;
use crate::takeover::kill_server;
use crate::workspace::Workspace;

const CRATES: usize = 4;

/// Crates that stand on each other, one with a build script, and a program that adds up what they say.
fn small_workspace(at: &Path) {
    let put = |path: String, text: &str| {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let manifest = |name: &str, on: &[usize]| {
        let mut text =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n");
        on.iter().for_each(|on| writeln!(text, "part{on} = {{ path = \"../part{on}\" }}").unwrap());
        text
    };
    let (mut members, mut sum) = (String::from("\"total\""), String::new());
    for number in 0..CRATES {
        // Two at a time can be built.
        let on = number.checked_sub(2).into_iter().collect::<Vec<_>>();
        put(format!("part{number}/Cargo.toml"), &manifest(&format!("part{number}"), &on));
        let before = on.first().map_or("0".to_owned(), |on| format!("part{on}::value()"));
        let text = format!("pub fn value() -> u64 {{ {before} + {number} }}\n");
        put(format!("part{number}/src/lib.rs"), &text);
        write!(members, ", \"part{number}\"").unwrap();
        write!(sum, "part{number}::value() + ").unwrap();
    }
    put("Cargo.toml".to_owned(), &format!("[workspace]\nresolver = \"2\"\nmembers = [{members}]\n"));
    put("total/Cargo.toml".to_owned(), &manifest("total", &(0..CRATES).collect::<Vec<_>>()));
    let script = "fn main() {\n    let dir = std::env::var(\"OUT_DIR\").unwrap();\n    \
                  std::fs::write(dir + \"/made.rs\", \"1000\").unwrap();\n}\n";
    put("total/build.rs".to_owned(), script);
    let made = "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"))";
    put("total/src/main.rs".to_owned(), &format!("fn main() {{\n    println!(\"{{}}\", {sum}{{ {made} }});\n}}\n"));
}

/// What the program of the small workspace prints.
fn total() -> u64 {
    let value = |number: u64| (0..=number).rev().step_by(2).sum::<u64>();
    (0..CRATES as u64).map(value).sum::<u64>() + 1000
}

/// Does small things until it is told to stop, and says how long the longest of them took.
fn longest_wait(dir: &Path, stop: &AtomicBool) -> Duration {
    let (mut longest, mut round) = (Duration::ZERO, 0u64);
    while !stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let (one, other) = (dir.join("one"), dir.join("other"));
        fs::write(&one, round.to_le_bytes()).unwrap();
        fs::rename(&one, &other).unwrap();
        assert_eq!(fs::read(&other).unwrap(), round.to_le_bytes());
        assert!(!one.exists());
        longest = longest.max(begun.elapsed());
        round += 1;
        thread::sleep(Duration::from_millis(1));
    }
    assert!(round > 0);
    longest
}

fn cargo_build(root: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline"]).current_dir(root).env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
    cargo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    cargo
}

#[test]
#[allow(clippy::disallowed_methods, clippy::disallowed_macros)]
fn a_build_succeeds_while_the_server_of_its_files_is_killed() {
    if skipped() {
        return;
    }
    let allowed_ms = std::env::var("AETHER_TEST_PAUSE_MS").map_or(5_000, |text| text.parse::<u64>().unwrap());
    let given = std::env::var_os("AETHER_TEST_BUILD").map(PathBuf::from);
    let workspace = Workspace::new();
    let origin = given.clone().unwrap_or_else(|| workspace.path("origin"));
    if given.is_none() {
        small_workspace(&origin);
    }
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let root = mount.root();
    let beside = root.join("beside");
    fs::create_dir(&beside).unwrap();
    let stop = AtomicBool::new(false);
    let (longest, kills) = thread::scope(|scope| {
        let probe = scope.spawn(|| longest_wait(&beside, &stop));
        let mut build = cargo_build(root).spawn().unwrap();
        let mut kills = 0u32;
        while build.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(400));
            kill_server(&workspace);
            kills += 1;
        }
        stop.store(true, Ordering::SeqCst);
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (probe.join().unwrap(), kills)
    });
    println!("killed {kills} times; the longest wait of a program beside the build: {longest:?}");
    assert!(longest < Duration::from_millis(allowed_ms), "{longest:?}");
    let again = cargo_build(root).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && !said.contains("Compiling"), "{said}");
    if given.is_none() {
        let output = Command::new(root.join("target/debug/total")).output().unwrap();
        assert_eq!(output.stdout, format!("{}\n", total()).into_bytes());
    }
    mount.end();
}
