//! `aether source create`

use std::ffi::OsString;

use crate::cli::bytes;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::{Run, interrupt, names};
use crate::ops::source_import::{self, From, Watch};
use crate::ops::source_origin::is_stream;
use crate::ops::{ImportSettings, SourceKind, tags};
use crate::ui::view::SourceAction;

use super::progress::{Display, report};

/// Make a source of a directory, a git repository, a bundle or an archive
///
/// A directory is taken whole, with ignored files and `.git`, unless options or a file `.aetherignore` in it say
/// otherwise. Modes, owners, times, attributes, hard links and holes are kept, so that a build tree is still up to date
/// in a session. The directory itself is only read.
///
/// Of a git repository, here or at a URL, one commit is taken, as it is committed: `--rev` names it, and a directory with
/// `--rev` is taken for a repository. Nothing that came with the repository runs: no hook, no filter. Of a tar archive
/// (plain, gzip, zstd or xz) all entries are taken that cannot do harm; owners, devices and set-id bits only for root.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether source create app ~/src/web
  aether source create lean ~/src/web --exclude target --respect-gitignore
  aether source create lib ~/src/lib --rev v1.2
  aether source create release ~/release.tar.gz --max-size 2G
  tar cf - -C ~/src web | aether source create piped -
  aether source create fixed --from fix-login@1
  aether source create blank --empty")]
pub(crate) struct Args {
    /// The source's name
    name: String,
    /// A directory, repository, bundle or archive, a git URL, or `-` for an archive on standard input
    #[arg(required_unless_present_any = ["empty", "from"], conflicts_with_all = ["empty", "from"], value_hint = clap::ValueHint::AnyPath)]
    origin: Option<OsString>,
    /// What the origin is, where that is not to be guessed
    #[arg(long, value_parser = ["dir", "git", "bundle", "tar"], conflicts_with = "empty")]
    kind: Option<String>,
    /// The branch, tag or commit of a repository
    #[arg(long, conflicts_with = "empty")]
    rev: Option<String>,
    /// Take the submodules of a repository along
    #[arg(long, conflicts_with = "empty")]
    submodules: bool,
    /// The most that a repository or archive may hold, such as `500M`; 64G without it
    #[arg(long, value_name = "BYTES", value_parser = bytes::parse, conflicts_with = "empty")]
    max_size: Option<u64>,
    /// Take a session as it is now, a checkpoint (`SESSION@NUMBER`) or a revision; at once, whatever its size
    #[arg(long, value_name = "STATE", conflicts_with_all = ["empty", "kind"])]
    #[arg(add = clap_complete::ArgValueCandidates::new(names::all_states))]
    from: Option<String>,
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
            rev: self.rev,
            submodules: self.submodules,
            max_bytes: self.max_size,
        };
        let kind = self.kind.as_deref().and_then(SourceKind::from_word);
        let from = match (self.from, self.origin) {
            (Some(state), _) => From::State(state),
            (None, None) => From::Empty,
            (None, Some(text)) if is_stream(&text) => From::Stream(Box::new(std::io::stdin().lock())),
            (None, Some(text)) => From::Origin { text, kind },
        };
        let watch = Watch { progress: &display, cancel: &cancel };
        let import = source_import::create(&mut cx.ops, &self.name, from, settings, self.scratch, &tags, watch)?;
        drop(display);
        report(&cx.ui, &import, SourceAction::Created)?;
        Ok(Exit::DONE)
    }
}
