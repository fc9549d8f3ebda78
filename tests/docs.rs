//! The man pages and completion scripts that are committed are those that the program would make now; README and the
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
fn completion_scripts_are_up_to_date() {
    let scripts: Files =
        aether::cli::completions::scripts().unwrap().into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    compare("completions", &scripts, |_| true);
}
