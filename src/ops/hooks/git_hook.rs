//! A git hook that calls aether: in a session it makes a checkpoint before each git commit, and asks the policy.
//!
//! A hook that is there is kept beside ours under another name, runs before it, and comes back, byte for byte, when ours
//! is taken away. The two change places in one step, so that at no moment there is none. Hooks are looked for where git
//! looks for them, `core.hooksPath` included, as long as that does not lead out of the repository.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::ops::error::Result;
use crate::ops::{Context, Error, git};

use super::HookError;

const NAME: &str = "pre-commit";

/// What the name of a hook that was there gets at its end.
const KEPT: &str = ".before-aether";

/// The second line of ours.
const MARK: &str = "# Written by `aether hook install --git`; `aether hook uninstall --git` takes it away again.";

/// What the third line begins with: then comes the hash of all that is below.
const SEAL: &str = "# aether-hook-1 ";

/// The line of a hook whose directory was made for it.
const MADE_DIR: &str = "# Its directory was made with it.";

/// What was done to a repository.
#[derive(Clone, Debug)]
pub struct GitHook {
    /// The file of the hook.
    pub path: PathBuf,
    /// The hook that was there before.
    pub kept: Option<PathBuf>,
    /// Whether anything was done.
    pub changed: bool,
}

/// Writes the hook into the repository that has a directory.
///
/// # Errors
/// [`HookError::ForeignGitHook`], there is no repository, or it cannot be written.
pub fn install(cx: &mut Context, repository: &Path) -> Result<GitHook> {
    let (path, kept) = place(cx, repository)?;
    if let Some(ours) = ours(&path)? {
        let kept = Some(kept).filter(|kept| fs::symlink_metadata(kept).is_ok());
        return match ours.is_whole {
            true => Ok(GitHook { path, kept, changed: false }),
            false => Err(HookError::ForeignGitHook { path, why: "somebody edited it" }.into()),
        };
    }
    if fs::symlink_metadata(&kept).is_ok() && ours_or_none(&kept)?.is_none() {
        let why = "a hook from before an earlier installation is kept under this name";
        return Err(HookError::ForeignGitHook { path: kept, why }.into());
    }
    let failed = |source| Error::Io { path: path.clone(), source };
    let dir = path.parent().unwrap_or(Path::new("."));
    let makes_dir = !dir.is_dir();
    fs::create_dir_all(dir).map_err(failed)?;
    let before = before(&path).map_err(failed)?;
    let exe = cx.hooks.server.as_ref().map(|server| server.exe.clone()).unwrap_or_default();
    // Under the other name first: then the two change places at once, or it gets its own.
    write(&kept, &script(before.as_deref(), &exe, makes_dir)).map_err(failed)?;
    let has_before = fs::symlink_metadata(&path).is_ok();
    let flags = if has_before { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    renameat_with(CWD, &kept, CWD, &path, flags).map_err(|errno| {
        let _gone = fs::remove_file(&kept);
        failed(errno.into())
    })?;
    told(cx, "hook.install", &path)?;
    Ok(GitHook { path, kept: has_before.then_some(kept), changed: true })
}

/// Takes the hook away again, and puts back what was there before.
///
/// # Errors
/// [`HookError::NotInstalled`], [`HookError::ForeignGitHook`], there is no repository, or it cannot be written.
pub fn uninstall(cx: &mut Context, repository: &Path) -> Result<GitHook> {
    let (path, kept) = place(cx, repository)?;
    let has_kept = fs::symlink_metadata(&kept).is_ok();
    let ours = match ours(&path)? {
        Some(ours) if ours.is_whole => ours,
        Some(_) => return Err(HookError::ForeignGitHook { path, why: "somebody edited it" }.into()),
        None if has_kept => {
            let why = "somebody put another hook in its place";
            return Err(HookError::ForeignGitHook { path, why }.into());
        }
        None => {
            let place = format!("in `{}`", path.parent().unwrap_or(Path::new(".")).display());
            return Err(HookError::NotInstalled { name: NAME.into(), place }.into());
        }
    };
    let failed = |source| Error::Io { path: path.clone(), source };
    match has_kept {
        true => fs::rename(&kept, &path).map_err(failed)?,
        false => fs::remove_file(&path).map_err(failed)?,
    }
    if ours.made_dir {
        let _kept_if_used = path.parent().map(fs::remove_dir);
    }
    told(cx, "hook.uninstall", &path)?;
    Ok(GitHook { kept: has_kept.then(|| path.clone()), path, changed: true })
}

/// The file of the hook, and the one of what was there before.
fn place(cx: &Context, repository: &Path) -> Result<(PathBuf, PathBuf)> {
    let repository = cx.cwd.as_ref().map_or_else(|| repository.to_owned(), |cwd| cwd.join(repository));
    let (dir, inside) = git::hooks_dir(&repository)?;
    // What is not there yet is below the nearest directory that is.
    let real = dir.ancestors().find_map(|above| {
        let rest = dir.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(rest))
    });
    let is_inside = |real: &PathBuf| inside.iter().any(|top| real.starts_with(top));
    let path = dir.join(NAME);
    let Some(real) = real.filter(is_inside) else {
        return Err(HookError::ForeignGitHook { path, why: "`core.hooksPath` leads out of the repository" }.into());
    };
    Ok((real.join(NAME), real.join(format!("{NAME}{KEPT}"))))
}

