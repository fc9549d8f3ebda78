//! `aether hook uninstall`

use std::path::PathBuf;

use super::Which;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::hooks::{git_hook, install};
use crate::ui::view::HookChangeView;

/// Take a hook away again
///
/// With `--git`, the one in a repository; the hook that was there before comes back as it was.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  printf '#!/bin/sh\\n' > ok && aether hook install post-merge ok -q && aether hook uninstall post-merge
  git init -q repo && aether hook install --git repo -q && aether hook uninstall --git repo")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The hook of git in this repository; in the one of the working directory if none is named
    #[arg(long, value_name = "REPOSITORY", num_args = 0..=1, default_missing_value = ".")]
    git: Option<PathBuf>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let view = match (&self.git, &self.which.name) {
            (Some(repository), _) => HookChangeView::of_git(&git_hook::uninstall(&mut cx.ops, repository)?, false),
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                let gone = install::uninstall(&mut cx.ops, name, self.which.source.as_deref())?;
                HookChangeView::new(&gone, false)
            }
        };
        cx.ui.show(&view)?;
        Ok(Exit::DONE)
    }
}
