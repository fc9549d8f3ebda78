//! What is agreed with the kernel when a connection begins, and why.
//!
//! Not negotiated, on purpose: `ATOMIC_O_TRUNC` (with zero-message open the truncation would be lost),
//! `WRITEBACK_CACHE` (slower on creates and rewrites, and what a program was told is written would die with the
//! kernel's cache), `PASSTHROUGH` (needs privilege and excludes zero-message open), `POSIX_LOCKS` and `FLOCK_LOCKS`
//! (the kernel locks by itself), `AUTO_INVAL_DATA`, and `SETXATTR_EXT` (`fuser` 0.18 misreads it).
//!
//! **Set-uid, set-gid and capabilities after a write.** Without any agreement the kernel clears the bits itself, but
//! asks for `security.capability` before every single write. `HANDLE_KILLPRIV` leaves the clearing to us and still
//! asks every time. `HANDLE_KILLPRIV_V2` asks once after each refresh of the attributes, so it is what is used:
//! WRITE says when to clear; for SETATTR the protocol has a flag which `fuser` 0.18 does not hand on, but it follows
//! from the rest of the request ([`setattr_kills_priv`]). Capabilities the kernel removes itself (REMOVEXATTR).

use std::io;

use fuser::{InitFlags, KernelConfig};

use crate::overlay::SetAttr;

use super::server::Config;

/// The longest read and write, in bytes: the kernel's default limit of 256 pages.
pub(super) const MAX_IO_BYTES: u32 = 1 << 20;

/// Requests of readahead and asynchronous direct I/O that may be under way at once.
const MAX_BACKGROUND: u16 = 64;

/// Takes what the kernel offers of what we want. None of it is needed for correct answers but the two that zero-message
/// open rests on, and without those the kernel sends OPEN, is answered ENOSYS and fails every open.
pub(super) fn negotiate(kernel: &mut KernelConfig, config: &Config) -> io::Result<()> {
    let needed = InitFlags::FUSE_NO_OPEN_SUPPORT | InitFlags::FUSE_NO_OPENDIR_SUPPORT;
    if !kernel.capabilities().contains(needed) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel is older than 5.1"));
    }
    let mut wanted = needed
        // Lookups and listings in one directory do not wait for each other.
        | InitFlags::FUSE_PARALLEL_DIROPS
        // A listing brings the attributes along, so that a walk costs a request a directory, not one a file.
        | InitFlags::FUSE_DO_READDIRPLUS
        | InitFlags::FUSE_CACHE_SYMLINKS
        | InitFlags::FUSE_ASYNC_DIO
        // Page caches are dropped only when we say so, not because a size or time changed in passing.
        | InitFlags::FUSE_EXPLICIT_INVAL_DATA
        | InitFlags::FUSE_HANDLE_KILLPRIV_V2
        // ACLs are enforced and cached. Whether the umask counts depends on the directory's default one.
        | InitFlags::FUSE_POSIX_ACL
        | InitFlags::FUSE_DONT_MASK;
    if config.readdirplus_auto {
        wanted |= InitFlags::FUSE_READDIRPLUS_AUTO;
    }
    if let Err(missing) = kernel.add_capabilities(wanted) {
        log::info!("the kernel lacks {missing:?}");
        kernel.add_capabilities(wanted & !missing).map_err(|_| io::Error::other("no capability can be agreed on"))?;
    }
    kernel.set_max_write(MAX_IO_BYTES).map_err(|_| io::Error::other("max_write"))?;
    // A refusal carries the most that the kernel allows, which is then already set.
    let _most = kernel.set_max_readahead(MAX_IO_BYTES);
    kernel.set_max_background(MAX_BACKGROUND).map_err(|_| io::Error::other("max_background"))?;
    Ok(())
}

/// Whether a SETATTR also clears set-uid and set-gid: what the kernel's flag `FATTR_KILL_SUIDGID` would say.
///
/// It is set for each change of owner or group, and for a change of size by someone without `CAP_FSETID`, which is
/// taken to be anyone but root. A request that changes nothing at all is one that the kernel took the mode out of: the
/// clearing before a write, a `fallocate`, or by `chown(-1, -1)`.
pub(super) fn setattr_kills_priv(set: &SetAttr, caller_uid: u32) -> bool {
    let owner = set.uid.is_some() || set.gid.is_some();
    let content = set.size.is_some() && caller_uid != 0;
    owner || content || *set == SetAttr::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_uid_is_cleared_by_chown_by_a_users_truncation_and_by_an_empty_request() {
        let chown = SetAttr { gid: Some(5), ..SetAttr::default() };
        let truncate = SetAttr { size: Some(0), ..SetAttr::default() };
        let chmod = SetAttr { perm: Some(0o6755), ..SetAttr::default() };
        assert!(setattr_kills_priv(&chown, 0));
        assert!(setattr_kills_priv(&truncate, 1000));
        assert!(!setattr_kills_priv(&truncate, 0));
        assert!(!setattr_kills_priv(&chmod, 1000));
        assert!(setattr_kills_priv(&SetAttr::default(), 1000));
    }
}
