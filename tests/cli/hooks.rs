//! Hooks from the outside: what they are given, how they end, who may leave them out, and what happens around them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{World, end};

/// A hook for all sessions.
fn hook(world: &World, name: &str, script: &str) {
    let dir = world.path(".config/aether/hooks");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn mounts(world: &World) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(world.path("").to_str().unwrap())).count()
}

#[test]
fn a_hook_works_in_a_view_of_the_state_and_is_told_about_it() {
    let world = World::with_web();
    // It is as long as the pipe of a shell would hold, and nobody has to read it.
    hook(&world, "pre-checkpoint", "cat >$HOME/document; env >$HOME/environment; pwd >$HOME/where; ls >$HOME/listing");
    hook(&world, "post-checkpoint", "exec <&-; touch made-here 2>$HOME/read-only; cat index.html >$HOME/content");
    world.ok(["checkpoint", "create", "fix-login", "-m", &"long ".repeat(20_000), "--as", "bo"]);
    let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let document: Value = serde_json::from_str(&read("document")).unwrap();
    assert_eq!((&document["hook"], &document["transition"]), (&"pre-checkpoint".into(), &"checkpoint".into()));
    assert_eq!((&document["actor"], &document["session"]["name"]), (&"bo".into(), &"fix-login".into()));
    assert_eq!(document["details"]["message"].as_str().unwrap().len(), 100_000);
    let environment = read("environment");
    for line in ["AETHER_HOOK=pre-checkpoint", "AETHER_SESSION_NAME=fix-login", "AETHER_SOURCE=web", "AETHER_ACTOR=bo"]
    {
        assert!(environment.lines().any(|found| found == line), "{line}: {environment}");
    }
    assert_eq!(document["view"].as_str().unwrap(), read("where").trim_end());
    assert_eq!((read("listing").as_str(), read("content").as_str()), ("index.html\nlib\n", "<p>hello</p>\n"));
    assert_eq!(world.json(["checkpoint", "list", "fix-login"]).len(), 1);
    assert_eq!(mounts(&world), 0, "a view is left");
}

#[test]
fn hooks_of_a_source_run_after_those_for_all_and_only_for_its_sessions() {
    let world = World::with_web();
    world.sh(
        "printf '#!/bin/sh\\necho all >>$HOME/log\\n' >all; printf '#!/bin/sh\\necho web >>$HOME/log\\n' >web-only",
    );
    world.ok(["hook", "install", "post-checkpoint", "all"]);
    world.ok(["hook", "install", "post-checkpoint", "web-only", "--source", "web"]);
    assert_eq!(world.run(["hook", "install", "post-checkpoint", "all"]).code, 4, "it is there");
    world.ok(["session", "create", "other", "--empty"]);
    world.ok(["checkpoint", "create", "fix-login"]);
    world.ok(["checkpoint", "create", "other"]);
    assert_eq!(fs::read_to_string(world.path("log")).unwrap(), "all\nweb\nall\n");
    let listed = world.json(["hook", "list"]);
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|row| row["runs"] == true), "{listed:?}");
    fs::write(world.path(".config/aether/hooks/pre-comit"), "").unwrap();
    let listed = world.json(["hook", "list"]);
    assert_eq!(listed.iter().filter(|row| row["why_not"] == "no hook has this name").count(), 1);
    world.ok(["hook", "uninstall", "post-checkpoint", "--source", "web"]);
    assert_eq!(world.run(["hook", "uninstall", "post-checkpoint", "--source", "web"]).code, 3);
    assert_eq!(world.run(["hook", "uninstall", "pre-comit"]).code, 2);
}

#[test]
fn hooks_of_a_source_stay_with_it_in_the_trash_and_go_with_it_for_good() {
    let world = World::with_web();
    world.sh("printf '#!/bin/sh\\nexit 0\\n' >fine; mkdir other && touch other/file");
    world.ok(["source", "create", "other", "other"]);
    for source in ["web", "other"] {
        world.ok(["hook", "install", "pre-commit", "fine", "--source", source]);
    }
    let hooks = world.data().join("hooks");
    fs::write(hooks.join("notes"), "my own").unwrap();
    let kept = || {
        let names = fs::read_dir(&hooks).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("b-")).count()
    };
    world.ok(["source", "delete", "other"]);
    assert_eq!(kept(), 2, "it can come back");
    world.ok(["trash", "empty", "--yes"]);
    assert_eq!(kept(), 1);
    world.ok(["session", "delete", "fix-login", "--yes"]);
    world.ok(["source", "delete", "web"]);
    world.ok(["store", "gc", "--trash-days", "0"]);
    assert_eq!(kept(), 0);
    assert!(hooks.join("notes").exists(), "what is nobody's hook stays");
}

