//! Policies: what each action needs, and that none goes around it. Sessions are mounted to change them, which needs FUSE;
//! `AETHER_TEST_FUSE=skip` leaves these tests out.

use std::fs;

use serde_json::Value;

use super::{Ended, World, end};

/// The source `web`, the session `fix-login` with a change, and `trunk` to merge it into.
fn world() -> Option<World> {
    let skip = std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip");
    (!skip).then(|| {
        let world = World::with_web();
        world.ok(["session", "create", "trunk", "--source", "web"]);
        within(&world, "echo one >lib/app.js; mkdir ci; echo run >ci/run");
        world
    })
}

fn within(world: &World, script: &str) {
    world.ok(["session", "run", "fix-login", "--", "sh", "-ec", script]);
}

fn policy(world: &World, text: &str) -> Ended {
    fs::write(world.path("web.toml"), text).unwrap();
    world.run(["policy", "set", "web", "--file", "web.toml"])
}

/// What is missing for an action: the words for it.
fn missing(world: &World, action: &str) -> Vec<String> {
    let ended = end(&mut world.aether(["policy", "check", "fix-login", "--action", action, "--json"]));
    let checked: Value = serde_json::from_str(&ended.out).unwrap();
    let words = checked["missing"].as_array().unwrap().iter().map(|lack| lack["code"].as_str().unwrap().to_owned());
    let words: Vec<_> = words.collect();
    assert_eq!(ended.code, if words.is_empty() { 0 } else { 5 }, "{ended:?}");
    words
}

fn grant(world: &World, action: &str, asker: &str, actor: &str) -> i32 {
    world.run(["-s", "fix-login", "approval", "request", action, "--as", asker]);
    world.run(["approval", "grant", "fix-login", "--as", actor]).code
}

#[test]
fn each_rule_asks_for_what_it_says() {
    let Some(ref world) = world() else { return };
    for (text, lacks) in [
        ("", &[][..]),
        ("[actions.merge]\ngrants = 1", &["needs-approval"]),
        ("[actions.commit]\ngrants = 1", &[]),
        ("[actions.merge]\nhealth = \"passing\"", &["needs-health"]),
        ("[actions.merge]\nopen_annotations = 0", &[]),
        ("[limits]\nchanged_files = 1", &["over-limit"]),
        ("[limits]\nchanged_files = 2\ndeleted_files = 0", &[]),
        ("[limits]\nchanged_bytes = 7", &["over-limit"]),
        ("[limits]\nchanged_bytes = 8", &[]),
        ("[paths.\"/ci/**\"]\nprotected = true", &["protected-path"]),
        ("[paths.\"/ci\"]\n", &["needs-approval"]),
        ("[paths.\"/ci\"]\nactions = [\"commit\"]", &[]),
        ("[paths.\"/docs/**\"]\nprotected = true", &[]),
        ("[actions.merge]\ngrants = 1\n[paths.\"*.js\"]\ngrants = 2", &["needs-approval", "needs-approval"]),
    ] {
        let ended = policy(world, text);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(missing(world, "merge"), lacks, "{text}");
    }
    assert_eq!(policy(world, "[limits]\ndeleted_files = 0").code, 0);
    within(world, "rm index.html");
    assert_eq!(missing(world, "merge"), ["over-limit"]);
}

#[test]
fn who_grants_is_told_apart() {
    let Some(ref world) = world() else { return };
    fs::create_dir_all(world.path(".config/aether")).unwrap();
    let kinds = "[actor.bob]\nkind = \"human\"\n[actor.bot]\nkind = \"agent\"\n";
    fs::write(world.path(".config/aether/config.toml"), kinds).unwrap();
    for (text, asker, actor, code) in [
        ("grants = 1", "ann", "ann", 0),
        ("own = false\ngrants = 1", "ann", "ann", 5),
        ("own = false\ngrants = 1", "ann", "bob", 0),
        ("from = [\"bob\"]", "ann", "eve", 5),
        ("from = [\"bob\"]", "bob", "bob", 0),
        ("human = true", "ann", "bot", 5),
        ("human = true", "ann", "eve", 5),
        ("human = true", "bot", "bob", 0),
        ("signed = true", "ann", "bob", 5),
    ] {
        assert_eq!(policy(world, &format!("[actions.merge]\n{text}")).code, 0);
        assert_eq!(grant(world, "merge", asker, actor), code, "{text}: {actor} grants what {asker} asked for");
        assert_eq!(missing(world, "merge").is_empty(), code == 0, "{text}");
        world.run(["approval", "cancel", "fix-login"]);
        // Grants hold for this content.
        within(world, &format!("echo {actor}{code} >>lib/app.js"));
    }
}

