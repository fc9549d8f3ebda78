//! Who may say yes.

/// Who has to grant something, and how many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands in the policy.
    pub named: String,
    /// So many actors have to.
    pub grants: u32,
    /// Whether whoever asked is one of them.
    pub own: bool,
    /// Only these; anybody if there are none.
    pub from: Vec<String>,
    /// Whether only people can, of whom the configuration says that they are.
    pub human: bool,
    /// Whether only signed grants count.
    pub signed: bool,
}

/// A grant, as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Granting<'a> {
    /// Who grants.
    pub actor: &'a str,
    /// `human` or `agent`, if that is known.
    pub kind: Option<&'a str>,
    /// Who asked.
    pub asker: &'a str,
    /// Whether it is signed with a key that counts.
    pub is_signed: bool,
}

impl Rule {
    pub(super) fn new(
        named: String,
        (grants, least): (Option<u32>, u32),
        own: Option<bool>,
        from: Vec<String>,
        (human, signed): (bool, bool),
    ) -> Self {
        let asks_for_somebody = human || signed || !from.is_empty();
        let grants = grants.unwrap_or(least.max(u32::from(asks_for_somebody)));
        Self { named, grants, own: own.unwrap_or(true), from, human, signed }
    }

    /// Why a grant does not count; `None`: it does.
    #[must_use]
    pub fn objection(&self, granting: &Granting<'_>) -> Option<&'static str> {
        if !self.own && granting.actor == granting.asker {
            Some("nobody grants what they asked for themselves")
        } else if !self.from.is_empty() && !self.from.iter().any(|name| name == granting.actor) {
            Some("only those named in `from` can grant it")
        } else if self.human && granting.kind != Some("human") {
            Some("only an actor that the configuration calls human can grant it")
        } else if self.signed && !granting.is_signed {
            Some("the grant has to be signed")
        } else {
            None
        }
    }

    /// Who can, in half a sentence.
    #[must_use]
    pub fn whose(&self) -> String {
        let mut text = match self.from.as_slice() {
            [] => String::new(),
            names => format!(" from {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")),
        };
        for (holds, words) in [(!self.own, " by another actor"), (self.human, " by a human"), (self.signed, ", signed")]
        {
            if holds {
                text.push_str(words);
            }
        }
        text
    }
}
