//! Patterns of paths, and whether two of them have a path in common.
//!
//! A pattern stands for what it matches and all that is below that: `lib` covers `lib/app.js`. In a component `*` stands for
//! any characters, `?` for one, `[a-z]` and `[!a-z]` for one of a set, and `\` takes its meaning from the next character;
//! a component `**` stands for any number of components, none included. Bytes that are not UTF-8 count as one character each.

/// What a character of a component can be; numbers above those of Unicode are bytes that are not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This one.
    One(u32),
    /// Any.
    Any,
    /// Any number of any.
    Star,
    /// One in these ranges, or one that is in none of them.
    Set { ranges: Vec<(u32, u32)>, is_negated: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any number of components.
    Deep,
    /// One component.
    Name(Vec<Token>),
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    parts: Vec<Part>,
}

impl PathPattern {
    /// A pattern as a user writes it.
    #[must_use]
    pub fn glob(text: &[u8]) -> Self {
        Self::new(text, |component| match component {
            b"**" => Part::Deep,
            component => Part::Name(tokens(&characters(component))),
        })
    }

    /// A path, in which nothing is a wildcard.
    #[must_use]
    pub fn literal(path: &[u8]) -> Self {
        Self::new(path, |component| Part::Name(characters(component).into_iter().map(Token::One).collect()))
    }

    fn new(text: &[u8], part: impl Fn(&[u8]) -> Part) -> Self {
        let components = text.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        Self { parts: components.map(part).collect() }
    }

    /// Whether a change of what is at `path` touches what this covers: it is at or below something that matches, or it is a
    /// directory above the part of the pattern that is before any `**`.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        let (a, b) = (&self.parts, &Self::literal(path).parts);
        let is_deep = |part: &Part| *part == Part::Deep;
        let ends_here = |at: usize| a[at..].iter().all(is_deep) || !a[..at].iter().any(is_deep);
        let mut next = vec![true; b.len() + 1];
        for at in (0..a.len()).rev() {
            let mut row = vec![ends_here(at); b.len() + 1];
            // Where a `**` has taken the rest of the path, nothing is left for what comes after it.
            let mut taken = next[b.len()];
            for bt in (0..b.len()).rev() {
                taken = taken || next[bt];
                row[bt] = match (&a[at], &b[bt]) {
                    (Part::Deep, _) => taken,
                    (Part::Name(one), Part::Name(two)) => next[bt + 1] && names_overlap(one, two),
                    (Part::Name(_), Part::Deep) => false,
                };
            }
            next = row;
        }
        next[0]
    }

    /// Whether there can be a path that both cover. What is at a path can be a directory, so that anything can be below it.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.parts, &other.parts);
        // Whether what is left of both from here has a path in common; by dynamic programming from the ends, at which all that
        // is left of the other one is below.
        let mut next = vec![true; b.len() + 1];
        for at in (0..a.len()).rev() {
            let mut row = vec![true; b.len() + 1];
            for bt in (0..b.len()).rev() {
                row[bt] = match (&a[at], &b[bt]) {
                    (Part::Deep, _) | (_, Part::Deep) => next[bt] || row[bt + 1],
                    (Part::Name(one), Part::Name(two)) => next[bt + 1] && names_overlap(one, two),
                };
            }
            next = row;
        }
        next[0]
    }
}

/// The characters of a component; a byte that is not UTF-8 is one of its own.
fn characters(component: &[u8]) -> Vec<u32> {
    const BYTES: u32 = 0x11_0000;
    let chunks = component.utf8_chunks();
    chunks
        .flat_map(|chunk| {
            let valid = chunk.valid().chars().map(u32::from);
            valid.chain(chunk.invalid().iter().map(|&byte| BYTES + u32::from(byte))).collect::<Vec<_>>()
        })
        .collect()
}

