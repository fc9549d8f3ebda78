//! Texts that would drive a terminal, a data base, a glob or a table, through every field that people and programs write about
//! a session: what comes out as JSON is what went in, and what comes out for people is harmless.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{Ended, World, end};

const TEXTS: [&str; 8] = [
    "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
    "'; DROP TABLE session; -- \" \\' $(reboot) `reboot`",
    "50%_ * ? [a-z] {a,b} \\ ** !x #y",
    "two\nlines\r\nand\ta tab\n",
    "\u{9b}31m \u{202e}back\u{2066} \u{2028}",
    "--help",
    "{\"key\":\"v\",\"value\":null}",
    "LONG",
];

fn text(at: usize) -> String {
    match TEXTS[at] {
        "LONG" => "größe \u{1b}[1m日本 ".repeat(4_000),
        text => text.to_owned(),
    }
}

/// Refuses what a terminal would obey. Lines are of the program's own making, and nobody else's.
#[track_caller]
fn harmless(what: &str, ended: &Ended) {
    let odd = |text: &str| {
        let is_odd = |char: &char| char.is_control() && *char != '\n' || "\u{202e}\u{2066}\u{2028}".contains(*char);
        text.chars().find(is_odd)
    };
    for (stream, text) in [("out", &ended.out), ("err", &ended.err)] {
        let beginning: String = text.chars().take(500).collect();
        assert_eq!(odd(text), None, "{what} {stream}: {beginning:?}");
    }
}

/// All texts in a document, keys too.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            found.push(key.clone());
            strings(value, found);
        }),
        _ => {}
    }
}

/// Has a command say something, for people and for programs.
struct Scene {
    world: World,
}

impl Scene {
    fn new() -> Self {
        let world = World::with_web();
        world.ok(["policy", "set", "web", "--file", "/dev/null"]);
        Self { world }
    }

    fn run(&self, args: &[&str]) -> Ended {
        let ended = self.world.run([&["-s", "fix-login"], args].concat());
        harmless(&format!("{args:.60?}"), &ended);
        ended
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, 0, "{args:.200?}: {:.500}", ended.err);
        ended.out
    }

    /// Refused as wrong usage, in a sentence and a hint that do no harm.
    #[track_caller]
    fn refused(&self, args: &[&str]) {
        let ended = self.run(args);
        assert_eq!(ended.code, 2, "{args:.200?}: {ended:?}");
    }

    /// The text is among what a command says, as it was given, and the command says the same for people.
    #[track_caller]
    fn says(&self, args: &[&str], text: &str) {
        self.ok(args);
        self.ok(&[args, &["-q"]].concat());
        let rows = self.world.json([&["-s", "fix-login"], args].concat());
        let mut found = Vec::new();
        rows.iter().for_each(|row| strings(row, &mut found));
        assert!(found.iter().any(|found| found == text), "{args:?} does not say {text:.100?}: {rows:.1000?}");
    }

    #[track_caller]
    fn history_says(&self, what: &str, text: &str) {
        harmless(what, &self.world.run(["event", "list", "--type", what]));
        let mut found = Vec::new();
        self.world.json(["event", "list", "--type", what]).iter().for_each(|row| strings(row, &mut found));
        assert!(found.iter().any(|found| found == text), "{what} does not say {text:.100?}");
    }
}

