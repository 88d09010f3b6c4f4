//! How many attempts to one endpoint may be in flight: it grows by one a round trip and is halved
//! when the endpoint does not keep up (additive increase, multiplicative decrease).

use crate::time::Timestamp;
use std::time::Duration;

/// An answer is slow if it takes longer than so many times the usual …
const SLOWER: f64 = 4.0;
/// … and so many milliseconds: what a busy network or node adds is no sign.
const GRACE_MILLIS: f64 = 250.0;
/// How fast the usual time follows quicker and slower answers: a receiver that has become slower
/// for good counts as slow for some hundred answers.
const QUICKER: f64 = 1.0 / 8.0;
const LATER: f64 = 1.0 / 256.0;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Without bound at first: then the endpoint's own most counts.
    size: f64,
    /// Below this it grows by one an answer, above by one a round trip.
    threshold: f64,
    /// When it was cut last; attempts that began before say nothing new.
    cut_at: Option<Timestamp>,
    /// How long an answer usually takes, in milliseconds.
    usual: Option<f64>,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: f64::INFINITY, threshold: f64::INFINITY, cut_at: None, usual: None }
    }
}

impl Window {
    /// Most attempts in flight, of the endpoint's own most.
    pub(super) fn size(&self, most: usize) -> usize {
        // At most `most`, so nothing is cut off.
        (self.size.min(most as f64) as usize).max(1)
    }

    /// A success: the window grows, or is cut if the answer was slow.
    pub(super) fn carried(
        &mut self,
        took: Duration,
        started_at: Timestamp,
        most: usize,
        now: Timestamp,
    ) {
        let took = took.as_secs_f64() * 1_000.0;
        let usual = self.usual.unwrap_or(took);
        let weight = if took < usual { QUICKER } else { LATER };
        self.usual = Some(usual + (took - usual) * weight);
        if took > usual * SLOWER + GRACE_MILLIS {
            return self.cut(started_at, most, now);
        }
        if self.size < most as f64 {
            self.size += if self.size < self.threshold { 1.0 } else { 1.0 / self.size };
        }
    }

    /// The endpoint does not keep up: half as many, once a round trip.
    pub(super) fn cut(&mut self, started_at: Timestamp, most: usize, now: Timestamp) {
        if self.cut_at.is_some_and(|cut_at| started_at <= cut_at && cut_at <= now) {
            return;
        }
        self.size = (self.size.min(most as f64) / 2.0).max(1.0);
        self.threshold = self.size;
        self.cut_at = Some(now);
    }

    /// One at a time at first; doubled each round trip.
    pub(super) fn start_slowly(&mut self) {
        (self.size, self.threshold) = (1.0, f64::INFINITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 64;
    const QUICK: Duration = Duration::from_millis(10);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn it_begins_with_as_many_as_may_be() {
        assert_eq!((Window::default().size(MOST), Window::default().size(1)), (64, 1));
    }

    #[test]
    fn it_is_halved_once_a_round_trip_and_never_below_one() {
        let mut window = Window::default();
        for began in [0, 5, 9, 10] {
            window.cut(at(began), MOST, at(10));
        }
        assert_eq!(window.size(MOST), 32);
        for round in 2..20 {
            window.cut(at(round * 10 - 1), MOST, at(round * 10));
        }
        assert_eq!(window.size(MOST), 1);
    }

    #[test]
    fn it_grows_by_one_a_round_trip_after_a_cut_and_doubles_after_an_outage() {
        let mut window = Window::default();
        window.cut(at(1), MOST, at(1));
        for _ in 0..33 {
            window.carried(QUICK, at(2), MOST, at(12));
        }
        assert_eq!(window.size(MOST), 33);
        window.start_slowly();
        assert_eq!(window.size(MOST), 1);
        window.carried(QUICK, at(20), MOST, at(30));
        (0..2).for_each(|_| window.carried(QUICK, at(30), MOST, at(40)));
        assert_eq!(window.size(MOST), 4);
        (0..500).for_each(|_| window.carried(QUICK, at(50), MOST, at(60)));
        assert_eq!(window.size(MOST), 64);
    }

    #[test]
    fn an_answer_is_slow_only_beside_what_is_usual() {
        let mut window = Window::default();
        let carried = |window: &mut Window, millis, now: i64| {
            window.carried(Duration::from_millis(millis), at(now - 1), MOST, at(now));
        };
        (1..50).for_each(|now| carried(&mut window, 5_000, now));
        assert_eq!(window.size(MOST), 64, "it has always been so slow");
        let mut window = Window::default();
        (1..50).for_each(|now| carried(&mut window, 10, now));
        carried(&mut window, 280, 60);
        assert_eq!(window.size(MOST), 64, "within what a busy network adds");
        carried(&mut window, 400, 70);
        assert_eq!(window.size(MOST), 32);
        (0..4_000).for_each(|round| carried(&mut window, 400, 80 + round));
        assert_eq!(window.size(MOST), 64, "slower for good is the new usual");
    }

    #[test]
    fn what_is_usual_follows_a_few_quicker_answers_and_no_single_one() {
        let mut window = Window::default();
        let carried = |window: &mut Window, millis, now: i64| {
            window.carried(Duration::from_millis(millis), at(now - 1), MOST, at(now));
        };
        carried(&mut window, 1_000, 1);
        carried(&mut window, 10, 2);
        carried(&mut window, 1_000, 3);
        assert_eq!(window.size(MOST), 64, "one was quick");
        (4..24).for_each(|now| carried(&mut window, 10, now));
        carried(&mut window, 1_000, 30);
        assert_eq!(window.size(MOST), 32, "twenty were");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_forbid_a_cut() {
        let mut window = Window::default();
        window.cut(at(3_600_000), MOST, at(3_600_000));
        window.cut(at(1), MOST, at(2));
        assert_eq!(window.size(MOST), 16);
    }
}
