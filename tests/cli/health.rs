//! Health.

use std::fs;

use super::World;

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
