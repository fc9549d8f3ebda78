//! Why an approval cannot be asked for, or answered.

use crate::catalog::ApprovalState;
use crate::ops::Kind;

/// Why an approval cannot be asked for, or answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Nothing was ever asked about the session.
    #[error("no approval was asked for of session `{session}`")]
    NoneAsked {
        /// The session.
        session: String,
    },
    /// Several questions about the session are open.
    #[error("more than one approval is pending of session `{session}`: {}", .candidates.join(", "))]
    SeveralAsked {
        /// The session.
        session: String,
        /// Those that it could be, each as `id (action)`.
        candidates: Vec<String>,
    },
    /// The text cannot be the word of an action.
    #[error(
        "`{word}` is no word for an action: it needs 1 to 60 small letters, digits, `-`, `_`, `.` or `:`, a letter first"
    )]
    BadAction {
        /// As the user wrote it.
        word: String,
    },
    /// The details are no JSON object.
    #[error("the details are no JSON object: {why}")]
    BadDetails {
        /// What is wrong with them.
        why: String,
    },
    /// The same question is open.
    #[error("approval `{id}` asks for {action} of this content already")]
    AskedAlready {
        /// The approval.
        id: String,
        /// The action.
        action: String,
    },
    /// It was decided.
    #[error("approval `{id}` is not pending any more: it is {}", .state.word())]
    NotPending {
        /// The approval.
        id: String,
        /// Where it stands.
        state: ApprovalState,
    },
    /// The policy counts no grant of this actor.
    #[error("`{actor}` cannot grant approval `{id}`: {why} (`{rule}` of the policy)")]
    MayNot {
        /// The approval.
        id: String,
        /// The actor.
        actor: String,
        /// The rule.
        rule: String,
        /// What it says.
        why: &'static str,
    },
    /// No key was named.
    #[error("no key to sign with is named")]
    NoKey,
    /// The policy names no keys.
    #[error("a signature means nothing here: the policy of the source names no allowed signers")]
    NoSigners,
    /// The key could not be used.
    #[error("ssh-keygen could not sign: {why}")]
    CannotSign {
        /// What it said.
        why: String,
    },
    /// The key is none of the actor's.
    #[error("the signature is not one that the policy allows `{actor}`: {why}")]
    NotSigned {
        /// The actor.
        actor: String,
        /// What ssh-keygen said.
        why: String,
    },
    /// Grants have to come from different actors.
    #[error("`{actor}` granted approval `{id}` already, and somebody else has to, too")]
    GrantedAlready {
        /// The approval.
        id: String,
        /// The actor.
        actor: String,
    },
}

impl ApprovalError {
    /// What went wrong, coarsely.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadAction { .. } | Self::BadDetails { .. } => Kind::Usage,
            Self::MayNot { .. } | Self::NotSigned { .. } => Kind::Refused,
            Self::NoSigners | Self::NoKey => Kind::Usage,
            Self::CannotSign { .. } => Kind::Failed,
            Self::NoneAsked { .. } | Self::SeveralAsked { .. } => Kind::NotFound,
            Self::AskedAlready { .. } | Self::NotPending { .. } | Self::GrantedAlready { .. } => Kind::Conflict,
        }
    }

    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoneAsked { .. } => "not-found",
            Self::SeveralAsked { .. } => "ambiguous",
            Self::BadAction { .. } => "bad-action",
            Self::BadDetails { .. } => "bad-details",
            Self::MayNot { .. } => "may-not-grant",
            Self::NoSigners => "no-signers",
            Self::NoKey => "no-key",
            Self::CannotSign { .. } => "cannot-sign",
            Self::NotSigned { .. } => "not-signed",
            Self::AskedAlready { .. } => "asked-already",
            Self::NotPending { .. } => "not-pending",
            Self::GrantedAlready { .. } => "granted-already",
        }
    }

    /// What helps, a line each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::BadAction { .. } => {
                vec!["actions are commit, merge, promote, apply, delete, or a word of your own".into()]
            }
            Self::NoneAsked { session } => {
                vec![format!("`aether approval request commit -s {session}` asks for one")]
            }
            Self::MayNot { why, .. } if why.contains("signed") => {
                vec!["`--sign --key FILE` signs it with an SSH key".into()]
            }
            Self::MayNot { .. } => vec!["`aether policy show` shows who can".into()],
            Self::NoSigners | Self::NotSigned { .. } => {
                vec!["`[signatures] allowed_signers` of the policy has a line for each key".into()]
            }
            Self::NoKey => vec!["`--key FILE`, or `user.signing_key` in the config, names it".into()],
            Self::CannotSign { .. } => vec!["`--key` names the file of the key".into()],
            Self::SeveralAsked { .. } => vec!["write the id".into()],
            Self::BadDetails { .. } => vec!["`--details '{\"ticket\": 7}'`".into()],
            Self::AskedAlready { id, .. } => vec![format!("`aether approval wait {id}` waits for the decision")],
            Self::NotPending { id, .. } | Self::GrantedAlready { id, .. } => {
                vec![format!("`aether approval show {id}` shows what was answered")]
            }
        }
    }
}