#[test]
fn approvals_and_notes_say_what_they_were_told() {
    let scene = Scene::new();
    for at in 0..TEXTS.len() {
        let text = &text(at);
        let reason = scene.ok(&["approval", "request", &format!("ship{at}"), &format!("--message={text}"), "-q"]);
        scene.says(&["approval", "list"], text);
        scene.says(&["approval", "show", reason.trim()], text);
        let details = json!({ "note": text, text.chars().take(40).collect::<String>(): [] }).to_string();
        let id = scene.ok(&["approval", "request", &format!("go{at}"), "--details", &details, "-q"]);
        scene.says(&["approval", "show", id.trim()], text);
        scene.ok(&["approval", "grant", reason.trim(), &format!("--message={text}")]);
        scene.says(&["approval", "show", reason.trim()], text);
        scene.ok(&["approval", "deny", id.trim(), &format!("--message={text}")]);
        scene.says(&["approval", "show", id.trim()], text);
        scene.refused(&["approval", "request", "--", text]);

        let note = scene.ok(&["annotation", "add", "index.html:1", &format!("--message={text}"), "-q"]);
        scene.ok(&["annotation", "reply", note.trim(), &format!("--message={text}")]);
        scene.says(&["annotation", "list"], text);
        scene.says(&["annotation", "show", note.trim()], text);
        assert!(scene.ok(&["annotation", "list", &format!("--author={text}")]).is_empty());
        assert_eq!(scene.run(&["annotation", "show", "--", text]).code, 3);
        assert_eq!(scene.run(&["approval", "show", "--", text]).code, 3);
        scene.history_says("annotation.*", text);
    }
    scene.ok(&["session", "review", "-m", &text(0)]);
    scene.says(&["approval", "list"], &text(0));
}

#[test]
fn the_cache_and_the_bus_carry_any_text() {
    let scene = Scene::new();
    for at in 0..TEXTS.len() {
        let text = &text(at);
        let is_short = text.len() < 1000;
        if is_short {
            scene.ok(&["cache", "set", "--", text, "v"]);
            scene.says(&["cache", "list"], text);
            scene.ok(&["cache", "list", &format!("--prefix={text}")]);
            let listed = scene.world.json(["-s", "fix-login", "cache", "list", &format!("--prefix={text}")]);
            assert_eq!(listed.len(), 1, "{text:?}: {listed:?}");
            assert_eq!(scene.world.ok(["-s", "fix-login", "cache", "get", "--", text]), "v");
            scene.ok(&["cache", "list", "--", text]);
        } else {
            scene.refused(&["cache", "set", "--", text, "v"]);
            scene.refused(&["cache", "list", "--", text]);
        }
        scene.ok(&["cache", "set", "--", "value", text]);
        assert_eq!(scene.world.ok(["-s", "fix-login", "cache", "get", "value"]), *text);
        let got = scene.world.json(["-s", "fix-login", "cache", "get", "value"]);
        assert_eq!(got[0]["value"], **text);
        let line = json!({ "key": format!("k{at}"), "value": text }).to_string() + "\n";
        fs::write(scene.world.path("lines"), line).unwrap();
        scene.ok(&["cache", "import", "lines"]);
        assert_eq!(scene.world.ok(["-s", "fix-login", "cache", "get", &format!("k{at}")]), *text);
        let exported = scene.world.ok(["-s", "fix-login", "cache", "export", "--prefix", &format!("k{at}")]);
        assert_eq!(serde_json::from_str::<Value>(exported.trim()).unwrap()["value"], **text);
        fs::write(scene.world.path("lines"), text).unwrap();
        assert_eq!(scene.run(&["cache", "import", "lines"]).code, 2, "{text:.50?}");
        assert_eq!(scene.run(&["cache", "get", "--", &format!("{text:.100}?")]).code, 3);

        scene.ok(&["bus", "publish", "--", "topic", text]);
        scene.says(&["bus", "subscribe", "--replay", "1"], text);
        scene.refused(&["bus", "publish", "--", &format!("{text} "), "x"]);
        let heard = scene.run(&["bus", "subscribe", "--", text]);
        assert_eq!((heard.code, heard.out.as_str()), (if is_short { 0 } else { 2 }, ""), "{heard:.300?}");
    }
    scene.ok(&["cache", "stats"]);
    assert_eq!(scene.world.json(["-s", "fix-login", "bus", "subscribe"]).len(), TEXTS.len());
}

