//! `aether annotation add`

use std::ffi::OsString;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::annotation::{self, New};
use crate::ui::view::AnnotationView;

/// Make a note
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login annotation add -m 'nice work'
  aether -s fix-login annotation add lib/app.js:1 -m 'where is the semicolon?'")]
pub(crate) struct Args {
    /// What it is about; without it the session as a whole
    #[arg(value_name = "PATH[:LINE[-LINE]]")]
    at: Option<OsString>,
    /// What it says
    #[arg(short, long, value_name = "TEXT")]
    message: String,
    /// Only if this is the BLAKE3 hash of the file, as b3sum(1) prints it: else somebody changed it since
    #[arg(long, value_name = "HASH")]
    expect: Option<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let new = New { session: None, at: self.at, text: self.message, expect: self.expect };
        let info = annotation::add(&mut cx.ops, &new)?;
        cx.ui.show(&AnnotationView::new(&info, Some("Added")))?;
        Ok(Exit::DONE)
    }
}
