//! Approvals and policies by the library: whatever is done in whatever order, no gated action passes without the grants
//! that it needs, at the content that they were given for.

mod hooks;

use std::collections::BTreeSet;

use aether::catalog::{Base, ImportSettings, NewSource, SourceKind, Verdict};
use aether::config::Paths;
use aether::model::{ROOT_INO, Timestamp};
use aether::ops::approval::{self, Reply, Request};
use aether::ops::gate::{self, Action, Work};
use aether::ops::{Context, policy};
use aether::overlay::{Caller, Files};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

const ACTORS: [&str; 3] = ["ann", "bob", "eve"];

/// What a session can hold: a directory of one of these names.
const CONTENTS: [&str; 3] = ["a", "b", "ci"];

/// Grants, own, from, and grants for `/ci`.
const POLICIES: [(u32, bool, &[&str], u32); 5] =
    [(0, true, &[], 0), (1, true, &[], 0), (1, false, &[], 0), (2, true, &[], 0), (1, true, &["bob"], 2)];

#[derive(Clone, Debug)]
enum Step {
    Hold(usize),
    Policy(usize),
    Request(usize),
    Answer(usize, Verdict),
    Attempt,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop_oneof![4 => Just(Verdict::Grant), 1 => Just(Verdict::Deny), 1 => Just(Verdict::Cancel)];
    let step = prop_oneof![
        2 => (0..CONTENTS.len()).prop_map(Step::Hold),
        1 => (0..POLICIES.len()).prop_map(Step::Policy),
        4 => (0..ACTORS.len()).prop_map(Step::Request),
        6 => (0..ACTORS.len(), verdict).prop_map(|(actor, verdict)| Step::Answer(actor, verdict)),
        3 => Just(Step::Attempt),
    ];
    vec(step, 1..40)
}

/// A question, as this test remembers it.
#[derive(Debug)]
struct Asked {
    content: usize,
    asker: usize,
    grants: BTreeSet<usize>,
    said: Said,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Nothing,
    Yes,
    No,
    Never,
}

/// What should be so, by the simplest means.
#[derive(Debug, Default)]
struct Expected {
    content: usize,
    policy: usize,
    asked: Vec<Asked>,
}

impl Expected {
    /// Each rule that holds for a content: how many grants it wants, and whose count.
    fn rules(&self, content: usize) -> Vec<(usize, bool, &'static [&'static str])> {
        let (grants, own, from, for_ci) = POLICIES[self.policy];
        let mut rules = vec![(grants as usize, own, from)];
        if CONTENTS[content] == "ci" {
            rules.push((for_ci as usize, true, &[]));
        }
        rules.retain(|rule| rule.0 > 0);
        rules
    }

    fn counts(rule: (usize, bool, &[&str]), actor: usize, asker: usize) -> bool {
        (rule.1 || actor != asker) && (rule.2.is_empty() || rule.2.contains(&ACTORS[actor]))
    }

    fn has_grants(&self, content: usize) -> bool {
        self.rules(content).into_iter().all(|rule| {
            let asked = self.asked.iter().filter(|asked| asked.content == content);
            let asked = asked.filter(|asked| matches!(asked.said, Said::Yes | Said::Nothing));
            let actors: BTreeSet<usize> = asked
                .flat_map(|asked| asked.grants.iter().copied().filter(|&actor| Self::counts(rule, actor, asked.asker)))
                .collect();
            actors.len() >= rule.0
        })
    }

    fn may_happen(&self) -> bool {
        let mut said =
            self.asked.iter().rev().filter(|asked| asked.content == self.content && asked.said != Said::Never);
        said.next().is_none_or(|last| last.said == Said::Yes) && self.has_grants(self.content)
    }
}

struct Scene {
    _dir: TempDir,
    cx: Context,
    session: String,
    source: String,
    needed: Vec<usize>,
}

impl Scene {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        let paths = Paths { data: path("data"), runtime: path("run"), config_file: path("none") };
        let mut cx = Context::new(paths, "ann".into(), "test".into(), 1_000_000_000, [7; 32]);
        let new = NewSource {
            name: "web".into(),
            kind: SourceKind::Empty,
            origin: None,
            import: ImportSettings::default(),
            scratch: Vec::new(),
        };
        let (source, session) = cx
            .write(|tx| {
                let source = tx.create_source(&new)?;
                let base = Base { source: Some(source.clone()), ..Base::default() };
                let session = tx.create_session("fix", &base, None)?;
                Ok((source, session))
            })
            .unwrap();
        let mut scene = Self { _dir: dir, cx, session, source, needed: Vec::new() };
        scene.hold(None, 0);
        scene
    }

    /// Another command begins.
    fn tick(&mut self, actor: usize) {
        self.cx.actor = ACTORS[actor].into();
        self.cx.now_ns += 1_000_000;
        let seed = blake3::hash(&self.cx.now_ns.to_le_bytes());
        self.cx.seed = *seed.as_bytes();
    }

    fn hold(&mut self, before: Option<usize>, content: usize) {
        self.tick(0);
        // As commands do: what was open a moment ago may be held by a process that another thread is starting.
        let open = self.cx.open_session_soon(&self.session).unwrap();
        let caller = Caller { uid: 0, gid: 0, umask: 0, now: Timestamp::new(self.cx.now_ns, 0), request: 0 };
        if let Some(before) = before {
            open.overlay.rmdir(caller, ROOT_INO, CONTENTS[before].as_bytes()).unwrap();
        }
        open.overlay.mkdir(caller, ROOT_INO, CONTENTS[content].as_bytes(), 0o755).unwrap();
        open.close().unwrap();
    }

    fn set_policy(&mut self, number: usize) {
        self.tick(0);
        let (grants, own, from, for_ci) = POLICIES[number];
        let mut text = format!("[actions.merge]\ngrants = {grants}\nown = {own}\nfrom = {from:?}\n");
        text.push_str(&format!("[paths.\"/ci\"]\ngrants = {for_ci}\n"));
        policy::set(&mut self.cx, &self.source, &text, "test").unwrap();
    }
}

