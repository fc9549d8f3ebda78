//! `diff` in its forms. What differs is two revisions of a source, so nothing has to be mounted.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{World, end};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The source `web` with two revisions; `edit` is what happened between them.
fn changed(edit: impl FnOnce(&Path)) -> World {
    let world = World::with_web();
    edit(&world.path("src/web"));
    world.ok(["source", "refresh", "web"]);
    world
}

#[test]
fn a_state_does_not_differ_from_itself() {
    let world = World::with_web();
    for state in ["fix-login", "web", "web@1"] {
        assert_eq!(world.ok(["diff", state, state, "--exit-code"]), "", "{state}");
    }
    world.ok(["session", "create", "other", "--source", "web"]);
    assert_eq!(world.ok(["diff", "fix-login", "other"]), "");
}

#[test]
fn the_exit_code_answers_whether_anything_differs() {
    let world = changed(|web| fs::write(web.join("index.html"), "<p>bye</p>\n").unwrap());
    for form in ["--stat", "--name-status", "--patch", "--word", "--side-by-side", "--json"] {
        assert_eq!(world.run(["diff", "web@1", "web@2", "--exit-code", form]).code, 1, "{form}");
        assert_eq!(world.run(["diff", "web@1", "web@1", "--exit-code", form]).code, 0, "{form}");
        assert_eq!(world.run(["diff", "web@1", "web@2", form]).code, 0, "{form}");
    }
    assert_eq!(world.run(["diff", "web@1", "web@2", "--word", "--stat"]).code, 2);
}

#[test]
fn words_and_both_sides_are_shown_as_text() {
    let world = changed(|web| fs::write(web.join("index.html"), "<p>bye</p>\n").unwrap());
    let word = world.ok(["diff", "web@1", "web@2", "--word"]);
    assert_eq!(word, "modified: index.html\n@@ -1 +1 @@\n<p>[-hello-]{+bye+}</p>\n");
    let sides = world.ok(["diff", "web@1", "web@2", "-y"]);
    let row = format!("1 {:<61} | 1 <p>bye</p>\n", "<p>hello</p>");
    assert_eq!(sides, format!("modified: index.html\n@@ -1 +1 @@\n{row}"));
}