#[test]
fn no_command_goes_around_a_policy() {
    let Some(ref world) = world() else { return };
    let rules: String = ["commit", "merge", "promote", "apply", "delete"]
        .map(|word| format!("[actions.{word}]\ngrants = 1\n"))
        .concat();
    assert_eq!(policy(world, &rules).code, 0);
    world.ok(["checkpoint", "create", "fix-login"]);
    let gated: &[&[&str]] = &[
        &["commit", "fix-login", "-m", "x"],
        &["commit", "create", "fix-login", "-m", "x"],
        &["merge", "fix-login", "--into", "trunk"],
        &["merge", "fix-login@1", "--into", "trunk"],
        &["session", "delete", "fix-login", "--yes"],
        &["source", "promote", "web", "--from", "fix-login"],
        &["session", "apply", "fix-login"],
    ];
    for args in gated {
        let ended = world.run(*args);
        assert_eq!(ended.code, 5, "{args:?}: {ended:?}");
        assert!(ended.err.contains("hint: `aether -s fix-login approval request "), "{args:?}: {ended:?}");
    }
    world.ok(["session", "fork", "fix-login", "copy"]);
    assert_eq!(world.run(["merge", "copy", "--into", "trunk"]).code, 5, "a fork brings no approval with it");
    for action in ["commit", "merge", "apply", "promote", "delete"] {
        assert_eq!(grant(world, action, "ann", "bob"), 0, "{action}");
    }
    assert_eq!(world.run(["merge", "copy", "--into", "trunk"]).code, 5, "and has none of another session");
    for args in [gated[0], gated[2], gated[6], gated[5], gated[4]] {
        world.ok(args);
    }
}

#[test]
fn a_signature_counts_only_by_the_key_of_whoever_grants() {
    let Some(ref world) = world() else { return };
    world.sh("ssh-keygen -q -t ed25519 -N '' -C bob -f bob; ssh-keygen -q -t ed25519 -N '' -C eve -f eve
        printf '[actions.merge]\\nsigned = true\\n[signatures]\\nallowed_signers = \"\"\"\\nbob %s\\neve %s\\n\"\"\"\\n' \\
            \"$(cut -d' ' -f1,2 bob.pub)\" \"$(cut -d' ' -f1,2 eve.pub)\" > web.toml");
    world.ok(["policy", "set", "web", "--file", "web.toml"]);
    let id = world.ok(["-s", "fix-login", "approval", "request", "merge", "-q"]).trim().to_owned();
    let sign =
        |actor: &str, key: &str| world.run(["approval", "grant", &id, "--as", actor, "--sign", "--key", key]).code;
    assert_eq!(world.run(["approval", "grant", &id, "--as", "bob"]).code, 5, "it is not signed");
    assert_eq!(sign("bob", "eve"), 5, "the key is another's");
    assert_eq!(sign("ann", "bob"), 5);
    assert_eq!(sign("bob", "nowhere"), 1);
    assert_eq!(sign("bob", "bob"), 0);
    assert_eq!(world.json(["approval", "show", &id])[0]["answers"][0]["signed"], true);
    assert_eq!(missing(world, "merge"), Vec::<String>::new());
}

#[test]
fn a_policy_is_kept_as_it_was_written_and_a_wrong_one_is_not_taken() {
    let world = World::with_web();
    let text = "# all of us\n[actions.merge]\ngrants = 2 # yes\n";
    assert_eq!(policy(&world, text).code, 0);
    assert_eq!(world.ok(["policy", "show", "web"]), text);
    let ended = policy(&world, "[actions.merge]\ngrant = 2\n");
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("web.toml") && ended.err.contains("`grant`") && ended.err.contains("hint:"),
        "{ended:?}"
    );
    assert_eq!(world.ok(["policy", "show", "web"]), text);
    fs::write(world.path("edit.sh"), "sed -i s/2/3/ \"$1\"\n").unwrap();
    let ended = end(world.aether(["policy", "edit", "web"]).env("EDITOR", "sh edit.sh"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(world.ok(["policy", "show", "web"]), text.replace('2', "3"));
    world.ok(["undo"]);
    assert_eq!(world.ok(["policy", "show", "web"]), text);
    world.ok(["policy", "unset", "web"]);
    assert_eq!(world.run(["policy", "show", "web"]).code, 3);
    assert_eq!(world.run(["policy", "unset", "web"]).code, 3);
}

#[test]
fn a_review_is_among_what_is_missing() {
    let Some(ref world) = world() else { return };
    world.ok(["session", "review", "fix-login"]);
    assert_eq!(missing(world, "merge"), ["in-review"]);
    assert!(missing(world, "delete").is_empty());
}

#[test]
fn a_good_result_counts_for_the_content_that_was_tested() {
    let Some(ref world) = world() else { return };
    assert_eq!(policy(world, "[actions.merge]\nhealth = \"passing\"\n").code, 0);
    let lacks = || missing(world, "merge");
    let report = |result: &str| drop(world.ok(["-s", "fix-login", "health", "report", result]));
    report("pass");
    assert_eq!(lacks(), Vec::<String>::new());
    within(world, "touch ci/run; echo x >.git-is-scratch; rm .git-is-scratch");
    assert_eq!(lacks(), Vec::<String>::new(), "times are nothing that is tested");
    within(world, "echo two >lib/app.js");
    assert_eq!(lacks(), ["needs-health"]);
    let refused = world.run(["merge", "fix-login", "--into", "trunk"]);
    assert_eq!(refused.code, 5);
    assert!(refused.err.contains("other content"), "{refused:?}");
    report("fail");
    assert_eq!(lacks(), ["needs-health"]);
    // Back at what was tested, that result holds, though a newer one speaks of something else.
    within(world, "echo one >lib/app.js");
    assert_eq!(lacks(), Vec::<String>::new());
    report("fail");
    assert_eq!(lacks(), ["needs-health"]);
    report("pass");
    world.ok(["merge", "fix-login", "--into", "trunk"]);
}