/// What a hook of ours says of itself.
struct Ours {
    /// Whether it is as it was written.
    is_whole: bool,
    made_dir: bool,
}

/// Looks whether a file is a hook of ours.
fn ours(path: &Path) -> Result<Option<Ours>> {
    let text = match fs::symlink_metadata(path).and_then(|meta| meta.is_file().then(|| fs::read(path)).transpose()) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
    };
    let text = String::from_utf8_lossy(&text);
    let mut parts = text.splitn(4, '\n');
    let (_, mark, seal, body) = (parts.next(), parts.next(), parts.next(), parts.next());
    if mark != Some(MARK) {
        return Ok(None);
    }
    let (seal, body) = (seal.and_then(|line| line.strip_prefix(SEAL)), body.unwrap_or_default());
    let is_whole = seal == Some(blake3::hash(body.as_bytes()).to_hex().as_str());
    Ok(Some(Ours { is_whole, made_dir: body.lines().any(|line| line == MADE_DIR) }))
}

/// What an installation left that was cut short.
fn ours_or_none(kept: &Path) -> Result<Option<Ours>> {
    Ok(ours(kept)?.filter(|ours| ours.is_whole))
}

/// The line that runs the hook that is there; `None`: git would run none.
fn before(path: &Path) -> io::Result<Option<String>> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if meta.permissions().mode() & 0o111 == 0 {
        return Ok(None);
    }
    let mut first = [0; 256];
    let read = io::Read::read(&mut fs::File::open(path)?, &mut first)?;
    let line = first[..read].split(|&byte| byte == b'\n').next().unwrap_or_default();
    // Many look at the name that they are called by. A shell can be told it; others are called by the name they have.
    Ok(Some(match shell(line) {
        Some(shell) => format!("{shell} -c '. \"$0{KEPT}\"' \"$0\" \"$@\" || exit"),
        None => format!("\"$0{KEPT}\" \"$@\" || exit"),
    }))
}

/// The shell that a script asks for with its first line, if it is a plain one.
fn shell(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line.strip_prefix(b"#!")?).ok()?.trim();
    let mut words = line.split_whitespace();
    let mut program = words.next()?;
    let is_env = program.rsplit('/').next() == Some("env");
    if is_env {
        program = words.next()?;
    }
    let is_plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte));
    let name = program.rsplit('/').next()?;
    if !["sh", "bash", "dash", "ash", "ksh", "zsh"].contains(&name) || !line.split_whitespace().all(is_plain) {
        return None;
    }
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The hook.
fn script(before: Option<&str>, exe: &Path, made_dir: bool) -> Vec<u8> {
    let quoted = String::from_utf8_lossy(exe.as_os_str().as_bytes()).replace('\'', "'\\''");
    let mut body = String::new();
    if made_dir {
        body.push_str(MADE_DIR);
        body.push('\n');
    }
    if let Some(line) = before {
        body.push_str(&format!("# The hook that was here before.\n{line}\n"));
    }
    body.push_str(&format!(
        r#"# In a session: a checkpoint, and what the policy says. Elsewhere there is nothing to do.
aether=$(command -v aether) || aether='{quoted}'
if ! [ -x "$aether" ]; then
    echo 'pre-commit: aether is not to be found, and nothing was checked' >&2
    exit 0
fi
unset AETHER_SESSION
"$aether" session show @ >/dev/null 2>&1 || exit 0
"$aether" checkpoint create @ --if-changed -q -m 'Before a git commit' >/dev/null || exit 1
missing=$("$aether" policy check @ --action commit) || {{
    printf '%s\n' "$missing" >&2
    exit 1
}}
"#
    ));
    format!("#!/bin/sh\n{MARK}\n{SEAL}{}\n{body}", blake3::hash(body.as_bytes()).to_hex()).into_bytes()
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text)?;
    file.set_permissions(fs::Permissions::from_mode(0o755))?;
    file.sync_all()
}

fn told(cx: &mut Context, what: &str, path: &Path) -> Result<()> {
    let details = json!({ "hook": "git", "file": path.to_string_lossy() });
    cx.write(|tx| {
        tx.store_event(what, &details)?;
        Ok(tx.pass_over()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_of_ours_tells_whether_somebody_edited_it() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join(NAME);
        let text = script(Some("true"), Path::new("/it's/aether"), true);
        write(&path, &text).unwrap();
        let found = ours(&path).unwrap().unwrap();
        assert!(found.is_whole && found.made_dir);
        write(&path, &[&text[..], b"echo more\n"].concat()).unwrap();
        assert!(!ours(&path).unwrap().unwrap().is_whole);
        write(&path, b"#!/bin/sh\necho mine\n").unwrap();
        assert!(ours(&path).unwrap().is_none());
    }

    #[test]
    fn only_plain_shells_are_told_their_name() {
        for (line, found) in [
            ("#!/bin/sh", Some("/bin/sh")),
            ("#!/bin/sh -e", Some("/bin/sh -e")),
            ("#! /usr/bin/env bash", Some("/usr/bin/env bash")),
            ("#!/usr/bin/env python3", None),
            ("#!/bin/sh -c 'x'", None),
            ("\u{7f}ELF", None),
        ] {
            assert_eq!(shell(line.as_bytes()).as_deref(), found, "{line}");
        }
    }
}
