//! The checksum at the end of a page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The size of a page, which the catalog was made with.
pub(in crate::catalog) const BYTES: usize = 4096;

/// Bytes at the end of a page that SQLite leaves alone.
pub(in crate::catalog) const RESERVED_BYTES: u8 = 8;

const SUMMED_BYTES: usize = BYTES - RESERVED_BYTES as usize;

/// Where the first page says how many bytes of a page are reserved.
pub(in crate::catalog) const RESERVED_AT: usize = 20;

/// The checksum of a page that stands at this offset of the file: a page in another one's place does not fit.
fn sum(page: &[u8; BYTES], offset: u64) -> [u8; RESERVED_BYTES as usize] {
    xxh3_64_with_seed(&page[..SUMMED_BYTES], offset).to_le_bytes()
}

/// Puts the checksum in its place.
pub(super) fn seal(page: &mut [u8; BYTES], offset: u64) {
    let sum = sum(page, offset);
    page[SUMMED_BYTES..].copy_from_slice(&sum);
}

/// Puts the checksum of the page at this offset of the file in its place there.
pub(in crate::catalog) fn seal_in(file: &File, offset: u64) -> io::Result<()> {
    let mut page = [0; BYTES];
    file.read_exact_at(&mut page, offset)?;
    file.write_all_at(&sum(&page, offset), offset + SUMMED_BYTES as u64)
}

/// Whether the page is what was written to this offset.
pub(in crate::catalog) fn is_right(page: &[u8; BYTES], offset: u64) -> bool {
    page[SUMMED_BYTES..] == sum(page, offset)
}

/// Whether a first page that says to have other reserved bytes says so by damage: with the right number its checksum fits.
pub(in crate::catalog) fn is_right_but_for_its_reserve(page: &[u8; BYTES]) -> bool {
    let mut page = *page;
    page[RESERVED_AT] = RESERVED_BYTES;
    is_right(&page, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_this_one() {
        let mut page: [u8; BYTES] = std::array::from_fn(|at| at as u8);
        seal(&mut page, 4096);
        assert_eq!(page[SUMMED_BYTES..], [18, 188, 27, 128, 184, 64, 238, 226]);
    }

    #[test]
    fn no_bit_of_a_page_can_change_and_no_page_can_move() {
        let mut page: [u8; BYTES] = std::array::from_fn(|at| (at * 7) as u8);
        seal(&mut page, 8192);
        assert!(is_right(&page, 8192) && !is_right(&page, 4096));
        for bit in 0..BYTES * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_right(&page, 8192), "bit {bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
