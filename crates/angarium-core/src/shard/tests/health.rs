//! Endpoints that fail as often as their contract allows.

use super::*;

/// Ends the only delivery that is under way with its last attempt failing (K5's schedule is not
/// waited for: the bench has two retries).
fn give_up(bench: &mut Bench) {
    bench.publish();
    bench.commit();
    for wait in [5, 25, 0] {
        bench.load();
        bench.end(Class::ServerError);
        bench.commit();
        bench.pass(Duration::from_secs(wait));
    }
}

fn status(bench: &Bench, no: EndpointNo) -> EndpointStatus {
    bench.shard.queues[&no].endpoint.config.status
}

#[test]
fn three_deliveries_in_a_row_that_are_given_up_switch_an_endpoint_off_and_a_success_begins_anew() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    give_up(&mut bench);
    give_up(&mut bench);
    bench.publish();
    bench.commit();
    bench.end(Class::Success);
    bench.commit();
    for _ in 0..2 {
        give_up(&mut bench);
        assert_eq!(status(&bench, no), EndpointStatus::Active);
    }
    give_up(&mut bench);
    assert_eq!(status(&bench, no), EndpointStatus::Disabled);
    let reason = bench.shard.queues[&no].endpoint.config.disabled_reason.clone();
    assert_eq!(reason.as_deref(), Some("3 deliveries in a row failed"));
}

#[test]
fn an_endpoint_that_was_switched_off_gets_nothing_and_begins_anew_when_it_is_switched_on() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    (0..3).for_each(|_| give_up(&mut bench));
    bench.publish();
    let batch = bench.shard.take_batch().expect("an event");
    assert_eq!(batch.events[0].fanout[0].start, FanoutStart::Suppressed);
    bench.finish(&batch);
    assert!(bench.attempts.is_empty());

    let version = bench.shard.queues[&no].version;
    let on = bench.endpoint(|config| config.version = version + 1);
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, on, None, fx));
    bench.commit();
    give_up(&mut bench);
    assert_eq!(status(&bench, no), EndpointStatus::Active, "the count began anew");
}

#[test]
fn what_a_person_cancels_says_nothing_about_the_receiver() {
    let mut health = EndpointHealth::default();
    let cancelled = crate::delivery::Verdict::Die(crate::delivery::EndReason::CancelledByCall);
    health.observe(Class::ServerError, Some(500), cancelled, T0);
    assert_eq!((health.consecutive_failures, health.dead_in_a_row), (1, 0));
}

#[test]
fn the_last_failure_stays_known_after_a_success() {
    let mut health = EndpointHealth::default();
    let retry = crate::delivery::Verdict::Retry { due: T0 };
    health.observe(Class::ClientError, Some(404), retry, T0);
    health.observe(Class::Timeout, None, retry, T0 + Duration::from_secs(1));
    let failed = EndpointHealth {
        consecutive_failures: 2,
        last_failure_at: Some(T0 + Duration::from_secs(1)),
        last_failure_class: Some(Class::Timeout),
        ..EndpointHealth::default()
    };
    assert_eq!(health, failed);
    let arrived = T0 + Duration::from_secs(2);
    health.observe(Class::Success, Some(200), crate::delivery::Verdict::Deliver, arrived);
    let well = EndpointHealth { consecutive_failures: 0, last_success_at: Some(arrived), ..failed };
    assert_eq!(health, well);
}
