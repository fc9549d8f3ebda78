//! Health.

use std::fs;

use super::{World, end};

fn report(world: &World, args: &[&str]) -> i32 {
    world.run(["-s", "fix-login", "health", "report"].iter().chain(args)).code
}

fn health(world: &World) -> String {
    world.ok(["health", "show", "fix-login", "-q"]).trim().to_owned()
}

#[test]
fn the_newest_result_counts_and_all_are_kept() {
    let world = World::with_web();
    assert_eq!(health(&world), "unknown");
    assert_eq!(report(&world, &["pass", "-m", "\u{1b}[31mall\nfine"]), 0);
    assert_eq!(health(&world), "passing");
    assert_eq!(report(&world, &["fail", "--as", "bob"]), 0);
    assert_eq!(health(&world), "failing");
    let history = world.json(["health", "show", "fix-login", "--history"]);
    let told: Vec<_> =
        history.iter().map(|row| (row["health"].as_str().unwrap(), row["actor"].as_str().unwrap())).collect();
    assert_eq!(told, [("failing", "bob"), ("passing", "ann")]);
    assert_eq!(history[1]["message"], "\u{1b}[31mall\nfine");
    assert!(!world.ok(["health", "show", "fix-login", "--history"]).contains('\u{1b}'));
    assert_eq!(world.json(["health", "show", "fix-login", "--history", "-n", "1"]).len(), 1);
    let events = world.json(["event", "list", "--type", "health.report"]);
    assert_eq!((&events[1]["details"]["was"], &events[1]["details"]["now"]), (&"passing".into(), &"failing".into()));
}

#[test]
fn a_result_follows_from_what_was_measured_and_cannot_contradict_it() {
    let world = World::with_web();
    let bad = "<testsuites><testsuite><testcase classname='app' name='&lt;one&gt;&#27;'><failure/></testcase>
        <testcase name='two'/></testsuite></testsuites>";
    fs::write(world.path("bad.xml"), bad).unwrap();
    fs::write(world.path("good.xml"), "<testsuite><testcase name='one' time='1.5'/></testsuite>").unwrap();
    assert_eq!(report(&world, &["--file", "bad.xml"]), 0);
    let shown = &world.json(["health", "show", "fix-login"])[0];
    assert_eq!((&shown["health"], &shown["result"]["counts"]["tests"]), (&"failing".into(), &2.into()));
    assert_eq!(shown["result"]["failed"][0], "app.<one>\u{1b}");
    assert!(!world.ok(["health", "show", "fix-login"]).contains('\u{1b}'));
    assert_eq!(report(&world, &["--file", "good.xml"]), 0);
    assert_eq!(health(&world), "passing");
    assert_eq!(report(&world, &["--exit-code", "3"]), 0);
    assert_eq!(health(&world), "failing");
    assert_eq!(report(&world, &["--exit-code", "0", "--file", "bad.xml"]), 0);
    assert_eq!(health(&world), "failing");
    for (args, code) in [
        (&["pass", "--file", "bad.xml"] as &[_], 2),
        (&["pass", "--exit-code", "1"], 2),
        (&[], 2),
        (&["maybe"], 2),
        (&["--file", "missing.xml"], 3),
        (&["--file", "src/web/index.html"], 1),
    ] {
        assert_eq!(report(&world, args), code, "{args:?}");
    }
    assert_eq!(world.json(["health", "show", "fix-login", "--history"]).len(), 4);
}

#[test]
fn a_result_is_about_the_content_that_there_was() {
    let world = World::with_web();
    let is_current = || world.json(["health", "show", "fix-login"])[0]["is_current"].as_bool().unwrap();
    assert_eq!(report(&world, &["pass"]), 0);
    assert!(is_current());
    let sh = |script: &str| drop(world.ok(["run", "fix-login", "--", "sh", "-c", script]));
    sh("echo more >>index.html; echo '*.o' >.gitignore");
    assert!(!is_current());
    assert_eq!(report(&world, &["fail"]), 0);
    assert!(is_current());
    sh("touch index.html; echo x >main.o");
    assert!(is_current(), "times and scratch files are not what it is about");
    sh("echo '<p>hello</p>' >index.html; rm .gitignore main.o");
    assert!(!is_current());
    let history = world.json(["health", "show", "fix-login", "--history"]);
    assert_eq!(report(&world, &["pass"]), 0);
    assert_eq!(
        world.json(["health", "show", "fix-login", "--history", "-n", "1"])[0]["content"],
        history[1]["content"]
    );
}

#[test]
fn a_run_reports_its_own_exit_code() {
    let world = World::with_web();
    let run = |script: &str| world.run(["run", "fix-login", "--report-health", "--", "sh", "-c", script]).code;
    assert_eq!(run("exit 3"), 3);
    assert_eq!(health(&world), "failing");
    assert_eq!(run("echo x >tested"), 0);
    let shown = &world.json(["health", "show", "fix-login"])[0];
    assert_eq!((&shown["health"], &shown["is_current"]), (&"passing".into(), &true.into()));
    assert_eq!(shown["result"]["command"], "sh -c 'echo x >tested'");
}

#[test]
fn a_report_can_come_on_standard_input() {
    let world = World::with_web();
    let suite = |inside: &str| format!("<testsuite>{inside}</testsuite>");
    for (text, code, state) in [
        (suite("<testcase name='a'/>"), 0, "passing"),
        (suite("<testcase name='a'><failure/></testcase>"), 0, "failing"),
        ("no report".to_owned(), 1, "failing"),
        (suite(&"<testcase name='a'/>".repeat(100_000)), 0, "passing"),
    ] {
        let mut command = world.aether(["-s", "fix-login", "health", "report", "--file", "-"]);
        fs::write(world.path("report"), &text).unwrap();
        let ended = end(command.stdin(fs::File::open(world.path("report")).unwrap()));
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(health(&world), state);
        assert!(code == 0 || ended.err.contains("`standard input` is no JUnit report"), "{ended:?}");
    }
}

#[test]
fn the_list_of_sessions_has_their_health_and_is_filtered_by_it() {
    let world = World::with_web();
    for name in ["good", "bad"] {
        world.ok(["session", "create", name, "--source", "web"]);
    }
    for (name, result) in [("good", "fail"), ("good", "pass"), ("bad", "pass"), ("bad", "fail")] {
        world.ok(["-s", name, "health", "report", result, "--as", "bo"]);
    }
    let states: Vec<_> = world
        .json(["session", "list"])
        .into_iter()
        .map(|row| {
            assert_eq!(row["health_reported"].is_string(), row["health"] != "unknown");
            (row["name"].as_str().unwrap().to_owned(), row["health"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [("bad", "failing"), ("fix-login", "unknown"), ("good", "passing")];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state.to_owned())));
    for (name, state) in expected {
        assert_eq!(world.ok(["session", "list", "--health", state, "-q"]), format!("{name}\n"));
        assert_eq!(world.json(["session", "show", name])[0]["health"], state);
    }
    let table = world.ok(["session", "list"]);
    assert!(table.lines().next().unwrap().contains("HEALTH") && table.contains("failing"), "{table}");
    let shown = world.ok(["session", "show", "bad"]);
    assert!(shown.contains("failing") && shown.contains("by bo"), "{shown}");
    assert_eq!(world.run(["session", "list", "--health", "fine"]).code, 2);
}
