//! Where the disk space goes: what each source, session and checkpoint has alone, and what it shares.
//!
//! A *holder* is a source with its revisions, or a session with its checkpoints, also in the trash; and, inside of its
//! session, a checkpoint. What a holder needs of the store and no other does is its own: deleting it gives that back, and
//! its live files, once it has left the trash and what undo keeps of it is over. What several need is shared, and counts
//! for each of them, but once in the sums. What only undo still needs is kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::catalog::RootRef;
use crate::model::ObjectId;
use crate::store::usage::{Usage, Walk};

use super::error::Result;
use super::store_gc::{self, disk_bytes};
use super::{Context, Error};

/// Somebody who needs disk space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `source`, `session`, `checkpoint`, or the name of another kind of object.
    pub kind: String,
    /// The id of the source or session.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The number of the checkpoint.
    pub number: Option<u64>,
    /// Whether it is in the trash.
    pub is_deleted: bool,
    /// Bytes of packs that nobody else needs.
    pub own_bytes: u64,
    /// Bytes of packs that others need, too.
    pub shared_bytes: u64,
    /// Disk space of a session's live files, in bytes; none of a checkpoint.
    pub live_bytes: u64,
}

impl Holder {
    /// Bytes that deleting it gives back in the end.
    #[must_use]
    pub fn frees_bytes(&self) -> u64 {
        self.own_bytes + self.live_bytes
    }
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Sources, then sessions, each with its checkpoints behind it; by name.
    pub holders: Vec<Holder>,
    /// Bytes of packs that one source or session needs: the sum over these.
    pub own_bytes: u64,
    /// Bytes of packs that several need.
    pub shared_bytes: u64,
    /// Bytes of packs that only undo and mounted trees need.
    pub kept_bytes: u64,
    /// Bytes of packs that nobody needs: `store gc` gives back most of them.
    pub unused_bytes: u64,
    /// Bytes of packs that belong to no object.
    pub frame_bytes: u64,
    /// Disk space of all live files of sessions, also of sessions that are gone.
    pub live_bytes: u64,
    /// Bytes of the catalog, the index and all other files.
    pub other_bytes: u64,
    /// Objects that are needed and cannot be had.
    pub missing: u64,
}

impl DiskUse {
    /// Bytes of all packs.
    #[must_use]
    pub fn pack_bytes(&self) -> u64 {
        self.own_bytes + self.shared_bytes + self.kept_bytes + self.unused_bytes + self.frame_bytes
    }

    /// Bytes of the whole data directory.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.pack_bytes() + self.live_bytes + self.other_bytes
    }
}

/// A holder and what it needs.
#[derive(Debug)]
struct Needs {
    holder: Holder,
    roots: Vec<ObjectId>,
    /// The checkpoints, and what a session needs beside them.
    parts: BTreeMap<Option<u64>, Vec<ObjectId>>,
}

/// Adds everything up. Sessions can be mounted and written meanwhile; what changes then may count or not.
///
/// # Errors
/// A collection runs, or what the catalog, the store or the disk say.
pub fn run(cx: &mut Context) -> Result<DiskUse> {
    let store = cx.store()?.clone();
    let _quiet = store.no_collection()?;
    let rows = cx.catalog()?.view().roots()?;
    let kept = store_gc::unnamed_roots(cx, &store)?;
    let mut needs = needs(cx, &rows)?;
    let all: Vec<ObjectId> = rows.iter().map(|row| row.root.0).chain(kept.iter().copied()).collect();
    let usage = store.usage(&all)?;
    let mut sum = DiskUse {
        unused_bytes: usage.dead_bytes,
        frame_bytes: usage.frame_bytes,
        missing: usage.missing,
        ..DiskUse::default()
    };
    divide(&usage, &mut needs, &all, &mut sum);
    add_files(cx, &mut sum)?;
    sum.holders.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(sum)
}

fn order(holder: &Holder) -> (bool, bool, &str, &str, Option<u64>) {
    let is_source = holder.kind == "source";
    (!is_source, holder.is_deleted && holder.number.is_none(), &holder.name, &holder.id, holder.number)
}

