//! `aether hook run`

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::cli::names;
use crate::ops::hooks::{self, End};
use crate::ui::view::HookRanView;

/// Run a hook on what a session holds now, to see what it says
///
/// Nothing happens but that. What the hook prints is shown; the exit code is 1 if it says no.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  printf '#!/bin/sh\\nls\\n' > look; aether hook install pre-merge look --replace; aether hook run pre-merge fix-login")]
pub(crate) struct Args {
    /// The name of the hook
    #[arg(value_name = "HOOK", add = clap_complete::ArgValueCandidates::new(names::hooks))]
    name: String,
    /// The session; the current one if it is left out
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let results = hooks::try_out(&mut cx.ops, &self.name, self.session.as_deref())?;
        for (hook, ran) in &results {
            cx.ui.show(&HookRanView::new(hook, ran))?;
        }
        let is_fine = results.iter().all(|(_, ran)| ran.end == End::Code(0));
        Ok(if is_fine { Exit::DONE } else { Exit::FAILED })
    }
}
