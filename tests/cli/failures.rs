//! How failures are told, and with which exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::World;

#[test]
fn an_error_is_one_sentence_and_a_hint() {
    let world = World::new();
    let ended = world.run(["session", "show", "nope"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    let lines: Vec<_> = ended.err.lines().collect();
    assert_eq!(lines[0], "error: there is no session `nope`");
    assert!(lines[1].starts_with("hint: `aether session list`"), "{ended:?}");
}

#[test]
fn with_json_an_error_is_an_object_too() {
    let world = World::new();
    for (args, code, word) in [
        (&["session", "show", "nope"][..], 3, "not-found"),
        (&["session", "create"], 2, "usage"),
        (&["session", "create", "a b", "--empty"], 2, "bad-name"),
        (&["no-such-command"], 2, "usage"),
    ] {
        let ended = world.run(args.iter().chain(&["--json"]));
        let error: Value = serde_json::from_str(&ended.err).unwrap();
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!((&error["code"], &error["exit_code"]), (&word.into(), &code.into()), "{ended:?}");
        assert!(!error["error"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_catalog_from_the_future_is_refused_with_a_hint() {
    let world = World::with_web();
    let catalog = rusqlite::Connection::open(world.data().join("catalog.db")).unwrap();
    // Left in the log: in the file itself it would need a checksum.
    catalog.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    catalog.pragma_update(None, "user_version", 9999).unwrap();
    drop(catalog);
    for args in [&["session", "list"][..], &["session", "create", "--empty"]] {
        let ended = world.run(args);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains("newer version") && ended.err.contains("hint:"), "{ended:?}");
    }
    let doctor = world.run(["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("9999"), "{doctor:?}");
}

#[test]
fn a_damaged_catalog_is_told_apart() {
    let world = World::new();
    fs::create_dir(world.data()).unwrap();
    fs::write(world.data().join("catalog.db"), vec![7; 8192]).unwrap();
    let ended = world.run(["session", "list"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.err.contains("catalog.db"), "{ended:?}");
}

#[test]
fn the_data_directory_is_private_whatever_the_umask() {
    let world = World::new();
    let script = "umask 0; aether session create --empty && aether source create e --empty";
    let ended = super::end(world.command("sh").args(["-c", script]));
    assert_eq!(ended.code, 0, "{ended:?}");
    let mut dirs = vec![world.data()];
    let mut seen = 0;
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let (path, meta) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
            assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", path.display());
            seen += 1;
            if meta.is_dir() {
                dirs.push(path);
            }
        }
    }
    assert!(seen > 3);
    assert_eq!(fs::metadata(world.data()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn doctor_warns_of_a_data_directory_that_others_can_read() {
    let world = World::new();
    fs::create_dir(world.data()).unwrap();
    fs::set_permissions(world.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let ended = world.run(["doctor", "--json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = lines.iter().find(|line| line["check"] == "data-permissions").unwrap();
    assert_eq!(found["level"], "failed");
    assert!(found["remedy"].as_str().unwrap().starts_with("`chmod 700"), "{found}");
    assert!(!world.data().join("catalog.db").exists(), "doctor creates nothing");
}
