//! Colours by meaning. Every text can be read without them.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// Nothing special.
    #[default]
    Plain,
    /// The head of a table or a section.
    Head,
    /// Something to look at: a name, a number.
    Strong,
    /// Something that matters less.
    Dim,
    /// As it should be; an added line.
    Good,
    /// Worth a look; a changed file.
    Warning,
    /// Wrong; a removed line.
    Error,
    /// Advice; the position of a hunk.
    Hint,
}

impl Paint {
    /// The parameters of the escape sequence that begins it (ECMA-48, SGR); `None` for plain text.
    #[must_use]
    pub(super) fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Head => Some("1;4"),
            Self::Strong => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Error => Some("1;31"),
            Self::Hint => Some("36"),
        }
    }
}
