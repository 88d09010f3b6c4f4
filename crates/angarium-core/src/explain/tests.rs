//! Reasons name what was asked for and what came; a delivery waits for one thing.

use super::*;
use crate::event::{DataKind, EventType};
use crate::gate::{Gate, GateRules};
use crate::id::{EndpointNo, EventKey};
use crate::limits::Limits;
use bytes::Bytes;
use std::time::Duration;

fn event(subject: Option<&str>, attributes: &[(&str, &str)]) -> NewEvent {
    NewEvent {
        own_id: None,
        kind: EventType::from_stored("order.paid"),
        time: None,
        subject: subject.map(Into::into),
        ordering_key: None,
        attributes: attributes.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        data: Bytes::from_static(b"{}"),
        data_kind: DataKind::Json,
    }
}

fn asks(types: &[&str], subjects: Option<&[&str]>, attributes: &[(&str, &str)]) -> Subscription {
    let types: Vec<_> = types.iter().map(ToString::to_string).collect();
    let subjects = subjects.map(|names| names.iter().map(ToString::to_string).collect());
    let attributes = attributes.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    Subscription::try_new(&types, subjects, attributes, &Limits::default()).expect("sound")
}

#[test]
fn a_reason_names_the_rule_what_was_asked_for_and_what_came() {
    let plain = event(None, &[]);
    let full = event(Some("o-1"), &[("region", "us"), ("tier", "gold")]);
    let region: &[_] = &[("tier", "gold"), ("region", "eu")];
    let rows = [
        (asks(&["*"], None, &[]), &plain, None),
        (asks(&["order.*"], Some(&["o-1"]), &[("tier", "gold")]), &full, None),
        (
            asks(&["a", "order.paid.*"], Some(&["o-2"]), region),
            &full,
            Some(("type", "it asks for a, order.paid.*; the event is order.paid")),
        ),
        (
            asks(&["*"], Some(&["o-2", "o-3"]), region),
            &full,
            Some(("subject", r#"it asks for the subject o-2, o-3; the event has "o-1""#)),
        ),
        (
            asks(&["*"], Some(&["o-1"]), &[]),
            &plain,
            Some(("subject", "it asks for the subject o-1; the event has none")),
        ),
        (
            asks(&["*"], None, region),
            &full,
            Some(("attribute", r#"it asks for region = "eu"; the event has "us""#)),
        ),
        (
            asks(&["*"], None, region),
            &plain,
            Some(("attribute", r#"it asks for tier = "gold"; the event has none"#)),
        ),
    ];
    for (subscription, event, expected) in rows {
        let reason = not_wanted(&subscription, event);
        let told = reason.as_ref().map(|reason| (reason.rule.as_str(), reason.text.as_str()));
        assert_eq!(told, expected, "{subscription:?}");
        assert_eq!(reason.is_none(), subscription.check(event).is_ok(), "as publishing judges");
    }
}

#[test]
fn a_long_list_is_counted_and_not_recited() {
    let many: Vec<_> = (0..20).map(|n| format!("t{n}")).collect();
    let names: Vec<_> = many.iter().map(String::as_str).collect();
    let reason = not_wanted(&asks(&names, None, &[]), &event(None, &[])).expect("a reason");
    let asked = "it asks for t0, t1, t2, t3, t4, t5, t6, t7 and 12 more";
    assert_eq!(reason.text, format!("{asked}; the event is order.paid"));
}

const HOLDER: DeliveryKey = DeliveryKey::first(EventKey::new(1), EndpointNo::new(1));

#[test]
fn a_delivery_waits_for_one_thing_and_an_ended_one_for_nothing() {
    use DeliveryState::{Delivered, InFlight, Pending, Queued, Suppressed};
    use EndpointStatus::{Active, Disabled, Paused};
    let now = Timestamp::from_millis(1_000_000);
    let (past, later) = (Some(now), Some(now + Duration::from_secs(5)));
    let rows = [
        (Delivered, Active, None, 0, None),
        (Suppressed, Disabled, None, 0, None),
        (InFlight, Active, past, 64, Some(Wait::Answer)),
        (InFlight, Paused, past, 1, Some(Wait::Answer)),
        (Pending, Paused, None, 0, Some(Wait::EndpointPaused)),
        (Queued, Paused, None, 0, Some(Wait::EndpointPaused)),
        (Pending, Disabled, later, 0, Some(Wait::EndpointDisabled)),
        (Queued, Active, None, 0, Some(Wait::Lane)),
        (Pending, Active, later, 64, Some(Wait::Time)),
        (Pending, Active, past, 64, Some(Wait::Window)),
        (Pending, Active, past, 63, Some(Wait::Turn)),
    ];
    for (state, status, due, in_flight, expected) in rows {
        let rules = GateRules { window: 64, rate: None, breaker: None };
        let mut gate = Gate::default();
        let opening = gate.opening(&rules, in_flight, now);
        let admission = Admission { status, in_flight, opening, gate: gate.view(&rules) };
        let wait = waits_for(state, due, None, admission, now);
        assert_eq!(wait, expected, "{state:?} {status:?} {due:?} {in_flight}");
        let held = waits_for(state, due, Some(HOLDER), admission, now);
        let expected = expected.map(|wait| if wait == Wait::Lane { Wait::Held } else { wait });
        assert_eq!(held, expected, "{state:?} {status:?}, in a lane that is held");
    }
}
