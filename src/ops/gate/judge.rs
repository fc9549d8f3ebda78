//! What is missing before an action may happen: decisions about the content, and the policy of the source.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use crate::catalog::{Answer, Approval, ApprovalState, Verdict, View};
use crate::model::{BytePath, ChangeSetHash, ObjectId};
use crate::ops::error::Result;
use crate::ops::policy::{ActionRule, Granting, PathRule, Policy, Rule};

use super::Action;

/// What rules want to know of a change set.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name.
    pub hash: ChangeSetHash,
    /// The name of the content, as test results have it.
    pub tested: ObjectId,
    /// Each path that it touches.
    pub paths: Vec<BytePath>,
    /// How many files differ.
    pub changed_files: u64,
    /// How many of them are gone.
    pub deleted_files: u64,
    /// How many bytes those that are there have.
    pub changed_bytes: u64,
    /// The policy that was asked about them last.
    pub reading: Reading,
}

impl Facts {
    /// The policy of a source, and which of its rules speak of these paths. It is read again only when it changed.
    ///
    /// # Errors
    /// What the catalog says, or the policy cannot be read.
    pub fn policy(&self, view: View<'_>, source: Option<&str>) -> Result<Option<Rc<Read>>> {
        let Some(text) = source.map(|source| view.policy(source)).transpose()?.flatten() else { return Ok(None) };
        if let Some(known) = self.reading.0.borrow().as_ref().filter(|known| known.text == text) {
            return Ok(Some(Rc::clone(known)));
        }
        let policy = Policy::parse(&text, "in the catalog")?;
        let touched = policy.touched(&self.paths)?;
        let read = Rc::new(Read { text, policy, touched });
        *self.reading.0.borrow_mut() = Some(Rc::clone(&read));
        Ok(Some(read))
    }
}

/// A policy as it was read.
#[derive(Clone, Debug, Default)]
pub struct Reading(RefCell<Option<Rc<Read>>>);

/// A policy that was asked about paths.
#[derive(Debug)]
pub struct Read {
    text: String,
    /// The policy.
    pub policy: Policy,
    /// For each of its rules for paths the number of the first path that it speaks of.
    touched: Vec<Option<usize>>,
}

impl Read {
    /// The rules that speak of a path, each with the number of the first one.
    fn rules(&self) -> impl Iterator<Item = (&PathRule, usize)> {
        self.policy.paths.iter().zip(&self.touched).filter_map(|(rule, first)| Some((rule, (*first)?)))
    }
}

/// What is to happen to what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The id of the session.
    pub session: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The id of its source.
    pub source: Option<&'a str>,
    /// The action.
    pub action: &'a Action,
    /// What the session holds.
    pub facts: &'a Facts,
    /// The time, in nanoseconds since the Unix epoch.
    pub now_ns: i64,
}

/// Something that is missing, or in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A merge left conflicts in the session.
    InConflict {
        /// Its name.
        name: String,
    },
    /// Somebody looks at the session.
    InReview {
        /// Its name.
        name: String,
    },
    /// Somebody said no to this content.
    Denied {
        /// The approval.
        approval: String,
    },
    /// Somebody was asked about this content, and did not answer yet.
    Pending {
        /// The approval.
        approval: String,
    },
    /// Grants.
    Grants {
        /// The rule that wants them.
        rule: String,
        /// How many it wants.
        needed: u32,
        /// How many of those that were given count.
        have: u32,
        /// Whose, in half a sentence.
        whose: String,
        /// The command that asks for it.
        ask: String,
    },
    /// A good test result of this content.
    Health {
        /// What there is in place of it, in half a sentence.
        found: &'static str,
    },
    /// Notes that are open.
    Annotations {
        /// How many are.
        open: u64,
        /// How many may be.
        allowed: u64,
    },
    /// More than the limit.
    Limit {
        /// The key of the limit.
        key: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A path that no session may change.
    Protected {
        /// The path.
        path: BytePath,
        /// The glob that says so.
        glob: String,
    },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InConflict { .. } => f.write_str("the session has conflicts that are not resolved"),
            Self::InReview { .. } => f.write_str("the session is in review"),
            Self::Denied { approval } => write!(f, "approval `{approval}` of this content was denied"),
            Self::Pending { approval } => write!(f, "approval `{approval}` of this content is pending"),
            Self::Grants { rule, needed, have, whose, .. } => {
                let noun = if *needed == 1 { "grant" } else { "grants" };
                write!(f, "`{rule}` wants {needed} {noun}{whose}, and this content has {have}")
            }
            Self::Health { found } => {
                write!(f, "the newest test result of this content has to be a good one, and {found}")
            }
            Self::Annotations { open, allowed } => {
                write!(f, "{open} notes are open, and at most {allowed} may be")
            }
            Self::Limit { key, found, limit } => write!(f, "`limits.{key}` is {limit}, and the session has {found}"),
            Self::Protected { path, glob } => {
                write!(f, "no session may change `{}` (`paths.\"{glob}\"`)", path.as_path().display())
            }
        }
    }
}

