//! What README and the examples show is what happens, and what they name is there.
//!
//! Each document is run as one shell script, as a user who has done nothing yet. Their home directory appears as
//! `/home/ann`, their runtime directory as `/run/user/1000`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::console::{Step, steps};

/// How long a document may take, in seconds.
const LIMIT: &str = "300";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and the examples.
fn documents() -> Vec<PathBuf> {
    let examples = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<_> = examples.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.push(root().join("README.md"));
    documents.sort();
    documents
}

/// A user with a home of their own. Whatever they mounted is unmounted with them.
struct User {
    dir: TempDir,
}

impl User {
    fn new() -> Self {
        let user = Self { dir: TempDir::new().unwrap() };
        fs::create_dir(user.path("home")).unwrap();
        fs::create_dir(user.path("run")).unwrap();
        user
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_aether")).parent().unwrap();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.display()));
        command.env("HOME", self.path("home")).env("USER", "ann").env("LC_ALL", "C.UTF-8");
        command.env("AETHER_HOME", self.path("home/.local/share/aether")).env("XDG_RUNTIME_DIR", self.path("run"));
        command.current_dir(self.path("home")).stdin(Stdio::null());
        command
    }

    /// Runs all steps in one shell; returns what differs.
    fn follow(&self, steps: &[Step]) -> Vec<String> {
        let mut script = String::new();
        for (at, step) in steps.iter().enumerate() {
            let (out, code) = (self.path(&format!("out.{at}")), self.path(&format!("code.{at}")));
            script.push_str(&format!(
                "exec >'{}' 2>&1\n{}\necho $? >'{}'\n",
                out.display(),
                step.command,
                code.display()
            ));
        }
        let status =
            self.command("timeout").args(["-k", "5", LIMIT, "sh", "-c", &script]).stderr(Stdio::null()).status();
        let differences = steps.iter().enumerate().filter_map(|(at, step)| {
            let read = |name: &str| fs::read_to_string(self.path(&format!("{name}.{at}"))).unwrap_or_default();
            let printed = read("out").replace(self.path("home").to_str().unwrap(), "/home/ann");
            let printed = printed.replace(self.path("run").to_str().unwrap(), "/run/user/1000");
            match read("code").trim().parse() {
                Ok(code) => step.difference(code, &printed),
                Err(_) => Some(format!("line {}: `{}` did not end, {status:?}:\n{printed}", step.line, step.command)),
            }
        });
        differences.collect()
    }

    fn mounts(&self) -> usize {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.lines().filter(|line| line.contains(self.dir.path().to_str().unwrap())).count()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _gone = self.command("aether").args(["unmount", "--all", "--lazy"]).output();
    }
}

#[test]
fn documents_show_what_happens() {
    if std::env::var_os("AETHER_TEST_FUSE").is_some_and(|word| word == "skip") {
        return;
    }
    let mut wrong = Vec::new();
    for document in documents() {
        let steps = steps(&fs::read_to_string(&document).unwrap());
        assert!(steps.len() > 5, "{} shows nothing", document.display());
        let user = User::new();
        wrong.extend(user.follow(&steps).into_iter().map(|what| format!("{}: {what}", document.display())));
        if user.mounts() > 0 {
            wrong.push(format!("{} leaves something mounted", document.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands between backquotes, on one line, outside of blocks.
fn literals(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// What is wrong with the command line that a document names, if anything.
fn unknown(program: &clap::Command, line: &str) -> Option<String> {
    let mut options: BTreeSet<String> = BTreeSet::new();
    let mut take = |command: &clap::Command| {
        options.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")));
    };
    take(program);
    let mut command = program;
    let mut words = line.split_whitespace().take_while(|word| *word != "--").peekable();
    while let Some(sub) = words.peek().and_then(|word| command.find_subcommand(word)) {
        words.next();
        command = sub;
        take(sub);
    }
    let first = words.peek().copied().unwrap_or_default();
    if command.has_subcommands() && !first.is_empty() && !first.starts_with('-') && !first.contains('…') {
        return Some(format!("there is no `{first}` in `{line}`"));
    }
    let wrong = words.filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word));
    wrong.filter(|option| !options.contains(*option)).map(|option| format!("`{line}`: no option `{option}`")).next()
}

#[test]
fn commands_that_documents_name_exist() {
    let mut program = aether::cli::command();
    program.build();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        for literal in literals(&fs::read_to_string(&document).unwrap()) {
            if let Some(line) = literal.strip_prefix("aether ") {
                seen += 1;
                wrong.extend(unknown(&program, line).map(|what| format!("{}: {what}", document.display())));
            }
        }
    }
    assert!(seen > 10, "the documents are read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unknown(&program, "session fly").is_some() && unknown(&program, "diff --fly").is_some());
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let is_here = !target.contains("://") && !file.is_empty();
            if is_here && !document.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
