//! Merges into sessions that are not mounted. To change one it is mounted for a moment, which needs FUSE;
//! `AETHER_TEST_FUSE=skip` leaves these tests out.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::{Ended, World, end};

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

/// A source `web` with some files, and the sessions `ours` and `theirs` on it.
fn world() -> Option<World> {
    let skip = std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip");
    (!skip).then(|| {
        let world = World::new();
        fs::create_dir_all(world.path("src/web/lib")).unwrap();
        fs::write(world.path("src/web/lib/text"), TEXT).unwrap();
        fs::write(world.path("src/web/other"), "other\n").unwrap();
        fs::write(world.path("src/web/.gitignore"), "*.o\n").unwrap();
        world.ok(["source", "create", "web", world.path("src/web").to_str().unwrap()]);
        world.ok(["session", "create", "ours", "--source", "web"]);
        world.ok(["session", "create", "theirs", "--source", "web"]);
        world
    })
}

/// Runs a script in a session; returns what it prints.
fn within(world: &World, session: &str, script: &str) -> String {
    world.ok(["session", "run", session, "--", "sh", "-ec", script])
}

fn merge(world: &World, args: &[&str]) -> (i32, Value) {
    let ended = end(world.aether(["merge", "--json"]).args(args));
    assert!(ended.code == 0 || ended.code == 4, "{ended:?}");
    (ended.code, serde_json::from_str(&ended.out).unwrap())
}

fn status(world: &World, session: &str) -> String {
    world.json(["session", "show", session])[0]["status"].as_str().unwrap().to_owned()
}

