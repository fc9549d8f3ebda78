//! What a file is that a source is to be made of, told by its first bytes.

use std::io::{self, BufReader, Cursor, Read};

/// How many bytes are looked at: the first record of an archive.
const HEAD_BYTES: usize = 512;

/// The largest window that a zstd frame may ask for, as a power of 2: 128 MiB, what `zstd -d` allows.
const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// The memory that decompressing xz may take, in bytes.
const MAX_XZ_BYTES: u64 = 128 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An archive, as it is or compressed.
    Tar(Compression),
    /// A git bundle.
    Bundle,
}

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
}

/// What a file with this beginning is; `None` for what no source can be made of.
#[must_use]
pub fn recognise(head: &[u8]) -> Option<Form> {
    const COMPRESSED: [(&[u8], Compression); 3] = [
        (&[0x1f, 0x8b], Compression::Gzip),
        (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
    ];
    if let Some((_, compression)) = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(Form::Tar(*compression));
    }
    if head.starts_with(b"# v2 git bundle\n") || head.starts_with(b"# v3 git bundle\n") {
        return Some(Form::Bundle);
    }
    is_tar(head).then_some(Form::Tar(Compression::None))
}

/// Whether a record is a header of an archive (its checksum is right), or the end of an empty one.
fn is_tar(record: &[u8]) -> bool {
    let Some(record) = record.first_chunk::<HEAD_BYTES>() else { return false };
    if record.iter().all(|&byte| byte == 0) {
        return true;
    }
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(record);
    let said = header.cksum();
    header.set_cksum();
    said.is_ok_and(|said| header.cksum().is_ok_and(|is| is == said))
}

/// The beginning of a stream, and the whole of it again.
pub(in crate::ops) fn peek<R: Read>(mut from: R) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    from.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(from)))
}

/// The archive inside.
pub(super) fn decompress<'r>(from: impl Read + 'r, compression: Compression) -> io::Result<Box<dyn Read + 'r>> {
    let from = BufReader::with_capacity(256 << 10, from);
    Ok(match compression {
        Compression::None => Box::new(from),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?;
            decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        Compression::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(MAX_XZ_BYTES, liblzma::stream::CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(from, stream))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_their_first_bytes() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_cksum();
        archive.append_data(&mut header, "a", &b""[..]).unwrap();
        let archive = archive.into_inner().unwrap();
        assert_eq!(recognise(&archive[..512]), Some(Form::Tar(Compression::None)));
        assert_eq!(recognise(&[0; 512]), Some(Form::Tar(Compression::None)));
        assert_eq!(recognise(b"\x1f\x8b\x08\0"), Some(Form::Tar(Compression::Gzip)));
        assert_eq!(recognise(b"# v2 git bundle\n1234"), Some(Form::Bundle));
        assert_eq!(recognise(&[7; 512]), None);
        assert_eq!(recognise(b""), None);
        let mut broken = archive[..512].to_vec();
        broken[3] = 7;
        assert_eq!(recognise(&broken), None);
    }
}
