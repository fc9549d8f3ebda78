//! Archives, patches and commits of git made of sessions, taken by the programs that they are for.

use std::fs;

use super::{Ended, World, end};

/// A source from a repository with two commits, and a session with changes of every kind that git knows.
fn changed() -> World {
    let world = World::new();
    world.sh("mkdir web; cd web; git init -qb main; git config user.name ann; git config user.email ann@example.org
         mkdir -p lib docs; echo go >lib/app.js; echo old >docs/old; echo mv >moved; echo out >.gitignore; echo m >mode
         head -c 2000 /dev/zero >bin; ln -s lib link; echo k >kind; git add -A; git commit -qm one
         echo two >two; git add -A; git commit -qm two");
    world.ok(["source", "create", "web", "web", "--kind", "dir"]);
    world.ok(["session", "create", "fix", "--source", "web"]);
    edit(
        &world,
        "echo more >>lib/app.js; rm -r docs; mkdir new; mv moved new/moved; echo o >out; chmod +x mode; rm kind; mkdir kind
         echo f >kind/f; head -c 3000 /dev/urandom >bin; rm link; ln -s new link; touch 'odd\"\n name' empty; printf '\\303\\266' >ö",
    );
    world
}

fn edit(world: &World, script: &str) {
    world.ok(["run", "fix", "--", "sh", "-ec", script]);
}

fn git(world: &World, args: &[&str]) -> String {
    let ended = end(world.command("git").args(["-C", "web"]).args(args));
    assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
    ended.out
}

fn export(world: &World, args: &[&str]) -> Ended {
    world.run([&["session", "export", "fix"], args].concat())
}

#[test]
fn a_commit_of_git_has_the_change_set_and_touches_nothing_else() {
    let world = changed();
    // None of this may run.
    world.sh(
        "cd web; for hook in reference-transaction pre-commit post-commit post-update; do
           printf '#!/bin/sh\\ntouch \"%s/ran\"\\n' \"$HOME\" >.git/hooks/$hook; chmod +x .git/hooks/$hook; done
         git config core.fsmonitor 'touch ran'; echo dirty >two; echo '* filter=x' >.gitattributes; git config filter.x.clean 'touch ran'",
    );
    let before = (fs::read(world.path("web/.git/index")).unwrap(), git(&world, &["rev-parse", "HEAD"]));
    let ended = export(&world, &["--git", "web", "--branch", "work/fix", "-m", "Fix it"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(git(&world, &["rev-parse", "work/fix^"]), before.1);
    assert_eq!(git(&world, &["log", "-1", "--format=%an|%cn|%B", "work/fix"]).trim(), "ann|ann|Fix it");
    assert_eq!((fs::read(world.path("web/.git/index")).unwrap(), git(&world, &["rev-parse", "HEAD"])), before);
    assert!(!world.path("ran").exists() && !world.path("web/ran").exists(), "something ran");
    git(&world, &["fsck", "--strict"]);
    // What git has is what the session has, but for what git does not know.
    world.sh("cd web; git config --unset filter.x.clean; git config --unset core.fsmonitor; rm -f .git/hooks/*
         git worktree add -q ../tree work/fix; cd ..; rm tree/.git");
    let wanted = world.path("wanted");
    world.ok(["run", "fix", "--", "sh", "-c", &format!("cp -a . {0}; rm -rf {0}/.git {0}/out", wanted.display())]);
    world.sh("diff -r --no-dereference tree wanted; [ -x tree/mode ]; [ \"$(readlink tree/link)\" = new ]");
    // Twice is no way forward; on a branch that somebody is on, nothing happens.
    let again = export(&world, &["--git", "web", "--branch", "work/fix"]);
    assert!(again.code == 4 && again.err.contains("checked out"), "{again:?}");
    export(&world, &["--git", "web", "--branch", "other"]);
    assert_eq!(export(&world, &["--git", "web", "--branch", "other"]).code, 4);
    assert_eq!(export(&world, &["--git", "web", "--branch", "other", "--force"]).code, 0);
    for (branch, code) in [("a..b", 1), ("-x", 1), ("main", 4)] {
        let ended = export(&world, &["--git", "web", &format!("--branch={branch}")]);
        assert_eq!(ended.code, code, "{branch}: {ended:?}");
    }
    assert_eq!(world.json(["event", "list", "--type", "session.export"]).len(), 3);
}

#[test]
fn a_commit_says_in_git_what_it_says_here_and_what_was_promoted_comes_along() {
    let world = changed();
    world.ok(["commit", "fix", "-m", "First\n\nbody", "--author", "Bea <bea@example.org>"]);
    assert_eq!(export(&world, &["--git", "web", "--branch", "one"]).code, 0);
    assert_eq!(
        git(&world, &["log", "-1", "--format=%an <%ae>%n%B", "one"]).trim(),
        "Bea <bea@example.org>\nFirst\n\nbody"
    );
    world.ok(["source", "promote", "web", "--from", "fix"]);
    world.ok(["update", "fix"]);
    edit(&world, "echo last >last");
    let commit = world.ok(["commit", "fix", "--summary", "-q"]).trim().to_owned();
    world.ok(["session", "export", &commit, "--git", "web", "--branch", "two"]);
    assert_eq!(git(&world, &["rev-parse", "two^"]), git(&world, &["rev-parse", "main"]));
    assert_eq!(git(&world, &["diff", "--name-status", "one", "two", "--"]), "A\tlast\n");
    world.ok(["session", "create", "blank", "--empty"]);
    let nowhere = world.run(["session", "export", "blank", "--git", "web", "--branch", "x"]);
    assert!(nowhere.code == 2 && nowhere.err.contains("--onto"), "{nowhere:?}");
}

#[test]
fn the_same_tree_is_the_same_archive_and_tar_takes_it() {
    let world = changed();
    world.sh("true");
    let long = "d/".repeat(120);
    edit(&world, &format!("mkdir -p {long}; echo deep >{long}/file; truncate -s 1M hole; ln bin linked"));
    edit(&world, "echo old >old; touch -d '1930-01-01 UTC' old");
    assert_eq!(export(&world, &["--tar", "one.tar"]).code, 0);
    world.ok(["session", "create", "other", "--source", "web"]);
    world.ok(["fork", "fix", "again"]);
    world.sh(&format!("{} session export again --tar - >two.tar", env!("CARGO_BIN_EXE_aether")));
    world.sh("cmp one.tar two.tar; mkdir out; tar xf one.tar -C out; [ out/bin -ef out/linked ]");
    let wanted = world.path("wanted");
    world.ok(["run", "fix", "--", "sh", "-c", &format!("cp -a . {0}; rm -rf {0}/.git {0}/out", wanted.display())]);
    world.sh("diff -r --no-dereference out wanted; [ -x out/mode ]; [ out/two -nt wanted/two ] || [ ! out/two -ot wanted/nothing ]");
    world.sh("[ $(stat -c %Y out/old) = -1262304000 ]");
    // With everything, and as a source again.
    assert_eq!(export(&world, &["--tar", "all.tar", "--all"]).code, 0);
    world.ok(["source", "create", "back", "all.tar"]);
    assert_eq!(world.ok(["diff", "back", "fix", "--all"]), "");
    assert_eq!(export(&world, &["--tar", "missing/x.tar"]).code, 3);
}

#[test]
fn git_applies_the_patch() {
    let world = changed();
    world.sh(&format!("{} session export fix --patch >fix.patch", env!("CARGO_BIN_EXE_aether")));
    assert_eq!(export(&world, &["--patch=same.patch"]).code, 0);
    world.sh("cmp fix.patch same.patch; git clone -q web clone; cd clone; git apply ../fix.patch");
    let wanted = world.path("wanted");
    world.ok(["run", "fix", "--", "sh", "-c", &format!("cp -a . {0}; rm -rf {0}/.git {0}/out", wanted.display())]);
    world.sh("rm -rf clone/.git; diff -r --no-dereference clone wanted");
}

#[test]
fn only_what_changed_is_written_to_a_large_repository() {
    let world = World::new();
    world.sh(
        "mkdir web; cd web; git init -qb main; git config user.name a; git config user.email b
         for d in $(seq 100); do mkdir $d; for f in $(seq 40); do echo $d $f >$d/$f; done; done; git add -A; git commit -qm one",
    );
    world.ok(["source", "create", "web", "web"]);
    world.ok(["session", "create", "fix", "--source", "web"]);
    edit(&world, "for d in $(seq 10); do for f in $(seq 10); do echo new >>$d/$f; done; done");
    let objects = || {
        end(world.command("sh").args([
            "-c",
            "cd web; git count-objects -v | grep -E '^(count|in-pack)' | awk '{sum += $2} END {print sum}'",
        ]))
    };
    let before: u64 = objects().out.trim().parse().unwrap();
    assert_eq!(export(&world, &["--git", "web", "--branch", "fix"]).code, 0);
    let made = objects().out.trim().parse::<u64>().unwrap() - before;
    // Files, the directories that they are in, the top and the commit.
    assert!(made <= 100 + 10 + 2, "{made} objects");
}
