//! Commits: what they hold, that they stay, and what can be done with them.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Ended, World};

/// With scratch (`out`, ignored), and `fix-login` changed in every way that there is.
fn changed() -> World {
    let world = World::with_web();
    world.sh(
        "cd src/web; echo out >.gitignore; mkdir out docs; echo built >out/a.o; echo old >docs/old; echo kind >kind
         echo text >lib/moved; ln -s lib link; echo one >linked; ln linked lib/linked; chmod 755 lib/app.js",
    );
    world.ok(["source", "refresh", "web"]);
    world.ok(["update", "fix-login"]);
    edit(
        &world,
        "fix-login",
        "echo more >>lib/app.js; rm -r docs; rm kind; mkdir kind; echo in >kind/side; mkdir -p new/deep empty
         mv lib/moved new/deep/moved; ln -sf docs link; echo two >>linked; chmod 700 index.html; echo x >new/x
         ln new/x new/y; echo scratch >>out/a.o; echo more >out/b.o; setfattr -n user.note -v hi new/x",
    );
    world
}

fn edit(world: &World, session: &str, script: &str) {
    world.ok(["run", session, "--", "sh", "-ec", script]);
}

fn commit(world: &World, args: &[&str]) -> String {
    let made = world.json([&["commit", "create"], args].concat());
    made[0]["id"].as_str().unwrap().to_owned()
}

fn show(world: &World, id: &str) -> Value {
    world.json(["commit", "show", id]).remove(0)
}

