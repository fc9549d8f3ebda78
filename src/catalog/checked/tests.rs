//! Catalogs whose bytes changed on the disk: what is read is what was written, or an error that says so.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::catalog::*;

const FILES: [&str; 3] = ["catalog.db", "catalog.db-wal", "catalog.proof"];

fn act(seed: u8) -> Act {
    Act { actor: "ann".into(), command: "test".into(), now_ns: i64::from(seed), seed: [seed; 32] }
}

fn add(catalog: &mut Catalog, seed: u8) {
    let name = format!("s{seed}");
    catalog.write::<_, Error>(&act(seed), |tx| tx.create_session(&name, &Base::default(), None)).unwrap();
}

/// A catalog with pages in its file and changes in its log, and nobody who has it open.
fn written() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let mut catalog = Catalog::open(&data).unwrap();
    (0..30).for_each(|seed| add(&mut catalog, seed));
    fold(&catalog);
    (30..36).for_each(|seed| add(&mut catalog, seed));
    (dir, data)
}

fn fold(catalog: &Catalog) {
    let busy: i64 = catalog.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
}

/// All that the catalog says.
fn everything(catalog: &Catalog) -> Result<Vec<String>, Error> {
    let view = catalog.view();
    let names: Vec<String> =
        view.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", [], |row| row.get(0))?;
    let mut all = Vec::new();
    for name in names {
        all.extend(view.rows(&format!("SELECT * FROM {name}"), [], |row| {
            let columns = row.as_ref().column_count();
            (0..columns).map(|at| Ok(format!("{:?}", row.get_ref(at)?))).collect::<rusqlite::Result<String>>()
        })?);
    }
    Ok(all)
}

fn read_all(data: &Path) -> Result<Vec<String>, Error> {
    everything(&Catalog::open(data)?)
}

fn copy(from: &Path) -> TempDir {
    let dir = TempDir::new().unwrap();
    for name in FILES {
        fs::copy(from.join(name), dir.path().join(name)).unwrap();
    }
    dir
}

fn flip(path: &Path, at: u64, bit: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, at).unwrap();
}

fn is_told(error: &Error) -> bool {
    matches!(error, Error::Damaged { .. } | Error::Lost { .. } | Error::Foreign { .. })
}

/// Flips one bit here and there; returns how often that was told, and how often it hit nothing.
fn flip_here_and_there(name: &str, step: u64) -> (usize, usize) {
    let (_dir, data) = written();
    let want = read_all(&data).unwrap();
    let len = fs::metadata(data.join(name)).unwrap().len();
    let (mut told, mut harmless) = (0, 0);
    for at in (0..len.min(120)).chain((120..len).step_by(step as usize)) {
        let harmed = copy(&data);
        flip(&harmed.path().join(name), at, at / step);
        match read_all(harmed.path()) {
            Ok(found) => {
                assert!(found == want, "{name}: a flipped bit at {at} is believed");
                harmless += 1;
            }
            Err(error) => {
                assert!(is_told(&error), "{name}: {at}: {error:?}");
                told += 1;
            }
        }
    }
    (told, harmless)
}

#[test]
fn a_flipped_bit_in_a_page_is_never_believed() {
    let (told, harmless) = flip_here_and_there("catalog.db", 797);
    assert!(told > 100 && harmless > 0, "{told} {harmless}");
}

#[test]
fn a_flipped_bit_in_the_log_does_not_lose_changes_in_silence() {
    let (told, _) = flip_here_and_there("catalog.db-wal", 797);
    assert!(told > 100, "{told}");
}

#[test]
fn a_flipped_bit_in_the_proof_is_no_harm() {
    let (told, harmless) = flip_here_and_there("catalog.proof", 1);
    assert!(told == 0 && harmless > 20, "{told} {harmless}");
}

#[test]
fn the_log_is_checked_for_those_who_have_it_open_too() {
    let (_dir, data) = written();
    let first = Catalog::open(&data).unwrap();
    let want = everything(&first).unwrap();
    let wal = data.join("catalog.db-wal");
    let len = fs::metadata(&wal).unwrap().len();
    let mut told = 0;
    for at in (32..len).step_by(797) {
        flip(&wal, at, at);
        // The first connection keeps SQLite from reading the log anew.
        match read_all(&data) {
            Ok(found) => assert!(found == want, "a flipped bit at {at} is believed"),
            Err(error) => {
                assert!(is_told(&error), "{at}: {error:?}");
                told += 1;
            }
        }
        flip(&wal, at, at);
    }
    assert!(told > 20, "{told}");
}

#[test]
fn a_log_that_is_cut_off_or_gone_is_told() {
    let (_dir, data) = written();
    let len = fs::metadata(data.join("catalog.db-wal")).unwrap().len();
    for cut in [0, 10, 32, len / 3, len / 2] {
        let harmed = copy(&data);
        fs::File::options().write(true).open(harmed.path().join("catalog.db-wal")).unwrap().set_len(cut).unwrap();
        let result = Catalog::open(harmed.path());
        assert!(matches!(result, Err(Error::Lost { proven: 36, .. })), "{cut}: {result:?}");
    }
    let harmed = copy(&data);
    fs::remove_file(harmed.path().join("catalog.db-wal")).unwrap();
    assert!(matches!(Catalog::open(harmed.path()), Err(Error::Lost { found: 30, proven: 36, .. })));
    // Who takes what is left says so.
    fs::remove_file(harmed.path().join("catalog.proof")).unwrap();
    assert_eq!(Catalog::open(harmed.path()).unwrap().view().sessions().unwrap().len(), 30);
}

