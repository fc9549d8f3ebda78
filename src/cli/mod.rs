//! The command line: parse, call a use case, show its result. One file a verb, with its `Args` above its `run`.
//!
//! To add a command, write its file and add its line to the list it belongs in (`Command`, or the group's own).
//! Nothing is decided here that a use case could decide.

mod annotation;
mod approval;
mod bus;
mod bytes;
mod cache;
mod cat;
mod checkpoint;
mod commit;
mod compare;
pub mod completions;
mod config;
mod conflict;
mod context;
mod demo;
mod diff;
mod doctor;
mod event;
mod exit;
mod fsmonitor;
mod health;
mod hook;
mod inside;
mod interrupt;
mod keep;
mod lock;
mod log;
mod ls;
mod merge;
mod names;
mod op;
mod overlaps;
mod policy;
mod redo;
mod serve;
mod session;
mod source;
mod store;
mod tag;
mod trash;
mod trial;
mod undo;
mod usage;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Args as _, CommandFactory, FromArgMatches, Parser};

use crate::config::{Env, Flags};
use crate::ui::{Styled, Ui};

use context::Cx;
use exit::Error;
pub use exit::Exit;

/// What a command does once it is parsed.
trait Run {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error>;
}

/// Declares a list of commands: the name of each, and its `Args`, whose first doc line is its summary.
macro_rules! commands {
    ($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $variant:ident($args:ty),)* }) => {
        $(#[$meta])*
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum $name {
            $($(#[$of])* $variant($args),)*
        }

        impl $name {
            /// The commands by the names of their variants, each with what tells it of its arguments.
            #[allow(dead_code, reason = "only of the list of all commands")]
            const TOLD_LATER: &[(&str, fn(clap::Command) -> clap::Command)] = &[$((
                {
                    const NAME: &[u8] = &$crate::cli::lower_case::<{ stringify!($variant).len() }>(stringify!($variant));
                    match std::str::from_utf8(NAME) {
                        Ok(name) => name,
                        Err(_) => stringify!($variant),
                    }
                },
                <$args as clap::Args>::augment_args,
            ),)*];
        }

        impl $crate::cli::Run for $name {
            fn run(self, cx: &mut $crate::cli::context::Cx) -> Result<$crate::cli::Exit, $crate::cli::exit::Error> {
                match self {
                    $(Self::$variant(args) => args.run(cx),)*
                }
            }
        }
    };
}
use commands;

/// A word in lower case.
const fn lower_case<const LEN: usize>(word: &str) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let mut at = 0;
    while at < LEN {
        bytes[at] = word.as_bytes()[at].to_ascii_lowercase();
        at += 1;
    }
    bytes
}

commands! {
    /// Every command, in the order of the help.
    Command {
        Source(source::Args),
        Session(session::Args),
        Checkpoint(checkpoint::Args),
        Status(session::status::Args),
        Diff(diff::Args),
        Compare(compare::Args),
        Overlaps(overlaps::Args),
        Log(log::Args),
        Ls(ls::Args),
        Cat(cat::Args),
        Merge(merge::Args),
        Update(session::update::Args),
        Conflict(conflict::Args),
        Commit(commit::Args),
        Approval(approval::Args),
        Policy(policy::Args),
        Hook(hook::Args),
        Annotation(annotation::Args),
        Restore(checkpoint::restore::Args),
        Fork(session::fork::Args),
        Mount(session::mount::Args),
        Unmount(session::unmount::Args),
        Run(session::run::Args),
        Undo(undo::Args),
        Redo(redo::Args),
        Op(op::Args),
        Trash(trash::Args),
        Tag(tag::Args),
        Cache(cache::Args),
        Lock(lock::Args),
        Health(health::Args),
        Bus(bus::Args),
        Event(event::Args),
        Store(store::Args),
        Du(store::du::Args),
        Try(trial::Args),
        Demo(demo::Args),
        Fsmonitor(fsmonitor::Args),
        Doctor(doctor::Args),
        Config(config::Args),
        Completions(completions::Args),
        #[command(hide = true)]
        Serve(serve::Args),
        #[command(hide = true)]
        Keep(keep::Args),
        #[command(hide = true)]
        Inside(inside::Args),
    }
}

/// Copy-on-write workspaces for every task, on your own machine.
///
/// A source is a frozen baseline, a session is a live workspace on it. A command that takes a source or a session takes
/// its name, its id or a unique prefix of its id; `@` is the session whose mount holds the working directory, and
/// `web@3` is
/// revision 3 of source `web`, or checkpoint 3 of a session of that name.
#[derive(Debug, Parser)]
#[command(name = "aether", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  aether source list
  aether session list --json
  aether doctor

Exit codes: 0 done; 1 failed, or for a question: differs; 2 wrong usage; 3 not found or ambiguous;
4 conflict or stale; 5 refused by a rule; 6 busy or timed out; 7 damaged data; 70 a bug; 130 interrupted.")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Print results as JSON: one object, or one a line for lists
    #[arg(long, global = true)]
    json: bool,
    /// Print only results, and those briefly
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more; twice: still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to use colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<String>,
    /// Do not send long output through the pager
    #[arg(long, global = true)]
    no_pager: bool,
    /// Act under this name
    #[arg(long = "as", global = true, value_name = "NAME")]
    actor: Option<String>,
    /// Leave hooks out, as far as the policy lets you
    #[arg(long, global = true)]
    no_hooks: bool,
    /// The current session, whatever the working directory and AETHER_SESSION say
    #[arg(short = 's', long = "session", id = "current-session", global = true, value_name = "SESSION")]
    #[arg(add = clap_complete::ArgValueCandidates::new(names::sessions))]
    session: Option<String>,
}

