//! Every command has examples in its help, and they work.

use std::fs;

use clap::Command;

use super::{World, end};

/// Commands whose examples mount something.
const NEED_FUSE: &[&str] = &["mount", "unmount", "run", "demo", "try", "diff", "status"];

/// Commands that leave no line in the history, and why. Whoever adds a command that is not in here sees to its events.
const WITHOUT_EVENTS: &[(&str, &[&str])] = &[
    (
        "it only looks",
        &[
            "list",
            "show",
            "log",
            "status",
            "diff",
            "ls",
            "cat",
            "get",
            "stats",
            "export",
            "subscribe",
            "follow",
            "verify",
            "doctor",
            "wait",
            "du",
            "check",
            "path",
            "overlaps",
            "fsmonitor",
        ],
    ),
    (
        "its example finds nothing that could go; a test of its own looks",
        &[
            "aether event prune",
            "aether source prune",
            "aether session recover",
            "aether store repair",
            "aether policy edit",
        ],
    ),
    ("it works in a data directory of its own", &["aether demo", "aether store backup"]),
    ("a message is a record of its own", &["publish"]),
    ("a mount is a process, which the catalog does not know", &["mount", "unmount"]),
    ("it is about files outside of the catalog", &["config", "completions"]),
];

/// Why a command leaves no line in the history; `None`: it has to.
fn reason(name: &str) -> Option<&'static str> {
    let verb = name.rsplit(' ').next().unwrap();
    let has = |(_, verbs): &&(&str, &[&str])| verbs.contains(&verb) || verbs.contains(&name);
    WITHOUT_EVENTS.iter().find(has).map(|(why, _)| *why)
}

/// Every command that is shown, with its full name.
fn commands(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    found.push((name.to_owned(), command.clone()));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        commands(sub, &format!("{name} {}", sub.get_name()), found);
    }
}

fn all() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    commands(&aether::cli::command(), "aether", &mut found);
    assert!(found.len() > 10);
    found
}

fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

/// Whether an example names checkpoints by their numbers alone, as they can be within a session.
fn is_of_current(example: &str) -> bool {
    example.rsplit(' ').next().is_some_and(|word| word.parse::<u32>().is_ok())
        && (example.starts_with("aether restore ") || example.starts_with("aether checkpoint diff "))
}

#[test]
fn every_command_has_examples_of_itself() {
    for (name, command) in all() {
        let examples = examples(&command);
        assert!(!examples.is_empty(), "`{name}` has no examples");
        let verb = name.rsplit(' ').next().unwrap();
        assert!(examples.iter().any(|line| line.contains(verb)), "no example of `{name}` is about it: {examples:?}");
        assert!(command.get_about().is_some(), "`{name}` does not say what it is");
    }
}

#[test]
fn every_example_works() {
    let skip_fuse = std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip");
    let mut failed = Vec::new();
    for (name, command) in all() {
        let verb = name.rsplit(' ').next().unwrap();
        if skip_fuse && NEED_FUSE.contains(&verb) {
            continue;
        }
        let world = World::with_web();
        fs::write(world.path("src/web/Makefile"), "test:\n\t@echo fine\n").unwrap();
        world.ok(["source", "refresh", "web"]);
        world.ok(["session", "create", "login-bug", "--source", "web"]);
        (0..3).for_each(|_| drop(world.ok(["checkpoint", "create", "fix-login"])));
        if name == "aether source create" {
            world.sh("tar czf release.tar.gz src; git init -q src/lib; cd src/lib; git config user.name ann
                 git config user.email ann@example.org; git commit -q --allow-empty -m one; git tag v1.2");
        }
        if ["aether source refresh", "aether source watch"].contains(&name.as_str()) {
            fs::write(world.path("src/web/later.html"), "new\n").unwrap();
        }
        if name == "aether source promote" {
            // Only what stands on the newest revision is promoted.
            world.ok(["update", "fix-login"]);
        }
        let newest = world.json(["op", "log", "-n", "1"]);
        if name == "aether store rebuild" {
            // A catalog that can be read is not made anew.
            fs::write(world.data().join("catalog.db"), "no catalog").unwrap();
        }
        for (number, example) in examples(&command).into_iter().enumerate() {
            if name.starts_with("aether commit") || example.contains("commit") {
                if skip_fuse {
                    continue;
                }
                world.ok(["run", "fix-login", "--", "sh", "-c", &format!("echo {number} >made-{number}")]);
                world.ok(["commit", "fix-login", "-m", "One more"]);
            }
            let needs_conflict = name.starts_with("aether conflict") || example.contains("merge --abort");
            if needs_conflict && !skip_fuse {
                // Each finds a conflict of its own: the one before may have resolved it.
                for (session, line) in
                    [("fix-login", format!("ours {number}")), ("login-bug", format!("theirs {number}"))]
                {
                    world.ok(["run", session, "--", "sh", "-c", &format!("echo {line} >lib/app.js")]);
                }
                fs::write(world.path("merged.js"), "both\n").unwrap();
                world.run(["merge", "--abort", "--into", "fix-login"]);
                assert_eq!(world.run(["merge", "login-bug", "--into", "fix-login"]).code, 4);
            }
            // Something for it to find, or it would wait.
            fs::write(world.path("src/web/number"), number.to_string()).unwrap();
            if name.starts_with("aether approval ") && !name.ends_with("request") {
                // One that is pending.
                world.run(["-s", "fix-login", "approval", "request", "merge"]);
            }
            let mut shell = world.command("sh");
            if is_of_current(&example) {
                shell.env("AETHER_SESSION", "fix-login");
            }
            let ended = end(shell.args(["-c", &example]));
            // What the machine lacks is not the example's fault.
            let fine = ended.code == 0 || verb == "doctor" && ended.code == 1 || example.ends_with("doctor");
            if !fine {
                failed.push(format!("`{name}`: `{example}`: {ended:?}"));
            }
        }
        let is_group = command.get_subcommands().any(|sub| !sub.is_hide_set() && sub.get_name() != "help");
        let did = world.json(["op", "log", "-n", "1"])[0]["operation"] != newest[0]["operation"];
        if !is_group && !did && reason(&name).is_none() {
            failed.push(format!("`{name}` leaves no line in the history, and no reason says why"));
        }
        for operation in world.json(["op", "log"]) {
            if operation["changed"].as_array().is_none_or(Vec::is_empty) {
                failed.push(format!("`{name}`: no event tells of {operation}"));
            }
        }
        if NEED_FUSE.contains(&verb) {
            world.ok(["session", "unmount", "--all"]);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
