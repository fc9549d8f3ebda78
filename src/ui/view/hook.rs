//! Hooks, and what they say.

use std::path::Path;

use serde::Serialize;

use crate::ops::hooks::find::Listed;
use crate::ops::hooks::git_hook::GitHook;
use crate::ops::hooks::install::Installed;
use crate::ops::hooks::{End, Hook, Ran, Scope};
use crate::ui::{Align, Column, Page, Paint, Row, View};

use super::{bytes_text, path_hex, path_text};

/// A file where hooks are.
#[derive(Debug, Serialize)]
pub struct HookRow {
    hook: String,
    source: Option<String>,
    source_name: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    runs: bool,
    why_not: Option<String>,
}

impl HookRow {
    /// The row of one file.
    #[must_use]
    pub fn new(listed: &Listed) -> Self {
        let (source, source_name) = source(&listed.scope);
        Self {
            hook: listed.name.to_string_lossy().into_owned(),
            source,
            source_name,
            path: path_text(&listed.path),
            path_hex: path_hex(&listed.path),
            runs: listed.objection.is_none(),
            why_not: listed.objection.clone(),
        }
    }
}

fn source(scope: &Scope) -> (Option<String>, Option<String>) {
    match scope {
        Scope::All => (None, None),
        Scope::Source(id, name) => (Some(id.clone()), Some(name.clone())),
    }
}

impl Row for HookRow {
    const COLUMNS: &'static [Column] = &[
        Column("HOOK", Align::Left),
        Column("FOR", Align::Left),
        Column("", Align::Left),
        Column("FILE", Align::Left),
    ];
    const NONE: &'static str = "no hooks are installed";

    fn cells(&self, _: &Page) -> Vec<(Paint, String)> {
        let state = match &self.why_not {
            None => (Paint::Good, "runs".to_owned()),
            Some(why) => (Paint::Error, why.clone()),
        };
        let whom = self.source_name.clone().unwrap_or_else(|| "all".into());
        vec![(Paint::Strong, self.hook.clone()), (Paint::Plain, whom), state, (Paint::Dim, self.path.clone())]
    }

    fn brief(&self) -> String {
        self.path.clone()
    }
}

/// A hook that was run to see what it says.
#[derive(Debug, Serialize)]
pub struct HookRanView {
    hook: &'static str,
    path: String,
    source: Option<String>,
    result: &'static str,
    exit_code: Option<i32>,
    signal: Option<i32>,
    duration_ms: u64,
    output: String,
    output_cut: bool,
}

impl HookRanView {
    /// The view of what came of it.
    #[must_use]
    pub fn new(hook: &Hook, ran: &Ran) -> Self {
        let (result, exit_code, signal) = match ran.end {
            End::Code(0) => ("passed", Some(0), None),
            End::Code(code) => ("failed", Some(code), None),
            End::Signal(signal) => ("killed", None, Some(signal)),
            End::TimedOut => ("timed-out", None, None),
            End::Interrupted => ("interrupted", None, None),
        };
        Self {
            hook: hook.name,
            path: path_text(&hook.path),
            source: source(&hook.scope).0,
            result,
            exit_code,
            signal,
            duration_ms: u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX),
            output: bytes_text(&ran.output),
            output_cut: ran.is_cut,
        }
    }
}

impl View for HookRanView {
    fn text(&self, page: &mut Page) {
        self.output.lines().for_each(|line| page.line(line));
        let paint = if self.result == "passed" { Paint::Good } else { Paint::Error };
        page.put(Paint::Strong, self.hook).put(Paint::Plain, " ").put(paint, self.result);
        if let Some(number) = self.exit_code.filter(|code| *code != 0) {
            page.put(Paint::Plain, &format!(" with exit code {number}"));
        }
        if let Some(number) = self.signal {
            page.put(Paint::Plain, &format!(" by signal {number}"));
        }
        page.end();
    }
}

/// A hook that was installed, or taken away.
#[derive(Debug, Serialize)]
pub struct HookChangeView {
    hook: String,
    source: Option<String>,
    source_name: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    /// What was there before.
    kept: Option<String>,
    installed: bool,
    changed: bool,
}

impl HookChangeView {
    /// The view of one of aether's.
    #[must_use]
    pub fn new(installed: &Installed, is_installed: bool) -> Self {
        let (source, source_name) = source(&installed.scope);
        let hook = installed.name.to_owned();
        Self { source, source_name, ..Self::at(hook, &installed.path, is_installed) }
    }

    /// The view of one of git's.
    #[must_use]
    pub fn of_git(done: &GitHook, is_installed: bool) -> Self {
        let kept = done.kept.as_deref().map(path_text);
        Self { kept, changed: done.changed, ..Self::at("git pre-commit".into(), &done.path, is_installed) }
    }

    fn at(hook: String, path: &Path, installed: bool) -> Self {
        Self {
            hook,
            source: None,
            source_name: None,
            path: path_text(path),
            path_hex: path_hex(path),
            kept: None,
            installed,
            changed: true,
        }
    }
}

impl View for HookChangeView {
    fn text(&self, page: &mut Page) {
        let verb = match (self.installed, self.changed) {
            (true, true) => "Installed ",
            (true, false) => "There already is ",
            (false, _) => "Took away ",
        };
        page.put(Paint::Plain, verb).put(Paint::Strong, &self.hook);
        if let Some(source) = &self.source_name {
            page.put(Paint::Plain, " of source ").put(Paint::Strong, source);
        }
        page.put(Paint::Dim, &format!(" ({})", self.path));
        match (&self.kept, self.installed) {
            (Some(kept), true) => page.put(Paint::Plain, &format!("; what was there before is kept as {kept}")),
            (Some(_), false) => page.put(Paint::Plain, "; what was there before is back"),
            (None, _) => page,
        };
        page.end();
    }

    fn brief(&self) -> Option<String> {
        Some(self.path.clone())
    }
}
