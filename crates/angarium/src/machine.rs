//! What the operating system tells and grants: descriptors, disk, processor time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::time::Duration;

/// Descriptors that are not for attempts: the store, the listener, callers, resolvers.
const RESERVED_DESCRIPTORS: usize = 512;

/// Raises the soft limit on open files to the hard one and tells what is in force.
pub(crate) fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let granted = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    granted.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many attempts may be in flight with so many descriptors: three quarters of what is left
/// for connections, the rest is for callers; at most `most`.
pub(crate) fn node_window(descriptors: usize, most: usize) -> usize {
    let connections = descriptors.saturating_sub(RESERVED_DESCRIPTORS);
    (connections / 4 * 3).clamp(64, most.max(64))
}

/// How many threads can run at a time.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Bytes that an unprivileged user may still write below `path`.
///
/// # Errors
/// The file system does not say.
pub(crate) fn free_bytes(path: &Path) -> std::io::Result<u64> {
    let stats = rustix::fs::statvfs(path)?;
    Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
}

/// Processor time that a process has used so far, of all its threads.
///
/// # Errors
/// `/proc` does not tell.
pub(crate) fn processor_time(pid: u32) -> std::io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = processor_ticks(&stat)
        .ok_or_else(|| std::io::Error::other(format!("/proc/{pid}/stat has another form")))?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_micros(ticks.saturating_mul(1_000_000) / per_second))
}

/// `utime` and `stime`, the 14th and 15th field; the name in parentheses may hold anything.
fn processor_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_descriptors_between_a_floor_and_the_limit() {
        for (descriptors, window) in
            [(0, 64), (256, 64), (1_024, 384), (4_608, 3_072), (1_048_576, 16_384)]
        {
            assert_eq!(node_window(descriptors, 16_384), window, "{descriptors}");
        }
    }

    #[test]
    fn processor_ticks_are_read_behind_any_process_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 31 11 0 0 20 0 9 0 1 2 3";
        assert_eq!(processor_ticks(stat), Some(42));
        assert_eq!(processor_ticks("nonsense"), None);
    }

    #[test]
    fn this_process_has_used_some_time_and_its_disk_has_some_room() {
        assert!(processor_time(std::process::id()).is_ok());
        assert!(free_bytes(Path::new("/")).is_ok());
    }
}
