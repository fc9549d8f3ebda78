//! What is said of a commit: checked, or made from its changes.

use std::fmt::Write;

use crate::model::ChangeKind;
use crate::ops::changes::{Change, quoted, visible};

use super::OutcomeError;

/// Lines of the list of paths in a summary.
const LISTED: usize = 20;

/// The message without blank lines around it and without blanks at the ends of its lines.
///
/// # Errors
/// [`OutcomeError::NoMessage`], or [`OutcomeError::BadMessage`] when it has NUL characters.
pub fn checked(text: &str) -> Result<String, OutcomeError> {
    if text.contains('\0') {
        return Err(OutcomeError::BadMessage);
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    match text.trim_matches('\n') {
        text if text.trim().is_empty() => Err(OutcomeError::NoMessage),
        text => Ok(text.to_owned()),
    }
}

/// What an editor left: without the lines that begin with `#`.
#[must_use]
pub fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// An author as written: `Ann` or `Ann <ann@example.org>`.
///
/// # Errors
/// [`OutcomeError::BadAuthor`].
pub fn checked_author(text: &str) -> Result<String, OutcomeError> {
    let bad = || OutcomeError::BadAuthor { text: text.to_owned() };
    let text = text.trim();
    let (name, mail) = match text.split_once('<') {
        None => (text, ""),
        Some((name, rest)) => (name, rest.strip_suffix('>').ok_or_else(bad)?),
    };
    let is_odd = |char: char| char.is_control() || matches!(char, '<' | '>');
    if name.trim().is_empty() || name.contains(is_odd) || mail.contains(is_odd) {
        return Err(bad());
    }
    Ok(text.to_owned())
}

/// A message made from changes: what they are in a line, and the paths below it.
#[must_use]
pub fn summary(changes: &[Change]) -> String {
    let shown = visible(changes);
    let mut text = match shown.as_slice() {
        [] => return "Change nothing".into(),
        [one] => return sentence(one),
        _ => headline(&shown),
    };
    text.push('\n');
    for change in shown.iter().take(LISTED) {
        let _ = write!(text, "\n{} {}", change.kind.letter(), name(change));
    }
    if let Some(more @ 1..) = shown.len().checked_sub(LISTED) {
        let _ = write!(text, "\nand {more} more");
    }
    text
}

fn sentence(change: &Change) -> String {
    let verb = match &change.kind {
        ChangeKind::Added => "Add",
        ChangeKind::Deleted => "Delete",
        ChangeKind::Renamed { from } => {
            let from = String::from_utf8_lossy(&quoted(b"", from)).into_owned();
            return format!("Rename {from} to {}", name(change));
        }
        ChangeKind::Modified | ChangeKind::TypeChanged | ChangeKind::ModeChanged => "Change",
    };
    format!("{verb} {}", name(change))
}

fn name(change: &Change) -> String {
    String::from_utf8_lossy(&quoted(b"", &change.path)).into_owned()
}

/// How many paths, where, and what became of them.
fn headline(changes: &[&Change]) -> String {
    let count = |letter| changes.iter().filter(|change| change.kind.letter() == letter).count();
    let parts = [('A', "added"), ('D', "deleted"), ('R', "renamed")].map(|(letter, word)| (count(letter), word));
    let others = changes.len() - parts.iter().map(|(count, _)| count).sum::<usize>();
    let parts = [(others, "changed")].into_iter().chain(parts).filter(|(count, _)| *count > 0);
    let parts: Vec<_> = parts.map(|(count, word)| format!("{count} {word}")).collect();
    format!("Change {} paths{}: {}", changes.len(), place(changes), parts.join(", "))
}

/// The directory that all changes are in, if that is not the root.
fn place(changes: &[&Change]) -> String {
    let mut shared = changes.first().and_then(|change| change.path.parent()).unwrap_or_default();
    while !changes.iter().all(|change| change.path.starts_with(&shared)) {
        shared = shared.parent().unwrap_or_default();
    }
    match shared.is_root() {
        true => String::new(),
        false => format!(" in {}", String::from_utf8_lossy(&quoted(b"", &shared))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BytePath;

    fn change(kind: ChangeKind, path: &[u8]) -> Change {
        Change { path: BytePath::parse(path).unwrap(), kind, old: None, new: None }
    }

    #[test]
    fn a_message_is_what_is_left_without_what_is_around_it() {
        assert_eq!(checked("\n\n one \n\n two\t\n\n").unwrap(), " one\n\n two");
        assert_eq!(checked(&without_comments("# a\none\n# b\n")).unwrap(), "one");
        for empty in ["", "\n \n", "\t"] {
            assert!(matches!(checked(empty), Err(OutcomeError::NoMessage)), "{empty:?}");
        }
        assert!(matches!(checked("a\0b"), Err(OutcomeError::BadMessage)));
    }

    #[test]
    fn an_author_is_a_name_with_or_without_an_address() {
        for good in ["Ann", "Ann Lee <ann@example.org>", "größe <>"] {
            assert_eq!(checked_author(good).unwrap(), good);
        }
        for bad in ["", " ", "<ann@example.org>", "Ann <a", "Ann <a> b", "a\nb", "A <a<b>"] {
            assert!(checked_author(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_summary_says_what_and_where() {
        let from = BytePath::parse(b"a").unwrap();
        assert_eq!(summary(&[change(ChangeKind::Added, b"src/x\n")]), "Add \"src/x\\n\"");
        assert_eq!(summary(&[change(ChangeKind::Renamed { from }, b"b")]), "Rename a to b");
        let two = [change(ChangeKind::Modified, b"src/ui/a"), change(ChangeKind::Deleted, b"src/ux/b")];
        assert_eq!(summary(&two), "Change 2 paths in src: 1 changed, 1 deleted\n\nM src/ui/a\nD src/ux/b");
        let many: Vec<_> = (0..25).map(|at| change(ChangeKind::Added, format!("f{at:02}").as_bytes())).collect();
        let text = summary(&many);
        assert!(text.starts_with("Change 25 paths: 25 added\n\nA f00\n"), "{text}");
        assert!(text.ends_with("A f19\nand 5 more"), "{text}");
    }
}
