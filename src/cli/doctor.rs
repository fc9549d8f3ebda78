//! `aether doctor`

use std::path::Path;

use crate::ops::doctor::{self, Level};
use crate::ui::view::FindingView;

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// This program, also when its file was replaced.
const OWN_EXE: &str = "/proc/self/exe";

/// Check what aether needs from this machine
///
/// Looks at FUSE, the kernel, the data directory, mounts and sockets left behind, and the catalog. Each problem comes
/// with its remedy. The exit code is 1 when a check failed; warnings do not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether doctor
  aether doctor --json")]
pub(crate) struct Args {}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let findings = doctor::run(&cx.ops, cx.path_variable.as_deref(), Path::new(OWN_EXE));
        for finding in &findings {
            cx.ui.show(&FindingView::from(finding))?;
        }
        let failed = findings.iter().any(|finding| finding.level == Level::Failed);
        Ok(if failed { Exit::FAILED } else { Exit::DONE })
    }
}
