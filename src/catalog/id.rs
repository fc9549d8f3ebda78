//! Ids: a letter for the type of the object, `-`, and [`LEN`] random characters of Crockford's base 32 in lower case.
//!
//! An id is given out once and never changes. Users may write any unique prefix of one.

use std::fmt;

/// Random characters in an id: 50 bits.
pub const LEN: usize = 10;

/// Crockford's alphabet: no `i`, `l`, `o`, `u`, which are mistaken for others.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The types of object that have ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// A baseline with revisions.
    Source,
    /// A workspace.
    Session,
    /// A state that a session was in.
    Checkpoint,
    /// What came of a session, kept for good.
    Commit,
    /// Whether an action may happen.
    Approval,
    /// A note of a review.
    Annotation,
}

impl ObjectType {
    /// Every type.
    pub const ALL: [Self; 6] =
        [Self::Source, Self::Session, Self::Checkpoint, Self::Commit, Self::Approval, Self::Annotation];

    /// Letters that ids begin with, also of types to come, so that a name accepted today is no id tomorrow.
    const LETTERS: &'static [u8] = b"abcehknost";

    /// The letter that ids of this type begin with.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Source => 'b',
            Self::Session => 's',
            Self::Checkpoint => 'c',
            // An outcome: `c` is taken.
            Self::Commit => 'o',
            Self::Approval => 'a',
            // A note: `a` is taken.
            Self::Annotation => 'n',
        }
    }

    /// The word for it in messages and in the history.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Session => "session",
            Self::Checkpoint => "checkpoint",
            Self::Commit => "commit",
            Self::Approval => "approval",
            Self::Annotation => "annotation",
        }
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether the text has the form of a whole id of any type.
#[must_use]
pub fn has_id_form(text: &str) -> bool {
    match text.as_bytes() {
        [letter, b'-', rest @ ..] => {
            ObjectType::LETTERS.contains(letter) && rest.len() == LEN && rest.iter().all(|byte| ALPHABET.contains(byte))
        }
        _ => false,
    }
}

/// Whether the text could be the beginning of an id of this type: at least the letter, `-` and one character.
#[must_use]
pub fn has_prefix_form(kind: ObjectType, text: &str) -> bool {
    match text.as_bytes() {
        [letter, b'-', rest @ ..] => {
            char::from(*letter) == kind.letter()
                && (1..=LEN).contains(&rest.len())
                && rest.iter().all(|byte| ALPHABET.contains(byte))
        }
        _ => false,
    }
}

/// The id of this type that 50 bits of `random` spell.
#[must_use]
pub fn from_random(kind: ObjectType, random: u64) -> String {
    let digits = (0..LEN).map(|at| char::from(ALPHABET[(random >> (5 * at)) as usize & 31]));
    [kind.letter(), '-'].into_iter().chain(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_has_the_form_of_one_and_of_its_own_prefixes() {
        for random in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let id = from_random(ObjectType::Session, random);
            assert!(has_id_form(&id), "{id}");
            assert!((3..=id.len()).all(|end| has_prefix_form(ObjectType::Session, &id[..end])));
            assert!(!has_prefix_form(ObjectType::Source, &id));
            assert!(!has_prefix_form(ObjectType::Session, &id[..2]));
        }
    }

    #[test]
    fn every_type_letter_is_reserved() {
        for kind in ObjectType::ALL {
            assert!(ObjectType::LETTERS.contains(&(kind.letter() as u8)), "{kind}");
        }
        assert!(!has_id_form("c-make"));
    }
}
