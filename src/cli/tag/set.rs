//! `aether tag set`

use super::What;
use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::tags;
use crate::ui::view::TagView;

/// Set tags of a session or a source
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether tag set fix-login team=ui task=7
  aether tag set web team=ui --source")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
    /// The tags; one that is there gets the new value
    #[arg(value_name = "KEY=VALUE", required = true)]
    tags: Vec<String>,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let tags: Vec<_> = self.tags.iter().map(|text| tags::parse(text)).collect::<Result<_, _>>()?;
        let all = tags::set(&mut cx.ops, &self.what.target(), &tags)?;
        cx.ui.list(&all.iter().map(TagView::new).collect::<Vec<_>>())?;
        Ok(Exit::DONE)
    }
}
