//! What sources are made of: recognising an origin, and taking its present state into the store.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::catalog::{ImportSettings, NewRevision, Source, SourceKind};
use crate::model::{RootId, Totals};
use crate::store::Hold;

use super::archive::{self, ArchiveOptions, Form};
use super::error::Result;
use super::git::{self, Address, GitOptions};
use super::import::{ImportError, ImportOptions, Imported, import_dir};
use super::rules::Globs;
use super::source_import::Watch;
use super::{Context, Error, mounts};

/// The most bytes that an archive or a repository may hold, unless the user says otherwise: 64 GiB.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 30;

/// What was taken of an origin.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) revision: NewRevision,
    pub(super) files_read: u64,
}

/// An origin of which it is known what it is.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) kind: SourceKind,
    /// An absolute path without symbolic links, or an address.
    pub(super) place: PathBuf,
}

impl Origin {
    /// What the user's text stands for. A kind that is given is not questioned.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no such file, [`ImportError::Unrecognised`].
    pub(super) fn recognise(
        cx: &Context,
        text: &OsStr,
        kind: Option<SourceKind>,
        settings: &ImportSettings,
    ) -> Result<Self> {
        let path = cx.cwd.as_ref().map_or_else(|| PathBuf::from(text), |cwd| cwd.join(text));
        let address = text.to_str().and_then(Address::remote);
        if let Some(Address::Remote(url)) = address
            && kind.is_none_or(|kind| kind == SourceKind::Git)
            && fs::symlink_metadata(&path).is_err()
        {
            return Ok(Self { kind: SourceKind::Git, place: url.into() });
        }
        let place = path.canonicalize().map_err(|source| Error::Io { path: path.clone(), source })?;
        let kind = match kind {
            Some(kind) => kind,
            None if place.is_dir() && (settings.rev.is_some() || git::is_bare(&place)) => SourceKind::Git,
            None if place.is_dir() => SourceKind::Dir,
            None => match form_of(&place)? {
                Some(Form::Tar(_)) => SourceKind::Tar,
                Some(Form::Bundle) => SourceKind::Bundle,
                None => return Err(ImportError::Unrecognised { path }.into()),
            },
        };
        Ok(Self { kind, place })
    }

    /// The origin of a source, if it has one that can be gone back to.
    pub(super) fn of(source: &Source) -> Option<Self> {
        let place = source.origin.clone()?;
        Some(Self { kind: source.kind, place })
    }

    /// Whether nothing can have changed since a revision was made of it, told without reading it.
    pub(super) fn is_at(&self, version: Option<&str>, settings: &ImportSettings) -> Result<bool> {
        let Some(version) = version else { return Ok(false) };
        Ok(match (self.kind, self.address()) {
            (SourceKind::Git, Some(Address::Remote(url))) => {
                git::remote_commit(&url, settings.rev.as_deref())?.as_deref() == Some(version)
            }
            (SourceKind::Git, Some(Address::Local(path))) => {
                git::Repository::open(&path)?.resolve(settings.rev.as_deref().unwrap_or("HEAD"))? == version
            }
            (SourceKind::Tar, _) => stamp_of(&self.place)? == version,
            _ => false,
        })
    }

    /// Takes the origin's present state.
    pub(super) fn take(
        &self,
        cx: &Context,
        hold: &Hold,
        previous: Option<RootId>,
        settings: &ImportSettings,
        watch: Watch<'_>,
    ) -> Result<Taken> {
        let started = Instant::now();
        match self.kind {
            SourceKind::Git | SourceKind::Bundle => {
                let address = self.address().unwrap_or_else(|| Address::Local(self.place.clone()));
                take_git(cx, hold, &address, previous, settings, watch, started)
            }
            SourceKind::Tar => {
                let version = stamp_of(&self.place)?;
                let file = File::open(&self.place).map_err(|source| Error::Io { path: self.place.clone(), source })?;
                let mut taken = take_stream(hold, file, previous, settings, watch)?;
                taken.revision.origin_version = Some(version);
                Ok(taken)
            }
            SourceKind::Dir | SourceKind::State | SourceKind::Empty => {
                take_dir(cx, hold, &self.place, previous, settings, watch, started)
            }
        }
    }

    /// Where git finds it; `None` for what is not git's.
    fn address(&self) -> Option<Address> {
        match self.kind {
            SourceKind::Git if self.place.is_absolute() => Some(Address::Local(self.place.clone())),
            SourceKind::Git => Some(Address::Remote(self.place.to_str()?.to_owned())),
            SourceKind::Bundle => Some(Address::Bundle(self.place.clone())),
            SourceKind::Dir | SourceKind::Tar | SourceKind::State | SourceKind::Empty => None,
        }
    }
}

