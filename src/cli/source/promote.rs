//! `aether source promote`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::source_promote::{self, Request};
use crate::ui::view::{SourceAction, SourceView};

/// Make what came of a session the newest revision of its source
///
/// Its tracked changes, on the revision that it stands on, become the next one. If the source has a newer one by then, it
/// is refused: `aether update` first. Sessions on older revisions stay as they are, and so does the directory that the
/// source came from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether run fix-login -- sh -c 'echo >>lib/app.js'; aether source promote web --from fix-login
  aether update fix-login; aether source promote web --from fix-login --with-scratch")]
pub(crate) struct Args {
    /// The source
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: String,
    /// The session or commit
    #[arg(long, value_name = "SESSION|COMMIT", add = clap_complete::ArgValueCandidates::new(names::outcomes))]
    from: String,
    /// With all that the session holds: `.git`, and what is ignored or scratch otherwise
    #[arg(long)]
    with_scratch: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let request = Request { source: self.source, from: self.from, with_scratch: self.with_scratch };
        let promoted = source_promote::run(&mut cx.ops, &request)?;
        let action = if promoted.changed { SourceAction::Promoted } else { SourceAction::Unchanged };
        cx.ui.show(&SourceView::new(&promoted.info, action))?;
        Ok(Exit::DONE)
    }
}