impl Global {
    fn flags(&self) -> Flags {
        Flags { color: self.color.clone(), actor: self.actor.clone(), no_pager: self.no_pager }
    }

    /// The options as far as they can be told from arguments that could not be parsed.
    fn guess(args: &[OsString]) -> Self {
        let mut guess = Self::default();
        let mut own = args.iter().take_while(|arg| *arg != "--").map(|arg| arg.to_string_lossy());
        while let Some(arg) = own.next() {
            guess.json |= arg == "--json";
            match arg.strip_prefix("--color") {
                Some("") => guess.color = own.next().map(Into::into),
                Some(value) => guess.color = value.strip_prefix('=').map(Into::into).or(guess.color),
                None => {}
            }
        }
        guess
    }
}

/// The whole command line, for documentation and completion.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments.
///
/// Telling clap of every command takes longer than most commands do. So at first it is told of those alone that could be
/// meant, because their names are among the arguments; what it then makes nothing of, help included, is looked at again
/// with all of them.
fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let alone = || {
        let named = Command::TOLD_LATER.iter().filter(|(name, _)| args.iter().any(|arg| arg == name));
        let named = named.map(|(name, augment)| clap::Command::new(*name).defer(*augment));
        let cli = Global::augment_args(clap::Command::new("aether")).subcommands(named);
        Cli::from_arg_matches(&cli.try_get_matches_from(args).ok()?).ok()
    };
    alone().map_or_else(|| Cli::try_parse_from(args), Ok)
}

/// Runs the command that `args` spell (the program's name first) and returns its exit code.
#[must_use]
pub fn main(args: Vec<OsString>) -> Exit {
    exit::install_panic_hook();
    interrupt::outlive_limits();
    crate::ops::let_owner_in();
    std::panic::catch_unwind(|| guarded(args)).unwrap_or(Exit::BUG)
}

fn guarded(args: Vec<OsString>) -> Exit {
    if args.get(1).is_some_and(|role| role == "keep") && args.len() == 2 {
        return keep::run();
    }
    let env = Env::of_process();
    if env.get("COMPLETE").is_some() {
        clap_complete::CompleteEnv::with_factory(command).bin("aether").complete();
    }
    match parse(&args) {
        Ok(cli) => run(&env, &args, cli),
        Err(error) => refuse(&env, &args, &error),
    }
}

fn run(env: &Env, args: &[OsString], cli: Cli) -> Exit {
    let (ui, cx) = match Cx::new(env, args, &cli.global) {
        Ok(cx) => (cx.ui.clone(), Ok(cx)),
        Err(error) => (Ui::new(context::plain_options(env, &cli.global)), Err(error)),
    };
    let result = cx.and_then(|mut cx| {
        let result = cli.command.run(&mut cx);
        cx.tell_notices();
        result
    });
    result.unwrap_or_else(|error| error.report(&ui))
}

/// Shows the help that was asked for, or says what is wrong with the arguments.
fn refuse(env: &Env, args: &[OsString], error: &clap::Error) -> Exit {
    let global = Global::guess(args);
    let ui = Ui::new(context::plain_options(env, &global));
    let styled = Styled { plain: error.render().to_string(), colored: error.render().ansi().to_string() };
    let help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if help {
        return match ui.help(&styled) {
            Ok(()) => Exit::DONE,
            Err(error) => Error::Output(error).report(&ui),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !global.json {
        ui.help_aside(&styled);
        return Exit::USAGE;
    }
    ui.fail(&usage::failure(args, error));
    Exit::USAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of all examples that a shell would split at spaces alone.
    fn examples(command: &clap::Command, found: &mut Vec<Vec<OsString>>) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("aether "));
        let plain = lines.filter(|line| !line.contains(['\'', '"', '|', '$', '`', ';', '<', '>', '(']));
        found.extend(plain.map(|line| line.split_whitespace().map(Into::into).collect()));
        command.get_subcommands().for_each(|below| examples(below, found));
    }

    #[test]
    fn one_command_alone_is_parsed_as_among_all() {
        let mut all = Vec::new();
        examples(&command(), &mut all);
        assert!(all.len() > 100, "{}", all.len());
        let mut known = 0;
        for args in &all {
            let among_all = Cli::try_parse_from(args).map_err(|error| error.to_string());
            known += u32::from(among_all.is_ok());
            let alone = parse(args).map_err(|error| error.to_string());
            assert_eq!(format!("{alone:?}"), format!("{among_all:?}"), "{args:?}");
        }
        assert!(known > 100, "{known}");
    }

    #[test]
    fn every_command_is_known_by_its_name() {
        let mut alone: Vec<_> = Command::TOLD_LATER.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut all: Vec<_> = command().get_subcommands().map(|found| found.get_name().to_owned()).collect();
        alone.sort();
        all.sort();
        assert_eq!(alone, all);
    }

    #[test]
    fn what_is_wrong_and_what_is_asked_about_is_told_of_all_commands() {
        for line in ["aether", "aether --help", "aether --version", "aether sesion", "aether session lst", "aether -x"]
        {
            let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let (found, right) = (parse(&args).unwrap_err(), Cli::try_parse_from(&args).unwrap_err());
            assert_eq!((found.kind(), found.to_string()), (right.kind(), right.to_string()), "{line}");
        }
    }
}
