//! Mounts that go away with the test, however it ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use aether::fuse::{Config, Counters, How, Invalidations, MountOptions, Mounted, Op, Server, mount};

use crate::memory::Memory;

/// Whether tests on mounts are to be left out. Only a word in the environment does that: a missing device is a failure.
#[allow(clippy::disallowed_methods)]
pub fn skipped() -> bool {
    std::env::var_os("AETHER_TEST_FUSE").is_some_and(|word| word == "skip")
}

/// Whether a test is to be left out because only root can do it. Says so past the test harness, which would keep it to itself.
pub fn needs_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        io::Write::write_all(&mut io::stderr(), format!("left out, for root alone: {test}\n").as_bytes()).unwrap();
    }
    !is_root
}

/// A file system in memory, mounted and served by threads of the test.
pub struct Live {
    pub files: Arc<Memory>,
    pub counters: Arc<Counters>,
    pub invalidations: Invalidations,
    pub mounted: Mounted,
    served: Option<JoinHandle<io::Result<()>>>,
    _dir: tempfile::TempDir,
}

impl Live {
    pub fn new() -> Self {
        Self::with(&MountOptions::default())
    }

    pub fn with(options: &MountOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let point = dir.path().canonicalize().unwrap().join("mount");
        std::fs::create_dir(&point).unwrap();
        let files = Arc::new(Memory::new());
        let (device, mounted) = mount(&point, "test", options).unwrap();
        let server = Server::new(Arc::clone(&files), std::sync::Arc::default(), device, &Config::default()).unwrap();
        let (counters, invalidations) = (server.counters(), server.invalidations());
        let served = Some(std::thread::spawn(move || server.run()));
        Self { files, counters, invalidations, mounted, served, _dir: dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.mounted.mount_point().join(name)
    }

    pub fn root(&self) -> &Path {
        self.mounted.mount_point()
    }

    pub fn count(&self, op: Op) -> u64 {
        self.counters.get(op)
    }

    /// Unmounts and waits until serving has ended.
    pub fn end(mut self) {
        self.mounted.unmount(How::Plain).unwrap();
        self.served.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A failed test may still hold files; the mount must not outlive it all the same.
        let _gone = self.mounted.unmount(How::Lazy);
    }
}
