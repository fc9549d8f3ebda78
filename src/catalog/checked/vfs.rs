//! The VFS: SQLite's own, with four methods of its files replaced.
//!
//! A file is opened by the VFS below, in memory that has room for a [`Note`] behind what that needs. Then its methods
//! are exchanged for a copy of the same ones with ours in their place, so that everything else is what it always was.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::OnceLock;

use rusqlite::{Connection, ffi};

use super::{page, shared_memory, wal};

/// The name to open the catalog by.
const NAME: &CStr = c"aether-checked";

/// The VFS below.
struct Below {
    vfs: *mut ffi::sqlite3_vfs,
    /// Where our note is, from the start of a file's memory.
    note_at: usize,
}

// SAFETY: SQLite lets a registered VFS be used from any thread, and it is never unregistered.
unsafe impl Send for Below {}
// SAFETY: as above; nothing of it is written.
unsafe impl Sync for Below {}

static BELOW: OnceLock<Option<Below>> = OnceLock::new();

/// The methods of files below, and the same with ours.
struct Methods {
    below: &'static ffi::sqlite3_io_methods,
    ours: ffi::sqlite3_io_methods,
}

/// Of the data base, and of its log, which needs no locks and has others.
static METHODS: [OnceLock<Methods>; 2] = [const { OnceLock::new() }; 2];

/// What we keep of an open file.
#[repr(C)]
struct Note {
    is_log: bool,
    /// From here on, the log holds frames of a transaction that goes on: SQLite may put other pages into them, and makes
    /// their checksums anew only when it commits.
    unsettled_from: i64,
}

/// Makes the VFS known to SQLite; returns its name. `None`: SQLite has none of its own to stand on.
pub(in crate::catalog) fn register() -> Option<&'static CStr> {
    let below = BELOW.get_or_init(|| {
        // SAFETY: NULL asks for the default VFS.
        let vfs = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        // SAFETY: what it returns is NULL or stays valid for as long as the program runs.
        let mut ours = *unsafe { vfs.as_ref() }?;
        shared_memory::make_room(vfs);
        let note_at = usize::try_from(ours.szOsFile).ok()?.next_multiple_of(align_of::<Note>());
        ours.szOsFile = c_int::try_from(note_at + size_of::<Note>()).ok()?;
        ours.zName = NAME.as_ptr();
        ours.pNext = ptr::null_mut();
        ours.xOpen = Some(open);
        // SAFETY: a whole VFS, whose memory is never given back. Nobody can use it before `BELOW` is set, because
        // nobody else knows the name.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 0) };
        (code == ffi::SQLITE_OK).then_some(Below { vfs, note_at })
    });
    below.as_ref().map(|_| NAME)
}

/// Has a new data base leave room for the checksums. To be called before anything is written to it.
pub(in crate::catalog) fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    let mut bytes = c_int::from(page::RESERVED_BYTES);
    // SAFETY: the connection is open, and this request takes a pointer to an int.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)) }
}

/// The methods below of a file with this note.
fn below(note: &Note) -> Option<&'static ffi::sqlite3_io_methods> {
    METHODS[usize::from(note.is_log)].get().map(|methods| methods.below)
}

/// The note of a file that this VFS opened.
///
/// # Safety
/// `file` was opened by [`open`], is open, and is used by one thread at a time, as SQLite's files are.
unsafe fn note<'f>(file: *mut ffi::sqlite3_file) -> Option<&'f mut Note> {
    let below = BELOW.get()?.as_ref()?;
    // SAFETY: SQLite gave the file `szOsFile` bytes, which are enough; `open` has written the note.
    Some(unsafe { &mut *file.cast::<u8>().add(below.note_at).cast::<Note>() })
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(Some(below)) = BELOW.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the VFS below is asked what we were asked.
    let code = unsafe {
        match (*below.vfs).xOpen {
            Some(open) => open(below.vfs, name, file, flags, out_flags),
            None => ffi::SQLITE_CANTOPEN,
        }
    };
    if code != ffi::SQLITE_OK || flags & (ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL) == 0 {
        return code;
    }
    // SAFETY: the file was opened, so it has methods, which SQLite never gives back; its memory has room for the note.
    unsafe {
        let is_log = flags & ffi::SQLITE_OPEN_WAL != 0;
        let methods = METHODS[usize::from(is_log)].get_or_init(|| with_ours(&*(*file).pMethods));
        if !ptr::eq((*file).pMethods, methods.below) {
            // Another kind of file than ever before: it would get the wrong methods.
            if let Some(close) = (*(*file).pMethods).xClose {
                close(file);
            }
            (*file).pMethods = ptr::null();
            return ffi::SQLITE_CANTOPEN;
        }
        file.cast::<u8>().add(below.note_at).cast::<Note>().write(Note { is_log, unsettled_from: i64::MAX });
        (*file).pMethods = &raw const methods.ours;
    }
    ffi::SQLITE_OK
}