/// Who needs what, by the rows; undo is nobody.
fn needs(cx: &mut Context, rows: &[RootRef]) -> Result<Vec<Needs>> {
    let mut found: BTreeMap<(String, String), Needs> = BTreeMap::new();
    for row in rows {
        let kind = match row.column.split('.').next().unwrap_or_default() {
            "revision" => "source",
            "session" | "session_pin" | "checkpoint" | "merge" | "approval" | "annotation" | "materialization" => {
                "session"
            }
            "outcome" => "commit",
            "undo_row" => continue,
            other => other,
        };
        let needs = found.entry((kind.to_owned(), row.object_id.clone())).or_insert_with(|| Needs {
            holder: holder(kind, &row.object_id, &row.name, row.deleted_ns.is_some()),
            roots: Vec::new(),
            parts: BTreeMap::new(),
        });
        let is_checkpoint = row.column == "checkpoint.root";
        // A checkpoint in the trash of a session that is not.
        needs.holder.is_deleted &= row.deleted_ns.is_some();
        needs.roots.push(row.root.0);
        needs.parts.entry(row.number.filter(|_| is_checkpoint)).or_default().push(row.root.0);
    }
    for session in cx.catalog()?.view().sessions()? {
        found.entry(("session".into(), session.id.clone())).or_insert_with(|| Needs {
            holder: holder("session", &session.id, &session.name, false),
            roots: Vec::new(),
            parts: BTreeMap::new(),
        });
    }
    Ok(found.into_values().collect())
}

fn holder(kind: &str, id: &str, name: &str, is_deleted: bool) -> Holder {
    let (kind, id, name) = (kind.to_owned(), id.to_owned(), name.to_owned());
    Holder { kind, id, name, number: None, is_deleted, own_bytes: 0, shared_bytes: 0, live_bytes: 0 }
}

/// Says of every holder what it needs alone and what others need, too, and adds up.
fn divide(usage: &Usage, needs: &mut [Needs], all: &[ObjectId], sum: &mut DiskUse) {
    let mut walk = Walk::default();
    // How many need each object: holders, and parts of holders.
    let (mut holders, mut parts) = (vec![0u32; usage.len()], vec![0u32; usage.len()]);
    for needs in needs.iter() {
        usage.walk(&needs.roots, &mut walk, |part| holders[part.index()] += 1);
        for roots in needs.parts.values() {
            usage.walk(roots, &mut walk, |part| parts[part.index()] += 1);
        }
    }
    usage.walk(all, &mut walk, |part| match holders[part.index()] {
        0 => sum.kept_bytes += usage.bytes(part),
        1 => sum.own_bytes += usage.bytes(part),
        _ => sum.shared_bytes += usage.bytes(part),
    });
    for needs in needs {
        let mut split = |roots: &[ObjectId], users: &[u32], holder: &mut Holder| {
            usage.walk(roots, &mut walk, |part| match users[part.index()] {
                1 => holder.own_bytes += usage.bytes(part),
                _ => holder.shared_bytes += usage.bytes(part),
            });
        };
        split(&needs.roots, &holders, &mut needs.holder);
        for (number, roots) in &needs.parts {
            let Some(number) = number else { continue };
            let mut checkpoint = Holder {
                kind: "checkpoint".into(),
                number: Some(*number),
                own_bytes: 0,
                shared_bytes: 0,
                ..needs.holder.clone()
            };
            split(roots, &parts, &mut checkpoint);
            sum.holders.push(checkpoint);
        }
        sum.holders.push(needs.holder.clone());
    }
}

/// Adds the files of sessions, and all others but packs.
fn add_files(cx: &Context, sum: &mut DiskUse) -> Result<()> {
    let data = &cx.paths.data;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    let sessions = data.join("sessions");
    if sessions.is_dir() {
        for entry in fs::read_dir(&sessions).map_err(failed(&sessions))? {
            let dir = entry.map_err(failed(&sessions))?.path();
            // It may be folded or deleted meanwhile.
            let bytes = disk_bytes(&dir).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(0),
                _ => Err(failed(&dir)(error)),
            })?;
            sum.live_bytes += bytes;
            let id = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let own = sum
                .holders
                .iter_mut()
                .find(|holder| holder.id == id && holder.kind == "session" && holder.number.is_none());
            if let Some(holder) = own {
                holder.live_bytes = bytes;
            }
        }
    }
    let packs = data.join("objects/packs");
    sum.other_bytes = lengths(data, &|path| path == sessions || path == packs).map_err(failed(data))?;
    // What is being written, or was condemned by a collection that was killed.
    let all_packs = lengths(&packs, &|_| false).map_err(failed(&packs))?;
    sum.other_bytes += all_packs.saturating_sub(sum.pack_bytes());
    Ok(())
}

/// The lengths of all files below a directory, but for what is left out.
fn lengths(dir: &Path, is_left_out: &dyn Fn(&Path) -> bool) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if is_left_out(&path) {
            continue;
        }
        bytes += match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => lengths(&path, is_left_out)?,
            // What processes that have a database open share: it goes with the last of them.
            Ok(_) if path.as_os_str().as_encoded_bytes().ends_with(b"-shm") => 0,
            Ok(found) => found.size(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(bytes)
}
