//! Many globs that are asked about one by one: which of them match a path, without trying all.
//!
//! The globs are those of [`Globs`](super::rules::Globs), with the same meaning. They lie in groups by the directories that
//! they name before their first wildcard, and a group is made into a matcher when a path first gets there: a policy can have
//! tens of thousands of rules, of which a change set meets some.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::rules::BadGlob;
use crate::model::BytePath;

/// The longest glob in bytes: no path is longer.
const MAX_GLOB_BYTES: usize = 4096;

/// How many globs are matched as one, and how many bytes they may have: the automaton of more would be too large.
const MAX_AT_ONCE: usize = 512;
const MAX_BYTES_AT_ONCE: usize = 32 << 10;

/// One glob.
#[derive(Clone, Debug)]
struct Member {
    /// Its place in the table.
    at: usize,
    glob: Glob,
    is_only_dir: bool,
}

/// Globs that are matched as one.
#[derive(Clone, Debug, Default)]
struct Part {
    members: Vec<Member>,
    size_bytes: usize,
    set: OnceLock<GlobSet>,
}

/// Globs, each of which has a number: its place in what the table was made of.
#[derive(Clone, Debug, Default)]
pub struct GlobTable {
    count: usize,
    groups: HashMap<Box<[u8]>, Vec<Part>>,
}

impl GlobTable {
    /// Parses the globs. A leading `!` or `#` has no special meaning.
    ///
    /// # Errors
    /// [`BadGlob`] names the first that cannot be parsed.
    pub fn new<S: AsRef<str>>(globs: impl IntoIterator<Item = S>) -> Result<Self, BadGlob> {
        let mut table = Self::default();
        for text in globs {
            table.add(text.as_ref())?;
        }
        Ok(table)
    }

    fn add(&mut self, text: &str) -> Result<(), BadGlob> {
        let at = self.count;
        self.count += 1;
        let bad = |why: String| BadGlob { glob: text.to_owned(), why };
        if text.len() > MAX_GLOB_BYTES {
            let beginning = text.chars().take(60).collect();
            return Err(BadGlob { glob: beginning, why: format!("it is longer than {MAX_GLOB_BYTES} bytes") });
        }
        let Some((actual, is_only_dir)) = translate(text) else { return Ok(()) };
        let parse = |glob: &str| GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
        let as_written = parse(&actual).map_err(|error| bad(error.kind().to_string()))?;
        let glob = parse(&together(&actual)).unwrap_or(as_written);
        let parts = self.groups.entry(named_dir(&actual).into()).or_default();
        let is_full =
            |part: &Part| part.members.len() >= MAX_AT_ONCE || part.size_bytes + actual.len() > MAX_BYTES_AT_ONCE;
        if parts.last().is_none_or(is_full) {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            part.size_bytes += actual.len();
            part.members.push(Member { at, glob, is_only_dir });
        }
        Ok(())
    }

    /// For each glob the first of these paths that it matches, or that is below a directory which it matches.
    ///
    /// # Errors
    /// [`BadGlob`] names one that no matcher can be made of.
    pub fn first_covered(&self, paths: &[BytePath]) -> Result<Vec<Option<usize>>, BadGlob> {
        let mut first = vec![None; self.count];
        // What is below the same directory is covered by the same globs, and an earlier path was the first.
        let mut known = HashSet::new();
        for (number, path) in paths.iter().enumerate() {
            let bytes = path.as_bytes();
            let mut note = |at: usize| {
                first[at].get_or_insert(number);
            };
            self.each_match(bytes, false, &mut note)?;
            for (slash, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                let dir = &bytes[..slash];
                if known.insert(dir) {
                    self.each_match(dir, true, &mut note)?;
                }
            }
        }
        Ok(first)
    }

    /// Names each glob that matches this very path.
    fn each_match(&self, path: &[u8], is_dir: bool, found: &mut impl FnMut(usize)) -> Result<(), BadGlob> {
        let candidate = Candidate::new(OsStr::from_bytes(path));
        let mut matches = Vec::new();
        let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
        // A glob without wildcards names all of the path.
        for dir in std::iter::once(&path[..0]).chain(above).chain([path]) {
            for part in self.groups.get(dir).into_iter().flatten() {
                part.set()?.matches_candidate_into(&candidate, &mut matches);
                let matched = matches.iter().map(|&at| &part.members[at]);
                matched.filter(|member| is_dir || !member.is_only_dir).for_each(|member| found(member.at));
            }
        }
        Ok(())
    }
}

impl Part {
    fn set(&self) -> Result<&GlobSet, BadGlob> {
        if let Some(set) = self.set.get() {
            return Ok(set);
        }
        let mut builder = GlobSetBuilder::new();
        for member in &self.members {
            builder.add(member.glob.clone());
        }
        let set = builder.build().map_err(|error| {
            let glob = self.members.first().map(|member| member.glob.glob().to_owned()).unwrap_or_default();
            BadGlob { glob, why: error.to_string() }
        })?;
        Ok(self.set.get_or_init(|| set))
    }
}