fn run(steps: &[Step]) {
    let (mut scene, mut expected) = (Scene::new(), Expected::default());
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Hold(content) => {
                if content != expected.content {
                    scene.hold(Some(expected.content), content);
                    expected.content = content;
                }
            }
            Step::Policy(policy) => {
                scene.set_policy(policy);
                expected.policy = policy;
            }
            Step::Request(actor) => request(&mut scene, &mut expected, actor),
            Step::Answer(actor, verdict) => answer(&mut scene, &mut expected, actor, verdict),
            Step::Attempt => {}
        }
        scene.tick(0);
        let session = scene.cx.resolve_session(Some("fix")).unwrap();
        let passed = gate::pass(&mut scene.cx, Action::Merge, Work::present(&session, None));
        assert_eq!(passed.is_ok(), expected.may_happen(), "step {number}, {step:?}: {expected:#?} {passed:?}");
        // An action that nobody speaks of passes in any case.
        assert!(gate::pass(&mut scene.cx, Action::Delete, Work::present(&session, None)).is_ok());
    }
}

fn request(scene: &mut Scene, expected: &mut Expected, actor: usize) {
    scene.tick(actor);
    let asked = Request { session: Some("fix".into()), action: "merge".into(), ..Request::default() };
    let result = approval::request(&mut scene.cx, &asked);
    let content = expected.content;
    let open = expected.asked.iter_mut().find(|asked| asked.said == Said::Nothing);
    match open {
        Some(open) if open.content == content => assert_eq!(result.unwrap_err().code(), "asked-already"),
        open => {
            if let Some(open) = open {
                open.said = Said::Never;
            }
            result.unwrap();
            let needed = expected.rules(content).iter().map(|rule| rule.0).max().unwrap_or(1);
            scene.needed.push(needed);
            expected.asked.push(Asked { content, asker: actor, grants: BTreeSet::new(), said: Said::Nothing });
        }
    }
}

fn answer(scene: &mut Scene, expected: &mut Expected, actor: usize, verdict: Verdict) {
    scene.tick(actor);
    let reply = Reply { key: "fix".into(), verdict, message: String::new(), sign_with: None };
    let result = approval::answer(&mut scene.cx, &reply);
    let Some(at) = expected.asked.iter().rposition(|asked| asked.said == Said::Nothing) else {
        assert!(result.is_err(), "nothing is asked");
        return;
    };
    let (content, asker) = (expected.asked[at].content, expected.asked[at].asker);
    let rules = expected.rules(content);
    let is_useless = !rules.is_empty() && !rules.iter().any(|rule| Expected::counts(*rule, actor, asker));
    let asked = &mut expected.asked[at];
    match verdict {
        Verdict::Grant if asked.grants.contains(&actor) => assert_eq!(result.unwrap_err().code(), "granted-already"),
        Verdict::Grant if is_useless => assert_eq!(result.unwrap_err().code(), "may-not-grant"),
        Verdict::Grant => {
            result.unwrap();
            asked.grants.insert(actor);
            let is_enough = asked.grants.len() >= scene.needed[at];
            if is_enough && expected.has_grants(content) {
                expected.asked[at].said = Said::Yes;
            }
        }
        Verdict::Deny => {
            result.unwrap();
            asked.said = Said::No;
        }
        Verdict::Cancel => {
            result.unwrap();
            asked.said = Said::Never;
        }
    }
}

#[test]
fn what_nobody_decides_in_time_holds_nobody_up_whoever_looks_next() {
    let mut scene = Scene::new();
    let asked = Request {
        session: Some("fix".into()),
        action: "merge".into(),
        expires_in_ns: Some(10_000_000),
        freeze: true,
        ..Request::default()
    };
    approval::request(&mut scene.cx, &asked).unwrap();
    let frozen = scene.cx.resolve_session(Some("fix")).unwrap();
    assert_eq!(frozen.status.word(), "pending-approval");
    assert!(scene.cx.catalog().unwrap().view().refuse_frozen(&frozen).is_err());
    scene.cx.now_ns += 10_000_000;
    let free = scene.cx.resolve_session(Some("fix")).unwrap();
    assert_eq!(free.status.word(), "active");
    assert!(scene.cx.catalog().unwrap().view().refuse_frozen(&free).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_passes_without_the_grants_that_it_needs_for_this_content(steps in steps()) {
        run(&steps);
    }
}
