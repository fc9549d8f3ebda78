//! The store, as a merge sees it, and which paths a merge is about.

use crate::model::merge::Trees;
use crate::model::{Body, BytePath, Content, DirRef, Entry, Root, RootId};
use crate::ops::changes::Scope;
use crate::ops::rules::Rules;
use crate::overlay::{Lower, LowerError};
use crate::store::{Store, StoreError, tree};

/// Longer files are not taken for rule files.
const MAX_RULES_BYTES: u64 = 1 << 20;

/// Frozen trees in the store.
#[derive(Debug)]
pub(super) struct StoreTrees<'a> {
    pub(super) store: &'a Store,
    pub(super) scope: Scope,
}

impl Trees for StoreTrees<'_> {
    type Error = LowerError;
    type Rules = Rules;

    fn list(&self, dir: &DirRef) -> Result<Vec<Entry>, LowerError> {
        tree::entries(self.store, *dir).map(|entry| Ok(Entry::clone(&*entry?))).collect()
    }

    fn read(&self, content: &Content, size_bytes: u64) -> Result<Vec<u8>, LowerError> {
        let mut bytes = vec![0; size_bytes as usize];
        Lower::read(self.store, content, size_bytes, 0, &mut bytes)?;
        Ok(bytes)
    }

    fn rules(&self) -> Rules {
        Rules::default()
    }

    fn rules_inside(&self, rules: &Rules, dir: &BytePath, entries: &[Entry]) -> Result<Rules, LowerError> {
        let Scope::Tracked(_) = self.scope else { return Ok(Rules::default()) };
        let Ok(at) = entries.binary_search_by(|entry| entry.name.as_bytes().cmp(b".gitignore")) else {
            return Ok(rules.clone());
        };
        match &entries[at] {
            Entry { body: Body::File(content), attr, .. } if attr.size <= MAX_RULES_BYTES => {
                Ok(rules.with(dir, &self.read(content, attr.size)?))
            }
            _ => Ok(rules.clone()),
        }
    }

    fn is_tracked(&self, rules: &Rules, path: &BytePath, is_dir: bool) -> bool {
        self.scope.has(rules, path, is_dir)
    }
}

/// The root of a tree.
pub(super) fn root(store: &Store, id: RootId) -> Result<Root, StoreError> {
    Ok(store.root(id)?)
}
