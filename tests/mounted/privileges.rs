//! Permissions, set-uid and set-gid bits, sticky directories and privileged attributes: what real users may do, and what
//! is left afterwards, is the same in a mount as on the plain disk, in directories of the source as in new ones.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::fixture::{needs_root, skipped};
use crate::users::NOBODY;
use crate::workspace::Workspace;

/// Another ordinary user and group, that need no name.
const OTHER: u32 = 65_533;

/// What root prepares in a directory. `u` is the user, `o` another one.
const PREPARE: &str = r#"
umask 022
for kind in write append truncate punch chgrp chown chmod link root map; do
  for mode in 4755 2755 6777 2745 6666 1777; do
    echo "some text that is long enough" >$kind-$mode; chown $u:$u $kind-$mode; chmod $mode $kind-$mode
  done
done
for mode in 4755 6777 2745; do
  for kind in written truncated punched; do
    echo "some text that is long enough" >o-$kind-$mode; chown $o:$o o-$kind-$mode; chmod $mode o-$kind-$mode
    chmod o+w o-$kind-$mode
  done
done
mkdir sgid sgid-other sticky sticky-own closed search read-only
chown $u:$u sgid; chmod 2775 sgid
chown $u:$o sgid-other; chmod 2777 sgid-other
chmod 1777 sticky; chown $u:$u sticky-own; chmod 1777 sticky-own
for dir in sticky sticky-own; do
  echo mine >$dir/mine; chown $u:$u $dir/mine; echo theirs >$dir/theirs; chown $o:$o $dir/theirs; chmod 666 $dir/theirs
  mkdir $dir/their-dir; chown $o:$o $dir/their-dir
done
echo x >closed/x; chmod 700 closed; echo x >search/x; chmod 711 search; echo x >read-only/x; chmod 744 read-only
echo theirs >theirs; chown $o:$o theirs; chmod 646 theirs
echo hidden >hidden; chown $o:$o hidden; chmod 600 hidden
cp /bin/true run; chmod 711 run; cp /bin/true not-run; chmod 644 not-run
"#;

/// What the user does, a line each. The exit code and the state of the file named last are compared.
const BY_THE_USER: &str = r"
echo more >$f|write-4755 write-2755 write-6777 write-2745 write-6666 write-1777
echo more >>$f|append-4755 append-2755 append-6777 append-2745 append-6666
truncate -s 3 $f|truncate-4755 truncate-2755 truncate-6777 truncate-2745 truncate-6666
fallocate -p -o 0 -l 4096 $f|punch-4755 punch-6777 punch-2745
dd status=none if=/dev/zero of=$f bs=1 count=1 conv=notrunc|o-written-4755 o-written-6777 o-written-2745
truncate -s 3 $f|o-truncated-4755 o-truncated-6777 o-truncated-2745
fallocate -p -o 0 -l 4096 $f|o-punched-4755 o-punched-6777 o-punched-2745
chgrp $u $f|chgrp-4755 chgrp-2755 chgrp-6777 chgrp-2745
chgrp $o $f|chgrp-4755 theirs
chown $o $f|chown-4755 theirs
chmod 6755 $f|chmod-4755 chmod-6777 theirs sgid sgid-other
chmod 2777 $f|sgid-other chmod-2745
umask 000; touch $f|sgid/file sgid-other/file sticky/new
umask 027; mkdir $f|sgid/dir sgid-other/dir sgid-other/dir/below
umask 000; python3 -c 'import os; os.close(os.open($f, os.O_CREAT | os.O_WRONLY, 0o6777))'|sgid/made sgid-other/made
ln -s x $f|sgid-other/symlink
mkfifo $f|sgid-other/fifo
mkdir -m 2755 $f|sgid-other/asked
rm -f $f|sticky/theirs sticky-own/theirs sticky/mine
rmdir $f|sticky/their-dir sticky-own/their-dir
mv $f $f-moved|sticky/mine sgid/file theirs
mv hidden sticky; ls $f|sticky
ln $f linked-$f|theirs write-4755 hidden
cat $f|hidden theirs closed/x search/x read-only/x
ls $f|closed search read-only sticky
stat -c %s $f|closed/x search/x read-only/x
echo x >$f|read-only/x search/new theirs hidden
rm -f $f|read-only/x closed/x theirs
./$f|run not-run
touch $f|theirs hidden
touch -d @981173106 $f; stat -c %Y $f | grep 981173106|theirs hidden write-4755
chmod 600 $f|theirs
mknod $f c 1 3|device
setfattr -n user.a -v 1 $f|theirs hidden write-4755 sticky sgid
setfattr -n trusted.a -v 1 $f|write-4755
setfattr -n security.a -v 1 $f|write-4755
getfattr --absolute-names -d -m - $f|theirs root-4755
getfattr -n trusted.set $f|root-4755
python3 -c 'import os; os.open($f, os.O_RDONLY | os.O_NOATIME)'|theirs root-4755
chroot . true; true $f|run
";