#[test]
fn a_commit_has_what_is_tracked_and_scratch_as_it_was() {
    let world = changed();
    let patch = world.ok(["diff", "fix-login"]);
    let id = commit(&world, &["fix-login", "-m", "All of it"]);
    assert_eq!(world.ok(["diff", &id, "fix-login"]), "");
    assert_eq!(world.ok(["diff", "web@2", &id, "--", "."]).len(), patch.len());
    assert_eq!(world.ok(["commit", "diff", &id]), patch);
    assert_eq!(world.ok(["cat", &format!("{id}:out/a.o")]), "built\n");
    assert_eq!(world.ok(["diff", "web@2", &id, "--all"]), patch, "scratch is as the session found it");
    let status = &world.json(["status", "fix-login"])[0];
    let shown = show(&world, &id);
    assert_eq!(shown["change_set"], status["change_set"]);
    assert_eq!(shown["changes"].as_array().unwrap().len(), status["changes"].as_array().unwrap().len());
    assert_eq!((&shown["source_name"], &shown["revision"]), (&json!("web"), &json!(2)));
    assert_eq!((&shown["author"], &shown["actor"]), (&json!("ann"), &json!("ann")));
    // Totals, link counts and numbers are those of the tree.
    let verified = world.run(["store", "verify", "--read-data"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert_eq!(world.ok(["session", "create", "counted", "--commit", &id, "-q"]), "counted\n");
    let count = "find . ! -type d | wc -l; find . -type d | wc -l; find . -type f -links +1 | sort; stat -c %h linked
        find . -printf '%i %p\\n' | sort -n | awk '{ print $1 }' | uniq -d; getfattr --only-values -n user.note new/x";
    let found = world.ok(["run", "counted", "--", "sh", "-ec", count]);
    // What changes under one of two names becomes a file of its own there.
    assert_eq!(found, format!("{}\n{}\n1\nhi", shown["files"], shown["dirs"]), "{shown}");
}

#[test]
fn a_commit_outlives_its_session() {
    let world = changed();
    let id = commit(&world, &["fix-login", "-m", "Stays"]);
    // What is committed is kept, so nobody is asked.
    world.ok(["session", "delete", "fix-login"]);
    world.ok(["trash", "empty", "--yes"]);
    world.ok(["store", "gc"]);
    assert_eq!(world.ok(["cat", &format!("{id}:new/deep/moved")]), "text\n");
    assert_eq!(world.run(["fork", "--from", &id]).code, 3);
    let made = &world.json(["session", "create", "again", "--commit", &id])[0];
    assert_eq!((&made["from_commit"], &made["revision"]), (&json!(id), &json!(2)));
    assert_eq!(world.json(["status", "again"])[0]["change_set"], show(&world, &id)["change_set"]);
    assert_eq!(world.run(["commit", "again", "-m", "Same"]).code, 1, "it has nothing new");
    // Nobody changed it, so it may go without a question.
    world.ok(["session", "delete", "again"]);
    assert_eq!(world.run(["store", "verify"]).code, 0);
}

#[test]
fn commits_follow_each_other_and_the_last_can_be_amended() {
    let world = World::with_web();
    let nothing = world.run(["commit", "fix-login", "-m", "Nothing"]);
    assert_eq!(nothing.code, 1, "{nothing:?}");
    assert!(nothing.err.contains("web@1") && nothing.err.contains("hint:"), "{}", nothing.err);
    assert_eq!(world.run(["commit", "fix-login", "--amend"]).code, 3);
    edit(&world, "fix-login", "echo one >one");
    let first = commit(&world, &["fix-login", "-m", "One\n\nand more\n\n", "--author", "Bea <bea@example.org>"]);
    assert_eq!(world.run(["commit", "fix-login", "-m", "Again"]).code, 1);
    edit(&world, "fix-login", "echo two >two");
    let second = commit(&world, &["fix-login", "--summary"]);
    let shown = show(&world, &second);
    assert_eq!(
        (&shown["parent"], &shown["message"]),
        (&json!(first), &json!("Change 2 paths: 2 added\n\nA one\nA two"))
    );
    assert_eq!(world.ok(["commit", "diff", &second, "--name-status"]), "A\ttwo\n");
    assert_eq!(world.ok(["commit", "diff", &second, "--whole", "--name-status"]), "A\tone\nA\ttwo\n");
    edit(&world, "fix-login", "echo three >three");
    let third = commit(&world, &["fix-login", "--amend"]);
    let shown = show(&world, &third);
    assert_eq!((&shown["parent"], &shown["amends"]), (&json!(first), &json!(second)));
    assert_eq!(world.ok(["commit", "list", "fix-login", "-q"]), format!("{third}\n{first}\n"));
    assert_eq!(world.run(["commit", "show", &second]).code, 3);
    // Undo takes the amended one out of the trash again; redo puts it back.
    world.ok(["undo"]);
    assert_eq!(world.ok(["commit", "list", "fix-login", "-q"]), format!("{second}\n{first}\n"));
    world.ok(["undo"]);
    assert_eq!(world.ok(["commit", "list", "-q"]), format!("{first}\n"));
    assert_eq!(world.json(["session", "show", "fix-login"])[0]["head_commit"], json!(first));
    world.ok(["redo"]);
    world.ok(["redo"]);
    assert_eq!(world.ok(["commit", "list", "fix-login", "-q"]), format!("{third}\n{first}\n"));
    let first = show(&world, &first);
    assert_eq!((&first["author"], &first["message"]), (&json!("Bea <bea@example.org>"), &json!("One\n\nand more")));
    for kind in ["commit.create", "commit.delete", "commit.undo", "commit.redo"] {
        assert!(!world.json(["event", "list", "--type", kind]).is_empty(), "{kind}");
    }
}

#[test]
fn a_message_comes_from_wherever_one_likes() {
    let world = World::with_web();
    edit(&world, "fix-login", "echo one >one");
    for (args, code) in [
        (vec!["commit", "fix-login"], 2),
        (vec!["commit", "fix-login", "-m", " \n"], 2),
        (vec!["commit", "fix-login", "-m", "a", "-F", "x"], 2),
        (vec!["commit", "fix-login", "-F", "missing"], 3),
        (vec!["commit", "fix-login", "-m", "a", "--author", "<x"], 2),
        (vec!["commit", "nope", "-m", "a"], 3),
    ] {
        assert_eq!(world.run(&args).code, code, "{args:?}");
    }
    fs::write(world.path("latin"), b"gr\xf6\xdfe").unwrap();
    assert_eq!(world.run(["commit", "fix-login", "-F", "latin"]).code, 2);
    let dry = world.ok(["commit", "fix-login", "--dry-run", "--summary"]);
    assert!(dry.contains("Add one") && dry.contains("A one"), "{dry}");
    assert_eq!(world.ok(["commit", "list", "-q"]), "");
    let mut child = world
        .aether(["commit", "fix-login", "-F", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"From a pipe\n\x1b[31m\n").unwrap();
    let made: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(made["message"], "From a pipe\n\x1b[31m");
    let shown = world.ok(["commit", "show", made["id"].as_str().unwrap(), "--color=always"]);
    assert!(!shown.contains("\x1b[31m\n"), "{shown:?}");
}

/// Runs a command line on a terminal.
fn on_a_terminal(world: &World, line: &str, editor: &str) -> Ended {
    let bin = env!("CARGO_BIN_EXE_aether");
    let mut command = world.command("script");
    command.args(["-qec", &line.replace("aether", bin), "/dev/null"]).env("EDITOR", editor).env("TERM", "dumb");
    // The terminal is there as long as this is open.
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let _open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn on_a_terminal_an_editor_asks_for_the_message() {
    let world = World::with_web();
    edit(&world, "fix-login", "echo one >one");
    let seen = world.path("seen");
    let editor = format!("cp \"$1\" {}; printf 'Said\\n# not said\\n' >", seen.display());
    let ended = on_a_terminal(&world, "aether commit fix-login", &editor);
    assert_eq!(ended.code, 0, "{ended:?}");
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("# Session fix-login") && seen.contains("#   Add one"), "{seen}");
    let id = world.ok(["commit", "list", "-q"]);
    assert_eq!(show(&world, id.trim())["message"], "Said");
    edit(&world, "fix-login", "echo two >two");
    for editor in ["true", "false", "no-such-editor", ": >"] {
        let ended = on_a_terminal(&world, "aether commit fix-login", editor);
        assert_ne!(ended.code, 0, "{editor}: {ended:?}");
    }
    assert_eq!(world.ok(["commit", "list", "-q"]), id);
    let left: Vec<_> =
        fs::read_dir(world.path("run/aether")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("EDITMSG")), "{left:?}");
}

#[test]
fn a_commit_is_a_state_like_any_other() {
    let world = World::with_web();
    edit(&world, "fix-login", "echo one >one; sed -i s/go/run/ lib/app.js");
    let first = commit(&world, &["fix-login", "-m", "One"]);
    world.ok(["session", "create", "other", "--source", "web"]);
    edit(&world, "other", "echo mine >mine");
    world.ok(["merge", &first, "--into", "other"]);
    assert_eq!(world.ok(["diff", "other", "--name-status"]), "M\tlib/app.js\nA\tmine\nA\tone\n");
    // What came with the first is the base of the second: what was changed there since is no conflict.
    edit(&world, "other", "sed -i s/run/jump/ lib/app.js");
    edit(&world, "fix-login", "echo two >two");
    let second = commit(&world, &["fix-login", "-m", "Two"]);
    world.ok(["merge", &second, "--into", "other"]);
    assert_eq!(world.ok(["cat", "other:lib/app.js"]), "jump();\n");
    assert_eq!(world.ok(["cat", "other:two"]), "two\n");
    // A session that began with a commit has what its session had.
    world.ok(["session", "create", "third", "--commit", &first]);
    edit(&world, "third", "sed -i s/run/walk/ lib/app.js");
    world.ok(["merge", &second, "--into", "third"]);
    assert_eq!(world.ok(["cat", "third:lib/app.js"]), "walk();\n");

    let fork = &world.json(["fork", "--from", &first, "--tag", "from=one"])[0];
    assert_eq!((&fork["parent_name"], &fork["from_commit"]), (&json!("fix-login"), &json!(first)));
    assert_eq!(world.run(["fork", "other", "--from", &first]).code, 2);
    assert_eq!(world.ok(["diff", &first, "--name-status"]), "A\ttwo\n");
    let at = world.ok(["mount", "--at", &first, "-q"]);
    assert_eq!(fs::read_to_string(format!("{}/one", at.trim())).unwrap(), "one\n");
    assert!(fs::write(format!("{}/one", at.trim()), "x").is_err());
    world.ok(["unmount", at.trim()]);

    world.ok(["tag", "set", &first, "release=1"]);
    assert_eq!(world.ok(["commit", "list", "--tag", "release", "-q"]), format!("{first}\n"));
    let graph = world.ok(["session", "list", "--graph"]);
    assert_eq!(graph.lines().filter(|line| line.contains(" commit, ")).count(), 2, "{graph}");
    let nodes = world.json(["session", "list", "--graph"]);
    let parent = |state: &str| nodes.iter().find(|node| node["state"] == state).unwrap()["parent"].clone();
    assert_eq!((parent(&second), parent(&first)), (json!(first), json!("web@1")));
    assert_eq!((parent("fix-login"), parent("third@1")), (json!(second), json!(first)));
    // A session whose name looks like the id of a commit is a session.
    world.ok(["session", "create", "o-make", "--source", "web"]);
    assert_eq!(world.ok(["ls", "o-make"]), "index.html\nlib\n");
    assert_eq!(world.run(["ls", "o-zzz"]).code, 3);
}

#[test]
fn a_commit_that_sessions_began_with_is_not_deleted_by_the_way() {
    let world = World::with_web();
    edit(&world, "fix-login", "echo one >one");
    let id = commit(&world, &["fix-login", "-m", "One"]);
    world.ok(["session", "create", "next", "--commit", &id]);
    let refused = world.run(["commit", "delete", &id]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("`next`"), "{}", refused.err);
    edit(&world, "fix-login", "echo two >two");
    assert_eq!(world.run(["commit", "fix-login", "--amend"]).code, 5, "that would delete it");
    world.ok(["commit", "delete", &id, &id, "--force"]);
    assert_eq!(world.json(["trash", "list"])[0]["name"], "One");
    // The next commit follows what is left.
    let second = commit(&world, &["fix-login", "-m", "Two"]);
    assert_eq!(show(&world, &second)["parent"], Value::Null);
    world.ok(["trash", "restore", &id]);
    world.ok(["commit", "delete", &id, "--force"]);
    world.ok(["trash", "empty", "--yes"]);
    world.ok(["store", "gc"]);
    assert_eq!(world.ok(["cat", "next:one"]), "one\n");
    assert_eq!(world.run(["store", "verify"]).code, 0);
}

#[test]
fn nothing_is_committed_of_a_session_in_conflict() {
    let world = World::with_web();
    world.ok(["session", "create", "other", "--source", "web"]);
    for session in ["fix-login", "other"] {
        edit(&world, session, &format!("echo {session} >lib/app.js"));
    }
    assert_eq!(world.run(["merge", "other", "--into", "fix-login"]).code, 4);
    let refused = world.run(["commit", "fix-login", "-m", "Half"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    world.ok(["-s", "fix-login", "conflict", "resolve", "lib/app.js", "--ours"]);
    world.ok(["commit", "fix-login", "-m", "Whole"]);
}

#[test]
fn the_log_of_a_path_has_the_commits_that_changed_it() {
    let world = World::with_web();
    edit(&world, "fix-login", "echo 1 >>lib/app.js");
    let first = commit(&world, &["fix-login", "-m", "first"]);
    world.ok(["checkpoint", "fix-login", "-m", "begin"]);
    edit(&world, "fix-login", "echo 2 >>index.html");
    let second = commit(&world, &["fix-login", "-m", "second"]);
    world.ok(["session", "fork", "fix-login", "fork"]);
    edit(&world, "fork", "rm lib/app.js; echo 3 >>index.html");
    let third = commit(&world, &["fork", "-m", "third"]);
    let log = |session: &str, path: &str| -> Vec<String> {
        let entries = world.json(["-s", session, "log", path]);
        entries
            .iter()
            .map(|line| format!("{} {}", line["change"].as_str().unwrap(), line["state"].as_str().unwrap()))
            .collect()
    };
    let of_commit = |id: &str, change: &str| format!("{change} {id}");
    let app = log("fork", "lib/app.js");
    let expected = [
        "deleted fork".to_owned(),
        of_commit(&third, "deleted"),
        "modified fix-login@1".into(),
        of_commit(&first, "modified"),
        "added web@1".into(),
    ];
    assert_eq!(app, expected);
    let index = log("fix-login", "index.html");
    assert_eq!(index, ["modified fix-login".into(), of_commit(&second, "modified"), "added web@1".to_owned()]);
    assert!(!index.iter().any(|line| line.contains(&first)));
}
