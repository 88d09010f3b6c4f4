//! When a request was sent: how the time is written, and how far it may be off.

use super::incoming::Facts;
use super::origin::Origin;
use super::{Cause, TimeUnit, TimestampRule};
use crate::time::Timestamp;
use std::borrow::Cow;
use std::time::Duration;

impl TimestampRule {
    pub(super) fn check(&self, facts: &Facts<'_>, now: Timestamp) -> Result<(), Cause> {
        let text = match &self.from {
            Origin::Value => facts.timestamp.clone(),
            from => facts.text(from).map(Cow::into_owned),
        };
        let time = text.and_then(|text| self.unit.read(&text));
        let time = time.ok_or_else(|| Cause::NoTimestamp(self.from.to_string()))?;
        let (age, ahead) = (now.since(time), time.since(now));
        if age > self.tolerance {
            return Err(Cause::TooOld(age));
        }
        if ahead > self.tolerance {
            return Err(Cause::TooNew(ahead));
        }
        Ok(())
    }
}

impl TimeUnit {
    pub(super) fn read(self, text: &str) -> Option<Timestamp> {
        let digits = || text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
        let millis = match self {
            TimeUnit::Seconds => digits()?.checked_mul(1_000)?,
            TimeUnit::Milliseconds => digits()?,
            TimeUnit::Rfc3339 => return Timestamp::parse(text),
        };
        // Beyond the year 9999 it is no time.
        const LAST: u64 = 253_402_300_799_999;
        (millis <= LAST).then(|| Timestamp::from_millis(0) + Duration::from_millis(millis))
    }

    pub(super) fn write(self, time: Timestamp) -> String {
        match self {
            TimeUnit::Seconds => time.as_seconds().to_string(),
            TimeUnit::Milliseconds => time.as_millis().to_string(),
            TimeUnit::Rfc3339 => time.to_string(),
        }
    }
}