/// What root does afterwards.
const BY_ROOT: &str = r"
echo more >$f|root-6777 root-2755
truncate -s 1 $f|root-6777
chown $u:$u $f|root-4755 root-2745 sgid sticky
chown 0:0 $f|root-6666 root-6777
chown -h 0:0 $f|sgid-other/symlink
chmod u+s,g+s $f|root-6666
setcap cap_net_raw+ep $f; getcap $f|run
chown $u $f; getcap $f|run
";

/// Access control lists, prepared by root.
const PREPARE_ACLS: &str = r#"
umask 022
for name in read write masked denied chmod group plain removed; do echo $name >acl-$name; chmod 640 acl-$name; done
setfacl -m u:$u:r acl-read acl-chmod acl-removed
setfacl -m u:$u:rw acl-write
setfacl -m u:$u:rw,m::r acl-masked
chmod 666 acl-denied; setfacl -m u:$u:- acl-denied
setfacl -m g:$u:rw acl-group
mkdir acl-dir acl-default acl-minimal
setfacl -m u:$u:x acl-dir; echo x >acl-dir/x; chmod 644 acl-dir/x; chmod o= acl-dir
setfacl -m u:$u:rwx,d:u:$u:rwx,d:g:$o:rx,d:o:- acl-default
setfacl -m u:$u:rwx,d:u::rwx,d:g::r,d:o:- acl-minimal
"#;

/// What the user meets of them.
const ACLS_OF_THE_USER: &str = r"
cat $f|acl-read acl-write acl-masked acl-denied acl-group acl-plain acl-dir/x
echo x >>$f|acl-read acl-write acl-masked acl-denied acl-group
ls $f|acl-dir acl-default
setfacl -m u:$u:rwx $f|acl-read
umask 077; touch $f|acl-default/file acl-minimal/file
umask 077; mkdir $f|acl-default/dir acl-minimal/dir
umask 022; touch $f|acl-default/dir/file
umask 000; python3 -c 'import os; os.close(os.open($f, os.O_CREAT | os.O_WRONLY, 0o640))'|acl-default/made acl-minimal/made
ln -s x $f|acl-default/link
mkfifo -m 600 $f|acl-default/fifo
setfacl -m u:$o:r $f; getfacl -n $f|acl-default/file acl-default/dir
setfacl -b $f; getfacl -n $f|acl-default/made acl-minimal/made
";

