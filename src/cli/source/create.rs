//! `aether source create`

use std::path::PathBuf;

use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt};
use crate::ops::ImportSettings;
use crate::ops::source_import::{self, From, Watch};
use crate::ops::tags;
use crate::ui::view::SourceAction;

use super::watch::{Display, report};

/// Import a directory as a new source
///
/// The directory is taken whole, with ignored files and `.git`, unless options or a file `.aetherignore` in it say
/// otherwise. Modes, owners, times, attributes, hard links and holes are kept, so that a build tree is still up to date
/// in a session. The directory itself is only read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source create app ~/src/web
  aether source create lean ~/src/web --exclude target --respect-gitignore
  aether source create blank --empty")]
pub(crate) struct Args {
    /// The source's name
    name: String,
    /// The directory
    #[arg(required_unless_present = "empty", conflicts_with = "empty", value_hint = clap::ValueHint::DirPath)]
    origin: Option<PathBuf>,
    /// Make an empty source
    #[arg(long)]
    empty: bool,
    /// Leave out what matches, as in a `.gitignore`; can be given more than once
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out what the directory's `.gitignore` files ignore
    #[arg(long)]
    respect_gitignore: bool,
    /// Go on when a file cannot be read; each one is named
    #[arg(long)]
    skip_unreadable: bool,
    /// Paths that no diff and no commit is to hold, such as build output; can be given more than once
    #[arg(long, value_name = "GLOB")]
    scratch: Vec<String>,
    /// Tag it; can be given more than once
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let tags: Vec<_> = self.tags.iter().map(|text| tags::parse(text)).collect::<Result<_, _>>()?;
        let cancel = interrupt::flag()?;
        let display = Display::new(&cx.ui, "Importing");
        let settings = ImportSettings {
            excludes: self.exclude,
            respect_gitignore: self.respect_gitignore,
            skip_unreadable: self.skip_unreadable,
        };
        let from = self.origin.map_or(From::Empty, From::Dir);
        let watch = Watch { progress: &display, cancel: &cancel };
        let import = source_import::create(&mut cx.ops, &self.name, &from, settings, self.scratch, &tags, watch)?;
        drop(display);
        report(cx, &import, SourceAction::Created)?;
        Ok(Exit::DONE)
    }
}
