//! What happened, line by line: a fingerprint of all of it, and the last lines for people.

use angarium_core::time::Timestamp;
use std::collections::VecDeque;

/// See the module.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    kept: usize,
    last: VecDeque<String>,
}

impl Trace {
    /// Keeps the last so many lines.
    pub(crate) fn new(kept: usize) -> Self {
        Self { kept, hash: 0xcbf2_9ce4_8422_2325, last: VecDeque::new() }
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, at: Timestamp, what: &str) {
        for byte in at.as_millis().to_le_bytes() {
            self.mix(byte);
        }
        what.bytes().for_each(|byte| self.mix(byte));
        if self.kept == 0 {
            return;
        }
        if self.last.len() >= self.kept {
            self.last.pop_front();
        }
        self.last.push_back(format!("{at} {what}"));
    }

    /// FNV-1a: the same on every machine and in every build.
    fn mix(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// The fingerprint of every line so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub(crate) fn into_last(self) -> Vec<String> {
        self.last.into()
    }
}
