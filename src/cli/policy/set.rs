//! `aether policy set`

use std::io::Read;
use std::path::PathBuf;

use super::SourceArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::{self, policy};
use crate::ui::view::PolicyView;

/// Give a source a policy
#[derive(Debug, clap::Args)]
#[command(long_about = r#"Give a source a policy

The file is TOML:

    [actions.commit]          # or merge, promote, apply, export, materialize, delete, or a word of your own
    grants = 2                # by so many actors
    own = false               # and not by the one who asked
    from = ["ann", "bob"]     # only these count
    human = true              # only actors of whom the config says `[actor.ann] kind = "human"`
    signed = true             # only signed grants, by the keys below
    health = "passing"        # the newest test result of this very content has to be a good one,
    health_max_age = "1d"     # and no older than this
    open_annotations = 0      # at most so many open notes

    [paths."/ci/**"]          # where a path is touched; also own, from, human, signed
    grants = 2
    actions = ["merge"]       # for these actions; else for commit, merge, promote and apply
    protected = true          # no session may change it

    [limits]                  # how much a session may change
    changed_files = 100
    deleted_files = 10
    changed_bytes = 1000000

    [hooks]
    skip = "human"            # who may leave hooks out: anybody, human (by the config), nobody

    [signatures]              # as in ssh-keygen(1), ALLOWED SIGNERS
    allowed_signers = """
    ann ssh-ed25519 AAAA…
    """"#)]
#[command(after_help = "\
Examples:
  printf '[actions.merge]\\ngrants = 1\\nown = false\\n' > web.toml && aether policy set web --file web.toml")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArg,
    /// The file; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let mut text = Vec::new();
        // One byte more than a policy may have says that it is too long.
        let limit = policy::MAX_BYTES as u64 + 1;
        let read = match self.file.as_os_str() == "-" {
            true => std::io::stdin().lock().take(limit).read_to_end(&mut text),
            false => std::fs::File::open(&self.file).and_then(|file| file.take(limit).read_to_end(&mut text)),
        };
        read.map_err(|source| ops::Error::Io { path: self.file.clone(), source })?;
        let name = self.file.display().to_string();
        let text = String::from_utf8_lossy(&text);
        let source = policy::set(&mut cx.ops, &self.source.source, &text, &name)?;
        cx.ui.show(&PolicyView::changed(&source, Some(&text)))?;
        Ok(Exit::DONE)
    }
}
