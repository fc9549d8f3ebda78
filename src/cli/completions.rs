//! `aether completions`

use clap_complete::env::{EnvCompleter, Fish, Zsh};

use super::Run;
use super::context::Cx;
use super::exit::{Error, Exit};

/// Print the script that completes commands and names in a shell
///
/// The script asks aether itself, so names of sources and sessions are completed too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aether completions bash > aether.bash
  aether completions zsh > _aether
  aether completions fish > aether.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Shells that can be completed in.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Run for Args {
    fn run(self, cx: &mut Cx) -> Result<Exit, Error> {
        cx.ui.raw(&script(self.shell)?)?;
        Ok(Exit::DONE)
    }
}

/// The files of `completions/`, each with its text.
///
/// # Errors
/// A script cannot be rendered.
pub fn scripts() -> std::io::Result<Vec<(&'static str, Vec<u8>)>> {
    let named = [("aether.bash", Shell::Bash), ("_aether", Shell::Zsh), ("aether.fish", Shell::Fish)];
    named.into_iter().map(|(name, shell)| Ok((name, script(shell)?))).collect()
}

fn script(shell: Shell) -> std::io::Result<Vec<u8>> {
    let completer: &dyn EnvCompleter = match shell {
        // The usual script knows nothing of names with `@` in them.
        Shell::Bash => return Ok(include_bytes!("aether.bash").to_vec()),
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut text = Vec::new();
    completer.write_registration("COMPLETE", "aether", "aether", "aether", &mut text)?;
    Ok(text)
}
