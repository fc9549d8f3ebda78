//! Importing a commit: its tree, as git would check it out, becomes a frozen root in the store.
//!
//! Git keeps no times and no owners. Everything is this user's, and has the time of the commit; what is as it was in the
//! previous import keeps its times, so that a revision differs from the one before only where the commit does. Bytes are
//! taken as they are committed: no line ends are converted, and a pointer of LFS stays one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{Content, RootId, Timestamp, Totals};
use crate::ops::assemble::{self, AssembleError, Assembly, Feed, Item, Meta, Settings, Slot, store_contents};
use crate::ops::import::{ImportError, ImportProgress};
use crate::ops::rules::Globs;
use crate::store::content::ContentWriter;
use crate::store::{Hold, Writer};

use super::fetch::{reach, reach_submodule};
use super::objects::{Blobs, TreeEntry};
use super::{Address, Repository};

/// How deep submodules may nest.
const MAX_NESTING: usize = 8;

/// The longest target of a symbolic link, in bytes.
const MAX_TARGET_BYTES: u64 = 4095;

/// How much of a large file is read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What to take.
#[derive(Debug)]
pub struct GitOptions {
    /// Branch, tag or commit; the one that is checked out, or the remote's default, if none is named.
    pub rev: Option<String>,
    /// Take submodules along; without it they are empty directories.
    pub submodules: bool,
    /// What to leave out.
    pub exclude: Globs,
    /// The most bytes that all files may have.
    pub max_bytes: u64,
    /// The user and group that imports.
    pub owner: (u32, u32),
    /// Where repositories are fetched to.
    pub data_dir: PathBuf,
}

/// A commit that was imported. The root is durable.
#[derive(Debug)]
pub struct ImportedGit {
    /// The tree.
    pub root: RootId,
    /// How much it holds.
    pub totals: Totals,
    /// The commit's id.
    pub commit: String,
    /// What was not taken, and why, a line each.
    pub left_out: Vec<String>,
}

/// Imports a commit. Paths that `previous` has too keep their inode numbers, and their times if they are the same.
///
/// # Errors
/// [`ImportError`]. What was stored until then stays in the store.
pub fn import(
    hold: &Hold,
    address: &Address,
    previous: Option<RootId>,
    options: &GitOptions,
    progress: &dyn ImportProgress,
    cancel: &AtomicBool,
) -> Result<ImportedGit, ImportError> {
    let store = hold.store();
    let previous = previous.and_then(|id| store.root(id).ok());
    let (repository, commit) = reach(address, options.rev.as_deref(), &options.data_dir)?;
    let writer = hold.writer()?;
    let mtime = Timestamp::new(repository.commit_time(&commit)?, 0);
    let meta = Meta { perm: 0o755, uid: options.owner.0, gid: options.owner.1, mtime, xattrs: None };
    let mut assembly = Assembly::new(meta.clone());
    let (left_out, contents) = store_contents(&writer, |feed| {
        let mut importer = Importer {
            options,
            progress,
            cancel,
            feed,
            writer: &writer,
            assembly: &mut assembly,
            meta,
            left_bytes: options.max_bytes,
            left_out: Vec::new(),
            url: match address {
                Address::Remote(url) => Some(url.clone()),
                Address::Local(_) | Address::Bundle(_) => None,
            },
        };
        importer.commit(&repository, &commit, b"", 0)?;
        Ok::<_, ImportError>(importer.left_out)
    })?;
    for (slot, content) in contents {
        assembly.fill(slot, content);
    }
    let built = assembly.finish(store, &writer, previous.as_ref(), Settings { keep_times: true })?;
    writer.finish()?;
    Ok(ImportedGit { root: built.root, totals: built.totals, commit, left_out })
}

struct Importer<'a> {
    options: &'a GitOptions,
    progress: &'a dyn ImportProgress,
    cancel: &'a AtomicBool,
    feed: &'a Feed<'a>,
    writer: &'a Writer,
    assembly: &'a mut Assembly,
    meta: Meta,
    left_bytes: u64,
    left_out: Vec<String>,
    /// Where the repository came from, for submodules whose addresses are relative to it.
    url: Option<String>,
}

