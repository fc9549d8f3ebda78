//! Labels: what the rows that name trees say, written down beside the packs, so that a catalog that was lost can be made
//! anew with its sources, revisions, sessions, checkpoints and commits under their names.
//!
//! Every transaction adds a line with the rows that it left otherwise than it found them, before it is committed, while
//! nobody else writes. So lines stand in the order of the transactions, and of two that speak of one row the later is
//! right. The file is not synced with each command, and a failure to write it is no failure of the command: the catalog knows
//! which transaction was the last to write labels, and if the last line is of another one, because of a power cut or a
//! command that was killed before it was committed, all are written anew. So they are when the file is mostly history, by
//! every collection and backup, and when something leaves the trash for good.
//!
//! ```text
//! objects/labels = header line*
//! header = "aether labels 1 " | length of what was written in one piece, header included: 16 hex digits | "\n"
//! line   = "\n" | XXH3-64 of the rest: 16 hex digits | " " | JSON | " " | number of the transaction: 16 hex digits | "\n"
//! JSON   = { "format": of the catalog, "rows": [[table, key, row or null, pins]…] }
//! ```
//!
//! A line begins with a line break of its own, so that a torn one costs itself alone; empty lines mean nothing. Values
//! in a row are written as undo writes them. `null` in place of a row: it is gone. `pins`: of a session, the trees that
//! its delta refers to besides its base.

mod restore;
mod row;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::TransactionBehavior;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::open::{io_error, sync};
use super::undo::Image;
use super::{Catalog, Error, View, migrate};

pub use restore::Restored;

/// The tables whose rows have labels, with the columns of their keys, owners before what they own.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    ("source", &["id"]),
    ("revision", &["source", "number"]),
    ("session", &["id"]),
    ("checkpoint", &["id"]),
    ("outcome", &["id"]),
    ("merge", &["session", "number"]),
    ("conflict", &["session", "merge", "path"]),
    ("tag", &["object_id", "key"]),
    ("policy", &["source"]),
];

const MAGIC: &str = "aether labels 1 ";
const HEADER_BYTES: usize = MAGIC.len() + 17;
/// The number at the end of a line, with what stands around it.
const TAIL_BYTES: usize = 18;

/// From this many bytes on, besides twice of what was written in one piece, the file is written anew.
const HISTORY_BYTES: u64 = 4 << 20;

/// So many rows stand in one line when all are written.
const ROWS_IN_LINE: usize = 64;

/// Names a row: its table, and its key as undo writes it.
pub(super) type RowName = (String, String);

/// A row as a label has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Labelled {
    /// `None`: it is gone.
    pub row: Option<Image>,
    /// Of a session, the trees that it refers to besides its base, in hexadecimal.
    pub pins: Vec<String>,
}

/// What a file of labels says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    rows: BTreeMap<RowName, Labelled>,
    /// Lines that are not as they were written, or that a later version wrote.
    pub damaged_lines: u64,
}

/// The file of labels in a data directory.
#[must_use]
pub fn labels_in(data_dir: &Path) -> PathBuf {
    data_dir.join("objects").join("labels")
}

fn file_of(catalog: &Path) -> PathBuf {
    labels_in(catalog.parent().unwrap_or(Path::new(".")))
}

