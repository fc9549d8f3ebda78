//! What is wrong with the arguments, as any other failure is told: one sentence, then hints.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser};

use crate::ui::{Failure, escape};

use super::{Cli, Exit};

/// The longest part of an argument that is quoted, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// Options that take the next argument along, so that it is not taken for a command.
const WITH_VALUE: [&str; 4] = ["--as", "--color", "--session", "-s"];

/// Tells the parser's error about these arguments.
pub(super) fn failure(args: &[OsString], error: &clap::Error) -> Failure {
    // What is quoted is neither to drive the terminal nor to fill it. The parser quotes what it was given.
    let tame: Vec<OsString> = args.iter().map(|arg| tamed(&arg.to_string_lossy()).into()).collect();
    let again = if tame == args { None } else { Cli::try_parse_from(&tame).err() };
    let same = again.filter(|again| again.kind() == error.kind());
    let error = same.as_ref().unwrap_or(error);
    let text = error.render().to_string();
    let (sentence, details) = sentence(&text);
    let mut hints: Vec<String> = tips(error);
    hints.extend(text.lines().find_map(|line| line.strip_prefix("Usage: ")).map(|usage| format!("usage: `{usage}`")));
    hints.push(format!("`{} --help` explains it", command_of(args)));
    Failure { error: sentence, code: "usage".into(), details, hints, exit_code: Exit::USAGE.0 }
}

fn tamed(arg: &str) -> String {
    let short: String = arg.chars().take(MAX_QUOTED_CHARS).collect();
    let dots = if short.len() < arg.len() { "…" } else { "" };
    format!("{}{dots}", escape(&short))
}

/// The first line, and what it speaks of: the lines up to the first empty one.
fn sentence(text: &str) -> (String, Vec<String>) {
    if !text.starts_with("error: ") {
        return ("a command is missing".into(), Vec::new());
    }
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':').to_owned();
    let details: Vec<String> = lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect();
    (first, details)
}

/// What the parser suggests.
fn tips(error: &clap::Error) -> Vec<String> {
    let known = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let meant = known.into_iter().filter_map(|kind| match error.get(kind)? {
        ContextValue::String(one) => Some(vec![one.clone()]),
        ContextValue::Strings(some) => Some(some.clone()),
        _ => None,
    });
    let meant: Vec<String> = meant.flatten().map(|name| format!("`{name}`")).collect();
    let mut tips = match meant.is_empty() {
        true => Vec::new(),
        false => vec![format!("did you mean {}?", meant.join(" or "))],
    };
    if let Some(ContextValue::StyledStrs(suggested)) = error.get(ContextKind::Suggested) {
        tips.extend(suggested.iter().map(StyledStr::to_string));
    }
    tips
}

/// The words that name the command, as far as they name one.
fn command_of(args: &[OsString]) -> String {
    let whole = Cli::command();
    let (mut words, mut at) = (vec!["aether".to_owned()], &whole);
    let mut args = args.iter().skip(1).map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if WITH_VALUE.contains(&arg.as_ref()) {
            args.next();
        } else if let Some(below) = at.find_subcommand(arg.as_ref()).filter(|found| !found.is_hide_set()) {
            words.push(below.get_name().to_owned());
            at = below;
        } else if !arg.starts_with('-') {
            break;
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(args: &[&str]) -> Failure {
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        failure(&args, &Cli::try_parse_from(&args).expect_err("it is wrong"))
    }

    #[test]
    fn wrong_usage_is_one_sentence_with_hints_that_name_the_command() {
        let told = told(&["aether", "-s", "log", "source", "show", "a", "b"]);
        assert_eq!(told.error, "unexpected argument 'b' found");
        assert_eq!(told.hints.last().map(String::as_str), Some("`aether source show --help` explains it"));
        assert!(told.hints.iter().any(|hint| hint.starts_with("usage: `aether source show")), "{:?}", told.hints);
    }

    #[test]
    fn what_is_missing_is_listed_below_the_sentence() {
        let told = told(&["aether", "source", "rename", "a"]);
        assert_eq!(told.error, "the following required arguments were not provided");
        assert_eq!(told.details, ["<NAME>"]);
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        assert!(told(&["aether", "source", "lsit"]).hints[0].contains("`list`"));
    }

    #[test]
    fn a_quoted_argument_drives_no_terminal_and_fills_none() {
        let long = format!("\u{1b}[31m\n\u{9b}{}", "x".repeat(100_000));
        let told = told(&["aether", "doctor", &long]);
        assert!(told.error.contains("\\x1b[31m\\n\\x9bxxx") && told.error.len() < 1000, "{}", told.error);
    }
}
