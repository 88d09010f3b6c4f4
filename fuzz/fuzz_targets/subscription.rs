//! Subscriptions against the sentences that document them, written as slowly as they are read.
#![no_main]

use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::limits::Limits;
use angarium_core::subscription::Subscription;
use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    types: Vec<&'a str>,
    subjects: Option<Vec<&'a str>>,
    attributes: Vec<(&'a str, &'a str)>,
    kind: &'a str,
    subject: Option<&'a str>,
    carried: Vec<(&'a str, &'a str)>,
}

fuzz_target!(|case: Case<'_>| {
    let limits = Limits::default();
    let Ok(kind) = EventType::try_new(case.kind, &limits) else { return };
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let attributes = case.attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    let subjects = case.subjects.as_deref().map(owned);
    let made = Subscription::try_new(&owned(&case.types), subjects, attributes.collect(), &limits);
    let Ok(subscription) = made else { return };
    let text = serde_json::to_string(&subscription).expect("a subscription is JSON");
    assert_eq!(serde_json::from_str::<Subscription>(&text).expect("it reads back"), subscription);
    let event = NewEvent {
        own_id: None,
        kind,
        time: None,
        subject: case.subject.map(Into::into),
        ordering_key: None,
        attributes: case.carried.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        data: Bytes::from_static(b"null"),
        data_kind: DataKind::Json,
    };
    assert_eq!(subscription.check(&event).is_ok(), is_wanted(&case));
});

fn is_wanted(case: &Case<'_>) -> bool {
    let is_of_type = case.types.iter().any(|pattern| {
        *pattern == "*"
            || *pattern == case.kind
            || pattern.strip_suffix(".*").is_some_and(|stem| {
                let below = case.kind.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
                below.is_some_and(|rest| !rest.is_empty())
            })
    });
    let is_about = match (&case.subjects, case.subject) {
        (None, _) => true,
        (Some(wanted), Some(subject)) => wanted.contains(&subject),
        (Some(_), None) => false,
    };
    // Of attributes of one name, the first counts.
    let first = |name: &str| case.carried.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    is_of_type && is_about && case.attributes.iter().all(|(n, v)| first(n) == Some(*v))
}
