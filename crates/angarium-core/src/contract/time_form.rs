//! How a contract writes points in time.

use crate::time::Timestamp;
use serde_json::Value;

/// A way to write a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeForm {
    /// `2026-04-20T12:00:00.000Z`
    #[default]
    Millis,
    /// `2026-04-20T12:00:00Z`
    Seconds,
    /// `2026-04-20T12:00Z`
    Minutes,
    /// Seconds since 1970, as a number.
    UnixSeconds,
    /// Milliseconds since 1970, as a number.
    UnixMillis,
}

impl TimeForm {
    pub(super) const NAMES: &[(&str, TimeForm)] = &[
        ("rfc3339-millis", TimeForm::Millis),
        ("rfc3339-seconds", TimeForm::Seconds),
        ("rfc3339-minutes", TimeForm::Minutes),
        ("unix-seconds", TimeForm::UnixSeconds),
        ("unix-millis", TimeForm::UnixMillis),
    ];

    /// The forms that are text.
    pub(super) const TEXTS: &[(&str, TimeForm)] = Self::NAMES.split_at(3).0;

    /// As a contract writes it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, form)| *form == self).map_or("", |(name, _)| name)
    }

    /// The time as text.
    pub fn text(self, time: Timestamp) -> String {
        match self {
            TimeForm::Millis => time.to_string(),
            TimeForm::Seconds => time.to_seconds_text(),
            TimeForm::Minutes => {
                let text = time.to_seconds_text();
                match text.strip_suffix('Z').and_then(|text| text.rsplit_once(':')) {
                    Some((minutes, _)) => format!("{minutes}Z"),
                    None => text,
                }
            }
            TimeForm::UnixSeconds => time.as_seconds().to_string(),
            TimeForm::UnixMillis => time.as_millis().to_string(),
        }
    }

    /// The time as a JSON value.
    pub fn value(self, time: Timestamp) -> Value {
        match self {
            TimeForm::Millis | TimeForm::Seconds | TimeForm::Minutes => self.text(time).into(),
            TimeForm::UnixSeconds => time.as_seconds().into(),
            TimeForm::UnixMillis => time.as_millis().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_the_form_that_the_contract_names() {
        let time = Timestamp::from_millis(1_776_686_400_250);
        let shown: Vec<_> =
            TimeForm::NAMES.iter().map(|(_, form)| form.value(time).to_string()).collect();
        let expected = [
            "\"2026-04-20T12:00:00.250Z\"",
            "\"2026-04-20T12:00:00Z\"",
            "\"2026-04-20T12:00Z\"",
            "1776686400",
            "1776686400250",
        ];
        assert_eq!(shown, expected);
    }
}
