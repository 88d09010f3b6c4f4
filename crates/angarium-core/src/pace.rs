//! How fast bytes must come from somebody who holds something of ours meanwhile.

use crate::limits::Limits;
use std::time::Duration;

/// The least pace: anything goes at first, then so many bytes a second (reliability-security.md,
/// P4). Who was fast may be silent for a while, and not for as long as all that came is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nobody is called slow before this.
    pub grace: Duration,
    /// The longest silence that can be bought.
    pub silence: Duration,
    /// The bytes that a second brings; 0 asks for none.
    pub bytes_per_second: u64,
}

impl Pace {
    /// The pace of a request's body.
    pub fn of_body(limits: &Limits) -> Self {
        let (grace, silence) = (Duration::from_secs(5), Duration::from_secs(10));
        Self { grace, silence, bytes_per_second: limits.body_pace as u64 }
    }

    /// By when the first bytes must be there; none where no pace is asked for.
    pub fn first_by(&self) -> Option<Duration> {
        (self.bytes_per_second > 0).then_some(self.grace)
    }

    /// By when more must be there if so many bytes came at `now`, where they had to come by `due`;
    /// times count from the beginning.
    pub fn next_by(&self, due: Duration, now: Duration, bytes: u64) -> Duration {
        let worth = bytes.saturating_mul(1_000_000).checked_div(self.bytes_per_second);
        let due = due.saturating_add(Duration::from_micros(worth.unwrap_or(u64::MAX)));
        due.min(now + self.silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kibibyte_buys_a_second_and_no_burst_buys_more_than_ten() {
        let pace = Pace::of_body(&Limits::default());
        assert_eq!(pace.first_by(), Some(Duration::from_secs(5)));
        let rows = [
            (5_000, 0, 0, 5_000),
            (5_000, 0, 512, 5_500),
            (5_500, 3_000, 1_024, 6_500),
            (5_000, 0, 256 * 1_024, 10_000),
            (10_000, 9_000, u64::MAX, 19_000),
        ];
        for (due, now, bytes, expected) in rows {
            let [due, now, expected] = [due, now, expected].map(Duration::from_millis);
            assert_eq!(pace.next_by(due, now, bytes), expected, "{bytes}");
        }
        assert_eq!(Pace { bytes_per_second: 0, ..pace }.first_by(), None);
    }
}