impl Lack {
    /// A word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InConflict { .. } => "in-conflict",
            Self::InReview { .. } => "in-review",
            Self::Denied { .. } => "denied",
            Self::Pending { .. } => "approval-pending",
            Self::Grants { .. } => "needs-approval",
            Self::Health { .. } => "needs-health",
            Self::Annotations { .. } => "open-annotations",
            Self::Limit { .. } => "over-limit",
            Self::Protected { .. } => "protected-path",
        }
    }

    /// The command that helps, with what it does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InConflict { name } => Some(format!("`aether conflict list {name}` lists them")),
            Self::InReview { name } => Some(format!("`aether approval list --session {name}` shows the review")),
            Self::Denied { approval } => Some(format!("`aether approval show {approval}` shows why")),
            Self::Pending { approval } => Some(format!("`aether approval wait {approval}` waits for the decision")),
            Self::Grants { ask, .. } => Some(format!("`{ask}` asks for it")),
            Self::Health { .. } => Some("`aether health report` says how tests went".into()),
            Self::Annotations { .. } => Some("`aether annotation list --state open` lists them".into()),
            Self::Limit { .. } | Self::Protected { .. } => None,
        }
    }
}

/// All that is missing.
///
/// # Errors
/// What the catalog says, or its policy cannot be read.
pub fn judge(view: View<'_>, question: &Question<'_>) -> Result<Vec<Lack>> {
    let asked = view.approvals_of(question.session, question.action.word(), question.facts.hash)?;
    let mut lacks: Vec<Lack> = last_word(&asked, question.now_ns).into_iter().collect();
    let Some(read) = question.facts.policy(view, question.source)? else { return Ok(lacks) };
    let asked: Vec<(Approval, Vec<Answer>)> = asked
        .into_iter()
        .filter(|approval| matches!(approval.state, ApprovalState::Granted | ApprovalState::Pending))
        .map(|approval| Ok((view.answers(&approval.id)?, approval)).map(|(answers, approval)| (approval, answers)))
        .collect::<Result<_>>()?;
    lacks.extend(applicable(&read, question).into_iter().filter_map(|rule| grants(rule, &asked, question)));
    if let Some(action) = read.policy.actions.get(question.action.word()) {
        lacks.extend(state(view, action, question)?);
    }
    if question.action.takes_work() {
        lacks.extend(bounds(&read, question.facts));
    }
    Ok(lacks)
}

/// The policy that holds for sessions of a source.
///
/// # Errors
/// What the catalog says, or it cannot be read.
pub fn policy_of(view: View<'_>, source: Option<&str>) -> Result<Option<Policy>> {
    let text = source.map(|source| view.policy(source)).transpose()?.flatten();
    Ok(text.map(|text| Policy::parse(&text, "in the catalog")).transpose()?)
}

