//! Incidents: an endpoint fails for so often or for so long that people are told, once, until it
//! works again.
//!
//! An incident is named by the time of its first failure, which is kept with the endpoint's health
//! and is durable with the record that made it one. So the notices of its beginning and its end
//! have ids that survive a crash, and are told again after one without being told twice.

use crate::endpoint::EndpointHealth;
use crate::limits::Limits;
use crate::time::Timestamp;
use std::time::Duration;

/// Two times of one endpoint that name different things are so far apart at least.
const TICK: Duration = Duration::from_millis(1);

/// What an attempt changed, as far as people are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The endpoint is failing.
    Failing {
        /// When the first of the failures ended.
        since: Timestamp,
    },
    /// It works again.
    Recovered {
        /// When the incident began.
        since: Timestamp,
    },
}

impl EndpointHealth {
    /// The incident that people know of and that has not ended.
    pub fn open_incident(&self) -> Option<Timestamp> {
        self.incident.filter(|began| self.last_success_at.is_none_or(|success| success < *began))
    }

    /// Follows an attempt that is counted already; `before` is the health without it.
    pub(crate) fn follow(
        &mut self,
        before: &EndpointHealth,
        now: Timestamp,
        limits: &Limits,
    ) -> Option<Turn> {
        if self.consecutive_failures == 0 {
            return before.open_incident().map(|since| Turn::Recovered { since });
        }
        // A failure in the millisecond of a success, or of an incident that it does not belong to.
        let earliest = self.last_success_at.max(self.incident).map(|time| time + TICK);
        let first = earliest.map_or(now, |earliest| earliest.max(now));
        let since = before.failing_since.unwrap_or(first);
        self.failing_since = Some(since);
        let is_known = self.incident.is_some_and(|known| known >= since);
        if is_known || !self.is_failing(now.since(since), limits) {
            return None;
        }
        self.incident = Some(since);
        Some(Turn::Failing { since })
    }

    /// One failure alone does not last.
    fn is_failing(&self, lasted: Duration, limits: &Limits) -> bool {
        let failures = usize::try_from(self.consecutive_failures).unwrap_or(usize::MAX);
        let long = Duration::from_secs(limits.failing_seconds as u64);
        failures >= limits.failing_attempts || (failures > 1 && lasted >= long)
    }

    /// The endpoint was switched off: people are told, and told when it works again.
    pub(crate) fn disabled(&mut self, at: Timestamp) {
        if self.open_incident().is_none() {
            let after = self.last_success_at.map_or(at, |success| at.max(success + TICK));
            self.incident = Some(after);
        }
    }
}
