//! The rules of the sources, read from the sources: who may import whom, how long things may be, what is banned.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of this crate a module may use, besides itself.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("disk", &["model"]),
    ("overlay", &["model"]),
    ("store", &["model", "disk", "overlay"]),
    ("delta", &["model", "disk", "overlay"]),
    ("catalog", &["model"]),
    ("config", &[]),
    // Both only for the gate that says who waits for the disk.
    ("fuse", &["model", "disk", "overlay"]),
    ("daemon", &["model", "disk", "overlay", "fuse"]),
    ("ops", &["model", "disk", "overlay", "store", "delta", "catalog", "config", "fuse", "daemon"]),
    ("ui", &["model", "config", "ops"]),
    ("cli", &["model", "config", "ops", "ui"]),
];

/// Text that only some modules may have, and why.
const ONLY: &[(&str, &[&str], &str)] = &[
    ("rusqlite", &["catalog", "store"], "only the catalog and the store's index know SQLite"),
    ("fuser::", &["fuse"], "only the adapter knows fuser"),
    ("clap::", &["cli"], "only the command line is parsed"),
    ("env::var", &["config"], "only `config` reads the environment"),
    ("env::home_dir", &["config"], "only `config` asks for the home directory"),
    ("io::stderr", &["ui"], "only `ui` speaks"),
    // The mount process answers its parent on the pipe that is its standard output.
    ("io::stdout", &["ui", "daemon"], "only `ui` speaks"),
];

/// What no source may have outside of tests.
const BANNED: &[&str] = &[".unwrap()", "todo!(", "unimplemented!(", "FIXME", "XXX", "dbg!(", "#[ignore"];

const MAX_FILE_LINES: usize = 600;
const MAX_FUNCTION_LINES: usize = 70;

struct Source {
    path: PathBuf,
    /// The first component below `src/`, without extension.
    module: String,
    text: String,
    /// The lines before the tests.
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let below = path.strip_prefix(&root).unwrap();
        let module =
            below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let is_tests = below.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").map(str::to_owned).collect();
        Source { lines: if is_tests { Vec::new() } else { lines }, path, module, text }
    };
    let sources: Vec<_> = paths.into_iter().map(read).collect();
    assert!(sources.len() > 50, "the sources are read");
    sources
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|end| end == "rs") {
            paths.push(path);
        }
    }
}

/// Fails with every finding, not only the first.
fn report(found: &[String]) {
    assert!(
        found.is_empty(),
        "{}",
        found.iter().fold(String::new(), |mut all, line| {
            let _ = write!(all, "\n{line}");
            all
        })
    );
}

fn code(line: &str) -> Option<&str> {
    let line = line.trim_start();
    (!line.starts_with("//")).then_some(line)
}

/// The modules of this crate that a line names.
fn imports(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        if line[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_' || char == '$') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                for part in list.split(',') {
                    if depth == 0 {
                        found.push(first_word(part.trim()));
                    }
                    depth += part.matches('{').count() as isize - part.matches('}').count() as isize;
                }
            }
            None => found.push(first_word(rest)),
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

#[test]
fn imports_go_one_way() {
    let allowed: BTreeMap<_, _> = IMPORTS.iter().copied().collect();
    let mut found = Vec::new();
    for source in sources() {
        if matches!(source.module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(allowed) = allowed.get(source.module.as_str()) else {
            found.push(format!("{}: module `{}` has no rule", source.path.display(), source.module));
            continue;
        };
        for line in source.lines.iter().filter_map(|line| code(line)) {
            for name in imports(line) {
                if name != source.module
                    && !allowed.contains(&name.as_str())
                    && IMPORTS.iter().any(|(known, _)| *known == name)
                {
                    found.push(format!("{}: `{}` may not use `{name}`", source.path.display(), source.module));
                }
            }
        }
    }
    report(&found);
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    assert_eq!(imports("use crate::{catalog, config::{A, B}, ops};"), ["catalog", "config", "ops"]);
    assert_eq!(imports("fn f(x: crate::ui::Ui) -> crate::model::Name {"), ["ui", "model"]);
    assert!(imports("$crate::cli::Run, mycrate::x").is_empty());
}

#[test]
fn each_matter_has_its_one_place() {
    let mut found = Vec::new();
    for source in sources() {
        for line in source.lines.iter().filter_map(|line| code(line)) {
            for (text, modules, why) in ONLY {
                if line.contains(text) && !modules.contains(&source.module.as_str()) {
                    found.push(format!("{}: `{text}`: {why}", source.path.display()));
                }
            }
        }
    }
    report(&found);
}

#[test]
fn files_and_functions_stay_short() {
    let mut found = Vec::new();
    for source in sources() {
        let path = source.path.display();
        if source.lines.len() > MAX_FILE_LINES {
            found.push(format!("{path}: {} lines", source.lines.len()));
        }
        for (at, line) in source.lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}}", " ".repeat(indent));
            let length = source.lines[at..].iter().position(|line| *line == close).map_or(0, |end| end + 1);
            // A function on one line, or without a body, ends before the next one begins.
            let one_line = line.ends_with('}') || line.ends_with(';');
            if length > MAX_FUNCTION_LINES && !one_line && !is_declaration(&source.lines[at..]) {
                found.push(format!("{path}:{}: a function of {length} lines", at + 1));
            }
        }
    }
    report(&found);
}

