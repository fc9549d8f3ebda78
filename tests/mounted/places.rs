//! Where a session can be mounted: places with strange names, and places that are refused on purpose.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use aether::fuse::MountTable;

use crate::fixture::skipped;
use crate::workspace::Workspace;

/// A workspace with a source of `origin` and the session `session` on it.
struct Places(Workspace);

fn places() -> Option<Places> {
    if skipped() {
        return None;
    }
    let workspace = Workspace::new();
    let origin = workspace.path("origin");
    fs::create_dir_all(origin.join("sub")).unwrap();
    fs::write(origin.join("file"), "of the source").unwrap();
    workspace.session_on(&origin);
    Some(Places(workspace))
}

impl Places {
    /// `aether session mount session PLACE…`, run in the directory to work in.
    fn mount(&self, args: &[&OsStr]) -> Output {
        let first = [OsStr::new("session"), "mount".as_ref(), "session".as_ref()];
        self.0.command(&[&first[..], args].concat()).current_dir(self.0.path("")).output().unwrap()
    }

    fn unmount(&self) {
        self.0.aether(&["session", "unmount", "session"]);
    }

    fn refused(&self, place: &OsStr, code: i32, words: &str) {
        let output = self.mount(&[place]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{place:?}: {said}");
        assert!(said.contains(words), "{place:?}: {said}");
        let table = MountTable::read().unwrap();
        assert!(table.at(&self.0.path("").join(place)).is_none_or(|entry| !entry.is_ours()), "{place:?}");
    }
}

fn is_mounted(path: &Path) -> bool {
    MountTable::read().unwrap().at(path).is_some()
}

#[test]
fn a_mount_point_may_have_any_name() {
    let Some(places) = places() else { return };
    let long = [b'x'; 255];
    let names: [&[u8]; 8] = [
        b"a,b=c",
        b"with space and\ttab",
        b"two\nlines",
        b"back\\slash\\040",
        b"\xff\xfe no text",
        "größe".as_bytes(),
        b"-o suid",
        &long,
    ];
    for name in names {
        // A name that begins with a dash is told from an option by the dot before it.
        let given = Path::new(".").join(OsStr::from_bytes(name));
        let output = places.mount(&[given.as_os_str()]);
        assert!(output.status.success(), "{}: {output:?}", name.escape_ascii());
        let at = places.0.path("").canonicalize().unwrap().join(OsStr::from_bytes(name));
        assert_eq!(fs::read(at.join("file")).unwrap(), b"of the source");
        let table = MountTable::read().unwrap();
        let entry = table.at(&at).unwrap();
        assert!(entry.is_ours() && entry.options.contains("nosuid,nodev"), "{entry:?}");
        // It is found by its place, from within and from without.
        let shown = places.0.command(&["session".as_ref(), "show".as_ref(), "-q".as_ref()]);
        let shown = { shown }.current_dir(&at).output().unwrap();
        assert!(shown.status.success(), "{}: {shown:?}", name.escape_ascii());
        places.0.aether(&[OsStr::new("session"), "unmount".as_ref(), at.as_os_str()]);
        assert!(!is_mounted(&at) && !at.exists(), "{}", name.escape_ascii());
    }
}

#[test]
fn links_and_relative_paths_are_resolved() {
    let Some(places) = places() else { return };
    let real = places.0.path("real");
    fs::create_dir(&real).unwrap();
    symlink("real", places.0.path("link")).unwrap();
    symlink("nowhere", places.0.path("dangling")).unwrap();
    for given in ["link", "./real/", "real/../link/.", "origin/../real"] {
        assert!(places.mount(&[OsStr::new(given)]).status.success(), "{given}");
        assert!(is_mounted(&real), "{given}");
        places.unmount();
    }
    let inside = places.0.command(&["session", "mount", "session", "."].map(OsStr::new)).current_dir(&real).output();
    assert!(inside.unwrap().status.success() && is_mounted(&real));
    places.unmount();
    places.refused(OsStr::new("dangling"), 3, "does not exist");
    places.refused(OsStr::new("no/such"), 3, "does not exist");
}

#[test]
fn places_that_would_hide_something_are_refused() {
    let Some(places) = places() else { return };
    let (data, run) = (places.0.path("../data"), places.0.path("../run"));
    places.refused(OsStr::new("origin/file"), 1, "is not a directory");
    places.refused(OsStr::new("origin"), 6, "is not empty");
    places.refused(data.as_os_str(), 1, "data directory");
    places.refused(data.join("sessions").as_os_str(), 1, "data directory");
    places.refused(data.join("new").as_os_str(), 1, "data directory");
    places.refused(OsStr::new(".."), 1, "data directory");
    places.refused(OsStr::new("/"), 1, "data directory");
    // Not even where content may be covered: the mount process would never be found again.
    for hiding in [run.clone(), run.join("aether")] {
        let output = places.mount(&[hiding.as_os_str(), "--cover".as_ref()]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("runtime directory"), "{output:?}");
    }
    let records = fs::read_dir(run.join("aether")).unwrap().map(|entry| entry.unwrap().file_name());
    let is_lock = |name: &str| name == "lock" || name.starts_with("mounting-") && name.ends_with(".lock");
    let left = records.map(|name| name.into_string().unwrap()).find(|name| !is_lock(name) && name != "mnt");
    assert_eq!(left, None, "nothing was left behind");
}

#[test]
fn a_mount_in_a_mount_of_ours_is_refused() {
    let Some(places) = places() else { return };
    places.0.aether(&["session", "create", "other", "--source", "base"]);
    let point = places.0.path("point");
    assert!(places.mount(&[point.as_os_str()]).status.success());
    for inside in ["point", "point/sub", "point/new"] {
        let args = ["session", "mount", "other", inside].map(OsStr::new);
        let output = places.0.command(&args).current_dir(places.0.path("")).output().unwrap();
        assert!(!output.status.success(), "{inside}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("mount"), "{inside}: {said}");
    }
    assert!(!point.join("new").exists());
    let again = places.mount(&[OsStr::new("elsewhere")]);
    assert_eq!(again.status.code(), Some(6), "{again:?}");
    assert!(!places.0.path("elsewhere").exists());
}

#[test]
fn a_mount_over_the_origin_hides_it_from_programs_and_from_a_refresh() {
    let Some(places) = places() else { return };
    let origin = places.0.path("origin");
    assert!(places.mount(&[origin.as_os_str(), "--cover".as_ref()]).status.success());
    fs::write(origin.join("file"), "of the session").unwrap();
    let refresh = places.0.command(&["source", "refresh", "base"].map(OsStr::new)).output().unwrap();
    assert_eq!(refresh.status.code(), Some(6), "{refresh:?}");
    assert!(String::from_utf8_lossy(&refresh.stderr).contains("covered by a mount"), "{refresh:?}");
    places.unmount();
    assert_eq!(fs::read(origin.join("file")).unwrap(), b"of the source");
    let refresh = places.0.aether(&["source", "refresh", "base", "--json"]);
    assert!(String::from_utf8_lossy(&refresh.stdout).contains(r#""number":1,"#), "{refresh:?}");
}

#[test]
fn a_mount_inside_of_the_origin_is_left_out_of_a_refresh() {
    let Some(places) = places() else { return };
    let sub = places.0.path("origin/sub");
    assert!(places.mount(&[sub.as_os_str()]).status.success());
    assert_eq!(fs::read(sub.join("file")).unwrap(), b"of the source");
    let refresh = places.0.aether(&["source", "refresh", "base"]);
    let said = String::from_utf8_lossy(&refresh.stderr).into_owned();
    assert!(said.contains("`sub`: a session is mounted there"), "{said}");
    places.unmount();
    assert_eq!(fs::read_dir(&sub).unwrap().count(), 0);
}

#[test]
fn a_working_directory_that_is_gone_is_named() {
    let Some(places) = places() else { return };
    let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" session mount session \"$@\"";
    let run = |args: &[&OsStr]| {
        let inner = places.0.command(args);
        let mut outer = places.0.shell(script);
        outer.arg(inner.get_program()).args(inner.get_args()).current_dir(places.0.path("")).output().unwrap()
    };
    for relative in [".", "x"] {
        let output = run(&[OsStr::new(relative)]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("working directory, which is gone"), "{output:?}");
    }
    let point = places.0.path("point");
    assert!(run(&[point.as_os_str()]).status.success());
    assert!(is_mounted(&point));
}