/// And what root does with them.
const ACLS_OF_ROOT: &str = r"
getfacl -n $f|acl-read acl-masked acl-dir acl-default acl-default/dir acl-default/dir/file acl-minimal/dir acl-minimal/file
chmod 600 $f; getfacl -n $f|acl-chmod acl-plain acl-default
chmod 666 $f; getfacl -n $f|acl-chmod acl-plain
setfacl -b $f; getfacl -n $f|acl-removed acl-plain acl-default
setfacl -k $f; getfacl -n $f|acl-default acl-minimal acl-dir
setfacl -m u::r,g::r,o::r $f; getfacl -n $f|acl-plain acl-group
setfacl -m d:u:$u:r $f|acl-plain
cp -a $f copy; getfacl -n copy|acl-masked
setfattr -n system.posix_acl_access -v 0x0200 $f|acl-plain
";

/// Runs the lines of a script in a directory; returns, for each file of each line, the exit code and how the file is.
fn run(dir: &Path, script: &str, user: u32) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, files) in script.lines().filter_map(|line| line.rsplit_once('|')) {
        for file in files.split_whitespace() {
            let quoted = if what.contains("python3") { format!("'{file}'") } else { file.to_owned() };
            let what = what.replace("python3 -c '", "python3 -c \"").replace(")'", ")\"");
            let command = what.replace("$f", &quoted);
            let text = format!(
                "{command}\necho \"= $?\"\nstat -c '%A %u:%g %h' {file} 2>&1; test ! -f {file} || head -c 99 {file}"
            );
            let mut shell = Command::new("sh");
            shell.args(["-c", &text]).current_dir(dir).env("u", NOBODY.to_string()).env("o", OTHER.to_string());
            if user != 0 {
                shell.uid(user).gid(user);
            }
            let output = shell.env("LC_ALL", "C").output().unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            lines.push(format!("{command}: {}", said.replace('\n', "; ")));
        }
    }
    lines
}

fn prepare(dir: &Path) {
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", &[PREPARE, PREPARE_ACLS].concat()])
        .current_dir(dir)
        .env("u", NOBODY.to_string())
        .env("o", OTHER.to_string());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for name in ["root-4755", "theirs"] {
        for attribute in ["user.set", "trusted.set", "security.set"] {
            let value = &b"value"[..];
            rustix::fs::setxattr(dir.join(name), attribute, value, rustix::fs::XattrFlags::empty()).unwrap();
        }
    }
}

/// Does the same in both, and fails with the first line that differs.
fn same(plain: &Path, mounted: &Path) {
    for (script, user) in [(BY_THE_USER, NOBODY), (BY_ROOT, 0), (ACLS_OF_THE_USER, NOBODY), (ACLS_OF_ROOT, 0)] {
        let (want, got) = (run(plain, script, user), run(mounted, script, user));
        assert!(want.len() > 7 && want.len() == got.len());
        let differ: Vec<_> = want.iter().zip(&got).filter(|(want, got)| want != got).collect();
        assert!(differ.is_empty(), "{differ:#?}");
    }
}

/// A mount with everything that privileges could need, and a plain directory that is like its directory `of-the-source`.
fn with_both(test: impl FnOnce(&Path, &Path)) {
    if skipped() || needs_root() {
        return;
    }
    let workspace = Workspace::new();
    workspace.open_to_all();
    let origin = workspace.path("origin");
    fs::create_dir_all(origin.join("of-the-source")).unwrap();
    prepare(&origin.join("of-the-source"));
    workspace.session_on(&origin);
    let point = workspace.path("mount");
    workspace.aether(&["session", "mount", "session", point.to_str().unwrap(), "--allow-other", "-o", "suid,dev"]);
    test(&origin, &point);
    workspace.aether(&["session", "unmount", "session"]);
}

#[test]
fn files_of_the_source_keep_and_lose_their_privileges_as_on_a_disk() {
    with_both(|origin, point| same(&origin.join("of-the-source"), &point.join("of-the-source")));
}

#[test]
fn new_files_keep_and_lose_their_privileges_as_on_a_disk() {
    with_both(|origin, point| {
        for top in [origin, point] {
            fs::create_dir(top.join("new")).unwrap();
            prepare(&top.join("new"));
        }
        same(&origin.join("new"), &point.join("new"));
    });
}