fn is_function(line: &str) -> bool {
    let words = line.trim_start();
    let words =
        words.strip_prefix("pub").map_or(words, |rest| rest.trim_start_matches(|char| char != ' ').trim_start());
    ["fn ", "const fn ", "unsafe fn ", "unsafe extern "].iter().any(|start| words.starts_with(start))
}

/// Whether the function that begins here is declared in a trait, without a body.
fn is_declaration(lines: &[String]) -> bool {
    lines.iter().find(|line| line.ends_with(';') || line.ends_with('{')).is_some_and(|line| line.ends_with(';'))
}

#[test]
fn every_module_says_what_it_is() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    report(&silent.map(|source| format!("{}: no `//!` at the top", source.path.display())).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_open_and_nothing_may_panic_on_bad_input() {
    let mut found = Vec::new();
    for source in sources() {
        for (at, line) in source.lines.iter().enumerate() {
            let banned = BANNED.iter().filter(|banned| match **banned {
                ".unwrap()" => code(line).is_some_and(|line| line.contains(*banned)),
                _ => line.contains(*banned),
            });
            found.extend(banned.map(|banned| format!("{}:{}: `{banned}`", source.path.display(), at + 1)));
        }
    }
    report(&found);
}

#[test]
fn modules_are_named_after_what_they_hold() {
    let vague = ["utils", "util", "common", "helpers", "helper", "misc"];
    let named = |source: &Source| {
        source.path.iter().any(|part| vague.contains(&part.to_string_lossy().trim_end_matches(".rs")))
    };
    report(
        &sources()
            .iter()
            .filter(|source| named(source))
            .map(|source| source.path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn whatever_happens_to_a_session_asks_its_hooks_first() {
    const HAPPENS: &[&str] = &[
        ".create_session(",
        ".delete_session(",
        ".create_checkpoint_with(",
        ".create_commit(",
        ".create_merge(",
        ".promoted(",
        ".applied(",
        ".exported(",
        ".put_materialization(",
        "Status::Archived)?)",
        "gate::pass(",
        "tx.reverse(",
        ".end_merge(",
        ".settle(cx",
        "to_root(cx",
        "to_root_with(cx",
    ];
    // What others build upon, who ask; and a session that is made with what it is to have.
    const PARTS: &[&str] = &["ops/merge/hold.rs", "ops/session_compare.rs"];
    let mut found = Vec::new();
    let mut seen = 0;
    for source in sources().iter().filter(|source| source.module == "ops") {
        let has = |text: &str| source.lines.iter().filter_map(|line| code(line)).any(|line| line.contains(text));
        let asks = has("hooks::before(") || PARTS.iter().any(|part| source.path.ends_with(part));
        for what in HAPPENS.iter().filter(|what| has(what)) {
            seen += 1;
            if !asks {
                found.push(format!("{}: `{what}…)` without `hooks::before`", source.path.display()));
            }
        }
    }
    assert!(seen >= HAPPENS.len(), "what makes it happen has other names now");
    let names = fs::read_to_string("src/ops/hooks/names.rs").unwrap();
    let table = names.split("const TABLE").nth(1).unwrap().split("];").next().unwrap();
    let transitions: Vec<&str> =
        table.lines().filter_map(|line| line.trim().strip_prefix('(')?.split(',').next()).collect();
    assert!(transitions.len() > 20, "the table of hooks looks otherwise now");
    for transition in transitions {
        let word = format!("Transition::{transition}");
        let speaks_of_it = |source: &&Source| {
            source.module == "ops" && !source.path.components().any(|part| part.as_os_str() == "hooks")
        };
        let is_asked =
            |source: &Source| source.lines.iter().filter_map(|line| code(line)).any(|line| line.contains(&word));
        if !sources().iter().filter(speaks_of_it).any(is_asked) {
            found.push(format!("nothing happens to a session that is a `{word}`"));
        }
    }
    report(&found);
}
