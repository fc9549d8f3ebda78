//! What people do with git all day, in a session and in a plain directory: the same commands, the same outcome, down to the
//! hashes of the commits.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::fixture::skipped;
use crate::real_tools::sh;
use crate::workspace::Workspace;

/// Hooks in the work tree, as husky has them. The first one does as pre-commit does: what is not staged is put away while
/// the hook looks, and comes back.
const HOOKS: &str = r#"
mkdir .husky
cat >.husky/pre-commit <<'END'
#!/bin/sh
git=$(git rev-parse --git-dir)
git diff --binary >"$git/unstaged"
git checkout -q -- .
! grep -q FORBIDDEN *.txt; ok=$?
if [ -s "$git/unstaged" ]; then git apply "$git/unstaged"; fi
echo "pre-commit $ok" >>"$git/hooks-ran"
exit $ok
END
cat >.husky/commit-msg <<'END'
#!/bin/sh
echo 'Checked: yes' >>"$1"
END
chmod +x .husky/*
git config core.hooksPath .husky
git add .husky
git commit -qm hooks
echo FORBIDDEN >>a.txt
git add a.txt
if git commit -qm refused; then exit 1; fi
git reset -q --hard
echo staged >>a.txt
git add a.txt
echo FORBIDDEN >>b.txt
git commit -qm 'only what is staged'
git status --porcelain
git checkout -q b.txt
cat .git/hooks-ran
"#;

/// Each commit of the branch conflicts; then the commits are put in another order, one of them into another.
const REBASE: &str = r#"
git checkout -q -b topic
for i in 1 2 3; do sed -i "1s/.*/topic $i/" a.txt; echo "$i" >"new-$i.txt"; git add .; git commit -qm "topic $i"; done
git checkout -q main
sed -i '1s/.*/main/' a.txt
git mv b.txt moved.txt
git commit -qam main
git checkout -q topic
if git rebase -q main 2>/dev/null; then exit 1; fi
for i in 1 2 3; do
    git status --porcelain
    sed -i '/^[<=>]\{7\}/d' a.txt
    git add a.txt
    GIT_EDITOR=true git rebase --continue >/dev/null 2>&1 || :
done
GIT_SEQUENCE_EDITOR="sed -i -e '2s/^pick/fixup/' -e '3s/^pick/reword/'" GIT_EDITOR="sed -i '1s/.*/said anew/'" \
    git rebase -q -i main 2>/dev/null
git log --format='%H %s' --name-status main..topic
cat a.txt
"#;

const WORKTREE_AND_STASH: &str = r#"
git worktree add -q trees/side main
( cd trees/side; echo side >side.txt; git add .; git commit -qm side; git status --porcelain )
git worktree list --porcelain | grep -c ^worktree
if git worktree remove nowhere 2>/dev/null; then exit 1; fi
git worktree remove trees/side
git worktree prune
echo more >>a.txt; echo loose >loose.txt; echo both >>moved.txt; git add moved.txt
git stash push -q -u
git status --porcelain
git stash pop -q --index
git status --porcelain
git stash push -q -u
git stash branch tried >/dev/null
git status --porcelain
git add .; git commit -qm stashed
git stash list
"#;

const BISECT_AND_GC: &str = r#"
for i in 1 2 3 4 5 6 7; do
    if [ $i = 4 ]; then echo bug >>moved.txt; fi
    echo $i >>count.txt; git add .; git commit -qm "step $i"
done
git bisect start HEAD HEAD~7 >/dev/null 2>&1
git bisect run sh -c '! grep -q bug moved.txt' >/dev/null 2>&1
git log -1 --format=%s refs/bisect/bad
git bisect reset >/dev/null 2>&1
git repack -q -a -d
git gc -q --prune=now
git fsck --strict
git log --all --format='%H %P %s' | sort
git ls-files -s
git status --porcelain
find . -path ./.git -prune -o -type f -print | sort | xargs sha1sum
"#;

/// Commits are made at the same moment everywhere.
fn work(dir: &Path, script: &str) -> String {
    let when = "export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'";
    sh(dir, &format!("{when}\n{script}"))
}

#[test]
fn a_day_with_git_ends_in_a_session_as_it_does_in_a_directory() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let (origin, plain) = (workspace.path("origin"), workspace.path("plain"));
    fs::create_dir(&origin).unwrap();
    let begin = "git init -q -b main; for n in a b; do seq 1 12 | sed \"s/^/$n /\" >$n.txt; done; git add .";
    work(&origin, &format!("{begin}; git commit -qm first"));
    sh(workspace.path("").as_path(), "cp -a origin plain");
    workspace.session_on(&origin);
    let mount = workspace.mount();
    for script in [HOOKS, REBASE, WORKTREE_AND_STASH, BISECT_AND_GC] {
        let (here, there) = (work(mount.root(), script), work(&plain, script));
        assert_eq!(here, there, "{script}");
        assert!(here.lines().count() > 3, "{here}");
    }
    mount.end();
    let mount = workspace.mount();
    assert_eq!(work(mount.root(), "git fsck --strict; git status --porcelain"), "");
    assert_eq!(work(mount.root(), "git log --format=%H"), work(&plain, "git log --format=%H"));
    mount.end();
    assert_eq!(work(&origin, "git log --all --format=%s; git status --porcelain"), "first\n");
}

#[test]
fn a_fork_taken_while_git_adds_holds_every_object_that_its_index_names() {
    if skipped() {
        return;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir(&origin).unwrap();
    work(&origin, "git init -q -b main; echo first >first.txt; git add .; git commit -qm first");
    workspace.session_on(&origin);
    let mount = workspace.mount();
    let (added, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut forks = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1.. {
                let files = "for n in 1 2 3 4 5 6 7 8; do seq $round 9 999 | sed s/^/$n/ >$round-$n.txt; done";
                work(mount.root(), &format!("round={round}; {files}; git add -A"));
                added.store(round, Ordering::Release);
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for round in 0..8 {
            // It meets the adding in another place each time.
            std::thread::sleep(Duration::from_millis(100 + 7 * round));
            let (name, before) = (format!("fork-{round}"), added.load(Ordering::Acquire));
            match round % 2 {
                0 => drop(workspace.aether(&["session", "fork", "session", &name])),
                _ => {
                    workspace.aether(&["checkpoint", "create", "session", "--name", &name]);
                    workspace.aether(&["session", "fork", "session", &name, "--from", &name]);
                }
            }
            forks.push((name, before));
        }
        ended.store(true, Ordering::Relaxed);
    });
    mount.end();
    assert!(forks.last().unwrap().1 > 2, "{forks:?}");
    for (name, before) in forks {
        let point = workspace.path(&name);
        workspace.aether(&["mount", &name, point.to_str().unwrap()]);
        // Where git was at it, it left what it leaves when it is killed.
        work(&point, "rm -f .git/index.lock; git fsck --strict --no-dangling; git status --porcelain >/dev/null");
        let listed = work(&point, "git ls-files");
        let whole = (1..=before).filter(|round| (1..=8).all(|n| listed.contains(&format!("{round}-{n}.txt"))));
        assert_eq!(whole.count(), before, "{name}: what was added before it began is in it");
        // What the index has is what the files had; the fork goes on where git was.
        work(&point, "git checkout-index -f -a; git add -A; git commit -qm all; git fsck --strict");
        workspace.aether(&["unmount", &name]);
    }
}
