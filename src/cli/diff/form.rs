//! What to compare, and how to show it.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::model::{BytePath, ChangeKind};
use crate::ops::changes::{Binaries, Change, PatchError, Unsaid, quoted};
use crate::ops::diff_tool::DiffToolError;
use crate::ops::live::LiveError;
use crate::ops::session_changes::{Compared, FileChange, Request};
use crate::ops::{Error as OpsError, annotation, diff_tool};
use crate::ui::view::{AnnotationView, ChangeView, DiffForm, DiffView, NameStatusView, StatView};

/// Columns of `--side-by-side` where there is no terminal, as `diff -y` has it.
const COLUMNS: usize = 130;

/// So many paths are named of those that a patch leaves something out of.
const NAMED: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Form {
    /// Only these paths of the tree, and what is below them
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<OsString>,
    /// Scratch paths too
    #[arg(long)]
    all: bool,
    /// Count the changed lines of each file
    #[arg(long, group = "form")]
    stat: bool,
    /// Print a letter and a path for each change
    #[arg(long, group = "form")]
    name_status: bool,
    /// Print a patch, on a terminal too, with the contents of files that are no text
    #[arg(short, long, group = "form")]
    patch: bool,
    /// Mark the words that went and came
    #[arg(long, group = "form")]
    word: bool,
    /// The old text on the left, the new one on the right
    #[arg(short = 'y', long, group = "form")]
    side_by_side: bool,
    /// Show copies of the changed files in the program that `diff.tool` in the config names
    #[arg(long, group = "form")]
    tool: bool,
    /// Show the open notes on the newer state, each beside the last of its lines
    #[arg(long, conflicts_with_all = ["stat", "name_status", "patch", "tool"])]
    annotations: bool,
    /// End with 1 if anything differs
    #[arg(long)]
    exit_code: bool,
}

impl Form {
    pub(crate) fn request(&self, session: Option<String>) -> Result<Request, Error> {
        let paths = self.paths.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Request { session, all: self.all, paths })
    }

    /// Prints what differs.
    pub(crate) fn show(&self, cx: &mut Cx, compared: &Compared) -> Result<Exit, Error> {
        if self.tool {
            let tool = cx.config.diff_tool.as_deref().ok_or(OpsError::Tool(DiffToolError::NotSet))?;
            diff_tool::run(&mut cx.ops, compared, tool)?;
        } else if self.name_status && !cx.ui.json() {
            show_names(cx, &compared.visible())?;
        } else if self.wants_patch(cx) {
            write_patch(cx, compared, if self.patch { Binaries::Held } else { Binaries::Named })?;
        } else {
            self.show_content(cx, compared)?;
        }
        let differs = self.exit_code && !compared.changes.is_empty();
        Ok(if differs { Exit::FAILED } else { Exit::DONE })
    }

    fn wants_patch(&self, cx: &Cx) -> bool {
        let other = self.annotations || self.stat || self.word || self.side_by_side || cx.ui.json();
        self.patch && !cx.ui.json() || !other && !cx.ui.is_for_people()
    }

    fn show_content(&self, cx: &mut Cx, compared: &Compared) -> Result<(), Error> {
        let notes = if self.annotations { Some(self.notes(cx, compared)?) } else { None };
        if let (Some(notes), true) = (&notes, cx.ui.json()) {
            let counted = files(compared)?.iter().map(ChangeView::counted).collect();
            return Ok(cx.ui.list(&ChangeView::with_notes(counted, notes.clone()))?);
        }
        if self.stat || cx.ui.json() {
            return show_stat(cx, compared);
        }
        let files = files(compared)?;
        let form = match (self.word, self.side_by_side) {
            (true, _) => DiffForm::Words,
            (_, true) => DiffForm::SideBySide(cx.ui.columns().unwrap_or(COLUMNS)),
            _ => DiffForm::Unified,
        };
        Ok(cx.ui.show(&DiffView::new(&files, form).with_notes(notes.unwrap_or_default()))?)
    }

    /// The notes on what is shown.
    fn notes(&self, cx: &mut Cx, compared: &Compared) -> Result<Vec<AnnotationView>, Error> {
        let paths = self.request(None)?.paths;
        let mut notes = annotation::within(&mut cx.ops, compared)?;
        notes.retain(|note| {
            let at = note.place.as_ref().map_or(&note.annotation.path, |place| &place.path);
            paths.is_empty() || paths.iter().any(|path| at.starts_with(path))
        });
        Ok(notes.iter().map(|note| AnnotationView::new(note, None)).collect())
    }
}

