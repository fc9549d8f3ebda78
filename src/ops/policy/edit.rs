//! Keeping policies, and asking what they want.

use crate::catalog::{Session, Source};
use crate::ops::Context;
use crate::ops::error::Result;
use crate::ops::gate::{Action, Content, Lack, Question, Read, Work, judge, status_lack};

use super::{Policy, PolicyError};

/// The policy of a source as it is written; `None` if it has none.
///
/// # Errors
/// The source is not there.
pub fn get(cx: &mut Context, source: &str) -> Result<(Source, Option<String>)> {
    let view = cx.catalog()?.view();
    let source = view.source(source)?;
    let text = view.policy(&source.id)?;
    Ok((source, text))
}

/// Gives a source a policy. `file` is what errors call it.
///
/// # Errors
/// [`PolicyError`], or the source is not there.
pub fn set(cx: &mut Context, source: &str, text: &str, file: &str) -> Result<Source> {
    Policy::parse(text, file)?;
    let source = cx.catalog()?.view().source(source)?;
    cx.write(|tx| Ok(tx.set_policy(&source, Some(text))?))?;
    Ok(source)
}

/// Takes the policy of a source away.
///
/// # Errors
/// It has none, or is not there.
pub fn unset(cx: &mut Context, source: &str) -> Result<Source> {
    let (source, text) = get(cx, source)?;
    if text.is_none() {
        return Err(PolicyError::None { source_name: source.name }.into());
    }
    cx.write(|tx| Ok(tx.set_policy(&source, None)?))?;
    Ok(source)
}

/// What is missing for an action.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The word of the action.
    pub action: String,
    /// What is missing; nothing: it may happen.
    pub lacks: Vec<Lack>,
}

/// What is missing for each action, or for one, on what a session holds now.
///
/// # Errors
/// The session is not there, or cannot be read.
pub fn check(cx: &mut Context, key: Option<&str>, action: Option<&str>) -> Result<(Session, Vec<Checked>)> {
    let session = cx.resolve_session(key)?;
    let facts = Content::of(cx, &Work::present(&session, None))?.facts();
    let now_ns = cx.now_ns;
    let view = cx.catalog()?.view();
    let words = match action {
        Some(word) => vec![word.to_owned()],
        None => all_words(facts.policy(view, session.base.source.as_deref())?.as_deref()),
    };
    let checked = words.into_iter().map(|word| {
        let action = Action::from_word(&word);
        let question = Question {
            session: &session.id,
            name: &session.name,
            source: session.base.source.as_deref(),
            action: &action,
            facts: &facts,
            now_ns,
        };
        let mut lacks: Vec<Lack> = status_lack(&action, &session).into_iter().collect();
        lacks.extend(judge(view, &question)?);
        Ok(Checked { lacks, action: word })
    });
    let checked = checked.collect::<Result<_>>()?;
    Ok((session, checked))
}

/// The actions that there are, and the words that the policy has beside them.
fn all_words(read: Option<&Read>) -> Vec<String> {
    let mut words: Vec<String> = Action::BUILT_IN.iter().map(|action| action.word().to_owned()).collect();
    let own = read.into_iter().flat_map(|read| read.policy.actions.keys());
    words.extend(own.filter(|word| !Action::from_word(word).is_built_in()).cloned());
    words
}