fn with_ours(below: &'static ffi::sqlite3_io_methods) -> Methods {
    let ours = ffi::sqlite3_io_methods {
        // The third version is about mapping the file into memory, past all checks.
        iVersion: below.iVersion.min(2),
        xRead: Some(read),
        xWrite: Some(write),
        xSync: Some(sync),
        xDeviceCharacteristics: Some(characteristics),
        ..*below
    };
    Methods { below, ours }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: the file is one of ours.
    let Some(note) = (unsafe { note(file) }) else { return ffi::SQLITE_IOERR_READ };
    let Some(read) = below(note).and_then(|methods| methods.xRead) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: what we were asked.
    let code = unsafe { read(file, to, len, offset) };
    if code != ffi::SQLITE_OK {
        return code;
    }
    // SAFETY: so many bytes were read.
    let bytes = unsafe { slice::from_raw_parts(to.cast::<u8>(), len as usize) };
    let at = offset as u64;
    let is_right = match <&[u8; page::BYTES]>::try_from(bytes) {
        Ok(page) if !note.is_log => page::is_right(page, at),
        Ok(page) if wal::is_page(at) && offset < note.unsettled_from => wal::is_right(page, at, |from, buf| {
            // SAFETY: a buffer of ours, of that length.
            let code = unsafe { read(file, buf.as_mut_ptr().cast(), buf.len() as c_int, from as i64) };
            code == ffi::SQLITE_OK
        }),
        Ok(_) => true,
        // Pages of another size are none that we wrote. Smaller reads are of the header, which is read again as a page.
        Err(_) => note.is_log || bytes.len() < 512,
    };
    if is_right { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_DATA }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: the file is one of ours.
    let Some(note) = (unsafe { note(file) }) else { return ffi::SQLITE_IOERR_WRITE };
    let Some(write) = below(note).and_then(|methods| methods.xWrite) else { return ffi::SQLITE_IOERR_WRITE };
    if note.is_log {
        note.unsettled_from = note.unsettled_from.min(offset);
        // SAFETY: what we were asked.
        return unsafe { write(file, from, len, offset) };
    }
    // SAFETY: so many bytes are to be written.
    let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), len as usize) };
    let Ok(mut page) = <[u8; page::BYTES]>::try_from(bytes) else { return ffi::SQLITE_IOERR_WRITE };
    page::seal(&mut page, offset as u64);
    // SAFETY: a page of ours instead of theirs.
    unsafe { write(file, page.as_ptr().cast(), len, offset) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the file is one of ours.
    let Some(note) = (unsafe { note(file) }) else { return ffi::SQLITE_IOERR_FSYNC };
    let Some(sync) = below(note).and_then(|methods| methods.xSync) else { return ffi::SQLITE_IOERR_FSYNC };
    // SAFETY: what we were asked.
    let code = unsafe { sync(file, flags) };
    if code == ffi::SQLITE_OK {
        // A commit ends with this, its checksums made.
        note.unsettled_from = i64::MAX;
    }
    code
}

unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is one of ours.
    let methods = unsafe { note(file) }.and_then(|note| below(note));
    let Some(ask) = methods.and_then(|methods| methods.xDeviceCharacteristics) else { return 0 };
    // Parts of pages cannot be checked. Without this, SQLite asks for whole ones only.
    // SAFETY: what we were asked.
    unsafe { ask(file) & !ffi::SQLITE_IOCAP_SUBPAGE_READ }
}
