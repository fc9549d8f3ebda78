//! `aether annotation show`

use super::KeyArg;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::annotation;
use crate::ui::view::AnnotationView;

/// Show a note and what was answered
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether annotation show \"$(aether -s fix-login annotation add lib/app.js -m 'why?' -q)\"")]
pub(crate) struct Args {
    #[command(flatten)]
    note: KeyArg,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let info = annotation::show(&mut cx.ops, &self.note.key)?;
        cx.ui.show(&AnnotationView::new(&info, None))?;
        Ok(Exit::DONE)
    }
}
