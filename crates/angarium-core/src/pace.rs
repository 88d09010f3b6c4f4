//! How fast bytes must come from somebody who holds something of ours meanwhile.

use crate::limits::Limits;
use std::time::Duration;

/// The least pace: anything goes at first, then so many bytes a second on the whole
/// (reliability-security.md, P4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nobody is called slow before this.
    pub grace: Duration,
    /// The bytes that a second brings; 0 asks for none.
    pub bytes_per_second: u64,
}

impl Pace {
    /// The pace of a request's body.
    pub fn of_body(limits: &Limits) -> Self {
        Self { grace: Duration::from_secs(5), bytes_per_second: limits.body_pace as u64 }
    }

    /// By when, from the beginning, more must be there if so many bytes are; none where no pace is
    /// asked for.
    pub fn next_by(&self, bytes: u64) -> Option<Duration> {
        let worth = bytes.saturating_mul(1_000_000).checked_div(self.bytes_per_second)?;
        Some(self.grace + Duration::from_micros(worth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kibibyte_buys_a_second_beyond_the_first_five() {
        let pace = Pace::of_body(&Limits::default());
        let rows = [(0, 5_000), (512, 5_500), (1_024, 6_000), (256 * 1_024, 261_000)];
        for (bytes, millis) in rows {
            assert_eq!(pace.next_by(bytes), Some(Duration::from_millis(millis)), "{bytes}");
        }
        assert!(pace.next_by(u64::MAX).is_some());
        assert_eq!(Pace { bytes_per_second: 0, ..pace }.next_by(9), None);
    }
}
