//! `aether session create`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::cli::session::expire::expiry;
use crate::ops::session_create::{self, From, With};
use crate::ops::tags;
use crate::ui::view::{SessionAction, SessionView};

/// Make a session
///
/// Nothing is copied: it takes the same moment for a tree of any size. Without a name the session gets one, which is
/// printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether session create new-menu --source web
  aether session create --source web@1 --tag team=ui
  aether session create one-off --source web --expires 7d
  aether session create scratch --empty
  aether session create again --commit \"$(aether commit list -q | head -n 1)\"")]
pub(crate) struct Args {
    /// The session's name
    name: Option<String>,
    #[command(flatten)]
    base: Base,
    /// Tag it; can be given more than once
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
    /// Archive it by itself after this time, as by `session expire`
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Base {
    /// Stand on a source's newest revision, or with `@` on an older one
    #[arg(long, value_name = "SOURCE[@REVISION]", add = clap_complete::ArgValueCandidates::new(names::sources))]
    source: Option<String>,
    /// Begin with what a commit has; compared with what that is compared with
    #[arg(long, value_name = "COMMIT", add = clap_complete::ArgValueCandidates::new(names::commits))]
    commit: Option<String>,
    /// Begin with nothing
    #[arg(long)]
    empty: bool,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let tags: Vec<_> = self.tags.iter().map(|text| tags::parse(text)).collect::<Result<_, _>>()?;
        let expires_ns = self.expires.map(|text| expiry(cx, &text)).transpose()?.flatten();
        let with = With { tags, expires_ns };
        let from = match (self.base.source, self.base.commit) {
            (Some(source), _) => From::Source(source),
            (None, Some(commit)) => From::Commit(commit),
            (None, None) => From::Empty,
        };
        let info = session_create::run(&mut cx.ops, self.name.as_deref(), &from, &with)?;
        cx.ui.show(&SessionView::new(&info, SessionAction::Created))?;
        Ok(Exit::DONE)
    }
}
