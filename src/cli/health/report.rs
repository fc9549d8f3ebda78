//! `aether health report`

use std::path::PathBuf;

use crate::cli::Run;
use crate::cli::context::Cx;
use crate::cli::exit::{Error, Exit};
use crate::ops::coordination::Payload;
use crate::ops::health::{self, Report};
use crate::ui::view::HealthView;

/// What somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Said {
    Pass,
    Fail,
}

/// Report a result of tests
///
/// Without `pass` or `fail` the result follows from the report or the exit code. A `pass` that these contradict is refused. A
/// report is in the JUnit format, which test runners of most languages write.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether -s fix-login health report pass -m 'make test'
  aether -s fix-login health report --exit-code $?
  echo '<testsuite/>' | aether -s fix-login health report --file -
  echo '<testsuite><testcase name=\"login\"/></testsuite>' > junit.xml && aether -s fix-login health report --file junit.xml")]
pub(crate) struct Args {
    /// The result
    #[arg(value_enum, value_name = "pass|fail")]
    result: Option<Said>,
    /// A JUnit report; `-` reads it from standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// What the tests ended with; 0 is a success
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    exit_code: Option<i64>,
    /// What to say about it
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        let report = Report {
            session: None,
            is_passing: self.result.map(|said| said == Said::Pass),
            file: self.file.map(|file| if file.as_os_str() == "-" { Payload::Stdin } else { Payload::File(file) }),
            exit_code: self.exit_code,
            command: None,
            message: self.message,
        };
        let (session, reported) = health::report(&mut cx.ops, &report)?;
        cx.ui.show(&HealthView::reported(&session, &reported))?;
        Ok(Exit::DONE)
    }
}
