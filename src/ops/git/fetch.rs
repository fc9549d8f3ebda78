//! Getting at a repository that is elsewhere: an address, or a bundle.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ops::import::ImportError;

use super::{Repository, git, run};
use crate::ops::scratch::Scratch;

/// What may be spoken with an address that the user gave.
const USER_PROTOCOLS: &str = "file:git:http:https:ssh";

/// What may be spoken with an address that a repository gave: nothing that reads this machine's files (as git itself
/// has it since CVE-2022-39253).
const SUBMODULE_PROTOCOLS: &str = "git:http:https:ssh";

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// On this machine.
    Local(PathBuf),
    /// A URL, or `host:path`.
    Remote(String),
    /// A file made by `git bundle`.
    Bundle(PathBuf),
}

impl Address {
    /// The address that a text stands for that names no file: a URL, or `host:path` as scp has it.
    #[must_use]
    pub fn remote(text: &str) -> Option<Self> {
        let is_url = text.split_once("://").is_some_and(|(scheme, rest)| {
            !rest.is_empty()
                && !scheme.is_empty()
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
        });
        let is_scp = text.split_once(':').is_some_and(|(host, path)| {
            !host.is_empty() && !host.contains('/') && !host.starts_with('-') && !path.is_empty()
        });
        (is_url || is_scp).then(|| Self::Remote(text.to_owned()))
    }
}

/// The repository at an address, with what `rev` needs and no more. Returns it and the commit.
///
/// # Errors
/// [`ImportError::Git`].
pub(super) fn reach(
    address: &Address,
    rev: Option<&str>,
    data_dir: &Path,
) -> Result<(Repository, String), ImportError> {
    match address {
        Address::Local(path) => {
            let repository = Repository::open(path)?;
            let commit = repository.resolve(rev.unwrap_or("HEAD"))?;
            Ok((repository, commit))
        }
        Address::Remote(url) => fetch_url(url, rev, data_dir, USER_PROTOCOLS),
        Address::Bundle(path) => {
            let repository = blank(data_dir)?;
            let mut command = fetching(&repository, USER_PROTOCOLS);
            command.args(["--no-tags", "--"]).arg(path).args(["+refs/*:refs/*"]);
            run("fetch", command)?;
            let head = || {
                let mut command = fetching(&repository, USER_PROTOCOLS);
                command.args(["--no-tags", "--"]).arg(path).arg("+HEAD:refs/aether/HEAD");
                run("fetch", command)
            };
            let rev = match rev {
                Some(rev) => rev,
                None => {
                    head().map_err(|_| ImportError::Git {
                        what: "bundle".into(),
                        why: "it has no HEAD; name a branch or tag of it with --rev".into(),
                    })?;
                    "refs/aether/HEAD"
                }
            };
            let commit = repository.resolve(rev)?;
            Ok((repository, commit))
        }
    }
}

/// The repository of a submodule.
pub(super) fn reach_submodule(url: &str, commit: &str, data_dir: &Path) -> Result<Repository, ImportError> {
    Ok(fetch_url(url, Some(commit), data_dir, SUBMODULE_PROTOCOLS)?.0)
}

/// The commit that `rev` stands for at an address, if it is a branch or tag there.
///
/// # Errors
/// [`ImportError::Git`] when the address cannot be reached.
pub fn remote_commit(url: &str, rev: Option<&str>) -> Result<Option<String>, ImportError> {
    let rev = rev.unwrap_or("HEAD");
    let mut command = git(None);
    command.env("GIT_ALLOW_PROTOCOL", USER_PROTOCOLS);
    command.args(["ls-remote", "--"]).arg(url).arg(rev).arg(format!("{rev}^{{}}"));
    let output = run("ls-remote", command)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    // A tag's own object comes before the commit that it names.
    let names = |suffix: &str| ["", "refs/heads/", "refs/tags/"].map(|prefix| format!("{prefix}{rev}{suffix}"));
    let find = |wanted: [String; 3]| lines.iter().find(|(_, name)| wanted.iter().any(|one| one == name));
    Ok(find(names("^{}")).or_else(|| find(names(""))).map(|(id, _)| (*id).to_owned()))
}

fn fetch_url(
    url: &str,
    rev: Option<&str>,
    data_dir: &Path,
    protocols: &str,
) -> Result<(Repository, String), ImportError> {
    let repository = blank(data_dir)?;
    let wanted = rev.unwrap_or("HEAD");
    let mut command = fetching(&repository, protocols);
    command.args(["--no-tags", "--depth", "1", "--", url]).arg(format!("+{wanted}:refs/aether/wanted"));
    if let Err(shallow) = run("fetch", command) {
        // A server need not give out single commits, and knows no abbreviated ones.
        if rev.is_none_or(|rev| rev.len() < 4 || !rev.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(shallow);
        }
        let mut command = fetching(&repository, protocols);
        command.args(["--no-tags", "--", url, "+refs/*:refs/*"]);
        run("fetch", command)?;
        let commit = repository.resolve(wanted)?;
        return Ok((repository, commit));
    }
    let commit = repository.resolve("refs/aether/wanted")?;
    Ok((repository, commit))
}

/// A repository with nothing in it, not even what a template would bring.
fn blank(data_dir: &Path) -> Result<Repository, ImportError> {
    let unmade = |error: crate::ops::Error| ImportError::Git { what: "fetch".to_owned(), why: error.to_string() };
    let scratch = Scratch::new(data_dir).map_err(unmade)?;
    let mut command = git(None);
    command.args(["init", "--quiet", "--bare", "--template=", "--"]).arg(scratch.path());
    run("init", command)?;
    Ok(Repository { dir: scratch.path().to_owned(), _scratch: Some(scratch) })
}

fn fetching(repository: &Repository, protocols: &str) -> Command {
    let mut command = git(Some(&repository.dir));
    command.env("GIT_ALLOW_PROTOCOL", protocols);
    command.args(["-c", "fetch.fsckObjects=true", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
    command.args(["fetch", "--quiet", "--no-write-fetch-head", "--no-recurse-submodules"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        for text in ["https://example.org/a.git", "ssh://git@host/x", "file:///srv/a", "git@host:group/a.git", "host:a"]
        {
            assert!(Address::remote(text).is_some(), "{text}");
        }
        for text in ["a", "./a:b", "/srv/a", "dir/with:colon", "-oProxyCommand=x:y", "://x", "host:"] {
            assert!(Address::remote(text).is_none(), "{text}");
        }
    }
}