/// A line of gitignore(5) as a glob over whole paths, and whether it matches directories only; `None`: it matches nothing.
fn translate(text: &str) -> Option<(String, bool)> {
    let line = if text.ends_with("\\ ") { text } else { text.trim_end() };
    if line.is_empty() {
        return None;
    }
    let (line, is_anchored) = match line.strip_prefix('/') {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    let (line, is_only_dir) = match line.strip_suffix('/') {
        Some(rest) => (rest.strip_suffix('\\').unwrap_or(rest), true),
        None => (line, false),
    };
    let is_anchored = is_anchored || line.contains('/') || line == "**" || line.starts_with("**/");
    let mut glob = if is_anchored { line.to_owned() } else { format!("**/{line}") };
    // What is in the directory, and not the directory itself.
    if glob.ends_with("/**") {
        glob.push_str("/*");
    }
    Some((glob, is_only_dir))
}

/// The same glob, written so that `globset` does not try it on its own on each path with its extension (as it does where
/// behind the wildcards there is a plain extension), but together with the others: the last letter as a set of one.
fn together(glob: &str) -> String {
    let is_plain_extension =
        glob.strip_prefix("**/*").is_some_and(|rest| !rest.contains(['*', '?', '[', '{', '/', '\\']));
    match glob.char_indices().next_back() {
        Some((at, last))
            if last.is_ascii_alphanumeric() && !is_plain_extension && glob.contains(['*', '?', '[', '{']) =>
        {
            // Behind a backslash it is a letter all the same.
            let before = glob[..at].strip_suffix('\\').filter(|_| ends_in_escape(&glob[..at])).unwrap_or(&glob[..at]);
            format!("{before}[{last}]")
        }
        _ => glob.to_owned(),
    }
}

/// Whether the backslash at the end is none that another one escapes.
fn ends_in_escape(text: &str) -> bool {
    text.len().wrapping_sub(text.trim_end_matches('\\').len()) % 2 == 1
}

/// The directories that a glob names before its first wildcard; all of it if it has none.
fn named_dir(glob: &str) -> &[u8] {
    let special = glob.find(['*', '?', '[', ']', '{', '}', '\\', ',']);
    match special {
        None => glob.as_bytes(),
        Some(at) => glob[..at].rfind('/').map_or(&[], |slash| &glob.as_bytes()[..slash]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::ops::rules::Globs;

    fn paths(texts: &[&str]) -> Vec<BytePath> {
        texts.iter().map(|text| BytePath::parse(text.as_bytes()).unwrap()).collect()
    }

    /// What one glob on its own says.
    fn first_of(glob: &str, paths: &[BytePath]) -> Option<usize> {
        let globs = Globs::new(&[glob]).unwrap();
        paths.iter().position(|path| {
            let bytes = path.as_bytes();
            let mut above = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &bytes[..at]);
            globs.matches(bytes, false) || above.any(|dir| globs.matches(dir, true))
        })
    }

    #[test]
    fn each_glob_matches_what_it_matches_alone() {
        let globs = [
            "/ci",
            "/ci/",
            "/ci/**",
            "*.lock",
            "**",
            "/**",
            "a/**/z",
            "doc/*.pdf",
            "!x",
            "#x",
            "a",
            "/a",
            "a/",
            "a/b",
            "[ab]",
            "{a,b/c}",
            "/{a,b/c}",
            "b/{c,d}/*",
            "a\\*b",
            "/a\\*b",
            "",
            "  ",
            "x ",
            "x\\ ",
            "/",
            "//a",
            "**/",
            "**/a/",
            "lib/**/",
            "?",
            "*",
            "a/*x",
            "*/x.pdf",
            "*/\\a.pdf",
            "doc/*.pd\\f",
            "*\\\\x",
            "**/*.{pdf,lock}",
            "[!a]x",
            "[a-z]c",
        ];
        let paths = paths(&[
            "ci",
            "ci/run/now",
            "ci/Cargo.lock",
            "src/ci",
            "a/z",
            "a/b/c/z",
            "doc/a.pdf",
            "doc/b/a.pdf",
            "!x",
            "#x",
            "b/a/x",
            "b/c",
            "b/c/d",
            "a*b",
            "x ",
            "x",
            "lib/a/b",
            "y/a*b",
        ]);
        let found = GlobTable::new(globs).unwrap().first_covered(&paths).unwrap();
        for (glob, found) in globs.iter().zip(found) {
            assert_eq!(found, first_of(glob, &paths), "{glob:?}");
        }
        for bad in ["a[b", "{a", "a\\"] {
            assert_eq!(GlobTable::new([bad]).is_err(), Globs::new(&[bad]).is_err(), "{bad}");
        }
        assert!(GlobTable::new(["x".repeat(5000)]).is_err());
    }

    #[test]
    fn a_table_as_long_as_a_policy_can_be_is_no_product_of_globs_and_paths() {
        let kinds: [fn(usize) -> String; 4] = [
            |at| format!("/src/module{at}/**"),
            |at| format!("*.ext{at}"),
            |at| format!("**/*a{at}*b*"),
            |at| format!("/src/*/file{at}.rs"),
        ];
        let paths: Vec<BytePath> = (0..2000)
            .map(|at| BytePath::parse(format!("src/module{at}/deep/file{at}.rs").as_bytes()).unwrap())
            .collect();
        let begun = Instant::now();
        let table = GlobTable::new((0..20_000).map(|at| kinds[at % 4](at))).unwrap();
        let found = table.first_covered(&paths).unwrap();
        assert_eq!(found.iter().flatten().count(), 500);
        // One by one it is forty million looks.
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn a_table_says_what_its_globs_say(
            globs in prop::collection::vec("[!#]?/?[ab*?/\\[\\]{},\\\\ ]{0,6}/?", 1..20),
            names in prop::collection::vec("[ab]{1,2}(/[ab*]{1,2}){0,3}", 1..8),
        ) {
            let globs: Vec<_> = globs.iter().filter(|glob| Globs::new(&[glob.as_str()]).is_ok()).collect();
            let paths: Vec<_> = names.iter().map(|name| BytePath::parse(name.as_bytes()).unwrap()).collect();
            let found = GlobTable::new(&globs).unwrap().first_covered(&paths).unwrap();
            for (glob, found) in globs.iter().zip(found) {
                prop_assert_eq!(found, first_of(glob, &paths), "{:?}", glob);
            }
        }
    }
}