fn tokens(text: &[u32]) -> Vec<Token> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let (token, length) = match char::from_u32(text[at]) {
            Some('*') => (Token::Star, 1),
            Some('?') => (Token::Any, 1),
            Some('\\') if at + 1 < text.len() => (Token::One(text[at + 1]), 2),
            Some('[') => set(&text[at..]).unwrap_or((Token::One(text[at]), 1)),
            _ => (Token::One(text[at]), 1),
        };
        if token != Token::Star || !matches!(found.last(), Some(Token::Star)) {
            found.push(token);
        }
        at += length;
    }
    found
}

/// A set of characters, and how long its text is; `None`: the bracket is one of its own.
fn set(text: &[u32]) -> Option<(Token, usize)> {
    let is = |at: usize, char: char| text.get(at) == Some(&u32::from(char));
    let is_negated = is(1, '!') || is(1, '^');
    let start = if is_negated { 2 } else { 1 };
    // A closing bracket that comes first is a member.
    let end = (start + 1..text.len()).find(|&at| is(at, ']'))?;
    let (mut ranges, mut at) = (Vec::new(), start);
    while at < end {
        if is(at + 1, '-') && at + 2 < end {
            ranges.push((text[at], text[at + 2]));
            at += 3;
        } else {
            ranges.push((text[at], text[at]));
            at += 1;
        }
    }
    Some((Token::Set { ranges, is_negated }, end + 1))
}

/// Whether there is a name that both match.
fn names_overlap(a: &[Token], b: &[Token]) -> bool {
    let mut next: Vec<bool> = (0..=b.len()).map(|bt| b[bt..].iter().all(|token| *token == Token::Star)).collect();
    for at in (0..a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        row[b.len()] = a[at] == Token::Star && next[b.len()];
        for bt in (0..b.len()).rev() {
            row[bt] = match (&a[at], &b[bt]) {
                (Token::Star, _) | (_, Token::Star) => next[bt] || row[bt + 1],
                (one, two) => next[bt + 1] && characters_overlap(one, two),
            };
        }
        next = row;
    }
    next[0]
}

/// Whether one character can be both.
fn characters_overlap(a: &Token, b: &Token) -> bool {
    match (a, b) {
        (Token::One(a), Token::One(b)) => a == b,
        (Token::One(char), Token::Set { ranges, is_negated })
        | (Token::Set { ranges, is_negated }, Token::One(char)) => is_in(ranges, *char) != *is_negated,
        (Token::Set { ranges, is_negated: false }, Token::Set { ranges: others, is_negated })
        | (Token::Set { ranges: others, is_negated }, Token::Set { ranges, is_negated: false }) => {
            // Where two sets meet, they meet at an end of a range of one, or beside one of the other.
            let ends =
                ranges.iter().chain(others).flat_map(|(low, high)| [*low, *high, low.saturating_sub(1), high + 1]);
            ends.into_iter().any(|char| is_in(ranges, char) && is_in(others, char) != *is_negated)
        }
        // Two negated sets leave more characters than they name.
        _ => true,
    }
}

