//! How many dead letters of one endpoint are told: up to a number a minute, each by itself; the
//! last one of a minute with more of them tells at its end how many it stands for.

use super::DeadLetter;
use crate::limits::Limits;
use crate::time::Timestamp;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Dead letters of one endpoint.
#[derive(Debug, Default)]
pub struct Letters(Option<Minute>);

#[derive(Debug)]
struct Minute {
    began: Timestamp,
    told: usize,
    /// Those that were not told, the last one left out of the count.
    left_out: u64,
    last: Option<Box<DeadLetter>>,
}

impl Letters {
    /// A delivery was given up. Answers it if it is told now.
    pub fn given_up(
        &mut self,
        letter: Box<DeadLetter>,
        now: Timestamp,
        limits: &Limits,
    ) -> Option<Box<DeadLetter>> {
        let new = Minute { began: now, told: 0, left_out: 0, last: None };
        let minute = self.0.get_or_insert(new);
        if minute.told + 1 < limits.dead_letter_notices {
            minute.told += 1;
            return Some(letter);
        }
        minute.left_out += u64::from(minute.last.is_some());
        minute.last = Some(letter);
        None
    }

    /// Whether a minute is under way.
    pub fn is_counting(&self) -> bool {
        self.0.is_some()
    }

    /// Looks whether a minute is over. Answers its last dead letter if that was not told.
    pub fn look(&mut self, now: Timestamp) -> Option<Box<DeadLetter>> {
        let minute = self.0.take_if(|minute| now.since(minute.began) >= MINUTE)?;
        let left_out = minute.left_out;
        minute.last.map(|last| Box::new(DeadLetter { left_out, ..*last }))
    }
}