#[test]
fn hooks_of_a_source_hold_in_a_backup_as_they_do_here() {
    let world = World::with_web();
    world.sh("printf '#!/bin/sh\\necho here >>$HOME/log\\nexit 3\\n' >no; chmod +x no");
    world.ok(["hook", "install", "pre-checkpoint", "no", "--source", "web"]);
    let id = world.json(["source", "show", "web"])[0]["id"].as_str().unwrap().to_owned();
    let own = world.data().join("hooks").join(&id);
    // One that leads elsewhere, and one that everybody could have written: it is not run, and must not be in the backup either.
    std::os::unix::fs::symlink(world.path("no"), own.join("pre-fork")).unwrap();
    fs::copy(world.path("no"), own.join("pre-merge")).unwrap();
    fs::set_permissions(own.join("pre-merge"), fs::Permissions::from_mode(0o777)).unwrap();
    world.ok(["store", "backup", "copy"]);
    let copy = |args: &[&str]| end(world.aether(args).env("AETHER_HOME", world.path("copy")));
    let listed = |ended: &super::Ended| {
        let rows = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["hook"].clone(), row["runs"].clone())).collect::<Vec<_>>()
    };
    let here = world.run(["hook", "list", "--json"]);
    assert_eq!(listed(&copy(&["hook", "list", "--json"])), listed(&here), "{here:?}");
    assert_eq!(copy(&["checkpoint", "create", "fix-login"]).code, 5);
    assert_eq!(fs::read_to_string(world.path("log")).unwrap(), "here\n");
    assert_eq!(copy(&["session", "fork", "fix-login"]).code, 5);
    assert_eq!(fs::read_to_string(world.path("log")).unwrap(), "here\nhere\n");
    // Brought up to date, it has those that there are.
    world.ok(["store", "backup", "again"]);
    fs::remove_dir_all(&own).unwrap();
    world.ok(["hook", "install", "post-checkpoint", "no", "--source", "web"]);
    world.ok(["store", "backup", "again"]);
    let names = fs::read_dir(world.path("again/hooks").join(&id)).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["post-checkpoint"]);
    fs::remove_dir_all(world.data().join("hooks")).unwrap();
    world.ok(["store", "backup", "again"]);
    assert!(!world.path("again/hooks").exists());
}

