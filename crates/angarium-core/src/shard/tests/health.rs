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
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, on, Trace::default(), fx));
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
    let by = crate::delivery::Timing::Schedule;
    let retry = crate::delivery::Verdict::Retry { due: T0, by };
    health.observe(Class::ClientError, Some(404), retry, T0);
    health.observe(Class::Timeout, None, retry, T0 + Duration::from_secs(1));
    let failed = EndpointHealth {
        consecutive_failures: 2,
        failing_since: Some(T0),
        last_failure_at: Some(T0 + Duration::from_secs(1)),
        last_failure_class: Some(Class::Timeout),
        ..EndpointHealth::default()
    };
    assert_eq!(health, failed);
    let arrived = T0 + Duration::from_secs(2);
    health.observe(Class::Success, Some(200), crate::delivery::Verdict::Deliver, arrived);
    let well = EndpointHealth {
        consecutive_failures: 0,
        failing_since: None,
        last_success_at: Some(arrived),
        ..failed
    };
    assert_eq!(health, well);
}

#[test]
fn an_endpoint_is_switched_off_once_it_failed_for_the_time_and_so_many_deliveries_were_given_up() {
    // A delivery is given up after 30 seconds.
    let rule = "[health]\ndisable_after = { failing_for = \"2m\", deliveries = 2 }";
    let mut bench = Bench::new();
    bench.contract = Some(contract(rule));
    let no = bench.add(|_| {});
    (0..3).for_each(|_| give_up(&mut bench));
    assert_eq!(status(&bench, no), EndpointStatus::Active, "90 seconds are not enough");
    // A success in between begins anew.
    bench.publish();
    bench.commit();
    bench.end(Class::Success);
    bench.commit();
    bench.pass(Duration::from_secs(300));
    (0..3).for_each(|_| give_up(&mut bench));
    assert_eq!(status(&bench, no), EndpointStatus::Active, "the time counts from a failure");
    give_up(&mut bench);
    assert_eq!(status(&bench, no), EndpointStatus::Disabled);
    let reason = bench.shard.queues[&no].endpoint.config.disabled_reason.clone();
    let expected = "every attempt failed for 2m, and so did 4 deliveries";
    assert_eq!(reason.as_deref(), Some(expected));
    switch_on(&mut bench, no);
    assert_eq!(bench.shard.queues[&no].health.failing_since, None, "it begins anew");
}

#[test]
fn time_alone_switches_nothing_off() {
    let rule = "[health]\ndisable_after = { failing_for = \"1m\", deliveries = 2 }";
    let mut bench = Bench::new();
    bench.contract = Some(contract(rule));
    let no = bench.add(|_| {});
    give_up(&mut bench);
    bench.pass(Duration::from_secs(3600));
    bench.publish();
    bench.commit();
    bench.end(Class::Timeout);
    bench.commit();
    assert_eq!(status(&bench, no), EndpointStatus::Active, "one delivery was given up");
}

/// An endpoint that is switched off by its next failure: the last attempt of a delivery is under
/// way.
fn at_its_end(bench: &mut Bench) -> EndpointNo {
    bench.contract = Some(contract("[health]\ndisable_after = { failed_deliveries = 1 }"));
    let no = bench.add(|_| {});
    bench.publish();
    bench.commit();
    for wait in [5, 25] {
        bench.end(Class::ServerError);
        bench.commit();
        bench.pass(Duration::from_secs(wait));
    }
    no
}

#[test]
fn switching_off_is_a_change_like_any_other() {
    let mut bench = Bench::new();
    let no = at_its_end(&mut bench);
    let version = bench.shard.queues[&no].version;
    bench.end(Class::ServerError);
    bench.commit();
    let config = &bench.shard.queues[&no].endpoint.config;
    assert_eq!((config.status, config.version), (EndpointStatus::Disabled, version + 1));
}

#[test]
fn what_people_have_switched_off_or_deleted_is_left_as_it_is() {
    let mut bench = Bench::new();
    let no = at_its_end(&mut bench);
    bench.set_status(no, EndpointStatus::Paused);
    let version = bench.shard.queues[&no].version;
    bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(
        (status(&bench, no), bench.shard.queues[&no].version),
        (EndpointStatus::Paused, version)
    );

    let mut bench = Bench::new();
    let no = at_its_end(&mut bench);
    bench.delete(no);
    bench.end(Class::ServerError);
    let batch = bench.shard.take_batch().expect("the attempt");
    let is_change = |write: &EndpointWrite| matches!(write, EndpointWrite::Replace { .. });
    assert!(!batch.endpoints.iter().any(is_change), "{:?}", batch.endpoints);
}

#[test]
fn a_change_that_is_under_way_goes_before_switching_off_and_the_next_failure_asks_again() {
    let mut bench = Bench::new();
    let no = at_its_end(&mut bench);
    let version = bench.shard.queues[&no].version;
    let changed = bench.endpoint(|config| config.version = version + 1);
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, changed, Trace::default(), fx));
    bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(bench.reply_to(ticket), Some(&Reply::Done));
    assert_eq!(
        (status(&bench, no), bench.shard.queues[&no].version),
        (EndpointStatus::Active, version + 1)
    );
    bench.publish();
    bench.commit();
    bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(status(&bench, no), EndpointStatus::Disabled);
}

#[test]
fn events_wait_for_a_disabled_endpoint_where_the_contract_says_so_and_come_when_it_is_on_again() {
    let rule = "ordering = \"key\"\n\
        [health]\ndisable_after = { failed_deliveries = 1 }\nwhile_disabled = \"wait\"";
    let mut bench = Bench::new();
    bench.contract = Some(contract(rule));
    let no = bench.add(|config| config.ordering = None);
    give_up(&mut bench);
    assert_eq!(status(&bench, no), EndpointStatus::Disabled);
    bench.publish();
    for key in ["a", "a", "b"] {
        bench.publish_in(key);
    }
    bench.commit();
    assert!(bench.attempts.is_empty());
    assert_eq!(bench.pending.len(), 4);
    switch_on(&mut bench, no);
    let pace = bench.shard.queues[&no].gate.view(&bench.shard.queues[&no].endpoint.gate).pace;
    assert!(pace.is_some(), "they come slowly");
    let sent = bench.drain();
    assert_eq!(sent.len(), 4);
    let in_a: Vec<_> = sent
        .iter()
        .filter(|key| bench.events[&key.event].body.ordering_key.as_deref() == Some("a"))
        .collect();
    assert!(in_a.is_sorted());
}

fn switch_on(bench: &mut Bench, no: EndpointNo) {
    let version = bench.shard.queues[&no].version + 1;
    let on = bench.endpoint(|config| {
        config.version = version;
        config.ordering = None;
    });
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, on, Trace::default(), fx));
    bench.commit();
}
