//! A frozen tree as a file system of its own: an overlay whose upper takes nothing.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Disk, RealDisk};
use crate::model::{Place, Record, Root};
use crate::overlay::{Overlay, Payload, Pin, Replay, Space, Upper};
use crate::store::Store;

/// The upper of a tree that nobody can change.
#[derive(Debug)]
pub struct NoUpper {
    data_dir: PathBuf,
}

/// The file system of a frozen tree, for a new connection or for one that another process served.
pub(super) fn overlay(
    store: Arc<Store>,
    data_dir: PathBuf,
    root: &Root,
    resumed: Option<u32>,
) -> Overlay<Store, NoUpper> {
    let (replay, upper) = (Replay::new(root), Arc::new(NoUpper { data_dir }));
    let overlay = match resumed {
        None => replay.finish(store, upper),
        Some(connection) => replay.resume(store, upper, connection),
    };
    overlay.set_read_only(true);
    overlay
}

fn read_only<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Upper for NoUpper {
    fn stage(&self, _bytes: &[u8]) -> io::Result<Place> {
        read_only()
    }

    fn append(&self, _batch: &[Record], _payload: Option<Payload<'_>>) -> io::Result<Option<Place>> {
        read_only()
    }

    fn read(&self, _place: Place, _buf: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn pin(&self) -> Pin {
        Pin(Arc::new(()))
    }

    fn release(&self, _ranges: &[(Place, u64)]) {}

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        Ok(RealDisk.space(&self.data_dir)?.into())
    }
}