fn files(compared: &Compared) -> Result<Vec<FileChange<'_>>, OpsError> {
    compared.visible().into_iter().map(|change| compared.look(change)).collect()
}

/// Prints the number of changed lines of each file.
pub(crate) fn show_stat(cx: &Cx, compared: &Compared) -> Result<(), Error> {
    let counted = files(compared)?.iter().map(ChangeView::counted).collect::<Vec<_>>();
    match cx.ui.json() {
        true => Ok(cx.ui.list(&counted)?),
        false => Ok(cx.ui.show(&StatView(counted))?),
    }
}

fn parse(path: &OsString) -> Result<BytePath, OpsError> {
    let bad = |why| OpsError::BadPath { path: path.into(), why };
    BytePath::parse(path.as_bytes()).map_err(bad)
}

fn show_names(cx: &Cx, changes: &[&Change]) -> Result<(), Error> {
    match cx.ui.is_for_people() {
        true => Ok(cx.ui.show(&NameStatusView(changes.iter().map(|change| ChangeView::new(change)).collect()))?),
        false => Ok(cx.ui.raw(&changes.iter().flat_map(|change| letter_and_path(change)).collect::<Vec<u8>>())?),
    }
}

/// Prints a patch, file by file, and says on the side what it leaves out.
fn write_patch(cx: &Cx, compared: &Compared, binaries: Binaries) -> Result<(), Error> {
    let mut out = BufWriter::with_capacity(1 << 16, Output(cx));
    let mut unsaid = Vec::new();
    for change in compared.visible() {
        let file = compared.look(change)?;
        let written = compared.write_patch(&file, binaries, &mut out);
        written.map_err(|error| match error {
            PatchError::Read(error) => Error::Ops(LiveError::from(error).into()),
            PatchError::Write(error) => Error::Output(error),
        })?;
        unsaid.extend(Unsaid::of(change, &file.diff, binaries).map(|what| (ChangeView::new(change), what)));
    }
    out.flush()?;
    for (change, what) in unsaid.iter().take(NAMED) {
        let why = match what {
            Unsaid::Directory => "directories have no place in a patch",
            Unsaid::Special => "a patch knows files and symbolic links",
            Unsaid::Mode => "a patch knows the modes 644 and 755",
            Unsaid::Binary => "it is no text; `--patch` holds such files, too",
            Unsaid::Long => "it is longer than 1 GiB, which `git apply` does not take",
        };
        cx.ui.warn(&format!("not in the patch: {}; {why}", change.headline()));
    }
    if let Some(more @ 1..) = unsaid.len().checked_sub(NAMED) {
        cx.ui.warn(&format!("not in the patch: {more} more of this kind; `--json` names them"));
    }
    Ok(())
}

/// Standard output.
struct Output<'a>(&'a Cx);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.ui.raw(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A letter, a tab and the path, as `git diff --name-status` has it for programs.
pub(crate) fn letter_and_path(change: &Change) -> Vec<u8> {
    let mut line = vec![change.kind.letter() as u8];
    if let ChangeKind::Renamed { from } = &change.kind {
        line.push(b'\t');
        line.extend(quoted(b"", from));
    }
    line.push(b'\t');
    line.extend(quoted(b"", &change.path));
    line.push(b'\n');
    line
}
