//! What is told, how often, and in which words.

use super::*;
use crate::limits::Limits;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const T0: Timestamp = Timestamp::from_millis(1_776_686_400_000);

fn after(seconds: u64) -> Timestamp {
    T0 + Duration::from_secs(seconds)
}

fn limits() -> Limits {
    Limits { failing_attempts: 3, dead_letter_notices: 3, ..Limits::default() }
}

/// An endpoint's health after attempts at these seconds, and what was told of them.
fn attempts(
    health: &mut EndpointHealth,
    limits: &Limits,
    attempts: impl IntoIterator<Item = (u64, Class)>,
) -> Vec<(u64, Turn)> {
    let mut told = Vec::new();
    for (second, class) in attempts {
        let before = *health;
        match class {
            Class::Success => {
                health.consecutive_failures = 0;
                health.begin_anew();
                health.last_success_at = Some(after(second));
            }
            _ => health.consecutive_failures += 1,
        }
        told.extend(health.follow(&before, after(second), limits).map(|turn| (second, turn)));
    }
    told
}

const BAD: Class = Class::ServerError;
const GOOD: Class = Class::Success;

#[test]
fn an_endpoint_is_said_to_be_failing_once_until_it_has_recovered() {
    let mut health = EndpointHealth::default();
    let mut told = |from: u64, to: u64, class| {
        attempts(&mut health, &limits(), (from..to).map(|second| (second, class)))
    };
    assert_eq!(told(0, 2, BAD), []);
    assert_eq!(told(2, 3, GOOD), [], "nobody was told of two failures");
    let since = after(10);
    assert_eq!(told(10, 60, BAD), [(12, Turn::Failing { since })]);
    assert_eq!(told(60, 63, GOOD), [(60, Turn::Recovered { since })]);
    assert_eq!(told(70, 99, BAD), [(72, Turn::Failing { since: after(70) })], "the next incident");
}

#[test]
fn few_failures_are_told_once_they_have_gone_on_for_long() {
    let (limits, mut health) = (Limits::default(), EndpointHealth::default());
    let long = limits.failing_seconds as u64;
    let moments = [0, long - 1, long, 2 * long].map(|second| (second, BAD));
    let told = attempts(&mut health, &limits, moments);
    assert_eq!(told, [(long, Turn::Failing { since: T0 })]);
    let alone = attempts(&mut EndpointHealth::default(), &limits, [(0, BAD)]);
    assert_eq!(alone, [], "one failure does not last");
}

#[test]
fn an_endpoint_that_was_disabled_is_said_to_work_again_and_to_fail_again() {
    let mut health = EndpointHealth::default();
    health.disabled(after(5));
    assert_eq!(health.open_incident(), Some(after(5)));
    health.begin_anew();
    let told = attempts(&mut health, &limits(), (6..30).map(|second| (second, BAD)));
    assert_eq!(told, [(8, Turn::Failing { since: after(6) })], "people hoped that it works");
    health.disabled(after(30));
    assert_eq!(health.open_incident(), Some(after(6)), "the same trouble");
    health.begin_anew();
    let told = attempts(&mut health, &limits(), [(40, BAD), (41, BAD), (42, GOOD)]);
    let since = after(40);
    assert_eq!(told, [(40, Turn::Failing { since }), (42, Turn::Recovered { since })]);
}

#[test]
fn incidents_have_different_names_even_within_one_millisecond() {
    let mut health = EndpointHealth::default();
    let limits = Limits { failing_attempts: 1, ..Limits::default() };
    let at_once = [BAD, GOOD, BAD, GOOD].map(|class| (0, class));
    let told = attempts(&mut health, &limits, at_once);
    let began = |turn: &Turn| match turn {
        Turn::Failing { since } | Turn::Recovered { since } => *since,
    };
    let names: BTreeSet<_> = told.iter().map(|(_, turn)| began(turn)).collect();
    assert_eq!(names.len(), 2, "{told:?}");
}

fn letter(n: u32) -> Box<DeadLetter> {
    let event = crate::id::EventKey::first_at(after(n.into()));
    Box::new(DeadLetter {
        delivery: DeliveryKey::first(event, EndpointNo::new(1)),
        event: EventId::Made(event),
        event_type: "a.b".into(),
        attempts: 3,
        reason: "exhausted",
        last: Some(LastAttempt { at: T0, class: BAD, status: Some(500) }),
        left_out: 0,
    })
}