impl Labels {
    /// Reads the labels of a data directory. Damaged lines are passed over, and counted.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(data_dir: &Path) -> Result<Self, Error> {
        let path = labels_in(data_dir);
        match fs::read(&path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(io_error(&path, error)),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut labels = Self::default();
        let mut lines = bytes.split(|byte| *byte == b'\n');
        labels.damaged_lines += u64::from(!lines.next().is_some_and(|header| header.starts_with(MAGIC.as_bytes())));
        for line in lines.filter(|line| !line.is_empty()) {
            match rows_of(line) {
                Some(rows) => labels.rows.extend(rows),
                None => labels.damaged_lines += 1,
            }
        }
        labels
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Whether the rows of a table have labels.
pub(super) fn has_labels(table: &str) -> bool {
    TABLES.iter().any(|(known, _)| *known == table)
}

fn rows_of(line: &[u8]) -> Option<Vec<(RowName, Labelled)>> {
    let (sum, rest) = line.split_at_checked(17)?;
    let sum = std::str::from_utf8(sum.strip_suffix(b" ")?).ok()?;
    if u64::from_str_radix(sum, 16).ok()? != xxh3_64(rest) {
        return None;
    }
    let value: Value = serde_json::from_slice(rest.get(..rest.len().checked_sub(TAIL_BYTES - 1)?)?).ok()?;
    let row = |row: &Value| {
        let (table, key) = (row.get(0)?.as_str()?, row.get(1)?.to_string());
        let image = match row.get(2)? {
            Value::Object(image) => Some(image.clone()),
            Value::Null => None,
            _ => return None,
        };
        let pins = row.get(3).and_then(Value::as_array).into_iter().flatten();
        let pins = pins.filter_map(|pin| pin.as_str().map(str::to_owned)).collect();
        Some(((table.to_owned(), key), Labelled { row: image, pins }))
    };
    value.get("rows")?.as_array()?.iter().map(row).collect()
}

/// One line.
fn line(change: u64, rows: &[Value]) -> Vec<u8> {
    let text = format!("{} {change:016x}", json!({ "format": migrate::FORMAT, "rows": rows }));
    format!("\n{:016x} {text}\n", xxh3_64(text.as_bytes())).into_bytes()
}

/// Adds what a transaction is about to leave in these rows. To be called by who may write the catalog.
pub(super) fn add(
    view: &View<'_>,
    change: u64,
    touched: impl IntoIterator<Item = RowName>,
    anew: bool,
) -> Result<(), Error> {
    let mut touched = touched.into_iter().peekable();
    if touched.peek().is_none() && !anew {
        return Ok(());
    }
    let before = last_change(view)?;
    let sql = "INSERT INTO meta (key, value) VALUES ('labels', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1";
    let note = || view.connection.prepare_cached(sql)?.execute([change]);
    note().map_err(|error| Error::sql(view.path, error))?;
    let path = file_of(view.path);
    let added = || {
        let Some(file) = for_appending(&path)? else { return write_anew(view, change, &path) };
        if anew || !goes_on(&file, before).map_err(|error| io_error(&path, error))? {
            return write_anew(view, change, &path);
        }
        let rows = touched.map(|name| row::of(view, name)).collect::<Result<Vec<_>, Error>>()?;
        // One call, at the end: it is there as a whole or, after a power cut, as a torn line.
        (&file).write_all(&line(change, &rows)).map_err(|error| io_error(&path, error))
    };
    // The catalog has it all, and the next one who writes labels finds that this one did not.
    if let Err(error) = added() {
        log::warn!("labels were not written: {error}");
    }
    Ok(())
}

/// The number of the last transaction that wrote labels; 0 if none did.
fn last_change(view: &View<'_>) -> Result<u64, Error> {
    Ok(view.row("SELECT value FROM meta WHERE key = 'labels'", [], |row| row.get(0))?.unwrap_or(0))
}

fn for_appending(path: &Path) -> Result<Option<File>, Error> {
    match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path, error)),
    }
}

/// Whether the last line is of this transaction, and the file is not mostly history.
fn goes_on(file: &File, change: u64) -> io::Result<bool> {
    let len = file.metadata()?.len();
    if tail(file, len)? != Some(change) {
        return Ok(false);
    }
    if len < HISTORY_BYTES {
        return Ok(true);
    }
    let mut header = [0; HEADER_BYTES];
    let read = file.read_at(&mut header, 0)?;
    let piece = std::str::from_utf8(&header[..read]).ok().and_then(|header| header.strip_prefix(MAGIC));
    let piece = piece.and_then(|hex| u64::from_str_radix(hex.trim_end(), 16).ok()).unwrap_or(0);
    Ok(len <= piece.saturating_mul(2).saturating_add(HISTORY_BYTES))
}

/// The number of the transaction that wrote the last line.
fn tail(file: &File, len: u64) -> io::Result<Option<u64>> {
    let mut tail = [0; TAIL_BYTES];
    let Some(at) = len.checked_sub(TAIL_BYTES as u64) else { return Ok(None) };
    file.read_exact_at(&mut tail, at)?;
    let number = tail.strip_prefix(b" ").and_then(|tail| tail.strip_suffix(b"\n"));
    Ok(number.and_then(|number| u64::from_str_radix(std::str::from_utf8(number).ok()?, 16).ok()))
}