/// What a file is, by its first bytes; `None` for what no source can be made of.
fn form_of(path: &Path) -> Result<Option<Form>> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    if !path.is_file() {
        return Ok(None);
    }
    let file = File::open(path).map_err(failed)?;
    let (head, _) = archive::peek(file).map_err(failed)?;
    Ok(archive::recognise(&head))
}

/// The identity and times of a file, which change when its content does.
fn stamp_of(path: &Path) -> Result<String> {
    let meta = fs::metadata(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let time = |secs: i64, nanos: i64| format!("{secs}.{nanos:09}");
    let (changed, written) = (time(meta.ctime(), meta.ctime_nsec()), time(meta.mtime(), meta.mtime_nsec()));
    Ok(format!("{}-{}-{written}-{changed}", meta.ino(), meta.len()))
}

/// Takes an archive from a stream.
///
/// # Errors
/// [`ImportError`].
pub(super) fn take_stream(
    hold: &Hold,
    from: impl Read,
    previous: Option<RootId>,
    settings: &ImportSettings,
    watch: Watch<'_>,
) -> Result<Taken> {
    let started = Instant::now();
    let unread = |source| ImportError::Archive { at: None, source };
    let (head, from) = archive::peek(from).map_err(unread)?;
    let compression = match archive::recognise(&head) {
        Some(Form::Tar(compression)) => compression,
        // The checksum of a first header that is damaged tells no more than this.
        Some(Form::Bundle) | None => return Err(unread(io::Error::other("it is no tar archive")).into()),
    };
    let options = ArchiveOptions {
        exclude: Globs::new(&settings.excludes).map_err(ImportError::from)?,
        max_bytes: settings.max_bytes.unwrap_or(DEFAULT_MAX_BYTES),
        as_root: rustix::process::geteuid().is_root(),
        owner: owner(),
    };
    let taken = archive::import(hold, from, compression, previous, &options, watch.progress, watch.cancel)?;
    Ok(of_totals(taken.root, taken.totals, taken.left_out, started, None))
}

fn take_git(
    cx: &Context,
    hold: &Hold,
    address: &Address,
    previous: Option<RootId>,
    settings: &ImportSettings,
    watch: Watch<'_>,
    started: Instant,
) -> Result<Taken> {
    let options = GitOptions {
        rev: settings.rev.clone(),
        submodules: settings.submodules,
        exclude: Globs::new(&settings.excludes).map_err(ImportError::from)?,
        max_bytes: settings.max_bytes.unwrap_or(DEFAULT_MAX_BYTES),
        owner: owner(),
        data_dir: cx.paths.data.clone(),
    };
    let taken = git::import(hold, address, previous, &options, watch.progress, watch.cancel)?;
    Ok(of_totals(taken.root, taken.totals, taken.left_out, started, Some(taken.commit)))
}

fn take_dir(
    cx: &Context,
    hold: &Hold,
    origin: &Path,
    previous: Option<RootId>,
    settings: &ImportSettings,
    watch: Watch<'_>,
    started: Instant,
) -> Result<Taken> {
    let table = mounts::table()?;
    let options = ImportOptions {
        exclude: settings.excludes.clone(),
        respect_gitignore: settings.respect_gitignore,
        everything: false,
        skip_unreadable: settings.skip_unreadable,
        threads: None,
        data_dirs: vec![cx.paths.data.clone()],
        mounts: table.ours().map(|entry| entry.mount_point.clone()).collect(),
    };
    // Before the walk: a commit that is made meanwhile holds what was walked, or is older than it.
    let origin_version = git::head_of(origin);
    let imported = import_dir(hold, origin, previous, &options, watch.progress, watch.cancel)?;
    let left_out = notes(&imported);
    let Imported { root, stats, .. } = imported;
    let duration_ns = started.elapsed().as_nanos() as u64;
    let (files, dirs, size_bytes) = (stats.files, stats.dirs, stats.bytes);
    let revision = NewRevision { root, files, dirs, size_bytes, duration_ns, left_out, origin_version };
    Ok(Taken { revision, files_read: stats.files_read })
}

fn of_totals(
    root: RootId,
    totals: Totals,
    left_out: Vec<String>,
    started: Instant,
    origin_version: Option<String>,
) -> Taken {
    let duration_ns = started.elapsed().as_nanos() as u64;
    let Totals { files, dirs, size_bytes } = totals;
    let revision = NewRevision { root, files, dirs, size_bytes, duration_ns, left_out, origin_version };
    Taken { revision, files_read: files }
}

/// What the import of a directory did not take, a line each.
fn notes(imported: &Imported) -> Vec<String> {
    let left_out =
        imported.left_out.iter().map(|left| format!("`{}`: {}", left.path.as_bytes().escape_ascii(), left.why));
    left_out.chain(imported.unreadable.iter().map(ToString::to_string)).collect()
}

fn owner() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Whether an origin stands for standard input.
#[must_use]
pub fn is_stream(text: &OsStr) -> bool {
    text.as_bytes() == b"-"
}
