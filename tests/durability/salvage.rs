//! A session whose journal is damaged in its middle comes back: what was before, what can be read behind it, and a
//! list of what is lost. Nothing is deleted.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::World;

fn content(number: usize) -> String {
    format!("{number} ").repeat(1 + number * 331 % 4000)
}

/// A world with the session `one`, in which files `new-0` to `new-39` were made one after the other.
fn written() -> Option<World> {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|value| value == "skip") {
        return None;
    }
    let world = World::new();
    fs::create_dir_all(world.path("src/dir")).unwrap();
    fs::write(world.path("src/dir/old"), "old").unwrap();
    world.ok(["source", "create", "web", "src"]);
    world.ok(["session", "create", "one", "--source", "web"]);
    let at = mount(&world, "one");
    for number in 0..40 {
        let dir = if number % 2 == 0 { at.clone() } else { at.join("dir") };
        fs::write(dir.join(format!("new-{number}")), content(number)).unwrap();
        if number % 5 == 0 {
            fs::File::open(dir.join(format!("new-{number}"))).unwrap().sync_all().unwrap();
        }
        if number == 30 {
            fs::write(at.join("dir/old"), "changed behind the damage").unwrap();
        }
    }
    world.ok(["session", "unmount", "one"]);
    Some(world)
}

fn mount(world: &World, session: &str) -> PathBuf {
    PathBuf::from(world.ok(["session", "mount", session]).trim_end())
}

fn delta(world: &World) -> PathBuf {
    let session = fs::read_dir(world.data().join("sessions")).unwrap().next().unwrap().unwrap().path();
    session.join("delta")
}

fn files(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// Flips a bit in the first place where the journal has this text. Returns that place.
fn damage(world: &World, text: &str) -> usize {
    let log = delta(world).join("log.1");
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    bytes[at] ^= 0x20;
    fs::write(&log, bytes).unwrap();
    at
}

#[test]
fn a_session_with_a_damaged_journal_comes_back_and_nothing_is_deleted() {
    let Some(world) = written() else { return };
    let at = damage(&world, "new-17");
    let refused = world.run(["session", "mount", "one"]);
    assert!(refused.code == 7 && refused.err.contains("hint: `aether session recover"), "{refused:?}");
    let before = files(&delta(&world));

    let planned: Value = serde_json::from_str(&world.ok(["session", "recover", "one", "--dry-run", "--json"])).unwrap();
    assert_eq!(planned["dry_run"], true);
    assert_eq!(files(&delta(&world)), before);
    assert!(!world.data().join("damaged").exists());

    let done: Value = serde_json::from_str(&world.ok(["session", "recover", "one", "--json"])).unwrap();
    let gaps = done["lost"].as_array().unwrap();
    let byte = |name: &str| gaps[0][name].as_u64().unwrap() as usize;
    assert!(gaps.len() == 1 && byte("from_byte") <= at && at < byte("upto_byte"), "{done}");
    assert_eq!(gaps[0]["entries"], 1, "{done}");
    let kept = PathBuf::from(done["kept_in"].as_str().unwrap());
    assert!(kept.starts_with(world.data().join("damaged")));
    assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(files(&kept), before, "the damaged files are kept as they were");
    let rescued: Vec<&str> =
        done["rescued"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(rescued.len(), 22, "{rescued:?}");

    // The state before the damage, and nothing that came later.
    let at = mount(&world, "one");
    for number in 0..40 {
        let path =
            if number % 2 == 0 { at.join(format!("new-{number}")) } else { at.join(format!("dir/new-{number}")) };
        match number {
            0..17 => assert_eq!(fs::read_to_string(&path).unwrap(), content(number)),
            _ => assert!(!path.exists(), "{number}"),
        }
    }
    assert_eq!(fs::read_to_string(at.join("dir/old")).unwrap(), "old");
    fs::write(at.join("goes-on"), "it does").unwrap();
    world.ok(["session", "unmount", "one"]);

    // What was made behind it, in a checkpoint.
    let checkpoint = done["checkpoint"].as_str().unwrap();
    for path in rescued {
        let number: usize = path.rsplit_once('-').unwrap().1.parse().unwrap();
        assert!(number > 17);
        assert_eq!(world.ok(["cat", &format!("{checkpoint}:{path}")]), content(number));
    }
    let listed = world.ok(["event", "list", "--type", "session.recover", "--json"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert_eq!(files(&kept), before);
    let again: Value = serde_json::from_str(&world.ok(["session", "recover", "one", "--json"])).unwrap();
    assert_eq!(again["damaged"], false);
    world.ok(["store", "verify", "--read-data"]);
}

#[test]
fn a_session_of_which_no_state_is_whole_becomes_its_base() {
    let Some(world) = written() else { return };
    fs::write(delta(&world).join("log.1"), b"nothing of what was there").unwrap();
    assert_eq!(world.run(["session", "mount", "one"]).code, 7);
    let done: Value = serde_json::from_str(&world.ok(["session", "recover", "one", "--json"])).unwrap();
    assert_eq!((&done["has_state"], &done["whole_entries"]), (&false.into(), &0.into()), "{done}");
    let at = mount(&world, "one");
    assert_eq!(fs::read_to_string(at.join("dir/old")).unwrap(), "old");
    assert!(!at.join("new-0").exists());
    world.ok(["session", "unmount", "one"]);
}

#[test]
fn files_whose_data_rotted_as_well_are_named_and_emptied() {
    let Some(world) = written() else { return };
    damage(&world, "new-17");
    // All data that is not in the journal itself.
    for (name, bytes) in files(&delta(&world)) {
        if name.to_string_lossy().starts_with("data.") {
            fs::write(delta(&world).join(name), vec![0xa5; bytes.len()]).unwrap();
        }
    }
    let done: Value = serde_json::from_str(&world.ok(["session", "recover", "one", "--json"])).unwrap();
    let emptied = done["emptied"].as_array().unwrap();
    assert!(!emptied.is_empty(), "{done}");
    let at = mount(&world, "one");
    for number in 0..17 {
        let path = if number % 2 == 0 { format!("new-{number}") } else { format!("dir/new-{number}") };
        let found = fs::read_to_string(at.join(&path)).unwrap();
        let is_emptied = emptied.iter().any(|file| file["path"] == path.as_str());
        assert_eq!(found, if is_emptied { String::new() } else { content(number) }, "{path}");
    }
    world.ok(["session", "unmount", "one"]);
}

#[test]
fn what_is_in_use_or_sound_is_left_alone() {
    let Some(world) = written() else { return };
    let said = world.ok(["session", "recover", "one"]);
    assert!(said.contains("not damaged"), "{said}");
    mount(&world, "one");
    let busy = world.run(["session", "recover", "one"]);
    assert!(busy.code == 6 && busy.err.contains("in use"), "{busy:?}");
    world.ok(["session", "unmount", "one"]);
    assert_eq!(world.run(["session", "recover", "no-such"]).code, 3);
}