fn refused(world: &World, args: &[&str], code: &str) -> Ended {
    let ended = end(world.aether(args).arg("--json"));
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains(&format!(r#""code":"{code}""#)), "{ended:?}");
    ended
}

/// Has both sessions write another text to `other`, and merges.
fn clash(world: &World) {
    within(world, "ours", "echo ours > other");
    within(world, "theirs", "echo theirs > other; echo new > new");
    let (code, merged) = merge(world, &["theirs", "--into", "ours"]);
    assert_eq!((code, &merged["conflicts"][0]["path"]), (4, &Value::from("other")));
}

#[test]
fn what_both_did_is_there_after_a_merge_and_merging_again_does_nothing() {
    let Some(ref world) = world() else { return };
    within(world, "ours", "sed s/two/zwei/ lib/text > t; cat t > lib/text; rm t; mv lib/text lib/moved; echo o > a.o");
    within(
        world,
        "theirs",
        "sed s/seven/sieben/ lib/text > t; cat t > lib/text; rm t other; echo t > b.o; echo n > new",
    );
    let (code, dry) = merge(world, &["theirs", "--into", "ours", "--dry-run"]);
    assert_eq!((code, &dry["before"]), (0, &Value::Null));
    assert_eq!(within(world, "ours", "ls"), "a.o\nlib\nother\n", "it was only said what would happen");

    let (code, merged) = merge(world, &["theirs", "--into", "ours"]);
    assert_eq!((code, merged["clean"].as_bool(), merged["before"].as_str()), (0, Some(true), Some("ours@1")));
    assert_eq!(dry["changes"], merged["changes"]);
    let both = TEXT.replace("two", "zwei").replace("seven", "sieben");
    assert_eq!(within(world, "ours", "cat lib/moved"), both);
    assert_eq!(within(world, "ours", "ls . lib"), ".:\na.o\nlib\nnew\n\nlib:\nmoved\n");

    let (code, again) = merge(world, &["theirs", "--into", "ours"]);
    assert_eq!((code, &again["changes"], &again["before"]), (0, &Value::Array(Vec::new()), &Value::Null));
    assert_eq!(world.json(["checkpoint", "list", "ours"]).len(), 1);
    assert!(world.ok(["op", "log"]).contains("theirs --into ours"));
}

#[test]
fn what_was_merged_is_the_base_of_the_next_merge() {
    let Some(ref world) = world() else { return };
    within(world, "theirs", "echo theirs > other");
    merge(world, &["theirs", "--into", "ours"]);
    within(world, "ours", "echo ours > other");
    assert_eq!(merge(world, &["theirs", "--into", "ours"]).0, 0, "theirs did nothing since");
    assert_eq!(within(world, "ours", "cat other"), "ours\n");
    // And the other way round: what theirs had was merged, so ours is newer.
    assert_eq!(merge(world, &["ours", "--into", "theirs"]).0, 0);
    assert_eq!(within(world, "theirs", "cat other"), "ours\n");
    // A state from before the merge has nothing that is not there already.
    world.ok(["checkpoint", "create", "ours"]);
    within(world, "theirs", "echo newer > other");
    let (_, merged) = merge(world, &["ours@1", "--into", "theirs"]);
    assert_eq!(merged["changes"], Value::Array(Vec::new()));
    assert_eq!(within(world, "theirs", "cat other"), "newer\n");
}

#[test]
fn a_fork_is_merged_from_where_it_began() {
    let Some(ref world) = world() else { return };
    within(world, "ours", "echo before > other");
    world.ok(["session", "fork", "ours", "child"]);
    within(world, "child", "echo child > other");
    within(world, "ours", "echo more > more");
    assert_eq!(merge(world, &["child", "--into", "ours"]).0, 0, "only the fork changed it since");
    assert_eq!(within(world, "ours", "cat other more"), "child\nmore\n");
    world.ok(["session", "fork", "ours", "left"]);
    world.ok(["session", "fork", "ours", "right"]);
    within(world, "left", "echo left > left");
    within(world, "right", "echo right > other");
    assert_eq!(merge(world, &["right", "--into", "left"]).0, 0, "forks of one session have that in common");
    assert_eq!(within(world, "left", "cat other left"), "right\nleft\n");
}

#[test]
fn conflicts_are_kept_until_each_is_resolved() {
    let Some(ref world) = world() else { return };
    within(world, "ours", "echo ours > other; rm lib/text; printf '\\0o' > bin");
    within(world, "theirs", "echo theirs > other; echo more >> lib/text; printf '\\0t' > bin");
    let (code, merged) = merge(world, &["theirs", "--into", "ours"]);
    assert_eq!((code, merged["clean"].as_bool()), (4, Some(false)));
    assert_eq!(status(world, "ours"), "conflict");
    assert_eq!(within(world, "ours", "cat other"), "<<<<<<< ours\nours\n=======\ntheirs\n>>>>>>> theirs\n");
    assert_eq!(within(world, "ours", "tail -n1 lib/text"), "more\n", "what theirs changed is kept");
    let listed = world.json(["conflict", "list", "ours"]);
    let found: Vec<_> =
        listed.iter().map(|it| (it["path"].as_str().unwrap(), it["kinds"][0].as_str().unwrap())).collect();
    assert_eq!(found, [("bin", "both-added"), ("lib/text", "delete/change"), ("other", "both-changed")]);
    let shown = &world.json(["-s", "ours", "conflict", "show", "other"])[0];
    let texts: Vec<_> = shown["sides"].as_array().unwrap().iter().map(|side| side["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["other\n", "ours\n", "theirs\n"]);

    refused(world, &["merge", "theirs", "--into", "ours"], "in-conflict");
    refused(world, &["-s", "ours", "conflict", "resolve", "nothing", "--ours"], "no-conflict");
    refused(world, &["-s", "ours", "conflict", "resolve", "bin", "--union"], "no-union");
    let ended = refused(world, &["-s", "ours", "conflict", "resolve", "other"], "has-markers");
    assert_eq!(ended.code, 4);

    world.ok(["-s", "ours", "conflict", "resolve", "bin", "--theirs"]);
    assert_eq!(within(world, "ours", "od -An -c bin"), "  \\0   t\n");
    world.ok(["-s", "ours", "conflict", "resolve", "lib/text", "--ours"]);
    assert_eq!(within(world, "ours", "ls lib"), "");
    assert_eq!(status(world, "ours"), "conflict", "one is left");
    within(world, "ours", "echo both > other");
    world.ok(["-s", "ours", "conflict", "resolve", "other"]);
    assert_eq!(status(world, "ours"), "active");
    assert_eq!(within(world, "ours", "cat other"), "both\n");
    assert!(world.json(["conflict", "list", "ours"]).is_empty());
    refused(world, &["-s", "ours", "conflict", "resolve", "other"], "not-in-conflict");
    assert_eq!(merge(world, &["theirs", "--into", "ours"]).0, 0, "what was resolved is not asked again");
}

#[test]
fn a_conflict_is_resolved_with_the_lines_of_both_or_with_a_file() {
    let Some(ref world) = world() else { return };
    clash(world);
    world.ok(["-s", "ours", "conflict", "resolve", "other", "--union"]);
    assert_eq!(within(world, "ours", "cat other new"), "ours\ntheirs\nnew\n");

    within(world, "ours", "echo ours again > other");
    within(world, "theirs", "echo theirs again > other");
    let (code, _) = merge(world, &["theirs", "--into", "ours", "--diff3"]);
    assert_eq!(code, 4);
    assert!(within(world, "ours", "cat other").contains("||||||| base\ntheirs\n======="));
    fs::write(world.path("merged"), "by hand\n").unwrap();
    world.ok(["-s", "ours", "conflict", "resolve", "other", "--file", "merged"]);
    assert_eq!(within(world, "ours", "cat other"), "by hand\n");
}

#[test]
fn a_directory_in_place_of_a_file_is_taken_as_a_whole() {
    let Some(ref world) = world() else { return };
    within(world, "ours", "echo file > thing");
    within(world, "theirs", "mkdir -p thing/deep; echo x > thing/deep/x; echo y > thing/y");
    let (code, _) = merge(world, &["theirs", "--into", "ours"]);
    assert_eq!((code, within(world, "ours", "cat thing").as_str()), (4, "file\n"));
    world.ok(["-s", "ours", "conflict", "resolve", "thing", "--theirs"]);
    world.ok(["-s", "ours", "conflict", "resolve", "--all", "--theirs"]);
    assert_eq!(within(world, "ours", "cat thing/deep/x thing/y; stat -c %h thing"), "x\ny\n3\n");
    assert_eq!(status(world, "ours"), "active");
}

/// A world whose mounts are gone when the test is done, however it ends.
struct Mounts<'a>(&'a World);

impl Drop for Mounts<'_> {
    fn drop(&mut self) {
        self.0.run(["session", "unmount", "--all", "--lazy"]);
    }
}

#[test]
fn a_merge_into_a_mounted_session_shows_at_once() {
    let Some(ref world) = world() else { return };
    let _mounts = Mounts(world);
    within(world, "theirs", "echo theirs > other; mv lib moved; echo new > moved/new");
    let at = std::path::PathBuf::from(world.ok(["session", "mount", "ours"]).trim_end());
    fs::write(at.join("lib/mine"), "mine\n").unwrap();
    fs::write(at.join("lib/text"), TEXT.replace("two", "zwei")).unwrap();
    let kept = fs::metadata(at.join("lib/text")).unwrap();
    assert_eq!(fs::read_to_string(at.join("other")).unwrap(), "other\n");
    let (code, merged) = merge(world, &["theirs", "--into", "ours"]);
    assert_eq!((code, merged["clean"].as_bool()), (0, Some(true)), "{merged}");
    assert_eq!(fs::read_to_string(at.join("other")).unwrap(), "theirs\n");
    let mut names: Vec<_> = fs::read_dir(at.join("moved")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["mine", "new", "text"]);
    assert!(!at.join("lib").exists());
    assert_eq!(fs::read_to_string(at.join("moved/text")).unwrap(), TEXT.replace("two", "zwei"));
    let moved = fs::metadata(at.join("moved/text")).unwrap();
    assert_eq!((moved.ino(), moved.mtime_nsec()), (kept.ino(), kept.mtime_nsec()), "it is the same file, moved");

    // Conflicts, resolved on the mount; and again after a remount.
    fs::write(at.join("other"), "ours\n").unwrap();
    within(world, "theirs", "echo theirs again > other; echo more > more");
    assert_eq!(merge(world, &["theirs", "--into", "ours"]).0, 4);
    assert!(fs::read_to_string(at.join("other")).unwrap().starts_with("<<<<<<< ours\nours\n"));
    world.ok(["session", "unmount", "ours"]);
    world.ok(["session", "mount", "ours"]);
    assert_eq!(status(world, "ours"), "conflict");
    world.ok(["-s", "ours", "conflict", "resolve", "other", "--theirs"]);
    assert_eq!(fs::read_to_string(at.join("other")).unwrap(), "theirs again\n");
    assert_eq!(status(world, "ours"), "active");

    // And taken back.
    fs::write(at.join("other"), "ours again\n").unwrap();
    within(world, "theirs", "echo clash > other; rm more");
    assert_eq!(merge(world, &["theirs", "--into", "ours"]).0, 4);
    assert!(!at.join("more").exists());
    world.ok(["merge", "--abort", "--into", "ours"]);
    assert_eq!(fs::read_to_string(at.join("other")).unwrap(), "ours again\n");
    assert_eq!(fs::read_to_string(at.join("more")).unwrap(), "more\n");
    assert_eq!(status(world, "ours"), "active");
}

#[test]
fn an_aborted_merge_leaves_the_session_as_it_was() {
    let Some(ref world) = world() else { return };
    clash(world);
    world.ok(["merge", "--abort", "--into", "ours"]);
    assert_eq!(
        (status(world, "ours").as_str(), within(world, "ours", "cat other; ls").as_str()),
        ("active", "ours\nlib\nother\n")
    );
    refused(world, &["merge", "--abort", "--into", "ours"], "not-in-conflict");
    // It did not happen, so it can happen again.
    assert_eq!(merge(world, &["theirs", "--into", "ours"]).0, 4);
}

#[test]
fn an_updated_session_stands_on_the_newer_revision() {
    let Some(ref world) = world() else { return };
    within(world, "ours", "echo mine > mine");
    fs::write(world.path("src/web/lib/text"), TEXT.replace("one", "eins")).unwrap();
    world.ok(["source", "refresh", "web"]);
    let behind = &world.json(["session", "status", "ours"])[0];
    assert_eq!((&behind["revision"], &behind["newest_revision"]), (&1.into(), &2.into()));
    world.ok(["update", "ours"]);
    let now = &world.json(["session", "status", "ours"])[0];
    assert_eq!((&now["revision"], &now["newest_revision"]), (&2.into(), &2.into()));
    assert_eq!(world.ok(["diff", "ours", "--name-status"]), "A\tmine\n");
    assert_eq!(within(world, "ours", "head -n1 lib/text"), "eins\n");
    let again = world.json(["update", "ours"]);
    assert_eq!((&again[0]["changes"], &again[0]["before"]), (&Value::Array(Vec::new()), &Value::Null));
    refused(world, &["update", "ours", "--to", "1"], "older-revision");
}

#[test]
fn a_session_without_changes_is_updated_to_what_a_new_one_is() {
    let Some(ref world) = world() else { return };
    fs::write(world.path("src/web/built.o"), "built").unwrap();
    fs::write(world.path("src/web/other"), "newer\n").unwrap();
    world.ok(["source", "refresh", "web"]);
    world.ok(["update", "ours"]);
    assert_eq!(within(world, "ours", "cat other built.o"), "newer\nbuilt");
    world.ok(["session", "delete", "ours"]);
}

#[test]
fn an_update_with_conflicts_can_be_taken_back() {
    let Some(ref world) = world() else { return };
    within(world, "ours", "echo ours > other");
    fs::write(world.path("src/web/other"), "newer\n").unwrap();
    world.ok(["source", "refresh", "web"]);
    assert_eq!(world.run(["update", "ours"]).code, 4);
    world.ok(["merge", "--abort", "--into", "ours"]);
    assert_eq!(world.json(["session", "show", "ours"])[0]["revision"], 1);
    assert_eq!(world.ok(["diff", "ours", "--name-status"]), "M\tother\n");
    assert_eq!(world.run(["update", "ours"]).code, 4);
    world.ok(["-s", "ours", "conflict", "resolve", "--all", "--ours"]);
    assert_eq!(world.json(["session", "show", "ours"])[0]["revision"], 2);
    assert_eq!(within(world, "ours", "cat other"), "ours\n");
}

#[test]
fn a_name_of_a_file_that_changes_becomes_a_file_of_its_own() {
    let Some(ref world) = world() else { return };
    fs::hard_link(world.path("src/web/other"), world.path("src/web/link")).unwrap();
    world.ok(["source", "refresh", "web"]);
    world.ok(["session", "create", "new", "--source", "web"]);
    world.ok(["session", "create", "old", "--source", "web"]);
    within(world, "new", "rm link; echo own > link");
    assert_eq!(merge(world, &["new", "--into", "old"]).0, 0);
    assert_eq!(within(world, "old", "cat link other; stat -c %h link other"), "own\nother\n1\n1\n");
    within(world, "new", "mkdir d; mv other d/other");
    assert_eq!(merge(world, &["new", "--into", "old"]).0, 0);
    assert_eq!(within(world, "old", "cat d/other; find . -type f | wc -l"), "other\n4\n");
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let Some(ref world) = world() else { return };
    refused(world, &["merge", "ours", "--into", "ours"], "merge-into-itself");
    refused(world, &["merge", "nothing", "--into", "ours"], "not-found");
    refused(world, &["merge", "--abort", "--into", "ours"], "not-in-conflict");
    world.ok(["session", "create", "blank", "--empty"]);
    refused(world, &["update", "blank"], "no-source");
    // A session that has nothing in common with the other gets all that it has not.
    assert_eq!(merge(world, &["theirs", "--into", "blank"]).0, 0);
    assert_eq!(within(world, "blank", "cat other"), "other\n");
}

#[test]
fn what_a_session_in_conflict_holds_goes_nowhere_until_it_is_resolved() {
    let Some(ref world) = world() else { return };
    clash(world);
    world.ok(["session", "create", "third", "--source", "web"]);
    let ended = refused(world, &["merge", "ours", "--into", "third"], "in-conflict");
    assert_eq!(ended.code, 4, "{ended:?}");
    assert_eq!(within(world, "third", "cat other"), "other\n");
    world.ok(["-s", "ours", "conflict", "resolve", "other", "--theirs"]);
    let (code, _) = merge(world, &["ours", "--into", "third"]);
    assert_eq!((code, within(world, "third", "cat other")), (0, "theirs\n".into()));
}
