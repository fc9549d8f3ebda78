//! Memory that SQLite shares between processes, and a disk that is full.
//!
//! SQLite maps the file `-shm` into memory, after writing one byte to each page of it, so that the disk has room for what
//! is written to the mapping. Where blocks are smaller than pages of memory that byte makes room for one block only: on a
//! full disk, whoever writes to the rest of the page is killed by `SIGBUS`. So room for all of it is made before it is
//! mapped, or it is not mapped, which SQLite reports as an error.
//!
//! SQLite has one table of system calls a process: this holds for all that it opens.

use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;
use rustix::fs::{FallocateFlags, fallocate, fstat};
use rustix::io::Errno;

type Mmap = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, i64) -> *mut c_void;

const NAME: &std::ffi::CStr = c"mmap";
/// As in `sys/mman.h`, on every Linux.
const PROT_WRITE: c_int = 2;

/// What SQLite called before.
static BELOW: OnceLock<Mmap> = OnceLock::new();

/// Has SQLite make room for what it maps to write. To be called once, before it opens anything.
pub(super) fn make_room(vfs: *mut ffi::sqlite3_vfs) {
    // SAFETY: the VFS is one that SQLite gave, and they stay valid for as long as the program runs.
    let (Some(get), Some(set)) = (unsafe { ((*vfs).xGetSystemCall, (*vfs).xSetSystemCall) }) else { return };
    // SAFETY: it takes the name of a call.
    let Some(present) = (unsafe { get(vfs, NAME.as_ptr()) }) else { return };
    // SAFETY: SQLite keeps all of its calls by one type, and casts them to what they are, which for this one is `Mmap`.
    let below = unsafe { std::mem::transmute::<unsafe extern "C" fn(), Mmap>(present) };
    if BELOW.set(below).is_ok() {
        // SAFETY: the name of a call, and a function that can be called in its place; the type as above.
        unsafe { set(vfs, NAME.as_ptr(), Some(std::mem::transmute::<Mmap, unsafe extern "C" fn()>(map))) };
    }
}

/// Whether all of this range of the file has blocks, or has them now. Where that cannot be had or known, as before.
fn has_room(file: BorrowedFd<'_>, offset: u64, len: u64) -> bool {
    if fstat(file).is_ok_and(|found| found.st_blocks.cast_unsigned() * 512 >= offset + len) {
        return true;
    }
    !matches!(
        fallocate(file, FallocateFlags::KEEP_SIZE, offset, len),
        Err(Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::FBIG)
    )
}

unsafe extern "C" fn map(
    at: *mut c_void,
    len: usize,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> *mut c_void {
    let failed = ptr::without_provenance_mut(usize::MAX);
    let Some(below) = BELOW.get() else { return failed };
    if fd >= 0 && prot & PROT_WRITE != 0 {
        // SAFETY: SQLite has it open for as long as this takes.
        let file = unsafe { BorrowedFd::borrow_raw(fd) };
        if !has_room(file, offset.cast_unsigned(), len as u64) {
            return failed;
        }
    }
    // SAFETY: what we were asked.
    unsafe { below(at, len, prot, flags, fd, offset) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_hole_that_is_to_be_mapped_gets_blocks_and_keeps_its_length() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(dir.path().join("shm")).unwrap();
        file.set_len(65536).unwrap();
        assert_eq!(file.metadata().unwrap().blocks(), 0);
        assert!(has_room(file.as_fd(), 32768, 32768));
        let found = file.metadata().unwrap();
        assert!(found.blocks() >= 64 && found.len() == 65536, "{found:?}");
        // A file that cannot be allocated is mapped as it always was.
        assert!(has_room(std::fs::File::open("/dev/null").unwrap().as_fd(), 0, 32768));
    }

    #[test]
    fn sqlite_maps_what_it_shares_by_ours() {
        super::super::register().unwrap();
        // SAFETY: NULL asks for the default VFS, which stays valid; it takes the name of a call.
        let call = unsafe {
            let vfs = ffi::sqlite3_vfs_find(ptr::null());
            ((*vfs).xGetSystemCall.unwrap())(vfs, NAME.as_ptr())
        };
        assert_eq!(call.unwrap() as usize, map as *const () as usize);
    }
}