fn is_in(ranges: &[(u32, u32)], char: u32) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, overlap: bool) {
        let (one, two) = (PathPattern::glob(a.as_bytes()), PathPattern::glob(b.as_bytes()));
        assert_eq!((one.overlaps(&two), two.overlaps(&one)), (overlap, overlap), "{a} and {b}");
    }

    #[test]
    fn what_is_below_is_covered_and_what_is_beside_is_not() {
        check("lib", "lib/app.js", true);
        check("lib", "library", false);
        check("/lib/", "./lib//app.js", true);
        check("lib/app.js", "lib/app.css", false);
        check("", "anything/at/all", true);
    }

    #[test]
    fn wildcards_meet_where_some_path_has_both() {
        check("*.rs", "main.rs", true);
        check("*.rs", "src/main.rs", false);
        check("**/*.rs", "src/deep/main.rs", true);
        check("src/*.rs", "src/main.c", false);
        check("**/*.rs", "src/main.c", true);
        check("src/**/test_*", "src/**/*_main.c", true);
        check("a*b", "ab", true);
        check("a*b", "aXb*", true);
        check("a?c", "abc", true);
        check("a?c", "a??c", false);
        check("?", "ö", true);
        check("[a-f]x", "ex", true);
        check("[a-f]x", "gx", false);
        check("[!a-f]", "[b-g]", true);
        check("[!a-g]", "[b-f]", false);
        check("[a-c]", "[c-e]", true);
        check("[a-c]", "[d-e]", false);
        check("[]]", "]", true);
        check("[", "[", true);
        check(r"\*", "x", false);
        check("x", "*", true);
        check("a/**/z", "a/z", true);
        check("a/**/z", "b/z", false);
    }

    #[test]
    fn a_change_touches_what_is_covered_and_not_what_could_only_be_below_it() {
        for (pattern, path, covered) in [
            ("lib", "lib/app.js", true),
            ("lib/app.js", "lib", true),
            ("lib/app.js", "lib/app.css", false),
            ("**/*.rs", "src/main.rs", true),
            ("**/*.rs", "src/main.c", false),
            ("src/**/*.rs", "src", true),
            ("src/**/*.rs", "docs", false),
            ("src/**", "src/main.c", true),
            ("a/**/z", "a/b/z/c", true),
            ("", "x", true),
        ] {
            assert_eq!(PathPattern::glob(pattern.as_bytes()).covers(path.as_bytes()), covered, "{pattern} and {path}");
        }
    }

    #[test]
    fn in_a_path_nothing_is_a_wildcard() {
        let page = PathPattern::literal(b"pages/[id].tsx");
        assert!(page.overlaps(&PathPattern::literal(b"pages/[id].tsx")));
        assert!(!page.overlaps(&PathPattern::literal(b"pages/i.tsx")));
        assert!(page.overlaps(&PathPattern::glob(b"pages/*")));
        assert!(!PathPattern::literal(b"\xff").overlaps(&PathPattern::literal(b"\xfe")));
        assert!(PathPattern::literal(b"\xff").overlaps(&PathPattern::glob(b"?")));
    }

    #[test]
    fn patterns_that_would_explode_do_not() {
        let long = "*a".repeat(2000);
        check(&format!("{long}*"), &format!("{}*", "*b".repeat(2000)), true);
        check(&long, &"*b".repeat(2000), false);
        check(&"**/a/".repeat(500), &"**/b/".repeat(500), true);
    }

    proptest::proptest! {
        /// Against matching one by one: what both match, both overlap at.
        #[test]
        fn whatever_both_match_makes_them_overlap(
            a in "[ab*?]{0,6}", b in "[ab*?]{0,6}", name in "[ab]{1,6}",
        ) {
            let matches = |glob: &str| {
                globset::GlobBuilder::new(glob).literal_separator(true).build().unwrap().compile_matcher().is_match(&name)
            };
            if !a.is_empty() && !b.is_empty() && a != "**" && b != "**" && matches(&a) && matches(&b) {
                let (one, two) = (PathPattern::glob(a.as_bytes()), PathPattern::glob(b.as_bytes()));
                proptest::prop_assert!(one.overlaps(&two));
            }
        }

        /// A name overlaps with a pattern exactly if it matches.
        #[test]
        fn a_name_overlaps_with_what_it_matches(glob in "[ab*?]{1,6}", name in "[ab]{1,6}") {
            proptest::prop_assume!(!glob.contains("**"));
            let matcher = globset::GlobBuilder::new(&glob).literal_separator(true).build().unwrap().compile_matcher();
            let overlaps = PathPattern::glob(glob.as_bytes()).overlaps(&PathPattern::literal(name.as_bytes()));
            proptest::prop_assert_eq!(overlaps, matcher.is_match(&name));
        }
    }
}
