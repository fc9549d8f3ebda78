//! Which paths a comparison speaks of: tracked ones, or all.
//!
//! A path is *scratch* when it or a directory above it is named `.git`, is ignored by the tree's own `.gitignore` files,
//! or matches a glob of the source. All else is *tracked*. Whether git itself tracks a file plays no part.

use crate::model::BytePath;
use crate::ops::rules::{Globs, Rules, Verdict};
use crate::overlay::{Error, SnapshotBody, SnapshotEntry};

use super::TreeView;

/// Rule files above this length are not taken for rule files.
const MAX_RULES_BYTES: u64 = 1 << 20;

/// What to compare.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Everything.
    All,
    /// Tracked paths only; the globs add to what is scratch.
    Tracked(Globs),
}

impl Default for Scope {
    fn default() -> Self {
        Self::Tracked(Globs::default())
    }
}

impl Scope {
    /// The rules inside `dir`, when `rules` hold above it and it has these entries.
    pub(super) fn rules_inside(
        &self,
        rules: &Rules,
        dir: &BytePath,
        view: &dyn TreeView,
        entries: &[SnapshotEntry],
    ) -> Result<Rules, Error> {
        let Self::Tracked(_) = self else { return Ok(Rules::default()) };
        let Ok(at) = entries.binary_search_by(|entry| entry.name.as_bytes().cmp(b".gitignore")) else {
            return Ok(rules.clone());
        };
        let file = &entries[at];
        if !matches!(file.body, SnapshotBody::File(_)) || file.attr.size > MAX_RULES_BYTES {
            return Ok(rules.clone());
        }
        let mut text = vec![0; file.attr.size as usize];
        let count = view.read(file, 0, &mut text)?;
        text.truncate(count);
        Ok(rules.with(dir, &text))
    }

    /// Whether this very path is in the scope, given that the directory it is in is.
    pub(in crate::ops) fn has(&self, rules: &Rules, path: &BytePath, is_dir: bool) -> bool {
        let Self::Tracked(globs) = self else { return true };
        path.file_name() != Some(b".git")
            && rules.verdict(path.as_bytes(), is_dir) != Verdict::Ignored
            && !globs.matches(path.as_bytes(), is_dir)
    }
}
