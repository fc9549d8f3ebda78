//! The checksums of SQLite's write-ahead log, see <https://sqlite.org/fileformat2.html#walformat>.
//!
//! Each frame has a checksum over the first bytes of its header and its page, which goes on from that of the frame before.

use super::page;

/// The log's header.
const HEADER_BYTES: u64 = 32;
/// The header of a frame.
const FRAME_HEADER_BYTES: u64 = 24;
const FRAME_BYTES: u64 = FRAME_HEADER_BYTES + page::BYTES as u64;
/// What the header of a log begins with whose checksums are made of little-endian numbers; one more: of big-endian ones.
const MAGIC: u32 = 0x377f_0682;

/// Whether a page begins at this offset.
pub(super) fn is_page(offset: u64) -> bool {
    offset.checked_sub(HEADER_BYTES + FRAME_HEADER_BYTES).is_some_and(|at| at % FRAME_BYTES == 0)
}

/// Whether the page at this offset fits its frame. `read` fills a buffer from an offset of the log.
pub(super) fn is_right(page: &[u8; page::BYTES], offset: u64, mut read: impl FnMut(u64, &mut [u8]) -> bool) -> bool {
    let start = offset - FRAME_HEADER_BYTES;
    let before_at = if start == HEADER_BYTES { HEADER_BYTES - 8 } else { start - FRAME_BYTES + FRAME_HEADER_BYTES - 8 };
    let (mut magic, mut before, mut header) = ([0; 4], [0; 8], [0; FRAME_HEADER_BYTES as usize]);
    if !read(0, &mut magic) || !read(before_at, &mut before) || !read(start, &mut header) {
        return false;
    }
    let number: fn([u8; 4]) -> u32 = match u32::from_be_bytes(magic) {
        MAGIC => u32::from_le_bytes,
        magic if magic == MAGIC + 1 => u32::from_be_bytes,
        _ => return false,
    };
    let mut sums = pair(&before);
    add(&mut sums, &header[..8], number);
    add(&mut sums, page, number);
    sums == pair(&header[16..])
}

/// Two numbers as they stand in headers.
fn pair(bytes: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (number(0), number(4))
}

fn add(sums: &mut (u32, u32), bytes: &[u8], number: fn([u8; 4]) -> u32) {
    for eight in bytes.chunks_exact(8) {
        let (one, two) = ([eight[0], eight[1], eight[2], eight[3]], [eight[4], eight[5], eight[6], eight[7]]);
        sums.0 = sums.0.wrapping_add(number(one)).wrapping_add(sums.1);
        sums.1 = sums.1.wrapping_add(number(two)).wrapping_add(sums.0);
    }
}
