//! A commit on a branch of a git repository, made by `git fast-import`: no working directory, index or hook has a part in
//! it, and only what changed is written.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::model::{BytePath, ChangeKind, RootId};
use crate::ops::Context;
use crate::ops::changes::{Change, SnapshotEntry, TreeView, git_mode, quoted};
use crate::ops::error::Result;
use crate::ops::git::Repository;
use crate::ops::outcome::{OutcomeError, message};
use crate::ops::session_changes::{compare, scope};
use crate::ops::states::StateView;

use super::Export;
use super::tar::Content;

/// Where to commit, and what to say.
#[derive(Clone, Debug, Default)]
pub struct GitTo {
    /// The repository, or a directory in its working tree.
    pub repository: PathBuf,
    /// The branch.
    pub branch: String,
    /// The commit to follow; the one that the source was imported from if not given.
    pub onto: Option<String>,
    /// What to say; what the commit says, or what is made from the changes, if not given.
    pub message: Option<String>,
    /// Let the branch go from where it is.
    pub force: bool,
}

/// A commit of git.
#[derive(Clone, Debug)]
pub struct GitCommit {
    /// Its id.
    pub id: String,
    /// The commit that it follows.
    pub parent: String,
    /// The branch that is at it.
    pub branch: String,
}

/// Makes the commit; returns it with the paths that git has no words for.
pub(super) fn commit(cx: &mut Context, export: &Export, to: &GitTo) -> Result<(GitCommit, Vec<BytePath>)> {
    let (base, version) = imported(cx, export)?;
    let repository = Repository::open(&to.repository)?;
    let parent = match to.onto.as_ref().or(version.as_ref()) {
        Some(rev) => repository.resolve(rev)?,
        None => return Err(OutcomeError::NoGitBase { name: export.name.clone() }.into()),
    };
    let branch = format!("refs/heads/{}", to.branch);
    repository.check_branch(&branch)?;
    if let Some((tip, checked_out)) = repository.branch(&branch)? {
        if let Some(at) = checked_out {
            return Err(OutcomeError::CheckedOut { branch: to.branch.clone(), at: at.into() }.into());
        }
        if !to.force && tip != parent {
            return Err(OutcomeError::BranchMoved { branch: to.branch.clone(), tip }.into());
        }
    }
    // A revision that was promoted is no commit of git: what it brought comes along.
    let changes = match base {
        Some(base) => {
            let tracked = scope(cx, false, export.source.as_deref())?;
            let sides = (StateView::frozen(cx, base)?, StateView::frozen(cx, export.root)?);
            compare(sides.0.into(), sides.1.into(), &tracked, &[])?.changes
        }
        None => export.compared.changes.clone(),
    };
    let (left_out, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_left_out);
    let text = export.message(to.message.as_deref())?;
    let author = export.said.as_ref().map_or_else(|| cx.actor.clone(), |(_, author)| author.clone());
    let now = cx.now_ns / 1_000_000_000;
    let tree = StateView::frozen(cx, export.root)?;
    let committer = identity(&message::checked_author(&cx.actor).unwrap_or_else(|_| "aether".into()));
    let head =
        Head { branch: &branch, author: &identity(&author), committer: &committer, now, text: &text, parent: &parent };
    repository.fast_import(to.force, &mut |out| stream(out, &head, &changes, &tree))?;
    let id = repository.resolve(&branch)?;
    let left_out = left_out.into_iter().filter(|change| !change.is_dir()).map(|change| change.path).collect();
    Ok((GitCommit { id, parent, branch: to.branch.clone() }, left_out))
}

/// The tree to compare with, if that is another one than the session stands on, and the commit that it is.
fn imported(cx: &mut Context, export: &Export) -> Result<(Option<RootId>, Option<String>)> {
    let view = cx.catalog()?.view();
    let source = export.source.as_deref().map(|id| view.source_by_id(id)).transpose()?.flatten();
    let (Some(source), Some(number)) = (source, export.revision) else { return Ok((None, None)) };
    let all = view.revisions(&source.id)?;
    let found = all.into_iter().find(|revision| revision.number <= number && revision.promoted_from.is_none());
    let is_id = |text: &String| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(match found {
        Some(revision) => {
            let root = (revision.number != number).then_some(revision.root);
            (root, revision.origin_version.filter(is_id))
        }
        None => (None, None),
    })
}

/// Git has no directories, and of files only regular ones and symbolic links.
fn is_left_out(change: &Change) -> bool {
    let is_known = |entry: &SnapshotEntry| git_mode(entry).is_some();
    ![&change.old, &change.new].into_iter().flatten().any(is_known)
}

/// `Ann <ann@example.org>`, with an empty address if there is none.
fn identity(author: &str) -> String {
    if author.contains('<') { author.to_owned() } else { format!("{author} <>") }
}

struct Head<'a> {
    branch: &'a str,
    author: &'a str,
    committer: &'a str,
    now: i64,
    text: &'a str,
    parent: &'a str,
}

/// What git-fast-import(1) reads.
fn stream(out: &mut dyn Write, head: &Head<'_>, changes: &[Change], tree: &dyn TreeView) -> io::Result<()> {
    let Head { branch, author, committer, now, text, parent } = head;
    writeln!(out, "feature done\ncommit {branch}\nauthor {author} {now} +0000\ncommitter {committer} {now} +0000")?;
    writeln!(out, "data {}\n{text}\n\nfrom {parent}", text.len() + 1)?;
    // What goes makes room for what comes.
    for change in changes {
        if let ChangeKind::Renamed { from } = &change.kind {
            remove(out, from)?;
        } else if change.old.as_ref().is_some_and(|old| git_mode(old).is_some())
            && change.new.as_ref().and_then(git_mode).is_none()
        {
            remove(out, &change.path)?;
        }
    }
    for change in changes {
        let Some((entry, mode)) = change.new.as_ref().and_then(|entry| Some((entry, git_mode(entry)?))) else {
            continue;
        };
        write!(out, "M {mode} inline ")?;
        out.write_all(&quoted(b"", &change.path))?;
        let target = entry.target();
        writeln!(out, "\ndata {}", target.map_or(entry.attr.size, |target| target.len() as u64))?;
        match target {
            Some(target) => out.write_all(target)?,
            None => drop(io::copy(&mut Content { tree, entry, at: 0 }, out)?),
        }
        writeln!(out)?;
    }
    writeln!(out, "done")
}

fn remove(out: &mut dyn Write, path: &BytePath) -> io::Result<()> {
    out.write_all(b"D ")?;
    out.write_all(&quoted(b"", path))?;
    writeln!(out)
}
