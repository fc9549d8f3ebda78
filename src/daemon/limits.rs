//! How much memory this process may use: less of it is met by fewer threads and smaller caches.
//!
//! Allocations that fail end a process, and so does the kernel where a control group has no more, so what is known
//! to be needed is chosen before. Limits that come later are not seen.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

/// Addresses that a mount process takes beside its threads and its cache: the program, its libraries, what it holds.
const BESIDE_BYTES: u64 = 128 << 20;

/// Addresses that a thread takes: a buffer for requests of 16 MiB, its stack, and what it allocates.
const THREAD_BYTES: u64 = 40 << 20;

/// Of what there is, the cache may have one part in so many.
const CACHE_SHARE: u64 = 8;

/// More threads than this do not read further ahead of one reader.
const MOST_AHEAD: usize = 3;

/// A cache smaller than this only costs time.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

/// What limits a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Addresses, used or not (`RLIMIT_AS`, `RLIMIT_DATA`).
    pub addresses: Option<u64>,
    /// Memory (`memory.max` of the control groups that it is in).
    pub resident: Option<u64>,
}

impl MemoryLimits {
    /// Those of this process, as far as they can be found out.
    #[must_use]
    pub fn of_process() -> Self {
        let limits = [getrlimit(Resource::As).current, getrlimit(Resource::Data).current];
        let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self {
            addresses: limits.into_iter().flatten().min(),
            resident: groups(&group).iter().filter_map(|dir| memory_max(dir)).min(),
        }
    }

    /// How many threads of `wanted` to have.
    #[must_use]
    pub fn threads(&self, wanted: NonZero<usize>) -> NonZero<usize> {
        let Some(addresses) = self.addresses else { return wanted };
        let cache = addresses / CACHE_SHARE;
        let fit = addresses.saturating_sub(BESIDE_BYTES + cache) / THREAD_BYTES;
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(1);
        NonZero::new(wanted.get().min(fit)).unwrap_or(wanted)
    }

    /// How many threads may read ahead: as many as there are processors beside the one that is served on. None where
    /// addresses are counted, since each takes many.
    #[must_use]
    pub fn threads_ahead(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        if self.addresses.is_some() { 0 } else { (processors - 1).clamp(1, MOST_AHEAD) }
    }

    /// How large a cache to have, of `wanted` bytes.
    #[must_use]
    pub fn cache_bytes(&self, wanted: u64) -> u64 {
        match self.addresses.into_iter().chain(self.resident).min() {
            Some(limit) => wanted.min((limit / CACHE_SHARE).max(LEAST_CACHE_BYTES)),
            None => wanted,
        }
    }
}

/// The directories of a process's control groups, its own first, from `/proc/PID/cgroup` (version 2).
fn groups(text: &str) -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.map(|own| top.join(own));
    own.iter().flat_map(|own| own.ancestors()).take_while(|dir| dir.starts_with(top)).map(Path::to_owned).collect()
}

fn memory_max(dir: &Path) -> Option<u64> {
    fs::read_to_string(dir.join("memory.max")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(mib: u64) -> MemoryLimits {
        MemoryLimits { addresses: Some(mib << 20), resident: None }
    }

    #[test]
    fn without_limits_everything_is_as_wanted() {
        let none = MemoryLimits::default();
        let wanted = NonZero::new(8).unwrap();
        assert_eq!((none.threads(wanted), none.cache_bytes(1 << 30)), (wanted, 1 << 30));
    }

    #[test]
    fn the_less_there_is_the_fewer_threads_but_never_none() {
        let threads = |mib| addresses(mib).threads(NonZero::new(8).unwrap()).get();
        assert_eq!([10_000, 400, 300, 200, 20].map(threads), [8, 5, 3, 1, 1]);
    }

    #[test]
    fn the_smallest_limit_counts_for_the_cache() {
        let limits = MemoryLimits { addresses: Some(800 << 20), resident: Some(80 << 20) };
        assert_eq!(limits.cache_bytes(64 << 20), 10 << 20);
        assert_eq!(limits.cache_bytes(4 << 20), 4 << 20);
        assert_eq!(addresses(1).cache_bytes(64 << 20), LEAST_CACHE_BYTES);
    }

    #[test]
    fn a_group_is_limited_by_those_above_it() {
        let found = groups("1:cpu:/x\n0::/user.slice/session\n");
        let names: Vec<_> = found.iter().map(|dir| dir.to_str().unwrap()).collect();
        assert_eq!(names, ["/sys/fs/cgroup/user.slice/session", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"]);
        assert!(groups("").is_empty());
    }
}
