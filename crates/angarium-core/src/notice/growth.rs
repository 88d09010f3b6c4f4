//! Whether what is due waits longer and longer.

use crate::limits::Limits;
use crate::time::Timestamp;
use std::time::Duration;

/// An age has grown only if it has since it was marked; it is marked so often within the time that
/// makes a backlog.
const MARKS: u32 = 10;

/// A backlog that may grow: told once when it does, until it has ended.
#[derive(Debug, Default)]
pub struct Growth {
    marked: Option<Mark>,
    is_told: bool,
}

/// An age that a later one is compared with.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Timestamp,
    age: Duration,
}

impl Growth {
    /// Looks at the oldest due delivery, and answers it if it is told now. A backlog ends when that
    /// is half as old as it may be, so that one that goes up and down is not told over and over.
    pub fn look(
        &mut self,
        oldest_due: Option<Timestamp>,
        now: Timestamp,
        limits: &Limits,
    ) -> Option<Timestamp> {
        let most = Duration::from_secs(limits.backlog_seconds as u64);
        let age = oldest_due.map_or(Duration::ZERO, |due| now.since(due));
        if self.is_told {
            self.is_told = age >= most / 2;
            return None;
        }
        let Some(oldest_due) = oldest_due.filter(|_| age >= most) else {
            self.marked = None;
            return None;
        };
        let mark = *self.marked.get_or_insert(Mark { at: now, age });
        if now.since(mark.at) < most / MARKS || now == mark.at {
            return None;
        }
        self.marked = Some(Mark { at: now, age });
        self.is_told = age > mark.age;
        self.is_told.then(|| {
            self.marked = None;
            oldest_due
        })
    }
}
