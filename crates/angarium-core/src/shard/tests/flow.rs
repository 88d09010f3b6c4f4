//! Publish, send, retry, overflow.

use super::*;

#[test]
fn nothing_is_answered_or_sent_before_the_commit() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    let ticket = bench.publish();
    assert!(bench.attempts.is_empty() && bench.reply_to(ticket).is_none());
    bench.commit();
    assert_eq!(bench.attempts.len(), 1);
    let accepted = Reply::Accepted { key: bench.last_key, sequence: 1, endpoints: 1 };
    assert_eq!(bench.reply_to(ticket), Some(&accepted));
}

#[test]
fn a_delivery_that_succeeds_at_once_never_has_a_row() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    let key = bench.end(Class::Success);
    bench.commit();
    assert!(bench.pending.is_empty());
    assert_eq!(bench.ended, [(key, DeliveryState::Delivered)]);
}

#[test]
fn a_slot_is_free_only_when_the_record_is_committed() {
    let mut bench = Bench::new();
    bench.add(|config| config.concurrency = Some(2));
    bench.publish_many(3);
    bench.commit();
    assert_eq!(bench.attempts.len(), 2);
    bench.end(Class::Success);
    assert_eq!(bench.attempts.len(), 1);
    bench.commit();
    assert_eq!(bench.attempts.len(), 2);
}

#[test]
fn the_node_s_slots_are_never_passed_and_what_waits_starts_when_one_is_free() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.slots = 1;
    bench.publish_many(2);
    bench.commit();
    assert_eq!((bench.attempts.len(), bench.slots), (1, 0));
    bench.slots = 1;
    let now = bench.now;
    bench.act(|shard, fx| shard.use_slots(now, fx));
    assert_eq!(bench.attempts.len(), 2);
}

#[test]
fn a_failed_delivery_is_retried_by_its_schedule_and_then_dies() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    for wait in [5, 25] {
        bench.end(Class::ServerError);
        bench.commit();
        bench.pass(Duration::from_secs(wait) - Duration::from_millis(1));
        assert!(bench.attempts.is_empty(), "not before its time");
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.attempts.len(), 1);
    }
    assert_eq!(bench.attempts[0].attempt, 3);
    let key = bench.end(Class::Timeout);
    bench.commit();
    assert_eq!(bench.ended, [(key, DeliveryState::Dead)]);
    assert!(bench.pending.is_empty() && bench.shard.wake_at().is_none());
}

#[test]
fn a_retry_far_ahead_leaves_memory_and_is_read_back_when_it_is_due() {
    let mut bench = Bench::new();
    let retries = RetrySpec::List(vec!["2h".into()]);
    bench.add(|config| {
        config.delivery = Some(DeliveryOverride { timeout: None, retries: Some(retries) });
    });
    bench.publish();
    bench.commit();
    bench.end(Class::Dns);
    bench.commit();
    assert_eq!(bench.shard.memory.held(), 0);
    bench.pass(Duration::from_secs(7200));
    assert_eq!(bench.loads.len(), 1);
    bench.load();
    assert_eq!(bench.attempts[0].attempt, 2);
}

#[test]
fn a_backlog_larger_than_memory_waits_in_the_store_and_all_of_it_arrives_once() {
    let limits = Limits { endpoint_ready: 8, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|config| config.concurrency = Some(2));
    for _ in 0..100 {
        bench.publish();
        bench.commit();
    }
    assert!(bench.pending.len() >= 90, "{} rows", bench.pending.len());
    let mut sent = bench.drain();
    assert_eq!(sent.len(), 100);
    assert!(sent.is_sorted(), "the older ones first");
    sent.dedup();
    assert_eq!(sent.len(), 100);
    assert_eq!((bench.pending.len(), bench.shard.memory.held()), (0, 0));
}

#[test]
fn a_shard_full_of_bytes_still_serves_an_idle_endpoint() {
    let limits = Limits { shard_ready_bytes: 1, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|_| {});
    bench.publish_many(5);
    bench.commit();
    assert_eq!(bench.attempts.len(), 1);
    assert_eq!(bench.drain().len(), 5);
}

#[test]
fn endpoints_that_read_their_rows_at_once_share_the_memory_of_their_shard() {
    const ENDPOINTS: usize = 10;
    let limits = Limits { shard_ready_bytes: 64 * 1024, ..Limits::default() };
    let most = limits.shard_ready_bytes + ENDPOINTS * 5_000;
    let mut bench = Bench::with_limits(limits);
    bench.slots = usize::MAX;
    (0..ENDPOINTS).for_each(|_| {
        bench.add(|config| config.concurrency = Some(4));
    });
    bench.publish_many(300);
    bench.commit();
    let mut sent = 0;
    while !bench.attempts.is_empty() {
        bench.end(Class::Success);
        sent += 1;
        bench.commit();
        bench.load();
        assert!(bench.shard.memory.held() <= most, "{} bytes", bench.shard.memory.held());
    }
    assert_eq!((sent, bench.pending.len()), (300 * ENDPOINTS, 0));
    assert_eq!((bench.shard.memory.held(), bench.shard.memory.room()), (0, Room::Free));
}

#[test]
fn a_duplicate_waits_for_the_commit_of_the_first_and_shares_its_event() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    let first = bench.publish_as(Some("order-1"));
    let second = bench.publish_as(Some("order-1"));
    assert!(bench.reply_to(second).is_none());
    bench.commit();
    let third = bench.publish_as(Some("order-1"));
    let key = bench.last_key;
    assert!(matches!(bench.reply_to(first), Some(Reply::Accepted { .. })));
    assert_eq!(bench.reply_to(second), Some(&Reply::Known(key)));
    assert_eq!(bench.reply_to(third), Some(&Reply::Known(key)));
    assert_eq!(bench.attempts.len(), 1);
}

