//! `aether session export`

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::export::{self, Form, GitTo};
use crate::ui::Ui;
use crate::ui::view::ExportView;

/// Write what a session brings as an archive, a patch, or a commit of git
///
/// An archive has all tracked paths of the session, the same bytes for the same tree. A patch has its change set, and `git
/// apply` takes it. A commit goes on a branch of a git repository, on top of the commit that the source was imported from;
/// working directory, index and hooks of the repository have no part in it, and pushing is left to git.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session export fix-login --tar fix-login.tar
  aether session export fix-login --patch > fix-login.patch
  git init -q src/web; git -C src/web -c user.name=a -c user.email=b commit -q --allow-empty -m one; aether session export fix-login --git src/web --branch fix-login --onto HEAD -m 'Fix the login'")]
pub(crate) struct Args {
    /// The session, or a commit; the current session if it is left out
    #[arg(value_name = "SESSION|COMMIT", add = clap_complete::ArgValueCandidates::new(names::outcomes))]
    from: Option<String>,
    #[command(flatten)]
    form: How,
    /// With `--tar`: scratch too
    #[arg(long, requires = "tar")]
    all: bool,
    /// With `--git`: the branch
    #[arg(long, value_name = "BRANCH", requires = "git")]
    branch: Option<String>,
    /// With `--git`: the commit to follow
    #[arg(long, value_name = "REV", requires = "git")]
    onto: Option<String>,
    /// With `--git`: the message
    #[arg(short, long, value_name = "TEXT", requires = "git")]
    message: Option<String>,
    /// With `--git`: let the branch go from where it is
    #[arg(long, requires = "git")]
    force: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct How {
    /// Write an archive to a file, or to standard output with `-`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    tar: Option<PathBuf>,
    /// Write a patch to standard output, or to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", require_equals = true)]
    #[arg(value_hint = clap::ValueHint::FilePath)]
    patch: Option<PathBuf>,
    /// Make a commit in this repository
    #[arg(long, value_name = "REPOSITORY", value_hint = clap::ValueHint::DirPath, requires = "branch")]
    git: Option<PathBuf>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let from = self.from.as_deref();
        let (form, file) = match (self.form.tar, self.form.patch, self.form.git) {
            (Some(file), ..) => (Form::Tar { all: self.all }, Some(file)),
            (_, Some(file), _) => (Form::Patch, Some(file)),
            (_, _, repository) => {
                let (repository, branch) = (repository.unwrap_or_default(), self.branch.unwrap_or_default());
                let (onto, message, force) = (self.onto, self.message, self.force);
                (Form::Git(GitTo { repository, branch, onto, message, force }), None)
            }
        };
        let exported = match &file {
            Some(file) if file != Path::new("-") => {
                export::to_file(file, |out| export::run(&mut cx.ops, from, &form, out))?
            }
            Some(_) => {
                let mut out = BufWriter::with_capacity(1 << 20, Standard(cx.ui.clone()));
                export::run(&mut cx.ops, from, &form, &mut out)?
            }
            None => export::run(&mut cx.ops, from, &form, &mut io::sink())?,
        };
        for path in &exported.left_out {
            cx.ui.warn(&format!("`{}` is left out: it is no file", path.as_path().display()));
        }
        for path in &exported.too_long {
            let why = "it is no text and longer than 1 GiB, which `git apply` does not take";
            cx.ui.warn(&format!("`{}` is only named: {why}", path.as_path().display()));
        }
        // On standard output there is what was exported.
        if file.as_deref() != Some(Path::new("-")) {
            cx.ui.show(&ExportView::new(&exported, file.as_deref()))?;
        }
        Ok(Exit::DONE)
    }
}

/// Standard output.
struct Standard(Ui);

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.raw(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
