//! A wall clock that the test sets, made by libfaketime.

use super::message::Message;
use super::preloaded;
use super::server::Start;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

const PRELOAD: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// The clock that a server sees.
pub(crate) struct Wall {
    file: PathBuf,
    /// Seconds off the right time, now and before the last jump.
    off: AtomicI64,
    before: AtomicI64,
}

impl Wall {
    pub(crate) fn new(file: PathBuf) -> Self {
        let wall = Self { file, off: AtomicI64::new(0), before: AtomicI64::new(0) };
        wall.jump_to(0);
        wall
    }

    pub(crate) fn jump_to(&self, off: i64) {
        self.before.store(self.off.swap(off, Ordering::SeqCst), Ordering::SeqCst);
        // Renamed, so that nobody reads half a number.
        let whole = self.file.with_extension("new");
        std::fs::write(&whole, format!("{off:+}")).expect("the clock can be set");
        std::fs::rename(whole, &self.file).expect("the clock can be set");
    }

    pub(crate) fn start(&self, data: &Path) -> Start {
        Start::local(data)
            .variable("LD_PRELOAD", preloaded(PRELOAD))
            .variable("FAKETIME_TIMESTAMP_FILE", &self.file.display().to_string())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("DONT_FAKE_MONOTONIC", "1")
    }

    /// Whether a signature has the time of this clock; around a jump, either.
    pub(crate) fn is_now(&self, request: &Message) -> bool {
        #[expect(clippy::disallowed_methods, reason = "the receiver's clock is the test's")]
        let right = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let right = i64::try_from(right.as_secs()).unwrap_or_default();
        let signed = request.header("webhook-timestamp").and_then(|text| text.parse::<i64>().ok());
        [&self.off, &self.before].iter().any(|off| {
            signed.is_some_and(|signed| signed.abs_diff(right + off.load(Ordering::SeqCst)) <= 2)
        })
    }
}