#[test]
fn a_flood_of_dead_letters_is_told_up_to_the_limit_and_its_last_one_tells_how_many_there_were() {
    let (limits, mut letters) = (limits(), Letters::default());
    let told: Vec<_> =
        (0..100_000).filter(|n| letters.given_up(letter(*n), T0, &limits).is_some()).collect();
    assert_eq!(told, [0, 1]);
    assert_eq!(letters.look(after(59)), None);
    let last = letters.look(after(60)).expect("the third of the minute");
    assert_eq!((last.delivery, last.left_out), (letter(99_999).delivery, 100_000 - 3));
    assert_eq!(letters.look(after(61)), None);
    // A minute with few is told in full, and the next one begins anew.
    assert!(letters.given_up(letter(1), after(70), &limits).is_some());
    assert_eq!(letters.look(after(130)), None);
    assert!(letters.given_up(letter(2), after(131), &limits).is_some());
}

/// The seconds at which a backlog is told, by the age of its oldest delivery second by second.
fn told(ages: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let (limits, mut growth) = (Limits::default(), Growth::default());
    let look = |(second, age): (u64, u64)| {
        let oldest = (age > 0).then(|| after(second - age));
        growth.look(oldest, after(second), &limits).map(|_| second - 1_000)
    };
    (1_000..).zip(ages).filter_map(look).collect()
}

#[test]
fn a_backlog_is_told_once_when_it_is_old_and_grows_until_it_has_ended() {
    const NEVER: [u64; 0] = [];
    let growing = 0..900;
    assert_eq!(told(growing.clone()), [330], "300 s, and growing since 30 s");
    assert_eq!(told((0..600).rev()), NEVER, "old, but worked off");
    assert_eq!(told([290; 500]), NEVER, "it grows, but is young");
    assert_eq!(told([400; 500]), NEVER, "it is old and does not grow");
    let up_and_down = growing.clone().chain((200..900).rev()).chain(200..900);
    assert_eq!(told(up_and_down), [330]);
    assert_eq!(told(growing.chain([0]).chain(0..400)), [330, 1_231], "it had ended between");
}

#[test]
fn what_is_the_same_has_the_same_id_and_nothing_else_has() {
    let id = |no: u8, fact: Fact| {
        let endpoint = EndpointNow {
            no: EndpointNo::new(1),
            id: EndpointId::from_bytes([no; 16]),
            tenant: TenantNo::new(1),
            name: None,
            host: "a.example".into(),
            contract: "standard".into(),
            status: EndpointStatus::Active,
            health: EndpointHealth::default(),
        };
        let about = About::Endpoint(Box::new(endpoint));
        let event = Notice { at: after(99), about, fact }.event(Some("acme"), None);
        event.check(&Limits::default()).expect("an event that a publisher could have sent");
        event.own_id.expect("an id of its own")
    };
    let disabled = |reason: &str, since| Fact::Disabled { reason: reason.into(), since };
    assert_eq!(id(1, disabled("one", T0)), id(1, disabled("another", T0)));
    let others = [
        id(1, disabled("r", T0)),
        id(2, disabled("r", T0)),
        id(1, disabled("r", after(1))),
        id(1, Fact::Failing { since: T0 }),
        id(1, Fact::Recovered { since: T0 }),
        id(1, Fact::BacklogGrowing { oldest_due: T0 }),
        id(1, Fact::DeadLetter(letter(1))),
        id(1, Fact::DeadLetter(letter(2))),
    ];
    let different: BTreeSet<_> = others.iter().collect();
    assert_eq!(different.len(), others.len());
}

#[test]
fn a_notice_names_its_host_but_nothing_of_a_url_that_may_be_secret() {
    for (url, host) in [
        ("https://hooks.example.com/secret/path?token=1", "hooks.example.com"),
        ("http://10.0.0.1:8080/", "10.0.0.1:8080"),
        ("https://hooks.example.com?token=1", "hooks.example.com"),
        ("https://user:secret@hooks.example.com/", "hooks.example.com"),
    ] {
        let subscription = serde_json::json!({"types": ["*"]});
        let config = serde_json::json!({
            "contract": "standard", "url": url, "status": "active", "updated_at": 0,
            "subscription": subscription,
        });
        let config: EndpointConfig = serde_json::from_value(config).expect("a configuration");
        let now = EndpointNow::of(EndpointNo::new(1), &config, EndpointHealth::default());
        assert_eq!(&*now.host, host);
    }
}

#[test]
fn the_page_of_notices_shows_each_kind_as_it_is_printed() {
    let page = include_str!("../../../../docs/notices.md");
    assert!(Kind::ALL.is_sorted_by_key(|kind| kind.as_str()));
    for kind in Kind::ALL {
        let event = kind.sample();
        let data: Value = serde_json::from_slice(&event.data).expect("JSON");
        let shown = serde_json::to_string_pretty(&data).expect("JSON");
        assert!(page.contains(&format!("`{}`", kind.as_str())), "{}", kind.as_str());
        assert!(page.contains(&shown), "{} is printed so:\n{shown}", kind.as_str());
    }
}