#[test]
fn tags_locks_and_health_keep_what_they_were_given() {
    let scene = Scene::new();
    for at in 0..TEXTS.len() {
        let text = &text(at);
        let is_short = text.len() < 1000;
        // What a tag is called has to be typed; what it says is anything that has no end of line.
        scene.refused(&["tag", "set", "fix-login", "--", &format!("{text}=v")]);
        let said = scene.run(&["tag", "set", "fix-login", "--", &format!("k{at}={text}")]);
        if said.code == 0 {
            scene.says(&["tag", "list", "fix-login"], text);
            scene.says(&["session", "list"], text);
            scene.says(&["session", "show"], text);
            assert_eq!(scene.ok(&["session", "list", &format!("--tag=k{at}={text}"), "-q"]), "fix-login\n");
        }
        assert!(said.code == 0 || said.code == 2, "{said:?}");

        let message = scene.run(&["lock", "acquire", &format!("at/{at}"), &format!("--message={text}")]);
        assert_eq!(message.code, 0, "{message:?}");
        scene.says(&["lock", "list"], text);
        let held = scene.run(&["lock", "acquire", &format!("at/{at}"), "--as", "bob"]);
        assert_eq!(held.code, 5, "{held:?}");
        scene.ok(&["lock", "break", &format!("at/{at}"), &format!("--reason={text}"), "--as", "bob"]);
        scene.history_says("lock.*", text);
        if is_short {
            scene.ok(&["lock", "acquire", "--literal", "--", &format!("of/{text}")]);
            scene.ok(&["lock", "list"]);
            scene.ok(&["lock", "break", "--reason", "over", "--", &format!("of/{text}")]);
        }

        scene.ok(&["health", "report", "pass", &format!("--message={text}")]);
        scene.says(&["health", "show"], text);
        scene.says(&["health", "show", "--history"], text);
        let escaped: String =
            text.chars().filter(|char| !char.is_control()).map(|char| format!("&#{};", char as u32)).collect();
        let report = format!("<testsuite><testcase name=\"{escaped}\"><failure/></testcase></testsuite>");
        fs::write(scene.world.path("junit.xml"), report).unwrap();
        scene.ok(&["health", "report", "--file", "junit.xml"]);
        scene.ok(&["health", "show"]);
        fs::write(scene.world.path("junit.xml"), text).unwrap();
        assert_eq!(scene.run(&["health", "report", "--file", "junit.xml"]).code, 1);
    }
}

