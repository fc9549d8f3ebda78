//! The policy of a source: what each action needs, from whom, and what raises the bar.
//!
//! It is kept in the catalog as the TOML that somebody wrote, so that comments stay. A key that nobody knows is an error:
//! a rule with a typo in it would be none.

mod edit;
mod error;
mod rule;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::BytePath;

use super::glob_table::GlobTable;
use super::rules::BadGlob;
use super::time;

pub use edit::{Checked, check, get, set, unset};
pub use error::PolicyError;
pub use rule::{Granting, Rule};

/// The longest policy, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A policy as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    actions: BTreeMap<String, WrittenAction>,
    paths: BTreeMap<String, WrittenPath>,
    limits: Limits,
    signatures: Signatures,
    hooks: WrittenHooks,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenHooks {
    skip: Option<String>,
}

/// Who may leave hooks out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skip {
    /// Whoever acts.
    #[default]
    Anybody,
    /// Actors of whom the config says that they are human.
    Human,
    /// None.
    Nobody,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenAction {
    grants: Option<u32>,
    own: Option<bool>,
    from: Vec<String>,
    human: bool,
    signed: bool,
    health: Option<String>,
    health_max_age: Option<String>,
    open_annotations: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenPath {
    grants: Option<u32>,
    own: Option<bool>,
    from: Vec<String>,
    human: bool,
    signed: bool,
    actions: Option<Vec<String>>,
    protected: bool,
}

/// How much a session may change. Without a number there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Files that differ.
    pub changed_files: Option<u64>,
    /// Files that are gone.
    pub deleted_files: Option<u64>,
    /// Bytes of files that differ, as they are then.
    pub changed_bytes: Option<u64>,
}

/// Whose signatures count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signatures {
    /// Lines as in ssh-keygen(1), ALLOWED SIGNERS; the principals are actors.
    pub allowed_signers: String,
}

/// What an action needs.
#[derive(Clone, Debug, Default)]
pub struct ActionRule {
    /// Who has to grant it.
    pub rule: Rule,
    /// Whether the newest test result has to be a good one.
    pub passing: bool,
    /// How old that may be, in nanoseconds.
    pub health_max_age_ns: Option<i64>,
    /// How many notes may be open.
    pub open_annotations: Option<u64>,
}

/// What some paths need.
#[derive(Clone, Debug)]
pub struct PathRule {
    /// As it is written.
    pub glob: String,
    /// Who has to grant it.
    pub rule: Rule,
    /// For which actions; all that take work out of a session if it is not said.
    pub actions: Option<Vec<String>>,
    /// Whether no session may change them.
    pub protected: bool,
}

/// A policy.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// By the word of the action.
    pub actions: BTreeMap<String, ActionRule>,
    /// For paths.
    pub paths: Vec<PathRule>,
    /// The globs of these, in the same order.
    globs: GlobTable,
    /// For all actions that take work out of a session.
    pub limits: Limits,
    /// Whose signatures count.
    pub signatures: Signatures,
    /// Who may leave hooks out.
    pub skip: Skip,
}

impl Policy {
    /// Reads a policy. `file` is what errors call it.
    ///
    /// # Errors
    /// [`PolicyError`] names the file and the key.
    pub fn parse(text: &str, file: &str) -> Result<Self, PolicyError> {
        let wrong = |key: String, why: String| PolicyError::Wrong { file: file.to_owned(), key, why };
        if text.len() > MAX_BYTES {
            return Err(wrong("all of it".into(), format!("it is longer than {MAX_BYTES} bytes")));
        }
        let written: Written = toml::from_str(text).map_err(|error| PolicyError::syntax(file, text, &error))?;
        let actions = written.actions.into_iter().map(|(word, action)| {
            let rule = action.read(&word).map_err(|(key, why)| wrong(format!("actions.{word}.{key}"), why))?;
            Ok((word, rule))
        });
        let bad_glob = |bad: BadGlob| wrong(format!("paths.\"{}\"", bad.glob), bad.to_string());
        let globs = GlobTable::new(written.paths.keys()).map_err(bad_glob)?;
        let paths = written.paths.into_iter().map(|(glob, path)| path.read(glob)).collect();
        let (limits, signatures) = (written.limits, written.signatures);
        let skip = match written.hooks.skip.as_deref() {
            None | Some("anybody") => Skip::Anybody,
            Some("human") => Skip::Human,
            Some("nobody") => Skip::Nobody,
            Some(other) => {
                let why = format!("`{other}` is not `anybody`, `human` or `nobody`");
                return Err(wrong("hooks.skip".into(), why));
            }
        };
        Ok(Self { actions: actions.collect::<Result<_, _>>()?, paths, globs, limits, signatures, skip })
    }
}

