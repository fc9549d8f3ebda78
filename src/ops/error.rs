//! Why a use case failed: the kind that decides the exit code, a stable code for programs, and hints for people.

use std::io;
use std::path::PathBuf;

use crate::daemon::Failure;
use crate::model::{BytePath, NameError};
use crate::store::StoreError;
use crate::{catalog, config};

use super::coordination::CoordinationError;
use super::diff_tool::DiffToolError;
use super::hints;
use super::hooks::HookError;
use super::import::ImportError;
use super::live::LiveError;
use super::materialize::PlainError;
use super::merge::MergeError;
use super::outcome::OutcomeError;
use super::review_error::ReviewError;
use super::session_compare::BadTake;
use super::session_run::RunError;
use super::source_watch::WatchError;
use super::store_backup::BackupError;

/// What went wrong, coarsely. The exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It did not work.
    Failed,
    /// The command was wrong as written.
    Usage,
    /// What was named is not there, or the name stands for several things.
    NotFound,
    /// Something changed, or is in the way: look again, then decide.
    Conflict,
    /// A rule forbids it.
    Refused,
    /// Somebody holds it, or it took too long.
    Busy,
    /// Stored data is damaged.
    Damaged,
    /// The user stopped it.
    Interrupted,
}

/// Why a use case failed. The text is one sentence without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog refused or failed.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A tree could not be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A merge is refused.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A gate, an approval or a policy is against it.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// A hook keeps it from happening.
    #[error(transparent)]
    Hook(Box<HookError>),
    /// A command is not run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The cache, a lock, the bus or health refuses.
    #[error(transparent)]
    Coordination(#[from] CoordinationError),
    /// What came of a session cannot be kept or handed on.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    /// There is a catalog that can be read.
    #[error("the catalog `{}` can be read", .path.display())]
    CatalogIsSound {
        /// Its file.
        path: PathBuf,
    },
    /// A backup is refused.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The source came from nowhere that it could be imported from again.
    #[error("source `{name}` has no origin to import again")]
    NoOrigin {
        /// The source.
        name: String,
    },
    /// A session of the source is mounted where its origin is.
    #[error("the origin of source `{name}` is covered by a mount of its own at `{}`", .at.display())]
    OriginCovered {
        /// The source.
        name: String,
        /// Where.
        at: PathBuf,
    },
    /// An option that has no meaning for what the origin is.
    #[error("`{option}` is not for an origin of kind `{kind}`")]
    NotForKind {
        /// The option.
        option: &'static str,
        /// What the origin is.
        kind: &'static str,
    },
    /// A file or directory could not be used.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A session cannot be written to a plain directory, or be taken back from one.
    #[error(transparent)]
    Plain(#[from] PlainError),
    /// It is not said where a path is to be taken from.
    #[error(transparent)]
    Take(#[from] BadTake),
    /// A directory cannot be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The program that shows differences cannot be used.
    #[error(transparent)]
    Tool(#[from] DiffToolError),
    /// There is no revision before this one.
    #[error("`{revision}` is the first revision that there is")]
    NoEarlierRevision {
        /// The revision.
        revision: String,
    },
    /// No session was named, and the working directory is in none.
    #[error("no session is named, and the working directory is in none")]
    NoSession,
    /// The text after `@` is no number.
    #[error("`{text}` does not name a revision: after `@` comes a number")]
    BadRevision {
        /// As the user wrote it.
        text: String,
    },
    /// The text names states of a session and of a source.
    #[error("`{text}` stands for more than one state: {}", .candidates.join(", "))]
    AmbiguousTree {
        /// As the user wrote it.
        text: String,
        /// What it could be.
        candidates: Vec<String>,
    },
    /// The text names something else than a checkpoint.
    #[error("`{text}` is no checkpoint: one is written as `SESSION@NUMBER`")]
    NotACheckpoint {
        /// As the user wrote it.
        text: String,
    },
    /// A checkpoint of another session than the one that is spoken of.
    #[error("`{text}` is a checkpoint of session `{owner}`, not of `{name}`")]
    OtherSession {
        /// The checkpoint as the user wrote it.
        text: String,
        /// The session that was named.
        name: String,
        /// The session that it is of.
        owner: String,
    },
    /// The text names a session as it is, where a state that stays is needed.
    #[error("`{text}` is no state that stays as it is")]
    NotFrozen {
        /// As the user wrote it.
        text: String,
    },
    /// A state has nothing at a path.
    #[error("`{state}` has no `{}`", .path.as_path().display())]
    NoPath {
        /// The state.
        state: String,
        /// The path.
        path: BytePath,
    },
    /// What is at a path is no file.
    #[error("`{}` in `{state}` is no file", .path.as_path().display())]
    NotAFile {
        /// The state.
        state: String,
        /// The path.
        path: BytePath,
    },
    /// A path that is not in the tree of the session.
    #[error("`{}` is not in the session's tree", .path.display())]
    OutsideTree {
        /// As the user wrote it.
        path: PathBuf,
    },
    /// A path inside a tree is none.
    #[error("`{}` is no path inside a tree: {why}", .path.display())]
    BadPath {
        /// As the user wrote it.
        path: PathBuf,
        /// What is wrong with it.
        why: NameError,
    },
    /// Sessions stand on the source.
    #[error("source `{name}` is the base of {}", listed(.sessions))]
    SourceInUse {
        /// The source.
        name: String,
        /// The names of the sessions.
        sessions: Vec<String>,
    },
    /// The session is mounted.
    #[error("session `{name}` is mounted at `{}`", .at.display())]
    Mounted {
        /// The session.
        name: String,
        /// One of its mount points.
        at: PathBuf,
    },
    /// What a command changes in the session is not taken in yet.
    #[error("a command of `session run --accelerate` is changing session `{session}`")]
    Accelerated {
        /// The session's id.
        session: String,
    },
    /// The session is archived.
    #[error("session `{name}` is archived")]
    Archived {
        /// The session.
        name: String,
    },
    /// It is mounted, and the records of that are in another runtime directory.
    #[error("session `{name}` is mounted at `{}`, by a process that another runtime directory knows", .at.display())]
    MountedElsewhere {
        /// The session's name.
        name: String,
        /// Where.
        at: PathBuf,
    },
    /// The session is mounted nowhere.
    #[error("session `{name}` is not mounted")]
    NotMounted {
        /// The session.
        name: String,
    },
    /// A session could not be opened, mounted or looked at.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The session holds changes that nobody kept.
    #[error("session `{name}` has changes that were not kept")]
    HasChanges {
        /// The session.
        name: String,
    },
    /// The text is no time or duration.
    #[error("`{text}` is neither a time nor a duration")]
    BadTime {
        /// As the user wrote it.
        text: String,
    },
    /// The text is no tag.
    #[error("`{text}` is no tag: {why}")]
    BadTag {
        /// As the user wrote it.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The object has no such tag.
    #[error("`{object}` has no tag `{key}`")]
    NoTag {
        /// The object, as the user wrote it.
        object: String,
        /// The key.
        key: String,
    },
    /// A session and a source have this name.
    #[error("`{key}` is the name of a session and of a source")]
    TwoKinds {
        /// The name.
        key: String,
    },
    /// It cannot be taken back, and nobody can be asked.
    #[error("{what}, which has to be confirmed")]
    NeedsYes {
        /// What would happen.
        what: String,
    },
    /// A demonstration found something else than it is there to show.
    #[error("the demonstration failed: it is not so that {claim}")]
    NotShown {
        /// What should have been so.
        claim: &'static str,
    },
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
}

/// A result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// Names in a sentence: at most five, then how many more.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let noun = if names.len() == 1 { "session" } else { "sessions" };
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{noun} {} and {more} more", shown.join(", ")),
        _ => format!("{noun} {}", shown.join(", ")),
    }
}

impl Error {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Catalog(error) => super::catalog_error::kind(error),
            Self::Config(_)
            | Self::NoSession
            | Self::BadRevision { .. }
            | Self::NotACheckpoint { .. }
            | Self::NotFrozen { .. }
            | Self::OtherSession { .. }
            | Self::BadTime { .. }
            | Self::BadTag { .. }
            | Self::OutsideTree { .. }
            | Self::BadPath { .. }
            | Self::NotForKind { .. } => Kind::Usage,
            Self::AmbiguousTree { .. } | Self::NoPath { .. } | Self::NoEarlierRevision { .. } => Kind::NotFound,
            Self::Plain(_) => Kind::Conflict,
            Self::Tool(DiffToolError::NotSet) | Self::Take(_) => Kind::Usage,
            Self::NotAFile { .. } | Self::Tool(_) | Self::Watch(_) => Kind::Failed,
            Self::Import(error) => import_kind(error),
            Self::CatalogIsSound { .. } => Kind::Refused,
            Self::Backup(error) => error.kind(),
            Self::Merge(error) => error.kind(),
            Self::Review(error) => error.kind(),
            Self::Hook(error) => error.kind(),
            Self::Coordination(error) => error.kind(),
            Self::Outcome(error) => error.kind(),
            Self::Store(error) => store_kind(error),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Self::Run(RunError::NoPlace { .. }) | Self::Io { .. } | Self::NoOrigin { .. } | Self::NotShown { .. } => {
                Kind::Failed
            }
            Self::SourceInUse { .. } | Self::HasChanges { .. } | Self::Archived { .. } | Self::NeedsYes { .. } => {
                Kind::Refused
            }
            Self::Mounted { .. } | Self::Accelerated { .. } | Self::OriginCovered { .. } => Kind::Busy,
            Self::NotMounted { .. } | Self::MountedElsewhere { .. } | Self::NoTag { .. } | Self::TwoKinds { .. } => {
                Kind::NotFound
            }
            Self::Live(error) => live_kind(error),
            Self::Interrupted => Kind::Interrupted,
        }
    }

    /// A word for programs. It never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Catalog(error) => super::catalog_error::code(error),
            Self::Config(_) => "config",
            Self::Import(error) => import_code(error),
            Self::CatalogIsSound { .. } => "catalog-is-sound",
            Self::Backup(error) => error.code(),
            Self::Merge(error) => error.code(),
            Self::Review(error) => error.code(),
            Self::Hook(error) => error.code(),
            Self::Coordination(error) => error.code(),
            Self::Outcome(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Run(RunError::NoPlace { .. }) => "no-place",
            Self::NoOrigin { .. } => "no-origin",
            Self::NotForKind { .. } => "not-for-kind",
            Self::OriginCovered { .. } => "origin-covered",
            Self::Io { .. } => "io",
            Self::Tool(error) => error.code(),
            Self::Watch(error) => error.code(),
            Self::Take(_) => "bad-take",
            Self::Plain(error) => error.code(),
            Self::NoEarlierRevision { .. } => "no-revision",
            Self::NoSession => "no-session",
            Self::BadRevision { .. } => "bad-revision",
            Self::OutsideTree { .. } => "outside-tree",
            Self::BadPath { .. } => "bad-path",
            Self::AmbiguousTree { .. } => "ambiguous",
            Self::NotACheckpoint { .. } => "not-a-checkpoint",
            Self::NoPath { .. } => "no-path",
            Self::NotAFile { .. } => "not-a-file",
            Self::NotFrozen { .. } => "not-frozen",
            Self::OtherSession { .. } => "other-session",
            Self::SourceInUse { .. } => "source-in-use",
            Self::Mounted { .. } => "mounted",
            Self::Accelerated { .. } => "accelerated",
            Self::NotMounted { .. } | Self::MountedElsewhere { .. } => "not-mounted",
            Self::Live(error) => error.code(),
            Self::HasChanges { .. } => "has-changes",
            Self::Archived { .. } => "archived",
            Self::NeedsYes { .. } => "needs-yes",
            Self::BadTime { .. } => "bad-time",
            Self::BadTag { .. } => "bad-tag",
            Self::NoTag { .. } => "not-found",
            Self::TwoKinds { .. } => "ambiguous",
            Self::NotShown { .. } => "not-shown",
            Self::Interrupted => "interrupted",
        }
    }

    /// What the sentence could not name one by one, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Review(error) => error.details(),
            Self::Hook(error) => error.details(),
            Self::Import(ImportError::Unreadable { files }) => files.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Catalog(error) => super::catalog_error::hints(error),
            Self::Config(config::Error::UnknownKey { .. }) => {
                // No command lists them as long as the file is wrong.
                let keys: Vec<_> = config::KEYS.iter().map(|key| key.name).collect();
                vec![format!("the settings are {}", keys.join(", "))]
            }
            Self::Config(config::Error::Syntax { .. }) => {
                vec!["mend that line; settings are written as `name = \"ann\"` below `[user]`".into()]
            }
            Self::Config(config::Error::BadValue { .. }) => vec!["set it to one of these, or not at all".into()],
            Self::Config(config::Error::Runtime { .. }) => {
                vec!["set XDG_RUNTIME_DIR to a directory of your own with mode 0700".into()]
            }
            Self::NoSession => {
                vec!["name one, set AETHER_SESSION, or change into its mount; `aether session list` lists them".into()]
            }
            Self::Plain(error) => error.hints(),
            Self::Watch(error) => vec![error.hint()],
            Self::Take(_) => vec!["write it as `src/app.js=SESSION`; `.=SESSION` takes all".into()],
            Self::Tool(_) => vec![DiffToolError::HINT.into()],
            Self::SourceInUse { .. } => {
                vec!["`--force` deletes it all the same; the sessions keep their content".into()]
            }
            Self::OriginCovered { at, .. } => vec![format!("`aether session unmount {}` first", at.display())],
            Self::AmbiguousTree { .. } => vec!["write the id in place of the name".into()],
            Self::NotAFile { .. } => vec!["`aether ls` lists what is in a directory".into()],
            Self::NotFrozen { .. } => {
                vec!["a checkpoint is written as `SESSION@NUMBER`, a revision as `SOURCE@NUMBER`".into()]
            }
            Self::NotACheckpoint { .. } => vec!["`aether checkpoint list` lists them".into()],
            Self::Mounted { name, .. } => vec![format!("`aether session unmount {name}` first")],
            Self::Accelerated { .. } => vec!["wait until it has ended, and try again".into()],
            Self::HasChanges { name } => {
                vec![format!("`aether status {name}` shows them; `--yes` moves them to the trash")]
            }
            Self::BadTime { .. } => {
                vec![
                    "times are written as `2026-05-01T12:00:00Z` or `2026-05-01`, durations as `90s`, `2h` or `7d`"
                        .into(),
                ]
            }
            Self::BadTag { .. } => vec!["tags are written as `team=ui`".into()],
            Self::NoTag { object, .. } => vec![format!("`aether tag list {object}` lists those it has")],
            Self::TwoKinds { .. } => {
                vec!["`--source` says that the source is meant; an id tells them apart, too".into()]
            }
            Self::Archived { name } => vec![format!("`aether session activate {name}` brings it back")],
            Self::NeedsYes { .. } => vec!["`--yes` confirms it".into()],
            Self::Import(error) => import_hints(error),
            Self::Store(error) => store_hints(error),
            Self::CatalogIsSound { .. } => vec!["only a catalog that is lost or damaged is made anew".into()],
            Self::Backup(error) => error.hints(),
            Self::Merge(error) => error.hints(),
            Self::Review(error) => error.hints(),
            Self::Hook(error) => error.hints(),
            Self::Coordination(error) => error.hints(),
            Self::Outcome(error) => error.hints(),
            Self::NotMounted { name } => vec![format!("`aether session mount {name}` mounts it")],
            Self::MountedElsewhere { at, .. } => vec![mounted_elsewhere(at)],
            Self::Live(LiveError::Mount(failure)) => failure.hints.clone(),
            Self::Live(error) => error.remedy().into_iter().collect(),
            Self::Io { source, .. } => hints::of_io(source).map(Into::into).into_iter().collect(),
            other => hints::plain(other),
        }
    }
}