#[test]
fn the_history_keeps_actors_and_filters_are_only_filters() {
    let scene = Scene::new();
    for at in 0..TEXTS.len() {
        let text = &text(at);
        let as_actor = scene.run(&["tag", "set", "fix-login", &format!("by{at}=x"), &format!("--as={text}")]);
        if as_actor.code == 0 {
            scene.says(&["event", "list"], text);
            scene.says(&["op", "log"], text);
        }
        assert!(as_actor.code == 0 || as_actor.code == 2, "{as_actor:?}");
        let all = scene.world.json(["event", "list"]).len();
        let filtered = scene.run(&["event", "list", &format!("--type={text}")]);
        assert_eq!(filtered.code, if text.len() > 1000 { 2 } else { 0 }, "{filtered:?}");
        assert!(filtered.out.lines().count() < all);
        for args in
            [&["event", "list", "--since"][..], &["lock", "acquire", "x", "--ttl"], &["event", "prune", "--before"]]
        {
            assert_eq!(scene.run(&[args, &[text]].concat()).code, 2, "{args:?}");
        }
        assert_eq!(scene.run(&["approval", "list", &format!("--action={text}")]).code, 0);
        for key in [["session", "show"], ["tag", "list"], ["policy", "show"]] {
            let ended = scene.world.run([&key[..], &["--", text]].concat());
            harmless(key[0], &ended);
            assert!(ended.code == 3 || ended.code == 2, "{key:?} {text:.50?}: {ended:?}");
        }
        let exported = scene.world.run(["event", "export"]);
        assert!(exported.code == 0 && exported.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    }
    assert_eq!(scene.world.json(["session", "list"]).len(), 1);
}

#[test]
fn policies_and_hooks_speak_of_anything_harmlessly() {
    let scene = Scene::new();
    let world = &scene.world;
    let hooks = world.path(".config/aether/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for at in 0..TEXTS.len() {
        let text = &text(at);
        let set = |policy: &str| {
            fs::write(world.path("web.toml"), policy).unwrap();
            scene.run(&["policy", "set", "web", "--file", "web.toml"])
        };
        let quoted = json!(text).to_string().replace('\u{7f}', "\\u007f");
        let ended = set(&format!("[actions.commit]\nfrom = [{quoted}]\n[actions.{quoted}]\ngrants = 1\n"));
        assert_eq!(ended.code, 0, "{ended:?}");
        scene.says(&["policy", "show", "web"], &fs::read_to_string(world.path("web.toml")).unwrap());
        let checked = scene.run(&["policy", "check", "fix-login"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        assert_eq!(scene.run(&["policy", "check", "fix-login", &format!("--action={text}")]).code, 5);
        let json = end(&mut world.aether(["policy", "check", "fix-login", "--json"]));
        let found = json.out.lines().any(|line| serde_json::from_str::<Value>(line).unwrap()["action"] == **text);
        assert!(found, "{text:.50?}: {json:.500?}");
        for bad in [format!("[paths.{quoted}]\nnone = 1"), format!("{quoted} = 1"), text.clone()] {
            let refused = set(&bad);
            assert!(refused.code == 2 || bad == *text && refused.code == 0, "{refused:?}");
        }
        assert_eq!(set("").code, 0);

        // A hook prints what it likes.
        fs::write(world.path("printed"), text).unwrap();
        let hook = hooks.join("pre-commit");
        fs::write(&hook, "#!/bin/sh\ncat \"$HOME/printed\"; printf '\\377'; exit 1\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(scene.run(&["hook", "run", "pre-commit"]).code, 1);
        let refused = scene.run(&["commit", "create", "--allow-empty", &format!("--message={text}x")]);
        assert!(refused.code == 5 || refused.code == 2, "{refused:?}");
        scene.ok(&["event", "list"]);
        fs::remove_file(&hook).unwrap();
        if text.len() < 200 && !text.contains('/') {
            fs::write(hooks.join(text), "").unwrap();
            scene.says(&["hook", "list"], text);
            fs::remove_file(hooks.join(text)).unwrap();
        }
        scene.refused(&["hook", "install", "--", text, "printed"]);
    }
}

#[test]
fn paths_of_any_bytes_are_noted_locked_and_ruled_about() {
    let world = World::with_web();
    let names: [&[u8]; 6] =
        [b"\x1b[31mred", b"'; DROP TABLE annotation; --", b"*?[a]{b}\\", b"two\nlines", b"\xff\xfe not text", b"a:7-9"];
    let names = names.map(|name| OsString::from_vec(name.to_vec()));
    for name in &names {
        fs::write(world.path("src/web").join(name), "one\ntwo\n").unwrap();
    }
    world.ok(["source", "refresh", "web"]);
    world.ok(["session", "create", "odd", "--source", "web"]);
    let run = |args: &[OsString]| {
        let all = ["-s", "odd"].iter().map(OsString::from).chain(args.iter().cloned());
        let ended = end(&mut world.aether(all));
        harmless(&format!("{args:?}"), &ended);
        ended
    };
    let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
    for name in &names {
        let with = |before: &str, name: &OsString| [words(before), vec![name.clone()]].concat();
        let mut lines = name.clone();
        lines.push(":1-2");
        for at in [name, &lines] {
            let added = run(&with("annotation add -m note --", at));
            // A name that ends as lines do needs them.
            assert_eq!(added.code, if at.to_str() == Some("a:7-9") { 3 } else { 0 }, "{added:?}");
        }
        let listed = run(&with("annotation list --json --", name));
        assert!(listed.out.lines().count() >= 1, "{name:?}: {listed:?}");
        assert_eq!(run(&with("lock acquire --literal --", name)).code, 0, "{name:?}");
        let held = run(&with("lock acquire --literal --as bob --", name));
        assert_eq!(held.code, 5, "{held:?}");
        assert_eq!(run(&with("lock break --reason over --", name)).code, 0, "{name:?}");
    }
    for list in ["annotation list", "lock list", "event list", "op log"] {
        assert_eq!(run(&words(list)).code, 0);
        assert_eq!(run(&words(&format!("{list} -q"))).code, 0);
    }
    assert_eq!(world.json(["-s", "odd", "annotation", "list"]).len(), 2 * names.len() - 1);
}
