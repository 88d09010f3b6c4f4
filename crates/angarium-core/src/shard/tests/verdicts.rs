//! What an answer asks for: time (`Retry-After`), or that nothing comes any more (410).

use super::*;
use crate::delivery::EndReason;
use crate::outcome::RetryAfter;

/// A contract that honours `Retry-After` and 410, with further lines of its `[delivery]` and
/// whatever follows that.
pub(super) fn listening(more: &str) -> Arc<Contract> {
    contract(&format!(
        "retry_after = {{ floor = \"1s\", cap = \"1h\" }}\ngone = \"disable\"\n{more}"
    ))
}

fn status(bench: &Bench, no: EndpointNo) -> (EndpointStatus, Option<String>) {
    let config = &bench.shard.queues[&no].endpoint.config;
    (config.status, config.disabled_reason.clone())
}

fn change(bench: &mut Bench, no: EndpointNo, change: impl FnOnce(&mut EndpointConfig)) {
    let version = bench.shard.queues[&no].version + 1;
    let endpoint = bench.endpoint(|config| {
        config.version = version;
        change(config);
    });
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, endpoint, Trace::default(), fx));
}

#[test]
fn a_retry_that_the_receiver_asked_for_later_is_stored_with_that_time_and_made_then() {
    let mut bench = Bench::new();
    bench.contract = Some(listening(""));
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    let start = bench.attempts.remove(0);
    let asked = Some(RetryAfter::Span(Duration::from_secs(40)));
    bench.answer_of(&start, Class::Throttled, asked);
    bench.commit();
    assert_eq!(bench.pending[&start.key].0, Some(bench.now + Duration::from_secs(40)));
    bench.pass(Duration::from_secs(39));
    assert!(bench.attempts.is_empty(), "the schedule says 5 seconds");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.attempts[0].attempt, 2);
}

#[test]
fn a_contract_that_says_nothing_keeps_its_schedule_whatever_the_receiver_asks_for() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    for (class, asked) in [(Class::Throttled, Some(RetryAfter::At(T0))), (Class::Gone, None)] {
        bench.publish();
        bench.commit();
        let start = bench.attempts.remove(0);
        bench.answer_of(&start, class, asked);
        bench.commit();
        assert_eq!(bench.pending[&start.key].0, Some(bench.now + Duration::from_secs(5)));
    }
    assert_eq!(status(&bench, no), (EndpointStatus::Active, None));
}

#[test]
fn gone_ends_the_delivery_and_switches_the_endpoint_off_and_what_waits_is_parked() {
    let mut bench = Bench::new();
    bench.contract = Some(listening(""));
    let no = bench.add(|config| config.concurrency = Some(2));
    bench.publish_many(4);
    bench.commit();
    let (first, second) = (bench.attempts.remove(0), bench.attempts.remove(0));
    bench.outcome(&first, Class::Gone);
    let batch = bench.shard.take_batch().expect("an end");
    let dead = NextState::Ended {
        state: DeliveryState::Dead,
        reason: Some(EndReason::Gone),
        at: bench.now,
    };
    assert_eq!(batch.deliveries[0].next, dead);
    // The other one under way hears the same, before the endpoint is off.
    bench.outcome(&second, Class::Gone);
    bench.finish(&batch);
    bench.commit();
    let off = (EndpointStatus::Disabled, Some("the receiver answered 410 Gone".to_owned()));
    assert_eq!(status(&bench, no), off);
    let ended: Vec<_> = bench.ended.iter().map(|(_, state)| *state).collect();
    assert_eq!(ended, [DeliveryState::Dead; 2]);
    assert!(bench.attempts.is_empty());
    let parked = bench.pending.values().filter(|row| row.0.is_none()).count();
    assert_eq!((parked, bench.pending.len()), (2, 2));

    change(&mut bench, no, |_| {});
    assert_eq!(bench.drain().len(), 2, "switched on again, what was parked goes");
}

#[test]
fn gone_says_nothing_of_an_endpoint_that_was_changed_after_the_attempt_began() {
    for committed in [false, true] {
        let mut bench = Bench::new();
        bench.contract = Some(listening(""));
        let no = bench.add(|_| {});
        bench.publish();
        bench.commit();
        change(&mut bench, no, |config| config.url = "https://new.example/hook".into());
        if committed {
            bench.commit();
        }
        let key = bench.end(Class::Gone);
        bench.commit();
        assert_eq!(status(&bench, no).0, EndpointStatus::Active, "{committed}");
        bench.pass(Duration::from_secs(5));
        assert_eq!(bench.attempts[0].key, key);
        assert_eq!(bench.attempts[0].endpoint.config.url, "https://new.example/hook");
        bench.end(Class::Gone);
        bench.commit();
        assert_eq!(status(&bench, no).0, EndpointStatus::Disabled, "that was the new URL");
    }
}