#[test]
fn a_hook_can_call_aether_and_hooks_that_call_each_other_come_to_an_end() {
    let world = World::with_web();
    let calls = "aether status && aether checkpoint create @ -q && aether tag set $AETHER_SESSION_NAME by=hook &&
        aether session fork $AETHER_SESSION_NAME -q";
    hook(&world, "pre-apply", calls);
    fs::create_dir(world.path("out")).unwrap();
    let ended = world.run(["session", "apply", "fix-login", "--to", "out"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(world.json(["checkpoint", "list", "fix-login"]).len(), 1);
    hook(&world, "post-checkpoint", "aether checkpoint create @ -q");
    let ended = world.run(["checkpoint", "create", "fix-login"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(world.json(["checkpoint", "list", "fix-login"]).len(), 1 + 5, "one, and those of four hooks");
}

#[test]
fn leaving_hooks_out_is_for_those_whom_the_policy_lets() {
    let world = World::with_web();
    hook(&world, "pre-checkpoint", "echo never >&2; exit 7");
    let kinds = "[actor.ann]\nkind = \"human\"\n[actor.bot]\nkind = \"agent\"\n";
    fs::write(world.path(".config/aether/config.toml"), kinds).unwrap();
    let checkpoint = |actor: &str, more: &[&str]| {
        let args = ["checkpoint", "create", "fix-login", "--as", actor];
        world.run(args.iter().chain(more))
    };
    let refused = checkpoint("ann", &[]);
    assert_eq!(refused.code, 5);
    assert!(refused.err.contains("`pre-checkpoint` says no") && refused.err.contains("  never\n"), "{refused:?}");
    for (text, ann, bot) in [("", 0, 0), ("[hooks]\nskip = \"human\"", 0, 5), ("[hooks]\nskip = \"nobody\"", 5, 5)] {
        fs::write(world.path("web.toml"), text).unwrap();
        world.ok(["policy", "set", "web", "--file", "web.toml"]);
        let codes = ["ann", "bot"].map(|actor| checkpoint(actor, &["--no-hooks"]).code);
        assert_eq!(codes, [ann, bot], "{text}");
    }
    let types: Vec<Value> = world.json(["event", "list", "--type", "hook.skip"]);
    assert_eq!(types.len(), 3);
    // What may not be left out may not be taken away either.
    world.sh("printf '#!/bin/sh\\n' >fine");
    world.ok(["hook", "install", "pre-merge", "fine", "--source", "web"]);
    assert_eq!(world.run(["hook", "uninstall", "pre-merge", "--source", "web"]).code, 5);
    assert_eq!(world.run(["hook", "install", "pre-merge", "fine", "--source", "web", "--replace"]).code, 5);
}

#[test]
fn an_interrupted_command_takes_its_hook_with_it() {
    let world = World::with_web();
    hook(&world, "pre-checkpoint", "echo $$ >$HOME/pid; sleep 60");
    let mut command = world.aether(["checkpoint", "create", "fix-login"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    let pid = loop {
        let text = fs::read_to_string(world.path("pid")).unwrap_or_default();
        match text.trim().parse::<u32>() {
            Ok(pid) => break pid,
            Err(_) => assert!(Instant::now() < limit, "the hook does not begin"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "the hook lives");
    assert_eq!(mounts(&world), 0, "a view is left");
    assert!(world.json(["checkpoint", "list", "fix-login"]).is_empty());
}

#[test]
fn many_commands_run_their_hooks_at_once() {
    let world = World::with_web();
    hook(&world, "pre-checkpoint", "test \"$(cat index.html)\" = '<p>hello</p>' && sleep 0.3");
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = world.aether(["checkpoint", "create", "fix-login"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.json(["checkpoint", "list", "fix-login"]).len(), 4);
    assert_eq!(mounts(&world), 0, "a view is left");
}

#[test]
fn mounting_and_unmounting_ask_too_and_nothing_in_a_session_is_a_hook() {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
        return;
    }
    let world = World::with_web();
    let note = "echo $AETHER_HOOK $(ls | head -n 1) >>$HOME/log; test ! -e $HOME/no-$AETHER_HOOK";
    for name in ["pre-mount", "post-mount", "pre-unmount", "post-unmount"] {
        hook(&world, name, note);
    }
    let log = || fs::read_to_string(world.path("log")).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let place = world.path("m");
    let place = place.to_str().unwrap();
    fs::write(world.path("no-pre-mount"), "").unwrap();
    assert_eq!(world.run(["mount", "fix-login", place]).code, 5);
    assert_eq!((mounts(&world), log().len()), (0, 1));
    fs::remove_file(world.path("no-pre-mount")).unwrap();
    world.ok(["mount", "fix-login", place]);
    fs::write(world.path("no-pre-unmount"), "").unwrap();
    assert_eq!(world.run(["unmount", "fix-login"]).code, 5);
    assert_eq!(mounts(&world), 1, "it stays");
    // Whoever works in a session cannot make a hook of what is in it.
    fs::copy("/bin/true", world.path("m/mine")).unwrap();
    let link = world.path(".config/aether/hooks/pre-checkpoint");
    std::os::unix::fs::symlink(world.path("m/mine"), &link).unwrap();
    let refused = end(&mut world.aether(["checkpoint", "create", "fix-login", "--json"]));
    assert!(refused.code == 5 && refused.err.contains("hook-cannot-run"), "{refused:?}");
    fs::remove_file(world.path("no-pre-unmount")).unwrap();
    world.ok(["unmount", "fix-login"]);
    let names = ["pre-mount", "pre-mount", "post-mount", "pre-unmount", "pre-unmount", "post-unmount"];
    assert_eq!(log(), names.map(|name| format!("{name} index.html")));
}