impl Policy {
    /// For each of the rules for paths, the first of these paths that it speaks of: it matches that, or a directory above.
    ///
    /// # Errors
    /// [`PolicyError::Wrong`] for a glob that is too large to be matched.
    pub fn touched(&self, paths: &[BytePath]) -> Result<Vec<Option<usize>>, PolicyError> {
        self.globs.first_covered(paths).map_err(|bad| PolicyError::Wrong {
            file: "in the catalog".into(),
            key: format!("paths.\"{}\"", bad.glob),
            why: bad.to_string(),
        })
    }
}

impl WrittenAction {
    fn read(self, word: &str) -> Result<ActionRule, (&'static str, String)> {
        let passing = match self.health.as_deref() {
            None => false,
            Some("passing") => true,
            Some(other) => return Err(("health", format!("`{other}` is not `passing`"))),
        };
        let age = self.health_max_age.as_deref().map(time::duration).transpose();
        let health_max_age_ns = age.map_err(|error| ("health_max_age", error.to_string()))?;
        if health_max_age_ns.is_some() && !passing {
            return Err(("health_max_age", "it means nothing without `health`".into()));
        }
        let named = format!("actions.{word}");
        let rule = Rule::new(named, (self.grants, 0), self.own, self.from, (self.human, self.signed));
        Ok(ActionRule { rule, passing, health_max_age_ns, open_annotations: self.open_annotations })
    }
}

impl WrittenPath {
    fn read(self, glob: String) -> PathRule {
        let least = u32::from(!self.protected);
        let named = format!("paths.\"{glob}\"");
        let rule = Rule::new(named, (self.grants, least), self.own, self.from, (self.human, self.signed));
        PathRule { glob, rule, actions: self.actions, protected: self.protected }
    }
}

impl PathRule {
    /// Whether it holds for an action.
    #[must_use]
    pub fn is_for(&self, action: &str, takes_work: bool) -> bool {
        self.actions.as_ref().map_or(takes_work, |actions| actions.iter().any(|word| word == action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_an_error_that_names_file_and_key() {
        for (text, key) in [
            ("[actions.commit]\ngrant = 1", "grant"),
            ("[action.commit]\ngrants = 1", "action"),
            ("[limits]\nfiles = 1", "files"),
            ("[paths.\"/ci/**\"]\nprotect = true", "protect"),
            ("[actions.commit]\nhealth = \"fine\"", "actions.commit.health"),
            ("[actions.commit]\nhealth_max_age = \"1d\"", "actions.commit.health_max_age"),
            ("[actions.commit]\ngrants = \"two\"", "grants"),
            ("[paths.\"a[\"]\ngrants = 1", "a["),
            ("[hooks]\nskip = \"agent\"", "hooks.skip"),
            ("[actions.commit\n", "line 1"),
        ] {
            let error = Policy::parse(text, "web.toml").unwrap_err().to_string();
            assert!(error.contains("web.toml") && error.contains(key) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn a_rule_for_paths_holds_for_all_that_is_below() {
        let policy = Policy::parse("[paths.\"/ci\"]\n[paths.\"*.lock\"]\n[paths.\"/.github/**\"]", "x").unwrap();
        let covered = |path: &str| {
            let path = BytePath::parse(path.as_bytes()).unwrap();
            let touched = policy.touched(&[path]).unwrap();
            let rules = policy.paths.iter().zip(touched).filter(|(_, first)| first.is_some());
            rules.map(|(rule, _)| rule.glob.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(covered("ci/run/now"), ["/ci"]);
        assert_eq!(covered("src/ci"), Vec::<&str>::new());
        assert_eq!(covered("ci/Cargo.lock"), ["*.lock", "/ci"]);
        assert_eq!(covered(".github/workflows/x.yml"), ["/.github/**"]);
    }

    #[test]
    fn a_rule_that_names_who_asks_for_one_grant() {
        let policy = Policy::parse("[actions.commit]\nfrom = [\"bob\"]\n[actions.merge]\n[paths.\"/a\"]", "x").unwrap();
        assert_eq!(policy.actions["commit"].rule.grants, 1);
        assert_eq!(policy.actions["merge"].rule.grants, 0);
        assert_eq!(policy.paths[0].rule.grants, 1);
    }
}