impl Importer<'_> {
    /// Takes the tree of a commit below `prefix`, which is empty or ends in a slash.
    fn commit(&mut self, from: &Repository, commit: &str, prefix: &[u8], nesting: usize) -> Result<(), ImportError> {
        let mut tree = from.tree(commit)?;
        for entry in &mut tree {
            entry.path.splice(0..0, prefix.iter().copied());
            check(&entry.path)?;
        }
        tree.retain(|entry| !self.is_excluded(&entry.path));
        self.progress.found(tree.len() as u64, 0);
        let (modules, files): (Vec<_>, Vec<_>) = tree.into_iter().partition(|entry| entry.mode == 0o160_000);
        let mut blobs = from.blobs(files.iter().map(|entry| entry.id.clone()).collect())?;
        for entry in &files {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(ImportError::Interrupted);
            }
            let len_bytes = blobs.next(&entry.id)?;
            self.left_bytes = self
                .left_bytes
                .checked_sub(len_bytes)
                .ok_or(ImportError::TooLarge { max_bytes: self.options.max_bytes })?;
            self.file(entry, len_bytes, &mut blobs)?;
        }
        drop(blobs);
        let addresses = if modules.is_empty() { Vec::new() } else { from.settings_in(commit, ".gitmodules") };
        for module in &modules {
            self.module(from, module, prefix, &addresses, nesting)?;
        }
        Ok(())
    }

    fn file(&mut self, entry: &TreeEntry, len_bytes: u64, blobs: &mut Blobs) -> Result<(), ImportError> {
        let path = assemble::path(&entry.path)?;
        let perm = match entry.mode {
            0o120_000 => {
                if len_bytes == 0 || len_bytes > MAX_TARGET_BYTES {
                    return Err(AssembleError::Target { path }.into());
                }
                let mut target = vec![0; len_bytes as usize];
                blobs.read(&mut target)?;
                if target.contains(&0) {
                    return Err(AssembleError::Target { path }.into());
                }
                let meta = Meta { perm: 0o777, ..self.meta.clone() };
                self.assembly.put(&path, meta, Item::Symlink(target.into()))?;
                self.progress.stored(1, 0);
                return Ok(());
            }
            0o100_755 => 0o755,
            _ => 0o644,
        };
        let meta = Meta { perm, ..self.meta.clone() };
        let slot = self.assembly.put(&path, meta, Item::File { content: Content::Hole, len_bytes })?;
        self.content(slot, len_bytes, blobs)?;
        self.progress.stored(1, len_bytes);
        Ok(())
    }

    fn content(&mut self, slot: Slot, len_bytes: u64, blobs: &mut Blobs) -> Result<(), ImportError> {
        if len_bytes == 0 {
            let broken = |error: std::io::Error| super::cannot_run("cat-file", &error);
            return blobs.end().map_err(broken);
        }
        if len_bytes <= Feed::MAX_BYTES {
            let mut bytes = vec![0; len_bytes as usize];
            blobs.read(&mut bytes)?;
            // When storing failed, whoever collects the contents says why.
            return if self.feed.give(slot, bytes) { Ok(()) } else { Err(ImportError::Interrupted) };
        }
        let mut out = ContentWriter::new(self.writer);
        let mut piece = vec![0; PIECE_BYTES];
        while out.len_bytes() < len_bytes {
            let want = PIECE_BYTES.min(usize::try_from(len_bytes - out.len_bytes()).unwrap_or(PIECE_BYTES));
            blobs.read(&mut piece[..want])?;
            out.data(&piece[..want])?;
        }
        self.assembly.fill(slot, out.finish()?);
        Ok(())
    }

    /// Takes a submodule along, or makes the empty directory that git would leave.
    fn module(
        &mut self,
        from: &Repository,
        entry: &TreeEntry,
        prefix: &[u8],
        addresses: &[(String, String)],
        nesting: usize,
    ) -> Result<(), ImportError> {
        let path = assemble::path(&entry.path)?;
        self.assembly.put(&path, self.meta.clone(), Item::Dir)?;
        if !self.options.submodules {
            return Ok(());
        }
        if nesting >= MAX_NESTING {
            return Err(ImportError::Git { what: "submodule".into(), why: "submodules are nested too deep".into() });
        }
        let shown = || path.as_bytes().escape_ascii().to_string();
        let inside = &entry.path[prefix.len()..];
        let Some(name) = name_of(addresses, inside) else {
            self.left_out.push(format!("`{}`: `.gitmodules` does not say where the submodule is", shown()));
            return Ok(());
        };
        let fetched = match from.module(&name).filter(|module| module.resolve(&entry.id).is_ok()) {
            Some(module) => module,
            None => {
                let key = format!("submodule.{name}.url");
                let url = addresses.iter().rev().find(|(at, _)| *at == key).map(|(_, url)| url.as_str());
                let base = self.url.clone().or_else(|| from.remote_url());
                let url = url.and_then(|url| absolute(url, base.as_deref())).ok_or_else(|| ImportError::Git {
                    what: "submodule".into(),
                    why: format!("the address of `{}` makes no sense", shown()),
                })?;
                reach_submodule(&url, &entry.id, &self.options.data_dir)?
            }
        };
        let below = [&entry.path[..], b"/"].concat();
        self.commit(&fetched, &entry.id, &below, nesting + 1)
    }

    fn is_excluded(&self, path: &[u8]) -> bool {
        let exclude = &self.options.exclude;
        !exclude.is_empty()
            && (exclude.matches(path, false)
                || path.iter().enumerate().any(|(at, &byte)| byte == b'/' && exclude.matches(&path[..at], true)))
    }
}

