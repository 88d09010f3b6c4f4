//! The only reader of the system clock.
//!
//! A wait is a span: it must not end early because somebody set the clock forward, nor last an hour
//! longer because it was set back (D17). So the server goes by a [`SteadyClock`]. It runs with the
//! processor's monotonic clock and bends towards the wall clock, a twentieth faster or slower at
//! most: a corrected clock is caught up with, and no jump is ever felt. What strangers compare with
//! clocks of their own, as the time in a signature, is the wall clock's.

use angarium_core::time::Timestamp;
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How many times faster the steady clock runs than it bends.
const STIFFNESS: u32 = 20;
/// The clocks are apart when they differ by more; it is logged.
const APART: Duration = Duration::from_secs(1);

/// The longest sleep until a point in time, after which the clock is read again: it may have jumped
/// (D17).
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Tells the time; the simulator and the tests replace it.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now, by which waits are kept.
    fn now(&self) -> Timestamp;

    /// What the wall clock says, for what is compared with other machines' clocks.
    fn wall(&self) -> Timestamp {
        self.now()
    }

    /// Waits for a span. It may return early: where the clock jumps, whoever waits reads it anew.
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Waits until the clock says `at`. It may return early; a jump of the clock over `at` is
    /// noticed within five seconds.
    async fn sleep_until(&self, at: Timestamp) {
        self.sleep(at.since(self.now()).min(LONGEST_SLEEP)).await;
    }
}

/// The system's clock, jumps included.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl SystemClock {
    fn since_epoch() -> Duration {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        timestamp(Self::since_epoch())
    }
}

/// A server's clock: the system's without its jumps.
#[derive(Debug)]
pub struct SteadyClock(Mutex<Steady>);

impl SteadyClock {
    /// Begins with what the system's clock says.
    pub fn start() -> Self {
        let now = SystemClock::since_epoch();
        Self(Mutex::new(Steady { now, read: Instant::now(), apart: false }))
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let mut steady = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, wall) = (Instant::now(), SystemClock::since_epoch());
        let passed = read.saturating_duration_since(steady.read);
        steady.read = read;
        steady.follow(passed, wall);
        timestamp(steady.now)
    }

    fn wall(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// Times are since the epoch.
#[derive(Debug)]
struct Steady {
    now: Duration,
    read: Instant,
    apart: bool,
}

impl Steady {
    /// Goes on by what has passed, and bends towards the wall clock.
    fn follow(&mut self, passed: Duration, wall: Duration) {
        let (unbent, bend) = (self.now + passed, passed / STIFFNESS);
        self.now = wall.clamp(unbent - bend, unbent + bend);
        let apart = wall.abs_diff(self.now);
        if (apart > APART) != self.apart {
            self.apart = !self.apart;
            match self.apart {
                true => tracing::warn!(?apart, "the clock was set; waits keep their length"),
                false => tracing::info!("the clock that was set is caught up with"),
            }
        }
    }
}

fn timestamp(since_epoch: Duration) -> Timestamp {
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const SECOND: Duration = Duration::from_secs(1);

    fn steady() -> Steady {
        Steady { now: 100 * HOUR, read: Instant::now(), apart: false }
    }

    #[test]
    fn a_jump_is_caught_up_with_by_a_twentieth_of_the_time_that_passes() {
        let jumps = [
            (101 * HOUR, 100 * HOUR + SECOND * 21),
            (99 * HOUR, 100 * HOUR + SECOND * 19),
            (Duration::ZERO, 100 * HOUR + SECOND * 19),
        ];
        for (wall, wanted) in jumps {
            let mut steady = steady();
            // However often it is asked on the way.
            (0..2_000).for_each(|_| steady.follow(SECOND / 100, wall));
            let off = steady.now.abs_diff(wanted);
            assert!(off < SECOND / 1_000, "{wall:?}: {:?}, {off:?} off", steady.now);
        }
    }

    #[test]
    fn the_clocks_meet_and_stay_together() {
        let (mut steady, mut wall) = (steady(), 101 * HOUR);
        for _ in 0..21 * 60 {
            wall += 60 * SECOND;
            steady.follow(60 * SECOND, wall);
        }
        assert_eq!((steady.now, steady.apart), (wall, false));
    }

    #[test]
    fn two_readings_never_go_back() {
        let clock = SteadyClock::start();
        let readings: Vec<_> = (0..1_000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
