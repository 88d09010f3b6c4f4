//! Numbers, spans and lists as people say them.

use crate::contract::DisableAfter;
use std::time::Duration;

const UNITS: [(u128, &str); 5] =
    [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"), (1, "ms")];

/// A span: `2 minutes and 5 seconds`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    // As schedules are written: 24 hours, 125 seconds; but 90 days and 2 hours.
    let from = match seconds {
        ..600 if !seconds.is_multiple_of(60) => 3,
        86_401.. if seconds.is_multiple_of(86_400) => 0,
        _ => 1,
    };
    let mut rest = span.as_millis();
    let mut parts = Vec::new();
    for (size, unit) in &UNITS[from..] {
        let number = rest / size;
        rest %= size;
        match (number, *unit) {
            (0, _) => {}
            (number, "ms") => parts.push(format!("{number} ms")),
            (number, unit) => parts.push(count(number, unit)),
        }
    }
    match parts.is_empty() {
        true => "0 seconds".to_owned(),
        false => and(&parts),
    }
}

/// A number of things: `1 retry` needs no plural, `3 retries` does.
pub(super) fn count(number: impl ToString, thing: &str) -> String {
    let number = grouped(number);
    let plural = match thing.strip_suffix('y') {
        _ if number == "1" => thing.to_owned(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        Some(_) | None => format!("{thing}s"),
    };
    format!("{number} {plural}")
}

/// How a webhook fails that is switched off.
pub(super) fn failures(after: DisableAfter) -> String {
    match after {
        DisableAfter::FailedDeliveries(most) => {
            format!("{} in a row", count(most, "failed delivery"))
        }
        DisableAfter::FailingFor { span: time, deliveries } => {
            let failed = count(deliveries, "failed delivery");
            format!("{} without a success and {failed}", span(time))
        }
    }
}

/// A number with its thousands apart: `262,144`.
pub(super) fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(number: usize) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// `a, b and c`.
pub(super) fn and(items: &[String]) -> String {
    joined(items, "and")
}

/// `a, b or c`.
pub(super) fn or(items: &[String]) -> String {
    joined(items, "or")
}

fn joined(items: &[String], word: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_people_say_it() {
        let rows = [
            (0, "0 seconds"),
            (250, "250 ms"),
            (1_000, "1 second"),
            (125_000, "125 seconds"),
            (2_105_000, "35 minutes and 5 seconds"),
            (86_400_000, "24 hours"),
            (7 * 86_400_000, "7 days"),
            (36 * 3_600_000, "36 hours"),
        ];
        for (millis, expected) in rows {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn numbers_and_lists_read_as_people_say_them() {
        assert_eq!(count(1u8, "retry"), "1 retry");
        assert_eq!(count(2_048u16, "retry"), "2,048 retries");
        assert_eq!(count(3u8, "day"), "3 days");
        assert_eq!(and(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(or(&["a".into()]), "a");
        assert_eq!(times(2), "twice");
    }
}