/// Writes the labels of all rows, in place of those that are there. Where there is no store there are no labels.
fn write_anew(view: &View<'_>, change: u64, path: &Path) -> Result<(), Error> {
    if !path.parent().is_some_and(Path::is_dir) {
        return Ok(());
    }
    let all = TABLES.iter().map(|(table, key)| row::all(view, table, key)).collect::<Result<Vec<_>, Error>>()?;
    let rows: Vec<Value> = all.into_iter().flatten().collect();
    let mut bytes = vec![b' '; HEADER_BYTES];
    rows.chunks(ROWS_IN_LINE).for_each(|rows| bytes.extend(line(change, rows)));
    if rows.is_empty() {
        bytes.extend(line(change, &rows));
    }
    let header = format!("{MAGIC}{:016x}\n", bytes.len());
    bytes[..HEADER_BYTES].copy_from_slice(header.as_bytes());
    let beside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&bytes)?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| io_error(path, error))
}

impl Catalog {
    /// Writes the labels anew, and makes them durable.
    ///
    /// # Errors
    /// What SQLite or the disk says.
    pub fn write_labels(&mut self) -> Result<(), Error> {
        let path = file_of(&self.path);
        self.write_labels_to(&path)
    }

    /// As [`Catalog::write_labels`], into this file.
    ///
    /// # Errors
    /// What SQLite or the disk says.
    pub fn write_labels_to(&mut self, path: &Path) -> Result<(), Error> {
        self.labels_alone(|view, change| write_anew(view, change, path))?;
        match sync(path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// How many lines are damaged, and rows have no label, or another one than they should; 0 if there is no file of labels, or
    /// not the last of them, since the next command writes all of them.
    ///
    /// # Errors
    /// What SQLite or the disk says.
    pub fn wrong_labels(&mut self) -> Result<u64, Error> {
        let data_dir = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        self.labels_alone(|view, change| {
            let path = labels_in(&data_dir);
            let file = for_appending(&path)?;
            let tail = |file: &File| tail(file, file.metadata()?.len());
            let last = file.as_ref().map(tail).transpose().map_err(|error| io_error(&path, error))?;
            if last != Some(Some(change)) {
                return Ok(0);
            }
            let labels = Labels::read(&data_dir)?;
            let mut wrong = labels.damaged_lines;
            for (table, key) in TABLES {
                for row in row::all(view, table, key)? {
                    let found = rows_of(line(0, &[row])[1..].trim_ascii_end()).unwrap_or_default();
                    wrong += found.iter().filter(|(name, right)| labels.rows.get(name) != Some(right)).count() as u64;
                }
            }
            Ok(wrong)
        })
    }

    /// Runs something while nobody writes.
    fn labels_alone<T>(&mut self, act: impl FnOnce(&View<'_>, u64) -> Result<T, Error>) -> Result<T, Error> {
        let sql = |error| Error::sql(&self.path, error);
        let alone = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let view = View { path: &self.path, connection: &alone, capture: &self.capture };
        let done = last_change(&view).and_then(|change| act(&view, change));
        // There is nothing to keep.
        drop(alone);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base};

    #[test]
    fn the_encoding_is_this_one() {
        let rows = [json!(["tag", ["ts-1", "tk"], { "value": "tv" }]), json!(["session", ["ts-1"], null, ["00ff"]])];
        let bytes = line(7, &rows);
        let text = format!(
            "{{\"format\":{},\"rows\":[[\"tag\",[\"ts-1\",\"tk\"],{{\"value\":\"tv\"}}],\
             [\"session\",[\"ts-1\"],null,[\"00ff\"]]]}} 0000000000000007",
            migrate::FORMAT
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), format!("\n{:016x} {text}\n", xxh3_64(text.as_bytes())));
        let found = rows_of(bytes.trim_ascii()).unwrap();
        assert_eq!(found[0].0, ("tag".to_owned(), "[\"ts-1\",\"tk\"]".to_owned()));
        assert_eq!(found[1].1, Labelled { row: None, pins: vec!["00ff".into()] });
    }

    #[test]
    fn a_torn_or_flipped_line_costs_itself_alone() {
        let header = format!("{MAGIC}{:016x}\n", HEADER_BYTES);
        let one = line(1, &[json!(["source", ["tb-1"], { "name": "ta" }])]);
        let two = line(2, &[json!(["source", ["tb-2"], { "name": "tb" }])]);
        for cut in 1..one.len() - 1 {
            let bytes = [header.as_bytes(), &one[..cut], &two].concat();
            let labels = Labels::parse(&bytes);
            assert_eq!((labels.rows.len(), labels.damaged_lines), (1, u64::from(cut > 1)), "cut at {cut}");
        }
        for at in 1..one.len() - 1 {
            let mut flipped = one.clone();
            flipped[at] ^= 4;
            let labels = Labels::parse(&[header.as_bytes(), &flipped, &two].concat());
            assert_eq!((labels.rows.len(), labels.damaged_lines), (1, 1), "flipped at {at}");
        }
    }

    #[test]
    fn history_is_folded_when_it_outgrows_what_it_tells() {
        let dir = tempfile::TempDir::new().unwrap();
        fs::create_dir(dir.path().join("objects")).unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let act = |now_ns| Act { actor: "ann".into(), command: "test".into(), now_ns, seed: [now_ns as u8; 32] };
        let id = catalog.write::<_, Error>(&act(1), |tx| tx.create_session("fix", &Base::default(), None)).unwrap();
        let small = fs::metadata(labels_in(dir.path())).unwrap().len();
        let mut file = OpenOptions::new().read(true).append(true).open(labels_in(dir.path())).unwrap();
        let change = tail(&file, small).unwrap().unwrap();
        file.write_all(&[vec![b'\n'; 2 * HISTORY_BYTES as usize], line(change, &[])].concat()).unwrap();
        catalog.fold_session(&id, 0, crate::model::RootId(crate::model::ObjectId([1; 32]))).unwrap();
        assert!(fs::metadata(labels_in(dir.path())).unwrap().len() < 2 * small);
        assert_eq!(catalog.wrong_labels().unwrap(), 0);
    }

    #[test]
    fn a_label_of_what_did_not_happen_and_one_that_is_missing_are_put_right_by_the_next() {
        let dir = tempfile::TempDir::new().unwrap();
        fs::create_dir(dir.path().join("objects")).unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let make = |catalog: &mut Catalog, name: &str, now_ns| {
            let act = Act { actor: "ann".into(), command: "test".into(), now_ns, seed: [now_ns as u8; 32] };
            catalog.write::<_, Error>(&act, |tx| tx.create_session(name, &Base::default(), None)).unwrap()
        };
        make(&mut catalog, "a", 1);
        let before = fs::read(labels_in(dir.path())).unwrap();
        make(&mut catalog, "b", 2);
        fs::write(labels_in(dir.path()), &before).unwrap();
        assert_eq!(catalog.wrong_labels().unwrap(), 0, "that is no damage");
        make(&mut catalog, "c", 3);
        assert_eq!(Labels::read(dir.path()).unwrap().rows.len(), 3);
        let phantom = line(9, &[json!(["session", ["ts-none"], { "name": "tnone" }])]);
        OpenOptions::new().append(true).open(labels_in(dir.path())).unwrap().write_all(&phantom).unwrap();
        assert_eq!(catalog.wrong_labels().unwrap(), 0);
        make(&mut catalog, "d", 4);
        assert_eq!(Labels::read(dir.path()).unwrap().rows.len(), 4);
    }

    type Step<'a> = dyn Fn(&mut crate::catalog::Tx<'_>) -> Result<(), Error> + 'a;

    #[test]
    fn every_change_of_a_row_has_its_label() {
        let dir = tempfile::TempDir::new().unwrap();
        fs::create_dir(dir.path().join("objects")).unwrap();
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let tree = |byte| crate::model::RootId(crate::model::ObjectId([byte; 32]));
        let act = |now_ns| Act { actor: "ann".into(), command: "test".into(), now_ns, seed: [now_ns as u8; 32] };
        let id = catalog.write::<_, Error>(&act(1), |tx| tx.create_session("a", &Base::default(), None)).unwrap();
        let steps: [&Step<'_>; 6] = [
            &|tx| tx.pin_root(&id, tree(3)),
            &|tx| tx.rename_session(&tx.view().session("a")?, "b"),
            &|tx| tx.settle_session(&tx.view().session("b")?, 0, tree(4)).map(drop),
            &|tx| {
                tx.rename_session(&tx.view().session("b")?, "c")?;
                tx.cannot_be_undone("for the test")
            },
            &|tx| tx.delete_session(&tx.view().session("c")?),
            &|tx| tx.purge(&tx.view().trash()?).map(drop),
        ];
        for (at, step) in steps.into_iter().enumerate() {
            catalog.write::<_, Error>(&act(at as i64 + 2), step).unwrap();
            assert_eq!(catalog.wrong_labels().unwrap(), 0, "step {at}");
        }
        assert!(Labels::read(dir.path()).unwrap().is_empty(), "what is gone for good has no label");
    }
}
