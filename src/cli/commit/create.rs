//! `aether commit create`, and `aether commit`

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::commit_create::{self, Draft, Message, Request};
use crate::ops::outcome::{OutcomeError, message};
use crate::ops::{self, commit_list};
use crate::ui::view::{CommitAction, CommitView, DraftView};

/// Commit the tracked changes of a session
///
/// The session may be mounted and written meanwhile: the commit has one moment of it. It holds the whole change set, all
/// that the session would bring to the revision that it stands on; the session goes on, and its next commit follows this
/// one. Without a message it is asked for in an editor, on a terminal: `ui.editor`, else VISUAL or EDITOR.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(after_help = "\
Examples:
  aether run fix-login -- sh -c 'echo >>lib/app.js'; aether commit create fix-login -m 'Fix the login'
  aether run fix-login -- sh -c 'echo >>lib/app.js'; aether commit create fix-login --summary --dry-run
  aether run fix-login -- sh -c 'echo >>index.html'; aether commit create fix-login --amend --summary")]
pub(crate) struct Args {
    /// The session; the current one if it is left out
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
    /// The message; given more than once, each is a paragraph
    #[arg(short, long, value_name = "TEXT", group = "said")]
    message: Vec<String>,
    /// Read the message from a file, or from standard input with `-`
    #[arg(short = 'F', long, value_name = "FILE", group = "said", value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Make the message from what changed
    #[arg(long, group = "said")]
    summary: bool,
    /// Whose work it is, as `Ann` or `Ann <ann@example.org>`; you, if it is left out
    #[arg(long, value_name = "AUTHOR")]
    author: Option<String>,
    /// Put it in the place of the session's last commit, whose message and author it has if no others are given
    #[arg(long)]
    amend: bool,
    /// Only say what would be committed
    #[arg(long)]
    dry_run: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let message = self.said()?;
        let mut request = Request {
            session: self.session,
            message: message.unwrap_or_default(),
            author: self.author,
            amend: self.amend,
        };
        if self.dry_run {
            let draft = commit_create::draft(&mut cx.ops, &request)?;
            cx.ui.show(&DraftView::new(&draft))?;
            return Ok(Exit::DONE);
        }
        if request.message == Message::Kept && cx.ui.can_ask() {
            let draft = commit_create::draft(&mut cx.ops, &request)?;
            let template = template(&draft);
            // While somebody writes, nothing is held.
            drop(draft);
            request.message = Message::Text(edited(cx, &template)?);
        }
        let (commit, _) = commit_create::run(&mut cx.ops, &request)?;
        let info = commit_list::show(&mut cx.ops, &commit.id)?;
        let action = if self.amend { CommitAction::Amended } else { CommitAction::Created };
        cx.ui.show(&CommitView::new(&info, action))?;
        Ok(Exit::DONE)
    }
}

impl Args {
    /// The message that the arguments give.
    fn said(&self) -> Result<Option<Message>, Error> {
        Ok(match &self.file {
            _ if self.summary => Some(Message::Summary),
            Some(file) => Some(Message::Text(read(file)?)),
            None if self.message.is_empty() => None,
            None => Some(Message::Text(self.message.join("\n\n"))),
        })
    }
}

fn read(file: &Path) -> Result<String, ops::Error> {
    let bytes = match file == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => std::fs::read(file),
    };
    let bytes = bytes.map_err(|source| ops::Error::Io { path: file.to_owned(), source })?;
    text(bytes, file)
}

fn text(bytes: Vec<u8>, file: &Path) -> Result<String, ops::Error> {
    let file = || file.to_string_lossy().into_owned();
    String::from_utf8(bytes).map_err(|_| OutcomeError::NotText { file: file() }.into())
}

/// What the editor shows: the message so far, and what is committed.
fn template(draft: &Draft) -> String {
    let mut text = draft.message.clone().unwrap_or_default();
    text.push_str(
        "\n\n# Say above what this commit is. Lines that begin with `#` are left out; without others nothing",
    );
    text.push_str(&format!("\n# is committed.\n#\n# Session {}, author {}:\n", draft.session().name, draft.author));
    for line in message::summary(&draft.compared().changes).lines() {
        text.push_str(&format!("#   {line}\n"));
    }
    text
}

fn edited(cx: &Cx, template: &str) -> Result<String, Error> {
    let dir = cx.config.paths.make_runtime().map_err(ops::Error::from)?;
    let file = dir.join(format!("COMMIT_EDITMSG.{}", std::process::id()));
    let edited = cx.ui.edit(&cx.config.editor, &file, template);
    let bytes = edited.map_err(|source| ops::Error::Io { path: file.clone(), source })?;
    Ok(message::without_comments(&text(bytes, &file)?))
}
