//! What a failure of the catalog means for a use case: its kind, its stable code, and what helps.

use crate::catalog;

use super::Kind;

/// What helps when SQLite cannot write: it does not always say why.
pub(super) const NO_ROOM: &str =
    "the disk is full or fails, or a limit on files is reached (`ulimit -f`); nothing was changed";

pub(super) fn kind(error: &catalog::Error) -> Kind {
    use catalog::Error as E;
    match error {
        E::NotFound { .. } | E::Ambiguous { .. } | E::NoRevision { .. } | E::NoCheckpoint { .. } => Kind::NotFound,
        E::NotInTrash { .. } | E::AmbiguousTrash { .. } => Kind::NotFound,
        E::Exists { .. } | E::NameTaken { .. } => Kind::Conflict,
        E::Frozen { .. } => Kind::Refused,
        E::Undo(error) => super::undo::kind(error),
        E::BadName { .. } => Kind::Usage,
        E::Busy { .. } => Kind::Busy,
        E::Damaged { .. } | E::Lost { .. } | E::Foreign { .. } => Kind::Damaged,
        E::Future { .. } | E::Unnoted { .. } | E::Sql { .. } | E::Io { .. } => Kind::Failed,
    }
}

pub(super) fn code(error: &catalog::Error) -> &'static str {
    use catalog::Error as E;
    match error {
        E::NotFound { .. } | E::NotInTrash { .. } => "not-found",
        E::Ambiguous { .. } | E::AmbiguousTrash { .. } => "ambiguous",
        E::NoRevision { .. } => "no-revision",
        E::NoCheckpoint { .. } => "no-checkpoint",
        E::Exists { .. } | E::NameTaken { .. } => "exists",
        E::Frozen { .. } => "frozen",
        E::Undo(error) => super::undo::code(error),
        E::BadName { .. } => "bad-name",
        E::Future { .. } => "catalog-from-the-future",
        E::Foreign { .. } => "not-a-catalog",
        E::Damaged { .. } => "catalog-damaged",
        E::Lost { .. } => "catalog-lost-changes",
        E::Busy { .. } => "catalog-busy",
        E::Unnoted { .. } => "bug",
        E::Sql { .. } => "catalog",
        E::Io { .. } => "io",
    }
}

pub(super) fn hints(error: &catalog::Error) -> Vec<String> {
    use catalog::Error as E;
    match error {
        E::Undo(error) => super::undo::hints(error),
        E::NotInTrash { .. } => vec!["`aether trash list` lists what is there".into()],
        E::Frozen { approval, .. } => vec![format!("`aether approval show {approval}` shows what is asked")],
        E::NameTaken { .. } => vec!["`--name` gives it another".into()],
        E::AmbiguousTrash { .. } => vec!["write the id".into()],
        E::NotFound { kind, .. } => vec![format!("`aether {kind} list` lists what there is")],
        E::NoCheckpoint { session, .. } => vec![format!("`aether checkpoint list {session}` lists its checkpoints")],
        E::Ambiguous { .. } => vec!["write more of the id, or the name".into()],
        E::NoRevision { source_name, newest: Some(_), .. } => {
            vec![format!("`aether source log {source_name}` lists its revisions")]
        }
        E::NoRevision { source_name, newest: None, .. } => {
            vec![format!("`aether source refresh {source_name}` imports it")]
        }
        E::Exists { kind, .. } => vec![format!("choose another name; `aether {kind} list` lists those in use")],
        E::Future { .. } => vec!["install the newest aether, or point AETHER_HOME at another directory".into()],
        E::Foreign { .. } => vec!["point AETHER_HOME at a directory of aether's own".into()],
        E::Damaged { .. } => vec!["`aether doctor` says what is wrong with it".into()],
        E::Lost { path, .. } => vec![
            "the log beside it, `catalog.db-wal`, is damaged or missing: put a sound copy of both files back".into(),
            format!("to go on without those changes, remove `{}`", path.with_extension("proof").display()),
        ],
        E::Busy { .. } => vec!["try again".into()],
        E::BadName { .. } => vec!["choose another name, of letters, digits, `-`, `_` and `.`".into()],
        E::Sql { source, .. } if catalog::is_out_of_room(source) => vec![NO_ROOM.into()],
        E::Unnoted { .. } | E::Sql { .. } | E::Io { .. } => Vec::new(),
    }
}