/// What a shell does that opens the catalog: SQLite as it is.
fn with_another_program(data: &Path, sql: &str) {
    let plain = Connection::open(file_in(data)).unwrap();
    plain.query_row("SELECT count(*) FROM session", [], |_| Ok(())).unwrap();
    plain.execute_batch(sql).unwrap();
    plain.close().unwrap();
    assert!(!data.join("catalog.db-wal").exists(), "it folds the log");
}

#[test]
fn another_program_may_look_into_the_catalog() {
    let (_dir, data) = written();
    let want = read_all(&data).unwrap();
    for round in 0..3u8 {
        with_another_program(&data, "");
        assert_eq!(read_all(&data).unwrap().len(), want.len());
        let mut catalog = Catalog::open(&data).unwrap();
        assert_eq!(catalog.problems().unwrap(), Vec::<String>::new());
        catalog.write::<_, Error>(&act(90 + round), |_| Ok(())).unwrap();
    }
}

#[test]
fn a_version_of_the_future_is_left_as_it_is_and_can_be_taken_back() {
    let (_dir, data) = written();
    let want = read_all(&data).unwrap();
    let version: i64 =
        Catalog::open(&data).unwrap().connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    with_another_program(&data, "PRAGMA user_version = 9999");
    let before = fs::read(file_in(&data)).unwrap();
    for _ in 0..2 {
        assert!(matches!(Catalog::open(&data), Err(Error::Future { .. })), "{:?}", Catalog::open(&data));
    }
    assert!(fs::read(file_in(&data)).unwrap() == before, "nothing is written");
    with_another_program(&data, &format!("PRAGMA user_version = {version}"));
    assert_eq!(read_all(&data).unwrap(), want);
}

#[test]
fn a_catalog_that_another_program_broke_is_damaged() {
    let (_dir, data) = written();
    with_another_program(&data, "");
    let page = {
        let plain = Connection::open(file_in(&data)).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'session_name'";
        plain.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap()
    };
    let file = fs::File::options().write(true).open(file_in(&data)).unwrap();
    file.write_all_at(&[0; 64], (page - 1) * 4096).unwrap();
    assert!(matches!(Catalog::open(&data), Err(Error::Damaged { .. })));
}

#[test]
fn a_catalog_that_is_gone_is_not_begun_anew() {
    let (_dir, data) = written();
    fs::remove_file(data.join("catalog.db")).unwrap();
    assert!(matches!(Catalog::open(&data), Err(Error::Lost { found: 0, proven: 36, .. })));
}

#[test]
fn every_page_of_a_catalog_has_its_checksum() {
    let dir = TempDir::new().unwrap();
    let mut catalog = Catalog::open(dir.path()).unwrap();
    let bytes = fs::read(file_in(dir.path())).unwrap();
    let check = |bytes: &[u8]| {
        for (at, page) in bytes.chunks(checked::PAGE_BYTES).enumerate() {
            let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&page[..4088], at as u64 * 4096);
            assert_eq!(page[4088..], sum.to_le_bytes(), "page {at} of {}", bytes.len() / 4096);
        }
    };
    check(&bytes);
    (0..60).for_each(|seed| add(&mut catalog, seed));
    fold(&catalog);
    check(&fs::read(file_in(dir.path())).unwrap());
    assert_eq!(catalog.problems().unwrap(), Vec::<String>::new());
}

#[test]
fn a_large_transaction_reads_what_it_wrote_whatever_of_it_is_in_the_log() {
    let (_dir, data) = written();
    let mut catalog = Catalog::open(&data).unwrap();
    // Pages leave memory for the log before the transaction ends, and are changed there.
    catalog.connection.pragma_update(None, "cache_size", 10).unwrap();
    let count = 400;
    catalog
        .write::<_, Error>(&act(99), |tx| {
            let mut ids = Vec::new();
            for number in 0..count {
                ids.push(tx.create_session(&format!("many-{number}"), &Base::default(), None)?);
            }
            for id in &ids {
                tx.set_tag(id, "key", &"v".repeat(300))?;
            }
            assert_eq!(tx.view().sessions()?.len(), 36 + count);
            Ok(())
        })
        .unwrap();
    assert_eq!(read_all(&data).unwrap(), everything(&catalog).unwrap());
    assert_eq!(catalog.problems().unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_damaged_is_a_problem_and_no_failure_of_the_check() {
    let (_dir, data) = written();
    let catalog = Catalog::open(&data).unwrap();
    fold(&catalog);
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'session_name'";
    let page: u64 = catalog.connection.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(catalog);
    flip(&file_in(&data), page * 4096 - 1000, 3);
    let problems = Catalog::open_existing(&data).unwrap().unwrap().problems().unwrap();
    assert!(!problems.is_empty());
}

#[test]
fn a_catalog_without_checksums_gets_them_and_keeps_what_it_holds() {
    let dir = TempDir::new().unwrap();
    let path = file_in(dir.path());
    // As an older version made it: by SQLite alone, with the last changes in the log.
    let mut plain = Connection::open(&path).unwrap();
    plain.pragma_update(None, "application_id", open::APPLICATION_ID).unwrap();
    undo::functions::register(&plain).unwrap();
    migrate::run(&path, &mut plain).unwrap();
    plain.pragma_update(None, "journal_mode", "wal").unwrap();
    let mut old = Catalog::over(path.clone(), plain);
    (0..30).for_each(|seed| add(&mut old, seed));
    let want = everything(&old).unwrap();
    old.connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    drop(old);
    assert_eq!(fs::read(&path).unwrap()[checked::RESERVED_AT], 0);
    assert_eq!(read_all(dir.path()).unwrap(), want);
    assert_eq!(fs::read(&path).unwrap()[checked::RESERVED_AT], checked::RESERVED_BYTES);
    let mut catalog = Catalog::open(dir.path()).unwrap();
    add(&mut catalog, 77);
    assert_eq!(catalog.problems().unwrap(), Vec::<String>::new());
}
