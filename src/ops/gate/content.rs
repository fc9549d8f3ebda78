//! What a session would bring: the change set that decisions are about.

use crate::model::{ChangeKind, ChangeSetHash, ObjectId, RootId};
use crate::ops::changes::Change;
use crate::ops::checkpoint_create::{Sealed, seal_session};
use crate::ops::error::Result;
use crate::ops::session_changes::{self, Compared};
use crate::ops::states::StateView;
use crate::ops::{Context, blank, health};
use crate::store::Hold;

use super::judge::Reading;
use super::{Facts, Work};

/// A change set, and the trees that it lies between.
#[derive(Debug)]
pub struct Content {
    /// Its name.
    pub hash: ChangeSetHash,
    /// The tree that has it.
    pub root: RootId,
    /// What that is compared with.
    pub onto: RootId,
    /// What differs.
    pub compared: Compared,
    /// The name that test results have for it.
    tested: ObjectId,
    /// Keeps the trees until a row names them.
    _hold: Option<Hold>,
}

impl Content {
    /// Seals the work if it is not, and compares it with what it stands on. Costs what it changed.
    ///
    /// # Errors
    /// The session cannot be read, or the store not written.
    pub fn of(cx: &mut Context, work: &Work) -> Result<Self> {
        let hold = cx.store()?.hold()?;
        let root = match work.root {
            Some(root) => root,
            None => {
                let session = cx.catalog()?.view().session(&work.session)?;
                let Sealed { root, .. } = seal_session(cx, &session)?;
                root
            }
        };
        let onto = match work.onto {
            Some(onto) => onto,
            None => blank::root(cx.store()?, work.created_ns)?,
        };
        let mut content = Self::between(cx, (onto, root), work.source.as_deref())?;
        content.tested = health::name_of(work.onto, content.hash);
        content._hold = Some(hold);
        Ok(content)
    }

    /// The change set between two trees that rows name.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn between(cx: &mut Context, (onto, root): (RootId, RootId), source: Option<&str>) -> Result<Self> {
        let scope = session_changes::scope(cx, false, source)?;
        let (old, new) = (StateView::frozen(cx, onto)?, StateView::frozen(cx, root)?);
        let compared = session_changes::compare(old.into(), new.into(), &scope, &[])?;
        let hash = compared.hash()?;
        let tested = health::name_of(Some(onto), hash);
        Ok(Self { hash, root, onto, compared, tested, _hold: None })
    }

    /// What rules want to know of it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let is_gone = |change: &&Change| change.kind == ChangeKind::Deleted;
        Facts {
            hash: self.hash,
            tested: self.tested,
            paths: self.paths().cloned().collect(),
            changed_files: self.files().count() as u64,
            deleted_files: self.files().filter(is_gone).count() as u64,
            changed_bytes: self.files().map(|change| change.sizes().1).sum(),
            reading: Reading::default(),
        }
    }

    /// Each path that the change set touches, those that files were moved from too.
    pub fn paths(&self) -> impl Iterator<Item = &crate::model::BytePath> {
        self.compared.changes.iter().flat_map(|change| {
            let from = match &change.kind {
                ChangeKind::Renamed { from } => Some(from),
                _ => None,
            };
            from.into_iter().chain([&change.path])
        })
    }

    /// The changes of files.
    pub fn files(&self) -> impl Iterator<Item = &Change> {
        self.compared.changes.iter().filter(|change| !change.is_dir())
    }
}