#[test]
fn an_event_that_matches_too_many_endpoints_is_refused_and_one_fewer_is_not() {
    let limits = Limits { endpoints_per_event: 2, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|_| {});
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    assert_eq!(bench.attempts.len(), 2);
    bench.add(|_| {});
    let refused = bench.publish();
    let reply = bench.reply_to(refused);
    assert!(matches!(reply, Some(Reply::Refused(r)) if r.code == Code::TooManyMatches));
}

#[test]
fn a_commit_records_so_many_attempts_and_the_rest_follows_in_the_order_in_which_they_ended() {
    let limits = Limits { commit_deliveries: 3, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|config| config.concurrency = Some(8));
    bench.flood(TENANT, 8);
    bench.commit();
    let ended: Vec<_> = (0..8).map(|_| bench.end(Class::Success)).collect();
    assert_eq!(bench.shard.in_flight(), 8);
    let mut recorded = Vec::new();
    while let Some(batch) = bench.shard.take_batch() {
        recorded.push(batch.deliveries.iter().map(|write| write.key).collect::<Vec<_>>());
        bench.finish(&batch);
    }
    assert_eq!(recorded.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
    assert_eq!(recorded.concat(), ended);
    assert_eq!(bench.shard.in_flight(), 0);
}

#[test]
fn rows_for_what_waits_are_written_a_few_at_a_time_and_all_of_them_within_a_second() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.add(|config| config.concurrency = Some(8));
    }
    for _ in 0..20 {
        bench.publish();
    }
    bench.commit();
    bench.pass(Duration::from_secs(3));
    let (high_water, began) = (bench.shard.high_water(), bench.now);
    bench.shard.checkpoint(high_water, began);
    let mut portions = Vec::new();
    while let Some(batch) = bench.shard.take_batch() {
        portions.push(batch.deliveries.len());
        bench.finish(&batch);
        let Some(at) = bench.shard.wake_at() else { break };
        bench.pass(at.since(bench.now));
    }
    assert_eq!(portions.iter().sum::<usize>(), 1_000);
    assert_eq!(portions.iter().max(), Some(&25));
    assert!(bench.now.since(began) < Duration::from_secs(1));
}

#[test]
fn rows_for_what_waits_give_way_to_attempts_that_end() {
    let limits = Limits { commit_deliveries: 4, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|config| config.concurrency = Some(8));
    bench.flood(TENANT, 9);
    bench.commit();
    bench.pass(Duration::from_secs(3));
    let (high_water, now) = (bench.shard.high_water(), bench.now);
    for _ in 0..3 {
        bench.end(Class::Timeout);
    }
    bench.shard.checkpoint(high_water, now);
    let mut written = Vec::new();
    while let Some(batch) = bench.shard.take_batch() {
        let attempts = batch.deliveries.iter().filter(|write| write.attempt.is_some()).count();
        written.push((batch.deliveries.len() - attempts, attempts));
        bench.finish(&batch);
        bench.pass(Duration::from_secs(1));
    }
    assert_eq!(written, [(1, 3), (2, 0), (2, 0), (1, 0)]);
}

#[test]
fn what_waits_longer_than_two_seconds_gets_a_row_and_lets_the_checkpoint_move() {
    let mut bench = Bench::new();
    let no = bench.add(|config| config.concurrency = Some(1));
    bench.publish();
    bench.publish();
    bench.commit();
    let (first, last) = (bench.attempts[0].key.event, bench.last_key);
    let checkpoint = |bench: &mut Bench| {
        let (high_water, now) = (bench.last_key, bench.now);
        bench.shard.checkpoint(high_water, now);
        bench.shard.batch.checkpoint.as_ref().map(|checkpoint| checkpoint.upto)
    };
    bench.now = bench.now + Duration::from_secs(1);
    assert!(checkpoint(&mut bench).is_none_or(|upto| upto < first));
    bench.now = bench.now + Duration::from_secs(2);
    checkpoint(&mut bench);
    bench.commit();
    assert_eq!(bench.pending.len(), 2);
    assert_eq!(checkpoint(&mut bench), Some(last));
    bench.commit();
    assert_eq!(checkpoint(&mut bench), None, "an idle shard writes nothing");
    assert_eq!(bench.drain().len(), 2);
    assert!(bench.pending.is_empty());
    assert_eq!(bench.shard.endpoints_of(TENANT), [no]);
}

#[test]
fn while_older_rows_are_due_in_the_store_a_new_event_goes_behind_them() {
    let limits = Limits { endpoint_ready: 8, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(20);
    bench.commit();
    bench.end(Class::Success);
    bench.commit();
    let rows = bench.pending.len();
    bench.publish();
    bench.commit();
    assert_eq!(bench.pending.len(), rows + 1, "although memory has room");
    assert!(bench.drain().is_sorted());
}

#[test]
fn a_row_for_an_attempt_under_way_does_not_free_its_slot() {
    let mut bench = Bench::new();
    bench.add(|config| config.concurrency = Some(1));
    bench.publish();
    bench.commit();
    bench.now = bench.now + Duration::from_secs(3);
    let (high_water, now) = (bench.last_key, bench.now);
    bench.shard.checkpoint(high_water, now);
    let row = bench.shard.take_batch().expect("a row for what has waited too long");
    bench.end(Class::Success);
    bench.finish(&row);
    assert_eq!((bench.shard.in_flight(), bench.pending.len()), (1, 1));
    bench.commit();
    assert_eq!((bench.shard.in_flight(), bench.pending.len()), (0, 0));
}
