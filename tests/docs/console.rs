//! A document's `console` blocks: commands after `$`, what they print, and how they end.
//!
//! ```text
//! $ printf 'one\n'            a command
//! > two                       its next line
//! on…                         output; `…` stands for any text in a line, and alone for any lines
//! [exit code 3]               how it ends, if not with 0
//! ```
//!
//! A command without output in the document may print anything. What it prints on standard error counts as output.

/// A command of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Line of the document, from 1.
    pub line: usize,
    pub command: String,
    pub output: Vec<String>,
    pub code: i32,
}

impl Step {
    /// Why what happened is not what the document says.
    pub fn difference(&self, code: i32, printed: &str) -> Option<String> {
        let lines: Vec<_> = printed.lines().map(str::trim_end).collect();
        let wrong = if code != self.code {
            format!("exit code {code} instead of {}", self.code)
        } else if !self.output.is_empty() && !lines_match(&self.output, &lines) {
            "other output".to_owned()
        } else {
            return None;
        };
        Some(format!("line {}: `{}`: {wrong}:\n{printed}", self.line, self.command))
    }
}

/// The commands of all blocks of a document, in order.
pub fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: at + 1, command: command.to_owned(), ..Step::default() });
        } else if let Some(step) = steps.last_mut() {
            read_below(step, line);
        }
    }
    steps
}

fn read_below(step: &mut Step, line: &str) {
    let code =
        line.strip_prefix("[exit code ").and_then(|rest| rest.strip_suffix(']')).and_then(|code| code.parse().ok());
    match (line.strip_prefix("> "), code) {
        (Some(more), _) if step.output.is_empty() => {
            step.command.push('\n');
            step.command.push_str(more);
        }
        (_, Some(code)) => step.code = code,
        _ => step.output.push(line.trim_end().to_owned()),
    }
}

fn lines_match(wanted: &[String], found: &[&str]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return found.is_empty() };
    if first == "…" {
        return (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..]));
    }
    found.split_first().is_some_and(|(line, others)| line_matches(first, line) && lines_match(rest, others))
}

fn line_matches(wanted: &str, found: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('…') else { return wanted == found };
    let Some(found) = found.strip_prefix(start) else { return false };
    (0..=found.len()).filter(|&at| found.is_char_boundary(at)).any(|at| line_matches(rest, &found[at..]))
}

#[test]
fn blocks_of_other_kinds_are_no_commands() {
    let text = "$ no\n```sh\n$ no\n```\n```console\n$ cat <<E\n> a\n> E\na\n$ false\n[exit code 1]\n```\n";
    let cat = Step { line: 6, command: "cat <<E\na\nE".into(), output: vec!["a".into()], code: 0 };
    let fails = Step { line: 10, command: "false".into(), output: Vec::new(), code: 1 };
    assert_eq!(steps(text), [cat, fails]);
}

#[test]
fn output_must_be_what_the_document_says() {
    let step = |output: &str| Step { output: output.lines().map(str::to_owned).collect(), ..Step::default() };
    assert_eq!(step("").difference(0, "anything"), None);
    assert_eq!(step("id … (…)\n…\nend").difference(0, "id 7 (now)\nmore\nmore\nend\n"), None);
    assert_eq!(step("…\nend").difference(0, "end\n"), None);
    assert!(step("id …").difference(0, "no 7").is_some());
    assert!(step("one").difference(0, "one\ntwo").is_some());
    assert!(step("one\n…\ntwo").difference(0, "one\n").is_some());
    assert!(step("").difference(1, "").is_some());
}
