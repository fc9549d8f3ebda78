//! The man pages of commands and completion scripts that are committed are those that the program would make now; README and the
//! examples show what happens.
//!
//! `AETHER_BLESS=1 cargo test --test docs` writes them anew.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "docs/console.rs"]
mod console;
#[path = "docs/walkthroughs.rs"]
mod walkthroughs;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::Command;

type Files = BTreeMap<String, Vec<u8>>;

/// Compares a directory with what it should hold, or makes it so.
fn compare(dir: &str, wanted: &Files, is_ours: impl Fn(&str) -> bool) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let bless = std::env::var_os("AETHER_BLESS").is_some_and(|value| value == "1");
    fs::create_dir_all(&dir).unwrap();
    let mut found: Files = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    found.retain(|name, _| is_ours(name));
    if bless {
        found
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .for_each(|name| fs::remove_file(dir.join(name)).unwrap());
        wanted.iter().for_each(|(name, text)| fs::write(dir.join(name), text).unwrap());
        return;
    }
    let differ: Vec<_> =
        wanted.iter().filter(|(name, text)| found.get(*name) != Some(text)).map(|(name, _)| name).collect();
    let extra: Vec<_> = found.keys().filter(|name| !wanted.contains_key(*name)).collect();
    assert!(
        differ.is_empty() && extra.is_empty(),
        "`{}` is out of date (run with AETHER_BLESS=1): {differ:?} differ, {extra:?} are too many",
        dir.display()
    );
}

fn man_pages(command: &Command, pages: &mut Files) {
    let man =
        clap_mangen::Man::new(command.clone()).source(concat!("aether ", env!("CARGO_PKG_VERSION"))).manual("aether");
    let mut text = Vec::new();
    man.render(&mut text).unwrap();
    text.extend_from_slice(b".SH \"SEE ALSO\"\n\\fBaether\\fR(1), \\fBaether\\-semantics\\fR(7)\n");
    pages.insert(man.get_filename(), text);
    command.get_subcommands().filter(|sub| !sub.is_hide_set()).for_each(|sub| man_pages(sub, pages));
}

#[test]
fn man_pages_are_up_to_date() {
    let mut command = aether::cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Files::new();
    man_pages(&command, &mut pages);
    assert!(pages.contains_key("aether-session-create.1"), "{:?}", pages.keys());
    // Pages of other sections are written by hand.
    compare("man", &pages, |name| name.ends_with(".1"));
}

#[test]
fn what_a_mount_does_not_do_is_in_its_page() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (page, script, readme) = (read("man/aether-semantics.7"), read("tests/conformance.sh"), read("README.md"));
    let left_out = script.split_once("left_out=\"\n").unwrap().1.split_once("\n\"").unwrap().0;
    for line in left_out.lines() {
        // `SUITE NAME…: reason`
        let (names, reason) = line.split_once(": ").unwrap();
        let mut names = names.split(' ');
        let suite = names.next().unwrap();
        assert!(reason.len() > 10, "{line}");
        for name in names {
            let is_said = |said: &str| {
                said.strip_prefix(&format!(".B {suite}: ")).is_some_and(|all| all.split(", ").any(|one| one == name))
            };
            assert!(page.lines().any(is_said), "aether-semantics(7) does not say that {suite} leaves out {name}");
        }
    }
    assert!(left_out.lines().count() > 2);
    assert!(readme.contains("man/aether-semantics.7"), "the README names the page");
    // Lines of text and of macros that every man(1) knows.
    let known = [".TH", ".SH", ".TP", ".B", ".BR", ".RB", ".PP"];
    let unknown = page.lines().find(|line| line.starts_with('.') && !known.contains(&line.split(' ').next().unwrap()));
    assert_eq!(unknown, None);
}

#[test]
fn completion_scripts_are_up_to_date() {
    let scripts: Files =
        aether::cli::completions::scripts().unwrap().into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    compare("completions", &scripts, |_| true);
}