impl From<HookError> for Error {
    fn from(error: HookError) -> Self {
        Self::Hook(Box::new(error))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Live(LiveError::Mount(failure))
    }
}

fn live_kind(error: &LiveError) -> Kind {
    match error.code() {
        "session-in-use" | "busy" | "timeout" | "delta-busy" => Kind::Busy,
        "stale" => Kind::Conflict,
        "bad-mount-option" => Kind::Usage,
        "mount-point-missing" | "not-mounted" | "not-found" => Kind::NotFound,
        "archived" => Kind::Refused,
        "already-mounted" | "mount-point-not-empty" => Kind::Busy,
        _ if error.is_damage() => Kind::Damaged,
        _ => Kind::Failed,
    }
}

fn store_kind(error: &StoreError) -> Kind {
    match error {
        StoreError::Cancelled => Kind::Interrupted,
        error if error.is_damage() => Kind::Damaged,
        error if error.is_busy() => Kind::Busy,
        _ => Kind::Failed,
    }
}

fn mounted_elsewhere(at: &std::path::Path) -> String {
    let at = at.display();
    format!("set XDG_RUNTIME_DIR to what it was when that was mounted, or run `fusermount3 -u {at}`")
}

fn store_hints(error: &StoreError) -> Vec<String> {
    match error {
        StoreError::InCollection | StoreError::Held => vec!["wait until it has ended, and try again".into()],
        error if error.is_out_of_room() => vec![super::catalog_error::NO_ROOM.into()],
        _ => Vec::new(),
    }
}

