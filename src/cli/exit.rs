//! The one place that decides exit codes, and how a failure is told.

use std::io;
use std::process::{ExitCode, Termination};

use crate::ops;
use crate::ui::{Failure, Ui};

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// It worked.
    pub const DONE: Self = Self(0);
    /// It did not work; or, for a question: it differs, problems were found.
    pub const FAILED: Self = Self(1);
    /// Wrong usage.
    pub const USAGE: Self = Self(2);
    /// Not found, or ambiguous.
    pub const NOT_FOUND: Self = Self(3);
    /// A conflict, or stale: look again, then decide.
    pub const CONFLICT: Self = Self(4);
    /// Refused by a rule.
    pub const REFUSED: Self = Self(5);
    /// Busy, or timed out.
    pub const BUSY: Self = Self(6);
    /// Damaged data was found.
    pub const DAMAGED: Self = Self(7);
    /// A bug (`EX_SOFTWARE` of sysexits.h).
    pub const BUG: Self = Self(70);
    /// Stopped by the user: 128 + SIGINT.
    pub const INTERRUPTED: Self = Self(130);
    /// Nobody reads what we print: 128 + SIGPIPE, as for a program that the signal ended.
    pub const BROKEN_PIPE: Self = Self(141);

    fn of(kind: ops::Kind) -> Self {
        match kind {
            ops::Kind::Failed => Self::FAILED,
            ops::Kind::Usage => Self::USAGE,
            ops::Kind::NotFound => Self::NOT_FOUND,
            ops::Kind::Conflict => Self::CONFLICT,
            ops::Kind::Refused => Self::REFUSED,
            ops::Kind::Busy => Self::BUSY,
            ops::Kind::Damaged => Self::DAMAGED,
            ops::Kind::Interrupted => Self::INTERRUPTED,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.0.into()
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The use case failed.
    #[error(transparent)]
    Ops(#[from] ops::Error),
    /// The result could not be printed.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// Tells the user, and returns the exit code.
    pub(crate) fn report(&self, ui: &Ui) -> Exit {
        let details = match self {
            Self::Ops(error) => error.details(),
            Self::Output(_) => Vec::new(),
        };
        let (exit, code, hints) = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::BROKEN_PIPE,
            Self::Output(_) => (Exit::FAILED, "output", Vec::new()),
            Self::Ops(error) => (Exit::of(error.kind()), error.code(), error.hints()),
        };
        ui.fail(&Failure { error: self.to_string(), code: code.into(), details, hints, exit_code: exit.0 });
        exit
    }
}

/// A panic is a bug, and says so in one line; the backtrace is there for those who ask with RUST_BACKTRACE.
pub(super) fn install_panic_hook() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::backtrace::Backtrace::capture().status() == std::backtrace::BacktraceStatus::Captured {
            default(info);
        }
        let place = info.location().map(|at| format!(" at {at}")).unwrap_or_default();
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown");
        let ui = Ui::new(crate::ui::Options::default());
        ui.fail(&Failure {
            error: format!("this is a bug in aether {}: {what}{place}", env!("CARGO_PKG_VERSION")),
            code: "bug".into(),
            details: Vec::new(),
            hints: vec!["run it again with RUST_BACKTRACE=1 and report what it prints".into()],
            exit_code: Exit::BUG.0,
        });
    }));
}