/// Refuses what git itself would not check out.
fn check(path: &[u8]) -> Result<(), ImportError> {
    let is_git = |name: &[u8]| name.eq_ignore_ascii_case(b".git");
    if path.split(|&byte| byte == b'/').any(|name| is_git(name) || matches!(name, b"" | b"." | b"..")) {
        return Err(AssembleError::Forbidden { path: path.into() }.into());
    }
    Ok(())
}

/// The name of the submodule at a path.
fn name_of(settings: &[(String, String)], path: &[u8]) -> Option<String> {
    let (key, _) = settings.iter().rev().find(|(key, value)| key.ends_with(".path") && value.as_bytes() == path)?;
    Some(key.strip_prefix("submodule.")?.strip_suffix(".path")?.to_owned())
}

/// The address of a submodule, which may be relative to that of the repository it is in.
fn absolute(url: &str, base: Option<&str>) -> Option<String> {
    if url.starts_with('-') {
        return None;
    }
    if !url.starts_with("./") && !url.starts_with("../") {
        return Some(url.to_owned());
    }
    let mut base = base?.trim_end_matches('/').to_owned();
    let mut rest = url;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            base.truncate(Path::new(&base).parent()?.as_os_str().len());
            rest = after;
        } else {
            return Some(format!("{base}/{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_of_submodules_start_at_that_of_the_repository() {
        let base = Some("https://example.org/group/app.git");
        assert_eq!(absolute("../lib.git", base).unwrap(), "https://example.org/group/lib.git");
        assert_eq!(absolute("../../other/x", base).unwrap(), "https://example.org/other/x");
        assert_eq!(absolute("./sub", base).unwrap(), "https://example.org/group/app.git/sub");
        assert_eq!(absolute("https://a/b", None).unwrap(), "https://a/b");
        assert_eq!((absolute("../x", None), absolute("--upload-pack=x", base)), (None, None));
    }

    #[test]
    fn paths_that_git_would_not_check_out_are_refused() {
        for bad in [&b".git/config"[..], b"a/.GIT/hooks/x", b"../x", b"a/./b", b"a//b", b".."] {
            assert!(check(bad).is_err(), "{}", bad.escape_ascii());
        }
        for good in [&b".gitignore"[..], b"a/.gitmodules", b"..a/b", b"git"] {
            assert!(check(good).is_ok(), "{}", good.escape_ascii());
        }
    }
}
