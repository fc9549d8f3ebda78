//! Finds and reads the rule files of a directory of the origin: `.aetherignore`, `.gitignore`, `.git/info/exclude`.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use crate::model::{BytePath, Kind};
use crate::ops::rules::{Rules, Verdict};

use super::origin::Origin;
use super::stat::Seen;

/// Files above this length are not taken for rule files.
const MAX_BYTES: u64 = 1 << 20;

/// The two families of rules that can hold in a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleSet {
    git: Rules,
    own: Rules,
}

impl RuleSet {
    pub(super) fn is_empty(&self) -> bool {
        self.git.is_empty() && self.own.is_empty()
    }

    /// Whether the rules leave this path out. `.aetherignore` goes before git's files, which never speak of `.git`.
    pub(super) fn leaves_out(&self, path: &[u8], name: &[u8], is_dir: bool) -> bool {
        match self.own.verdict(path, is_dir) {
            Verdict::Ignored => true,
            Verdict::Kept => false,
            Verdict::Silent => name != b".git" && self.git.verdict(path, is_dir) == Verdict::Ignored,
        }
    }

    /// The rules that hold in `dir`, which has these names, when `self` holds above it.
    pub(super) fn inside<'n>(
        &self,
        origin: &Origin,
        dir: &BytePath,
        names: impl Iterator<Item = &'n [u8]>,
        respect_gitignore: bool,
    ) -> Self {
        let (mut has_own, mut has_git, mut has_gitignore) = (false, false, false);
        for name in names {
            has_own |= name == b".aetherignore";
            has_git |= name == b".git";
            has_gitignore |= name == b".gitignore";
        }
        let mut rules = self.clone();
        if has_own && let Some(text) = read(origin, dir, b".aetherignore") {
            rules.own = rules.own.with(dir, &text);
        }
        if respect_gitignore
            && has_git
            && let Some(text) = read(origin, &dir.join(b".git/info"), b"exclude")
        {
            rules.git = rules.git.with(dir, &text);
        }
        if respect_gitignore
            && has_gitignore
            && let Some(text) = read(origin, dir, b".gitignore")
        {
            rules.git = rules.git.with(dir, &text);
        }
        rules
    }
}

/// A rule file that cannot be read holds no rules; the import meets it again as a file, and reports it then.
fn read(origin: &Origin, dir: &BytePath, name: &[u8]) -> Option<Vec<u8>> {
    let dir = origin.open_dir(dir).ok()?;
    let fd = origin.open_file(dir.as_fd(), name, u32::MAX).ok()?;
    let seen = Seen::at(&fd, b"").ok()?;
    if seen.attr.kind != Kind::File || seen.attr.size > MAX_BYTES {
        return None;
    }
    let mut text = Vec::new();
    File::from(fd).take(MAX_BYTES).read_to_end(&mut text).ok()?;
    Some(text)
}
