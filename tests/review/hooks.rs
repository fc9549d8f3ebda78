//! Hooks by the library, without mounts: each transition asks before and tells after, and what is refused does not happen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aether::catalog::{EventFilter, ImportSettings, Verdict};
use aether::config::Paths;
use aether::model::{ROOT_INO, Timestamp};
use aether::ops::approval::{self, Reply};
use aether::ops::commit_create::Message;
use aether::ops::export::Form;
use aether::ops::source_import::{self, From, Watch};
use aether::ops::{
    Context, Result, absorb, checkpoint_create, checkpoint_restore, commit_create, export, materialize, merge, policy,
    session_apply, session_archive, session_create, session_delete, session_fork, source_promote, undo,
};
use aether::overlay::{Caller, Files};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

struct Scene {
    dir: TempDir,
    cx: Context,
}

impl Scene {
    /// The source `web` of a directory with one file, and a hook of each name that notes what it sees, and refuses while
    /// there is a file of its name in `refuse`.
    fn new(hooks: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        let paths = Paths { data: path("data"), runtime: path("run"), config_file: path("config/config.toml") };
        let mut cx = Context::new(paths, "ann".into(), "test".into(), 1_000_000_000, [7; 32]);
        fs::create_dir_all(path("web")).unwrap();
        fs::create_dir_all(path("refuse")).unwrap();
        fs::write(path("web/index"), "hello\n").unwrap();
        let watch = Watch { progress: &(), cancel: &AtomicBool::new(false) };
        let from = From::Dir(path("web"));
        source_import::create(&mut cx, "web", from, ImportSettings::default(), Vec::new(), &[], watch).unwrap();
        let scene = Self { dir, cx };
        for hook in hooks {
            scene.install(hook, "#!/bin/sh");
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn install(&self, hook: &str, first_line: &str) {
        let dir = self.path("config/hooks");
        fs::create_dir_all(&dir).unwrap();
        let top = self.dir.path().display();
        let script = format!(
            "{first_line}\necho $AETHER_HOOK $AETHER_SESSION_NAME: $(ls | sort) >>{top}/log\n\
             test ! -e {top}/refuse/$AETHER_HOOK || {{ echo not now; exit 3; }}\n"
        );
        fs::write(dir.join(hook), script).unwrap();
        fs::set_permissions(dir.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn refuse(&self, hook: &str, refuses: bool) {
        let file = self.path("refuse").join(hook);
        let _ = if refuses { fs::write(file, "") } else { fs::remove_file(file) };
    }

    /// What hooks noted since the last look.
    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        let _ = fs::remove_file(self.path("log"));
        text.lines().map(str::to_owned).collect()
    }

    /// Another command begins.
    fn tick(&mut self) -> &mut Context {
        self.cx.now_ns += 1_000_000;
        self.cx.seed = *blake3::hash(&self.cx.now_ns.to_le_bytes()).as_bytes();
        &mut self.cx
    }

    fn change(&mut self, session: &str, name: &str) {
        self.link(session, name, "somewhere");
    }

    fn link(&mut self, session: &str, name: &str, to: &str) {
        self.tick();
        let id = self.cx.resolve_session(Some(session)).unwrap().id;
        let open = self.cx.open_session(&id).unwrap();
        let caller = Caller { uid: 0, gid: 0, umask: 0, now: Timestamp::new(self.cx.now_ns, 0), request: 0 };
        open.overlay.symlink(caller, ROOT_INO, name.as_bytes(), to.as_bytes()).unwrap();
        open.close().unwrap();
    }

    /// Two new sessions, and a merge of one into the other that leaves a conflict.
    fn conflict(&mut self, into: &str, from: &str) {
        for session in [into, from] {
            create(self.tick(), session).unwrap();
            self.link(session, "clash", session);
        }
        let report = merge::run(self.tick(), &merging(from, into)).unwrap();
        assert_eq!(report.merged.conflicts.len(), 1);
    }

    /// The newest events, newest first.
    fn events(&mut self) -> Vec<String> {
        let events = self.cx.catalog().unwrap().view().events(&EventFilter::default()).unwrap();
        let mut words: Vec<String> = events.into_iter().map(|event| event.what).collect();
        words.reverse();
        words
    }
}

type Act = Box<dyn Fn(&mut Context) -> Result<()>>;

fn act(work: impl Fn(&mut Context) -> Result<()> + 'static) -> Act {
    Box::new(work)
}

fn create(cx: &mut Context, name: &str) -> Result<()> {
    let from = session_create::From::Source("web".into());
    session_create::run(cx, Some(name), &from, &session_create::With::default()).map(drop)
}

fn commit(cx: &mut Context, session: &str) -> Result<()> {
    let message = Message::Text("Work".into());
    let request = commit_create::Request { session: Some(session.into()), message, ..Default::default() };
    commit_create::run(cx, &request).map(drop)
}

fn apply(cx: &mut Context, session: &str, to: PathBuf) -> Result<()> {
    let request = session_apply::Request { session: Some(session.into()), to: Some(to), ..Default::default() };
    session_apply::run(cx, &request).map(drop)
}

fn merging(from: &str, into: &str) -> merge::Request {
    merge::Request { from: from.into(), into: Some(into.into()), ..Default::default() }
}

/// Each transition that needs no mount: its word, what its hooks see before and after, and how it is done. They follow on each
/// other.
fn acts(scene: &Scene) -> Vec<(&'static str, &'static str, &'static str, Act)> {
    let (out, plain) = (scene.path("out"), scene.path("plain"));
    fs::create_dir(&out).unwrap();
    fs::write(out.join("index"), "hello\n").unwrap();
    let changed = plain.clone();
    let checkpoint = |cx: &mut Context| {
        checkpoint_create::run(cx, &checkpoint_create::Request { session: Some("a".into()), ..Default::default() })
    };
    let restore = |cx: &mut Context| {
        let request = checkpoint_restore::Request { checkpoint: "a@1".into(), ..Default::default() };
        checkpoint_restore::run(cx, &request)
    };
    let fork = |cx: &mut Context| {
        let request = session_fork::Request { session: Some("a".into()), name: Some("b".into()), ..Default::default() };
        session_fork::run(cx, &request)
    };
    let promote = |cx: &mut Context| {
        let request = source_promote::Request { source: "web".into(), from: "a".into(), with_scratch: false };
        source_promote::run(cx, &request)
    };
    let watched = move |cx: &mut Context| {
        let watch = Watch { progress: &(), cancel: &AtomicBool::new(false) };
        materialize::run(cx, Some("b"), &plain, watch)
    };
    let absorb = move |cx: &mut Context| {
        let request = absorb::Request { session: Some("b".into()), dir: changed.clone(), force: false, dry_run: false };
        absorb::run(cx, &request, Watch { progress: &(), cancel: &AtomicBool::new(false) })
    };
    vec![
        ("create", ": index", "a: index", act(|cx| create(cx, "a"))),
        ("checkpoint", "a: index one", "a: index one", act(move |cx| checkpoint(cx).map(drop))),
        ("fork", "a: index one two", "b: index one two", act(move |cx| fork(cx).map(drop))),
        ("restore", "a: index one", "a: index one", act(move |cx| restore(cx).map(drop))),
        ("commit", "a: index one", "a: index one", act(|cx| commit(cx, "a"))),
        ("merge", "c: index one two", "c: index one two", act(|cx| merge::run(cx, &merging("b", "c")).map(drop))),
        ("promote", "a: index one", "a: index one", act(move |cx| promote(cx).map(drop))),
        ("update", "b: index one two", "b: index one two", act(|cx| merge::update(cx, &merging("", "b")).map(drop))),
        ("apply", "a: index one", "a: index one", act(move |cx| apply(cx, "a", out.clone()))),
        (
            "export",
            "a: index one",
            "a: index one",
            act(|cx| export::run(cx, Some("a"), &Form::Patch, &mut Vec::new()).map(drop)),
        ),
        ("materialize", "b: index one two", "b: index one two", act(move |cx| watched(cx).map(drop))),
        ("absorb", "b: index one three two", "b: index one three two", act(move |cx| absorb(cx).map(drop))),
        (
            "archive",
            "b: index one three two",
            "b: index one three two",
            act(|cx| session_archive::archive(cx, Some("b")).map(drop)),
        ),
        (
            "activate",
            "b: index one three two",
            "b: index one three two",
            act(|cx| session_archive::activate(cx, Some("b")).map(drop)),
        ),
        (
            "delete",
            "b: index one three two",
            "b: index one three two",
            act(|cx| session_delete::run(cx, "b", true).map(drop)),
        ),
        (
            "resolve",
            "d: clash index one",
            "d: clash index one",
            act(|cx| merge::resolve(cx, Some("d"), &[], &merge::How::Theirs).map(drop)),
        ),
        ("merge-abort", "f: clash index one", "f: clash index one", act(|cx| merge::abort(cx, Some("f")).map(drop))),
        // A restore is undone, and done again.
        ("undo", "a: five index one", "a: five index one", act(|cx| undo::undo(cx, None).map(drop))),
        ("redo", "a: index one", "a: index one", act(|cx| undo::redo(cx).map(drop))),
    ]
}

#[test]
fn each_transition_asks_before_and_tells_after_with_the_state_that_it_is_about() {
    let mut scene = Scene::new(&[]);
    for (word, before, after, act) in acts(&scene) {
        match word {
            "checkpoint" => scene.change("a", "one"),
            "fork" => scene.change("a", "two"),
            "merge" => create(scene.tick(), "c").unwrap(),
            "absorb" => fs::write(scene.path("plain/three"), "3").unwrap(),
            "resolve" => scene.conflict("d", "e"),
            "merge-abort" => scene.conflict("f", "g"),
            "undo" => {
                scene.change("a", "five");
                let request = checkpoint_restore::Request { checkpoint: "a@1".into(), ..Default::default() };
                checkpoint_restore::run(scene.tick(), &request).unwrap();
            }
            _ => {}
        }
        let hooks = [format!("pre-{word}"), format!("post-{word}")];
        hooks.iter().for_each(|hook| scene.install(hook, "#!/bin/sh"));
        scene.refuse(&hooks[0], true);
        let operations = scene.events().len();
        let error = act(scene.tick()).unwrap_err();
        assert_eq!((error.code(), error.details()), ("hook-refused", vec!["not now".to_owned()]), "{word}: {error}");
        assert_eq!(scene.log(), [format!("pre-{word} {before}")], "{word}");
        let events = scene.events();
        assert_eq!((events.len(), events[0].as_str()), (operations + 1, "hook.refuse"), "{word}: {events:?}");

        scene.refuse(&hooks[0], false);
        scene.refuse(&hooks[1], true);
        act(scene.tick()).unwrap_or_else(|error| panic!("{word}: {error} {:?}", error.details()));
        let expected = [format!("pre-{word} {before}"), format!("post-{word} {after}")];
        assert_eq!(scene.log(), expected, "{word}");
        // One that runs afterwards refuses nothing.
        let notices: Vec<_> = scene.cx.notices.drain(..).map(|notice| notice.0.code().to_owned()).collect();
        assert_eq!(notices, ["hook-refused"], "{word}");
        let events = scene.events();
        assert_eq!(events[0], "hook.fail", "{word}: {events:?}");
        assert!(events[1].contains('.') && !events[1].starts_with("hook."), "{word}: {events:?}");
        fs::remove_dir_all(scene.path("config/hooks")).unwrap();
    }
    let left = fs::read_dir(scene.path("data/views")).unwrap().count();
    assert_eq!(left, 0, "a view is left");
}

#[test]
fn a_hook_that_cannot_be_run_refuses() {
    let mut scene = Scene::new(&["pre-create"]);
    let hook = scene.path("config/hooks/pre-create");
    let refused = |scene: &mut Scene, code: &str| {
        let error = create(scene.tick(), "a").unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    };
    for mode in [0o644, 0o757] {
        fs::set_permissions(&hook, fs::Permissions::from_mode(mode)).unwrap();
        refused(&mut scene, "hook-cannot-run");
    }
    scene.install("pre-create", "#!/no/such/interpreter");
    refused(&mut scene, "hook-cannot-run");
    // What leads into the directory that a source is made of may have been written in a session.
    fs::remove_file(&hook).unwrap();
    fs::copy("/bin/true", scene.path("web/check")).unwrap();
    std::os::unix::fs::symlink(scene.path("web/check"), &hook).unwrap();
    refused(&mut scene, "hook-cannot-run");
    fs::remove_file(&hook).unwrap();
    std::os::unix::fs::symlink("/no/where", &hook).unwrap();
    refused(&mut scene, "hook-cannot-run");
    assert!(scene.log().is_empty());
    fs::remove_file(&hook).unwrap();
    scene.install("pre-create", "#!/bin/sh\nsleep 30");
    scene.cx.hooks.limit = Duration::from_millis(100);
    refused(&mut scene, "hook-timed-out");
    scene.install("pre-create", "#!/bin/sh");
    scene.cx.hooks.limit = Duration::from_secs(60);
    scene.cx.hooks.depth = aether::ops::hooks::MAX_DEPTH;
    refused(&mut scene, "hook-too-deep");
    scene.cx.hooks.depth = 0;
    create(scene.tick(), "a").unwrap();
}

#[test]
fn a_merge_that_is_not_the_one_that_was_looked_at_does_not_happen() {
    let mut scene = Scene::new(&[]);
    create(scene.tick(), "a").unwrap();
    create(scene.tick(), "b").unwrap();
    scene.change("a", "one");
    // Somebody writes to the other side of the same path while the hook runs.
    let dir = scene.path("config/hooks");
    fs::create_dir_all(&dir).unwrap();
    let (data, top) = (scene.path("data"), scene.dir.path().display().to_string());
    let gate = format!("#!/bin/sh\ntouch {top}/looking\nwhile test ! -e {top}/written; do sleep 0.02; done\n");
    fs::write(dir.join("pre-merge"), gate).unwrap();
    fs::set_permissions(dir.join("pre-merge"), fs::Permissions::from_mode(0o755)).unwrap();
    let (looking, written) = (scene.path("looking"), scene.path("written"));
    let paths = scene.cx.paths.clone();
    let writer = std::thread::spawn(move || {
        while !looking.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(data.exists());
        let mut other = Scene {
            dir: TempDir::new().unwrap(),
            cx: Context::new(paths, "bob".into(), "test".into(), 9_000_000_000, [9; 32]),
        };
        let id = other.cx.resolve_session(Some("b")).unwrap().id;
        let open = other.cx.open_session(&id).unwrap();
        let caller = Caller { uid: 0, gid: 0, umask: 0, now: Timestamp::new(9, 0), request: 0 };
        open.overlay.symlink(caller, ROOT_INO, b"one", b"elsewhere").unwrap();
        open.close().unwrap();
        fs::write(written, "").unwrap();
    });
    let merged = merge::run(scene.tick(), &merging("a", "b"));
    writer.join().unwrap();
    assert_eq!(merged.unwrap_err().code(), "hook-overtaken");
    let session = scene.cx.resolve_session(Some("b")).unwrap();
    assert_eq!(session.status.word(), "active");
}

#[test]
fn what_a_hook_does_itself_is_not_undone_in_place_of_what_it_looked_at() {
    let mut scene = Scene::new(&["pre-undo"]);
    create(scene.tick(), "a").unwrap();
    create(scene.tick(), "b").unwrap();
    let (paths, top) = (scene.cx.paths.clone(), scene.dir.path().to_owned());
    let gate = format!(
        "#!/bin/sh\ncat >{0}/document\ntouch {0}/looking\nwhile test ! -e {0}/done; do sleep 0.02; done\n",
        top.display()
    );
    fs::write(scene.path("config/hooks/pre-undo"), gate).unwrap();
    let helper = std::thread::spawn(move || {
        while !top.join("looking").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut cx = Context::new(paths, "bob".into(), "test".into(), 9_000_000_000, [9; 32]);
        create(&mut cx, "c").unwrap();
        fs::write(top.join("done"), "").unwrap();
    });
    let undone = undo::undo(scene.tick(), None).unwrap();
    helper.join().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&fs::read(scene.path("document")).unwrap()).unwrap();
    assert_eq!(document["details"]["operation"], undone.target.seq);
    assert_eq!(document["session"]["name"], "b");
    for (name, is_there) in [("a", true), ("b", false), ("c", true)] {
        assert_eq!(scene.cx.resolve_session(Some(name)).is_ok(), is_there, "{name}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Change,
    Policy(bool),
    Grant,
    Deny,
    Hook(usize, bool),
    Skip(bool),
    Attempt(usize),
}

const ACTIONS: [&str; 3] = ["commit", "apply", "delete"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = || 0..ACTIONS.len();
    let step = prop_oneof![
        2 => Just(Step::Change),
        2 => any::<bool>().prop_map(Step::Policy),
        3 => Just(Step::Grant),
        1 => Just(Step::Deny),
        3 => (which(), any::<bool>()).prop_map(|(which, refuses)| Step::Hook(which, refuses)),
        1 => any::<bool>().prop_map(Step::Skip),
        5 => which().prop_map(Step::Attempt),
    ];
    vec(step, 1..20)
}

/// What was said about the present content, in the last place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Said {
    granted: bool,
    denied: bool,
}

fn policy(scene: &mut Scene, wants_grants: bool) {
    let grants = u32::from(wants_grants);
    let rules = ACTIONS.map(|word| format!("[actions.{word}]\ngrants = {grants}\n")).concat();
    policy::set(scene.tick(), "web", &format!("{rules}[hooks]\nskip = \"nobody\"\n"), "test").unwrap();
}

/// Grants, or denies, each action for the present content; it is deleted for good only once.
fn answer(scene: &mut Scene, verdict: Verdict) {
    for word in ACTIONS {
        let request = approval::Request { session: Some("a".into()), action: word.into(), ..Default::default() };
        let asked = approval::request(scene.tick(), &request).unwrap();
        let reply = Reply { key: asked.id, verdict, message: String::new(), sign_with: None };
        approval::answer(scene.tick(), &reply).unwrap();
    }
}

fn follow(steps: &[Step]) {
    let mut scene = Scene::new(&["pre-commit", "pre-apply", "pre-delete"]);
    create(scene.tick(), "a").unwrap();
    policy(&mut scene, false);
    scene.change("a", "first");
    let out = scene.path("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("index"), "hello\n").unwrap();
    let (mut wants, mut said, mut refuses) = (false, Said::default(), [false; 3]);
    let mut is_committed = false;
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Change => {
                scene.change("a", &format!("change-{number}"));
                (said, is_committed) = (Said::default(), false);
            }
            Step::Policy(wants_grants) => {
                policy(&mut scene, wants_grants);
                wants = wants_grants;
            }
            Step::Grant => {
                answer(&mut scene, Verdict::Grant);
                said = Said { granted: true, denied: false };
            }
            Step::Deny => {
                answer(&mut scene, Verdict::Deny);
                said.denied = true;
            }
            Step::Hook(which, refuse) => {
                scene.refuse(&format!("pre-{}", ACTIONS[which]), refuse);
                refuses[which] = refuse;
            }
            Step::Skip(skip) => scene.cx.hooks.skip = skip,
            Step::Attempt(which) => {
                let word = ACTIONS[which];
                scene.log();
                let to = out.clone();
                let cx = scene.tick();
                let result = match word {
                    "commit" => commit(cx, "a"),
                    "apply" => apply(cx, "a", to),
                    _ => session_delete::run(cx, "a", true).map(drop),
                };
                // Nobody may leave hooks out; who tries to gets no further.
                let may = (!wants || said.granted) && !said.denied && !refuses[which] && !scene.cx.hooks.skip;
                let does = may && !(word == "commit" && is_committed);
                assert_eq!(result.is_ok(), does, "step {number}, {step:?}: {result:?}");
                let asked = scene.log();
                assert!(!does || asked.len() == 1 && asked[0].starts_with(&format!("pre-{word} a: ")), "{asked:?}");
                is_committed |= does && word == "commit";
                if does && word == "delete" {
                    return;
                }
            }
        }
    }
    let happened = |what: &str, events: &[String]| events.iter().filter(|event| *event == what).count();
    let events = scene.events();
    assert_eq!(happened("session.delete", &events), 0, "{events:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_happens_that_a_hook_refuses_or_that_lacks_its_grants(steps in steps()) {
        follow(&steps);
    }
}