fn import_kind(error: &ImportError) -> Kind {
    match error {
        ImportError::Origin { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
        ImportError::Glob(_) | ImportError::InsideDataDirectory { .. } => Kind::Usage,
        ImportError::Interrupted => Kind::Interrupted,
        ImportError::Store(error) => store_kind(error),
        ImportError::Entry(_) | ImportError::TooLarge { .. } => Kind::Refused,
        ImportError::Origin { .. }
        | ImportError::NotADirectory { .. }
        | ImportError::Unreadable { .. }
        | ImportError::Unrecognised { .. }
        | ImportError::Archive { .. }
        | ImportError::Git { .. }
        | ImportError::Vanished => Kind::Failed,
    }
}

fn import_code(error: &ImportError) -> &'static str {
    match error {
        ImportError::Origin { .. } => "origin",
        ImportError::NotADirectory { .. } => "not-a-directory",
        ImportError::InsideDataDirectory { .. } => "inside-data-directory",
        ImportError::Glob(_) => "bad-glob",
        ImportError::Unreadable { .. } => "unreadable",
        ImportError::Vanished => "origin-vanished",
        ImportError::Unrecognised { .. } => "unrecognised-origin",
        ImportError::Archive { .. } => "archive",
        ImportError::Entry(_) => "hostile-entry",
        ImportError::TooLarge { .. } => "too-large",
        ImportError::Git { .. } => "git",
        ImportError::Interrupted => "interrupted",
        ImportError::Store(error) => error.code(),
    }
}

fn import_hints(error: &ImportError) -> Vec<String> {
    match error {
        ImportError::Unreadable { files } => hints::of_unreadable(files),
        ImportError::Interrupted => vec!["run it again: what was stored is reused".into()],
        ImportError::NotADirectory { .. } => vec!["name the directory that holds it".into()],
        ImportError::TooLarge { .. } => vec!["`--max-size` allows more".into()],
        ImportError::Unrecognised { .. } => vec!["`--kind` says what it is".into()],
        ImportError::Origin { source, .. } => hints::of_io(source).map(Into::into).into_iter().collect(),
        _ => Vec::new(),
    }
}
