//! What is printed where: JSON, `-q`, colours, closed pipes.

use std::io::Read;
use std::process::Stdio;

use super::{World, end};

#[test]
fn lists_are_one_object_a_line_with_stable_fields() {
    let world = World::with_web();
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let session = &world.json(["session", "list"])[0];
    let expected = "actor created expires from_commit head_commit health health_reported id mounts name parent \
                    parent_checkpoint parent_name revision source status tags updated";
    assert_eq!(fields(session), expected);
    let source = &world.json(["source", "list"])[0];
    let expected = "actor created excludes id kind max_bytes name newest origin respect_gitignore rev scratch \
                    sessions skip_unreadable submodules tags updated";
    assert_eq!(fields(source), expected);
    let expected = "actor created dirs files import_ms left_out number origin_version promoted_from root size_bytes \
                    source";
    assert_eq!(fields(&source["newest"]), expected);
    assert_eq!(session["actor"], "ann");
    assert!(session["created"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn an_empty_list_prints_nothing_on_standard_output() {
    let world = World::new();
    let ended = world.run(["session", "list"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
    assert!(ended.err.contains("aether session create"), "{ended:?}");
    assert_eq!(world.run(["session", "list", "-q"]).err, "");
    assert!(world.json(["session", "list"]).is_empty());
}

#[test]
fn quiet_prints_names_only() {
    let world = World::with_web();
    assert_eq!(world.ok(["session", "list", "-q"]), "fix-login\n");
    assert_eq!(world.ok(["source", "log", "web", "-q"]), "web@1\n");
    assert_eq!(world.ok(["session", "rename", "fix-login", "other", "-q"]), "other\n");
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let world = World::with_web();
    let colored = |args: &[&str], vars: &[(&str, &str)]| {
        let mut command = world.aether(args);
        end(command.envs(vars.iter().copied())).out.contains('\u{1b}')
    };
    assert!(!colored(&["session", "list"], &[]));
    assert!(colored(&["session", "list", "--color", "always"], &[]));
    assert!(colored(&["session", "list"], &[("AETHER_UI_COLOR", "always")]));
    assert!(!colored(&["session", "list", "--color", "never"], &[("AETHER_UI_COLOR", "always")]));
    // What the user asked for by name wins over the general wish.
    assert!(colored(&["session", "list", "--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!colored(&["session", "list"], &[("NO_COLOR", "1")]));
}

#[test]
fn help_goes_to_standard_output_and_has_examples() {
    let world = World::new();
    let help = world.ok(["session", "create", "--help"]);
    assert!(help.contains("Examples:") && help.contains("--source"), "{help}");
    let none = world.run([] as [&str; 0]);
    assert_eq!((none.code, none.out.as_str()), (2, ""));
    assert!(none.err.contains("Usage:"), "{none:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure_to_talk_about() {
    let world = World::with_web();
    let mut child = world.aether(["source", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    // As for a program that SIGPIPE ended; it may also have written before the pipe was closed.
    let code = child.wait().unwrap().code();
    assert!(err.is_empty() && matches!(code, Some(0 | 141)), "{code:?} {err}");
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let world = World::with_web();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = world.aether(["source", "list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output cannot be written"));
}

#[test]
fn completions_offer_names() {
    let world = World::with_web();
    let mut command = world.aether(["--", "aether", "session", "show", ""]);
    let ended = end(command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "3").env("_CLAP_IFS", "\n"));
    assert!(ended.out.lines().any(|line| line == "fix-login"), "{ended:?}");
}