#[test]
fn what_a_patch_cannot_say_is_said_on_the_side_and_in_json() {
    let world = changed(|web| {
        set_mode(&web.join("index.html"), 0o600);
        fs::create_dir(web.join("empty")).unwrap();
        set_mode(&web.join("lib"), 0o700);
    });
    let ended = world.run(["diff", "web@1", "web@2"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
    for line in [
        "added directory: empty/; directories have no place in a patch",
        "mode-changed: index.html (mode 644 → 600); a patch knows the modes 644 and 755",
        "mode-changed directory: lib/ (mode 755 → 700); ",
    ] {
        assert!(ended.err.contains(line), "{}", ended.err);
    }
    let modes = |at: usize| {
        let change = &world.json(["diff", "web@1", "web@2"])[at];
        (change["old_mode"].clone(), change["new_mode"].clone())
    };
    assert_eq!(modes(0), (json!(null), json!("040755")));
    assert_eq!(modes(1), (json!("100644"), json!("100600")));
}

#[test]
fn nothing_in_a_name_or_a_file_drives_the_terminal() {
    let world = changed(|web| {
        fs::write(web.join(OsStr::from_bytes(b"odd\x1b[2J\xff")), "x\n").unwrap();
        fs::write(web.join("index.html"), b"<p>\x1b]0;title\x07\xfe</p>\n").unwrap();
    });
    for form in ["--word", "-y", "--stat", "--name-status"] {
        let out = world.ok(["diff", "web@1", "web@2", "--color", "always", form]);
        let bare = out.replace("\x1b[", "");
        assert!(!bare.contains(|char: char| char.is_control() && char != '\n'), "{form}: {out:?}");
        assert!(out.contains("odd\\x1b[2J"), "{form}: {out:?}");
    }
    assert!(world.ok(["diff", "web@1", "web@2", "--word"]).contains("\\x1b]0;title\\x07\\xfe"));
}

#[test]
fn a_patch_of_a_binary_file_goes_through_git() {
    let world = changed(|web| fs::write(web.join("logo"), b"\0\x01\x02 new").unwrap());
    world.sh("mkdir copy && cp -r src/web/. copy && rm copy/logo");
    world.sh("aether diff web@1 web@2 --patch >p && cd copy && git apply ../p && cmp logo ../src/web/logo");
    world.sh("cd copy && git apply -R ../p && test ! -e logo");
}

#[test]
fn files_that_are_no_text_are_named_and_not_printed_unless_a_patch_is_asked_for() {
    let world = changed(|web| {
        fs::write(web.join("index.html"), b"<p>\0</p>\n").unwrap();
        fs::write(web.join("lo go"), b"\0 new").unwrap();
        fs::write(web.join("lib/app.js"), b"stop();\n").unwrap();
    });
    let ended = world.run(["diff", "web@1", "web@2"]);
    let expected = "diff --git a/index.html b/index.html\nBinary files a/index.html and b/index.html differ\n\
        diff --git a/lib/app.js b/lib/app.js\n--- a/lib/app.js\n+++ b/lib/app.js\n@@ -1 +1 @@\n-go();\n+stop();\n\
        diff --git \"a/lo go\" \"b/lo go\"\nnew file mode 100644\nBinary files /dev/null and b/lo go differ\n";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    assert!(ended.err.contains("index.html") && ended.err.contains("`--patch` holds"), "{}", ended.err);
    // `patch` takes the others, and git says that there is something which it does not have.
    world.sh("mkdir -p copy/lib; echo 'go();' >copy/lib/app.js; aether diff web@1 web@2 -- lib 2>err | patch -sp1 -d copy; diff -r copy/lib src/web/lib");
    world.sh("if aether diff web@1 web@2 2>err | git apply --directory=copy; then false; fi");
}

#[test]
fn a_huge_sparse_file_is_told_of_in_bounded_time_and_output() {
    let world = World::with_web();
    world.sh(
        "truncate -s 10G src/web/disk; printf a | dd of=src/web/disk conv=notrunc seek=10737418239 bs=1 status=none",
    );
    world.ok(["source", "refresh", "web"]);
    world.sh(
        "printf b | dd of=src/web/disk conv=notrunc seek=10737418239 bs=1 status=none; truncate -s 12M src/web/small",
    );
    world.ok(["source", "refresh", "web"]);
    let started = Instant::now();
    let plain = world.run(["diff", "web@1", "web@3", "--", "disk"]);
    assert!(plain.out.ends_with("Binary files /dev/null and b/disk differ\n"), "{plain:?}");
    let patch = world.run(["diff", "web@2", "web@3", "--patch"]);
    assert!(patch.out.contains("Binary files a/disk and b/disk differ\n"), "{}", &patch.out[..200]);
    assert!(patch.out.contains("\nGIT binary patch\nliteral 12582912\n") && patch.out.len() < 100_000);
    assert!(patch.err.contains("disk") && patch.err.contains("longer than 1 GiB"), "{}", patch.err);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    world.ok(["session", "create", "new", "--source", "web@1"]);
    world.ok(["merge", "web@3", "--into", "new"]);
    let exported = world.run(["session", "export", "new", "--patch=p", "--json"]);
    assert!(exported.out.contains("\"too_long\":[\"disk\"]") && exported.err.contains("only named"), "{exported:?}");
    assert!(fs::metadata(world.path("p")).unwrap().len() < 100_000);
}

#[test]
fn a_tool_is_given_copies_that_it_cannot_change() {
    let world = changed(|web| fs::write(web.join("index.html"), "<p>bye</p>\n").unwrap());
    let ended = world.run(["diff", "web@1", "web@2", "--tool"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("hint: set `diff.tool`"), "{}", ended.err);

    let tool = |world: &World, command: &str| {
        let mut aether = world.aether(["diff", "web@1", "web@2", "--tool"]);
        end(aether.env("AETHER_DIFF_TOOL", command))
    };
    let ended = tool(&world, "stat -c %a:%n");
    assert_eq!(ended.code, 0, "{ended:?}");
    let names: Vec<_> = ended.out.lines().map(|line| line.rsplit_once('/').unwrap().1.to_owned()).collect();
    assert_eq!(names, ["index.html", "index.html"]);
    assert!(ended.out.lines().all(|line| line.starts_with("400:")), "{}", ended.out);
    assert_eq!(tool(&world, "cat").out, "<p>hello</p>\n<p>bye</p>\n");
    let ended = tool(&world, "no-such-program");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("`no-such-program` cannot be run"), "{}", ended.err);
    // What it ends with is its own affair.
    assert_eq!(tool(&world, "false").code, 0);
    assert_eq!(fs::read_dir(world.data().join("tmp")).unwrap().count(), 0, "the copies are gone");
}

#[test]
fn a_tool_is_given_directories_with_what_changed_and_hostile_names_stay_names() {
    let world = changed(|web| {
        fs::write(web.join("$(touch pwned)"), "one\n").unwrap();
        fs::write(web.join("-rf; touch pwned"), "two\n").unwrap();
        fs::create_dir(web.join("sub")).unwrap();
        symlink("/etc/passwd", web.join("sub/link")).unwrap();
        fs::remove_file(web.join("index.html")).unwrap();
    });
    let mut aether = world.aether(["diff", "web@1", "web@2", "--tool"]);
    let ended = end(aether.env("AETHER_DIFF_TOOL", "diff -r --new-file"));
    assert_eq!(ended.code, 0, "{ended:?}");
    for line in ["< <p>hello</p>", "> one", "> two", "> /etc/passwd"] {
        assert!(ended.out.contains(line), "{line}: {}", ended.out);
    }
    assert!(!ended.out.contains("root:"), "{}", ended.out);
    assert!(!world.path("pwned").exists());
    // One name alone is an argument, too.
    let mut aether = world.aether(["diff", "web@1", "web@2", "--tool", "--", "$(touch pwned)"]);
    let ended = end(aether.env("AETHER_DIFF_TOOL", "cat"));
    assert_eq!(ended.out, "one\n");
    assert!(!world.path("pwned").exists());
}
