//! Signatures of grants, by the user's SSH key, as `ssh-keygen -Y sign` makes them (ssh-keygen(1), namespace `aether`).
//!
//! What is signed names the approval, its action, its session and its change set, so that a signature is worth nothing
//! elsewhere. Keys are never read here: that is ssh-keygen's business, or that of the agent.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::catalog::Approval;

use super::ApprovalError;

const NAMESPACE: &str = "aether";

/// What is signed.
fn document(approval: &Approval) -> Vec<u8> {
    let Approval { id, action, session, content, .. } = approval;
    format!("aether approval 1\napproval {id}\naction {action}\nsession {session}\nchange set {}\n", content.0.to_hex())
        .into_bytes()
}

/// Signs a grant with the key in this file, or with the agent's where the file holds the public half.
pub(super) fn sign(approval: &Approval, key: &Path) -> Result<String, ApprovalError> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-q", "-n", NAMESPACE, "-f"]).arg(key);
    let output = run(command, &document(approval)).map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|_| failed("it is no text".into())),
        false => Err(failed(said(&output))),
    }
}

/// Refuses a signature that is not one of this actor's keys over this approval.
pub(super) fn verify(approval: &Approval, actor: &str, signature: &str, signers: &str) -> Result<(), ApprovalError> {
    let check = || -> io::Result<Output> {
        let (signature, signers) = (memory(signature.as_bytes())?, memory(signers.as_bytes())?);
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-n", NAMESPACE, "-I", actor, "-f"]).arg(path_of(&signers));
        command.arg("-s").arg(path_of(&signature));
        run(command, &document(approval))
    };
    let not = |why| ApprovalError::NotSigned { actor: actor.to_owned(), why };
    let output = check().map_err(|error| not(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(not(said(&output))) }
}

fn failed(why: String) -> ApprovalError {
    ApprovalError::CannotSign { why }
}

/// What a program said last.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    line.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned())
}

fn run(mut command: Command, input: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end before it has read anything, and says why.
        let _told_by_its_status = stdin.write_all(input);
    }
    child.wait_with_output()
}

/// A file without a name.
fn memory(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("aether", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Where a child finds it while this process runs.
fn path_of(file: &File) -> PathBuf {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into()
}
