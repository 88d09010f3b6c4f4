//! How much may be read from a connection. A receiver that talks without saying anything is within
//! every limit of an answer's parts; this one counts bytes, and nothing escapes it.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes that may still be read from a connection. Each exchange adds what one answer may
/// cost; what is left over is not saved up.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    left: usize,
    exchanges: usize,
    each: usize,
}

/// An exchange, while it lasts.
#[derive(Debug)]
pub(super) struct Reading(Allowance);

/// A peer has written more than any answer needs.
#[derive(Debug)]
pub(super) struct TooMuch;

impl Allowance {
    /// Of a connection on which each exchange may cost so many bytes; a greeting may cost as many.
    pub(super) fn new(each: usize) -> Self {
        Self(Arc::new(Mutex::new(State { left: each, exchanges: 0, each })))
    }

    /// Begins an exchange.
    pub(super) fn begin(&self) -> Reading {
        let mut state = self.lock();
        state.exchanges += 1;
        state.left += state.each;
        state.waste();
        Reading(self.clone())
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// There was less left.
    pub(super) fn spend(&self, bytes: usize) -> io::Result<()> {
        let mut state = self.lock();
        let left = state.left.checked_sub(bytes);
        state.left = left.unwrap_or_default();
        left.map(drop).ok_or_else(|| io::Error::other(TooMuch))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Numbers are whole, whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops what exceeds the exchanges under way; an idle connection keeps that of one.
    fn waste(&mut self) {
        self.left = self.left.min(self.each.saturating_mul(self.exchanges.max(1)));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.exchanges -= 1;
        state.waste();
    }
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the receiver sent more than an answer needs")
    }
}

impl std::error::Error for TooMuch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exchange_may_cost_its_share_and_nothing_is_saved_up() {
        let allowance = Allowance::new(10);
        let (first, second) = (allowance.begin(), allowance.begin());
        assert!(allowance.spend(19).is_ok(), "two exchanges share twenty bytes");
        drop(first);
        assert!(allowance.spend(2).is_err(), "one byte was left");
        drop(second);
        for _ in 0..100 {
            drop(allowance.begin());
        }
        let _last = allowance.begin();
        assert!(allowance.spend(10).is_ok());
        assert!(allowance.spend(1).is_err());
    }

    #[test]
    fn an_idle_connection_may_say_a_little_and_not_for_ever() {
        let allowance = Allowance::new(10);
        assert!((0..10).all(|_| allowance.spend(1).is_ok()));
        assert!(allowance.spend(1).is_err());
    }
}
