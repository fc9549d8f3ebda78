//! `aether demo`

use std::path::PathBuf;
use std::time::Instant;

use crate::ops::demo::{self, Step};
use crate::ops::source_import::Watch;
use crate::ui::view::StepView;

use super::context::Cx;
use super::exit::{Error, Exit};
use super::session::mount::server;
use super::source::progress::Display;
use super::{Run, interrupt};

/// Show what aether does, on a copy of a directory
///
/// In a data directory of its own, which is removed at the end: imports the directory, mounts two sessions on it,
/// changes files in one of them, and shows that neither the other session nor the directory sees any of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether demo
  aether demo ~/src/web")]
pub(crate) struct Args {
    /// The directory
    #[arg(default_value = ".", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let cancel = interrupt::flag()?;
        let server = server(cx)?;
        let display = Display::new(&cx.ui, "Importing");
        let ui = cx.ui.clone();
        let started = Instant::now();
        let mut show = |step: Step| ui.show(&StepView::new(&step));
        let home = std::env::temp_dir().join(format!("aether-demo-{}", std::process::id()));
        demo::run(&mut cx.ops, &self.dir, &home, &server, Watch { progress: &display, cancel: &cancel }, &mut show)?;
        drop(display);
        cx.ui.note(&format!("All of it in {}", crate::ui::duration(started.elapsed().as_nanos() as u64)));
        Ok(Exit::DONE)
    }
}
