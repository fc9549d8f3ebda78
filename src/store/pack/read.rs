//! Reading packs.

use std::fmt;
use std::io;
use std::path::Path;

use crate::disk::{Disk, File, Open};

use super::block::{BlockHead, Decompress, HEAD_LEN, parse_table};
use super::footer::TRAILER_LEN;
use super::{Block, BlockRecord, Contents, HEADER_LEN, HEADER_MAGIC, SealedBlock, VERSION, header, u32_at};
use crate::store::StoreError;

/// An open pack.
pub(in crate::store) struct Pack {
    pub name: String,
    file: File,
    len: u64,
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pack").field("name", &self.name).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Pack {
    /// Opens a pack and looks at nothing in it.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        Self::of_file(path, disk.open(path, Open::Read)?)
    }

    /// A pack in an open file.
    pub fn of_file(path: &Path, file: File) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let len = file.len()?;
        Ok(Self { name, file, len })
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    fn damaged(&self, why: impl Into<String>) -> StoreError {
        StoreError::DamagedPack { pack: self.name.clone(), why: why.into() }
    }

    /// Reads exactly these bytes, which must lie inside the pack.
    fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
            return Err(self.damaged("it is cut off"));
        }
        let mut bytes = vec![0; len];
        if self.file.read_at(offset, &mut bytes)? != len {
            return Err(self.damaged("it is cut off"));
        }
        Ok(bytes)
    }

    fn array<const N: usize>(&self, offset: u64) -> Result<[u8; N], StoreError> {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes(offset, N)?);
        Ok(array)
    }

    /// What the block at this offset says of itself.
    pub fn head(&self, offset: u64) -> Result<BlockHead, StoreError> {
        let head = self.array::<HEAD_LEN>(offset)?;
        Ok(BlockHead::parse(&head).map_err(|why| self.damaged(format!("block at {offset}: {why}")))?.0)
    }

    /// Has the disk begin to read this part of the pack.
    pub fn fetch(&self, offset: u64, len_bytes: u64) {
        if offset < self.len {
            self.file.will_read(offset, len_bytes.min(self.len - offset));
        }
    }

    /// Reads and decompresses the block at this offset.
    pub fn block(&self, offset: u64, head: &BlockHead, contexts: &Decompress) -> Result<Block, StoreError> {
        let rest = self.bytes(offset.saturating_add(HEAD_LEN as u64), head.rest_len())?;
        Block::decode(head, rest, contexts).map_err(|why| self.damaged(format!("block at {offset}: {why}")))
    }

    /// What is in the pack: by its footer, or else by its blocks.
    pub fn contents(&self) -> Result<Contents, StoreError> {
        match self.footer() {
            Err(error) if error.is_damage() => match self.check_header() {
                Err(newer @ StoreError::NewerPack { .. }) => Err(newer),
                _ => self.scan(),
            },
            other => other,
        }
    }

    fn check_header(&self) -> Result<(), StoreError> {
        let header = self.array::<{ HEADER_LEN as usize }>(0)?;
        if header[..8] != HEADER_MAGIC {
            return Err(self.damaged("it does not begin as a pack"));
        }
        match u32_at(&header, 8) {
            VERSION => Ok(()),
            version if version > VERSION => Err(StoreError::NewerPack { pack: self.name.clone(), version }),
            _ => Err(self.damaged("it has no format")),
        }
    }

    /// Checks every byte of the header.
    pub fn check_whole_header(&self) -> Result<(), StoreError> {
        self.check_header()?;
        match self.array::<{ HEADER_LEN as usize }>(0)? == header() {
            true => Ok(()),
            false => Err(self.damaged("its header is wrong")),
        }
    }

    /// Checks that the blocks of the footer fill the pack, and that it has the name of its footer.
    pub fn check_frame(&self, contents: &Contents) -> Result<(), StoreError> {
        let mut end = HEADER_LEN;
        for record in &contents.blocks {
            if record.offset != end {
                return Err(self.damaged(format!("there is a gap at {end}")));
            }
            end = end.saturating_add((HEAD_LEN + record.head.rest_len()) as u64);
        }
        let (footer, name) = contents.encode(end);
        if end + footer.len() as u64 != self.len {
            return Err(self.damaged("its blocks do not fill it"));
        }
        match name == self.name {
            true => Ok(()),
            false => Err(self.damaged("its name is not that of its footer")),
        }
    }

    /// What the footer says is in the pack.
    pub fn footer(&self) -> Result<Contents, StoreError> {
        let at = self.len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| self.damaged("it is cut off"))?;
        let trailer = self.array::<TRAILER_LEN>(at)?;
        let (offset, len) = Contents::parse_trailer(&trailer, self.len).map_err(|why| self.damaged(why))?;
        let len = usize::try_from(len).map_err(|_| self.damaged("its footer is too long"))?;
        let footer = self.bytes(offset, len)?;
        Contents::parse(&footer, &trailer).map_err(|why| self.damaged(why))
    }

    /// The blocks found by going from one to the next, without those whose checksum is wrong.
    fn scan(&self) -> Result<Contents, StoreError> {
        let mut contents = Contents::default();
        let mut offset = HEADER_LEN;
        while offset < self.len {
            match self.checked_block(offset) {
                Ok((head, Some(record))) => {
                    contents.blocks.push(record);
                    offset += (HEAD_LEN + head.rest_len()) as u64;
                }
                Ok((head, None)) => offset += (HEAD_LEN + head.rest_len()) as u64,
                Err(error) if error.is_damage() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(contents)
    }

    /// The leading run of undamaged blocks, and where it ends: what a dead writer leaves.
    pub fn sound_blocks(&self) -> Result<(Contents, u64), StoreError> {
        self.check_header()?;
        let mut contents = Contents::default();
        let mut offset = HEADER_LEN;
        loop {
            match self.checked_block(offset) {
                Ok((head, Some(record))) => {
                    contents.blocks.push(record);
                    offset += (HEAD_LEN + head.rest_len()) as u64;
                }
                Ok((_, None)) => return Ok((contents, offset)),
                Err(error) if error.is_damage() => return Ok((contents, offset)),
                Err(error) => return Err(error),
            }
        }
    }

    /// The block as it is stored, to be put into another pack; `None` if its checksum is wrong.
    pub fn raw_block(&self, record: &BlockRecord) -> Result<Option<SealedBlock>, StoreError> {
        let head_bytes = self.array::<HEAD_LEN>(record.offset)?;
        let Ok((head, checksum)) = BlockHead::parse(&head_bytes) else { return Ok(None) };
        if head != record.head {
            return Ok(None);
        }
        let mut table = self.bytes(record.offset + HEAD_LEN as u64, head.rest_len())?;
        let stored = table.split_off(head.table_len());
        if BlockHead::checksum(&head_bytes, &table, &stored) != checksum
            || !parse_table(&table).eq(record.objects.iter().copied())
        {
            return Ok(None);
        }
        Ok(Some(SealedBlock { head, head_bytes, objects: record.objects.clone(), table, stored }))
    }

    /// What the block at this offset says is in it; `None` if its checksum is wrong.
    pub fn block_at(&self, offset: u64) -> Result<Option<BlockRecord>, StoreError> {
        Ok(self.checked_block(offset)?.1)
    }

    /// The block at this offset, or only its head if its checksum is wrong.
    fn checked_block(&self, offset: u64) -> Result<(BlockHead, Option<BlockRecord>), StoreError> {
        let head_bytes = self.array::<HEAD_LEN>(offset)?;
        let (head, checksum) = BlockHead::parse(&head_bytes).map_err(|why| self.damaged(why))?;
        let rest = self.bytes(offset + HEAD_LEN as u64, head.rest_len())?;
        let (table, stored) = rest.split_at(head.table_len());
        if BlockHead::checksum(&head_bytes, table, stored) != checksum {
            return Ok((head, None));
        }
        let objects: Vec<_> = parse_table(table).collect();
        let total: u64 = objects.iter().map(|(_, len)| u64::from(*len)).sum();
        let record = (total == u64::from(head.raw_len)).then_some(BlockRecord { offset, head, objects });
        Ok((head, record))
    }
}
