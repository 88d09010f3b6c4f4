//! The values that a file may hold: names of a list, spans, shares, numbers.

use super::fault::{Fault, known};
use super::mistake::{Read, each};
use super::tree::Item;
use crate::time::parse_span;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One of the names of a table.
pub(crate) fn one_of<T: Clone>(item: &Item<'_>, table: &[(&str, T)]) -> Read<T> {
    parsed(item, |text| known(table, text))
}

/// A text with a grammar of its own.
pub(crate) fn parsed<T>(item: &Item<'_>, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Read<T> {
    parse(item.text()?).map_err(|fault| item.error(fault))
}

/// Some of the names of a table, each once, and at least one.
pub(crate) fn read_choices<T: Copy + PartialEq>(
    item: Item<'_>,
    table: &[(&str, T)],
) -> Read<Vec<T>> {
    let spot = item.spot();
    let choices = read_unlike(item, |item| one_of(item, table))?;
    if choices.is_empty() {
        let first = table.first().map_or("", |(name, _)| name);
        let fault = Fault::from("at least one is needed");
        return Err(spot.error(fault.cured_by(format!("write [\"{first}\"]"))));
    }
    Ok(choices)
}

/// A list in which nothing stands twice.
pub(crate) fn read_unlike<'a, T: Clone + PartialEq>(
    item: Item<'a>,
    read: impl Fn(&Item<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let mut seen: Vec<T> = Vec::new();
    each(item.list()?.iter().map(|item| {
        let value = read(item)?;
        if seen.contains(&value) {
            return Err(item.error(Fault::from("it stands here twice").cured_by("take one out")));
        }
        seen.push(value.clone());
        Ok(value)
    }))
}

/// A span of time.
pub(crate) fn read_span(item: &Item<'_>) -> Read<Duration> {
    let text = item.text()?;
    parse_span(text).ok_or_else(|| {
        let reason = format!("{text:?} is not a span such as \"250ms\", \"5s\", \"30m\", \"2h\"");
        item.error(Fault::from(reason).cured_by("write a number and ms, s, m, h or d"))
    })
}

/// A whole number that is in a range.
pub(crate) fn read_count<T: Copy + PartialOrd + Display + TryFrom<usize>>(
    item: &Item<'_>,
    allowed: &RangeInclusive<T>,
    wrong: impl Into<Fault>,
) -> Read<T> {
    let (least, most) = (*allowed.start(), *allowed.end());
    let nearest = match T::try_from(item.count()?) {
        Ok(number) if allowed.contains(&number) => return Ok(number),
        Ok(number) if number < least => least,
        Ok(_) | Err(_) => most,
    };
    Err(item.error(wrong.into().cured_by(format!("write {nearest}"))))
}

/// A number with a fraction that is in a range.
pub(crate) fn read_share(item: &Item<'_>, allowed: &RangeInclusive<f64>, what: &str) -> Read<f64> {
    let (least, most) = (*allowed.start(), *allowed.end());
    let number = item.number()?;
    if allowed.contains(&number) {
        return Ok(number);
    }
    let fault = Fault::from(format!("{what} between {least} and {most}"));
    Err(item.error(fault.cured_by(format!("write {}", number.clamp(least, most)))))
}

/// The least and the most of something, as a list of two numbers. `fits` judges a range further.
pub(crate) fn read_range(
    item: Item<'_>,
    fits: impl FnOnce(&RangeInclusive<usize>) -> bool,
    wrong: Fault,
) -> Read<RangeInclusive<usize>> {
    let spot = item.spot();
    let ends = each(item.list()?.iter().map(Item::count))?;
    let range = match ends[..] {
        [least, most] if least <= most => Some(least..=most).filter(fits),
        _ => None,
    };
    range.ok_or_else(|| spot.error(wrong))
}