/// The rules that want grants of an action on this content.
#[must_use]
pub fn applicable<'p>(read: &'p Read, question: &Question<'_>) -> Vec<&'p Rule> {
    let (word, takes_work) = (question.action.word(), question.action.takes_work());
    let action = read.policy.actions.get(word).map(|action| &action.rule);
    let paths = read.rules().filter(|(path, _)| path.is_for(word, takes_work)).map(|(path, _)| &path.rule);
    action.into_iter().chain(paths).filter(|rule| rule.grants > 0).collect()
}

/// The last of what was said about this content counts.
fn last_word(asked: &[Approval], now_ns: i64) -> Option<Lack> {
    let is_over = |approval: &Approval| approval.expires_ns.is_some_and(|expires| expires <= now_ns);
    let speaks = |approval: &&Approval| match approval.state {
        ApprovalState::Granted | ApprovalState::Denied => true,
        ApprovalState::Pending => !is_over(approval),
        ApprovalState::Cancelled | ApprovalState::Expired => false,
    };
    let last = asked.iter().rev().find(speaks)?;
    let approval = last.id.clone();
    match last.state {
        ApprovalState::Denied => Some(Lack::Denied { approval }),
        ApprovalState::Pending => Some(Lack::Pending { approval }),
        ApprovalState::Granted | ApprovalState::Cancelled | ApprovalState::Expired => None,
    }
}

/// Each actor counts once.
fn grants(rule: &Rule, asked: &[(Approval, Vec<Answer>)], question: &Question<'_>) -> Option<Lack> {
    let counted = asked.iter().flat_map(|(approval, answers)| {
        answers.iter().filter(|answer| answer.verdict == Verdict::Grant).filter(|answer| {
            let granting = Granting {
                actor: &answer.actor,
                kind: answer.actor_kind.as_deref(),
                asker: &approval.actor,
                is_signed: answer.signature.is_some(),
            };
            rule.objection(&granting).is_none()
        })
    });
    let actors: BTreeSet<&str> = counted.map(|answer| answer.actor.as_str()).collect();
    let have = u32::try_from(actors.len()).unwrap_or(u32::MAX);
    (have < rule.grants).then(|| Lack::Grants {
        rule: rule.named.clone(),
        needed: rule.grants,
        have,
        whose: rule.whose(),
        ask: format!("aether -s {} approval request {}", question.name, question.action),
    })
}

/// What has to be so of the session.
fn state(view: View<'_>, action: &ActionRule, question: &Question<'_>) -> Result<Vec<Lack>> {
    let mut lacks = Vec::new();
    if action.passing {
        let found = match view.health_of(question.session, question.facts.tested)? {
            None if view.health(question.session, 1)?.is_empty() => Some("there is none"),
            None => Some("what there is speaks of other content"),
            Some(health) if !health.result.is_passing => Some("it is a bad one"),
            Some(health) => {
                let age = question.now_ns.saturating_sub(health.time_ns);
                action.health_max_age_ns.is_some_and(|limit| age > limit).then_some("it is too old")
            }
        };
        lacks.extend(found.map(|found| Lack::Health { found }));
    }
    if let Some(allowed) = action.open_annotations {
        let open = view.open_annotations(question.session)?;
        if open > allowed {
            lacks.push(Lack::Annotations { open, allowed });
        }
    }
    Ok(lacks)
}

/// What no grant lifts.
fn bounds(read: &Read, facts: &Facts) -> Vec<Lack> {
    let policy = &read.policy;
    let limits = [
        ("changed_files", policy.limits.changed_files, facts.changed_files),
        ("deleted_files", policy.limits.deleted_files, facts.deleted_files),
        ("changed_bytes", policy.limits.changed_bytes, facts.changed_bytes),
    ];
    let over = limits.into_iter().filter_map(|(key, limit, found)| {
        limit.filter(|limit| found > *limit).map(|limit| Lack::Limit { key, found, limit })
    });
    let protected = read.rules().filter(|(rule, _)| rule.protected);
    let protected =
        protected.map(|(rule, first)| Lack::Protected { path: facts.paths[first].clone(), glob: rule.glob.clone() });
    over.chain(protected).collect()
}
