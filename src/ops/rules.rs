//! Which paths of a tree are ignored: nested rule files in the syntax of gitignore(5), and globs on their own.
//!
//! The same rules decide what an import leaves out and what counts as scratch in a diff. Reading the rule files is the
//! caller's business; nothing here does I/O. Lines that are not UTF-8, and globs that cannot be parsed in a rule file,
//! are passed over, as git does with what it cannot make sense of.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::BytePath;

/// What the rules say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule speaks of it.
    Silent,
    /// It is ignored.
    Ignored,
    /// A rule with `!` takes it in again.
    Kept,
}

/// A glob that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{glob}` is not a valid glob: {why}")]
pub struct BadGlob {
    /// The glob as it was given.
    pub glob: String,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Debug)]
struct Level {
    /// Length of the path of the directory that the rules stand in, with its slash.
    base_bytes: usize,
    rules: Gitignore,
    outer: Option<Arc<Level>>,
}

/// The rules that hold in one directory: its own rule file and those of the directories above, innermost first.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    innermost: Option<Arc<Level>>,
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn match_in(rules: &Gitignore, path: &[u8], is_dir: bool) -> Verdict {
    match rules.matched(as_path(path), is_dir) {
        Match::None => Verdict::Silent,
        Match::Ignore(_) => Verdict::Ignored,
        Match::Whitelist(_) => Verdict::Kept,
    }
}

impl Rules {
    /// Whether no rule holds, so that no path need be built to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.innermost.is_none()
    }

    /// These rules and those of a rule file in `dir`, which go before them. `dir` is the directory that the rules are
    /// asked about next, or one above it.
    #[must_use]
    pub fn with(&self, dir: &BytePath, text: &[u8]) -> Self {
        let mut builder = GitignoreBuilder::new(".");
        for line in text.split(|&byte| byte == b'\n') {
            if let Ok(line) = std::str::from_utf8(line) {
                // A line that is no glob is passed over; the builder is unchanged then.
                let _ = builder.add_line(None, line);
            }
        }
        match builder.build() {
            Ok(rules) if !rules.is_empty() => {
                let base_bytes = if dir.is_root() { 0 } else { dir.as_bytes().len() + 1 };
                Self { innermost: Some(Arc::new(Level { base_bytes, rules, outer: self.innermost.clone() })) }
            }
            _ => self.clone(),
        }
    }

    /// What the rules say of this very path. A path below an ignored directory is for the caller to know of.
    #[must_use]
    pub fn verdict(&self, path: &[u8], is_dir: bool) -> Verdict {
        let mut level = self.innermost.as_deref();
        while let Some(here) = level {
            let verdict = match_in(&here.rules, path.get(here.base_bytes..).unwrap_or_default(), is_dir);
            if verdict != Verdict::Silent {
                return verdict;
            }
            level = here.outer.as_deref();
        }
        Verdict::Silent
    }
}

/// Globs that stand on their own, relative to the root of a tree: without a slash they match a name at any depth, with
/// one they are anchored at the root; one that ends in a slash matches directories only.
#[derive(Clone, Debug)]
pub struct Globs(Gitignore);

impl Default for Globs {
    fn default() -> Self {
        Self(Gitignore::empty())
    }
}

impl Globs {
    /// Parses the globs. A leading `!` or `#` has no special meaning.
    ///
    /// # Errors
    /// [`BadGlob`] names the first that cannot be parsed.
    pub fn new<S: AsRef<str>>(globs: &[S]) -> Result<Self, BadGlob> {
        let mut builder = GitignoreBuilder::new(".");
        builder.allow_unclosed_class(false);
        for glob in globs {
            let glob = glob.as_ref();
            let escaped = if glob.starts_with(['!', '#']) { &format!("\\{glob}") } else { glob };
            builder.add_line(None, escaped).map_err(|error| bad_glob(glob, &error))?;
        }
        builder.build().map(Self).map_err(|error| bad_glob("", &error))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them matches this very path.
    #[must_use]
    pub fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        match_in(&self.0, path, is_dir) == Verdict::Ignored
    }
}

fn bad_glob(glob: &str, error: &ignore::Error) -> BadGlob {
    let why = match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    };
    BadGlob { glob: glob.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> BytePath {
        BytePath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_inner_rule_file_overrules_the_outer_one() {
        let outer = Rules::default().with(&BytePath::root(), b"*.log\n/build\n");
        let inner = outer.with(&path("a/b"), b"!keep.log\r\n");
        assert_eq!(inner.verdict(b"a/b/x.log", false), Verdict::Ignored);
        assert_eq!(inner.verdict(b"a/b/keep.log", false), Verdict::Kept);
        assert_eq!(outer.verdict(b"keep.log", false), Verdict::Ignored);
        assert_eq!(outer.verdict(b"build", true), Verdict::Ignored);
        assert_eq!(outer.verdict(b"a/build", true), Verdict::Silent);
    }

    #[test]
    fn a_rule_is_relative_to_the_directory_it_stands_in() {
        let rules = Rules::default().with(&path("a"), b"/x/y\n");
        assert_eq!(rules.verdict(b"a/x/y", false), Verdict::Ignored);
        assert_eq!(rules.verdict(b"x/y", false), Verdict::Silent);
    }

    #[test]
    fn names_that_are_not_utf8_can_be_matched() {
        let rules = Rules::default().with(&BytePath::root(), b"bad\xffline\n*.o\n");
        assert_eq!(rules.verdict(b"d/\xff\xfe.o", false), Verdict::Ignored);
        assert_eq!(rules.verdict(b"bad\xffline", false), Verdict::Silent);
    }

    #[test]
    fn globs_without_a_slash_match_at_any_depth_and_others_are_anchored() {
        let globs = Globs::new(&["node_modules/", "/target", "doc/*.pdf", "!x"]).unwrap();
        assert!(globs.matches(b"a/node_modules", true));
        assert!(!globs.matches(b"a/node_modules", false));
        assert!(globs.matches(b"target", true));
        assert!(!globs.matches(b"a/target", true));
        assert!(globs.matches(b"doc/a.pdf", false));
        assert!(!globs.matches(b"doc/b/a.pdf", false));
        assert!(globs.matches(b"a/!x", false));
        assert_eq!(Globs::new(&["a[b"]).unwrap_err().glob, "a[b");
    }
}
