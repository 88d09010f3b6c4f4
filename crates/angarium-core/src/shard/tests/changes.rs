//! Endpoints and deliveries that people change while events are under way.

use super::*;

impl Bench {
    pub(super) fn set_status(&mut self, no: EndpointNo, status: EndpointStatus) {
        let version = self.shard.queues[&no].version + 1;
        let endpoint = self.endpoint(|config| {
            config.status = status;
            config.version = version;
            config.concurrency = Some(1);
        });
        let ticket = self.ticket();
        self.act(|shard, fx| shard.replace_endpoint(ticket, no, endpoint, Trace::default(), fx));
        self.commit();
        assert_eq!(self.reply_to(ticket), Some(&Reply::Done));
    }

    pub(super) fn delete(&mut self, no: EndpointNo) {
        let (ticket, now) = (self.ticket(), self.now);
        self.act(|shard, fx| shard.delete_endpoint(ticket, TENANT, no, Trace::default(), now, fx));
        self.commit();
        assert_eq!(self.reply_to(ticket), Some(&Reply::Done));
    }

    pub(super) fn action(&mut self, key: DeliveryKey) -> (u32, DeliveryAction) {
        (self.ticket(), DeliveryAction { tenant: TENANT, key, trace: Trace::default() })
    }
}

#[test]
fn a_paused_endpoint_keeps_a_growing_backlog_in_rows_and_sends_all_of_it_when_resumed() {
    let mut bench = Bench::new();
    let no = bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(3);
    bench.commit();
    bench.set_status(no, EndpointStatus::Paused);
    for _ in 0..20 {
        bench.publish();
        bench.commit();
    }
    bench.end(Class::ServerError);
    bench.commit();
    bench.pass(Duration::from_secs(3600));
    assert!(bench.attempts.is_empty() && bench.loads.is_empty());
    assert_eq!(bench.pending.len(), 23);
    assert!(bench.pending.values().all(|(due, ..)| due.is_none()));
    bench.set_status(no, EndpointStatus::Active);
    assert_eq!(bench.drain().len(), 23);
}

#[test]
fn an_event_that_was_matched_while_a_pause_was_being_committed_waits_too() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    let paused = bench.endpoint(|config| {
        config.status = EndpointStatus::Paused;
        config.version = 2;
    });
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, paused, Trace::default(), fx));
    let pause = bench.shard.take_batch().expect("the pause");
    bench.publish();
    bench.finish(&pause);
    bench.commit();
    assert!(bench.attempts.is_empty());
    assert_eq!(bench.pending.values().map(|row| row.0).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_disabled_endpoint_suppresses_new_events_and_keeps_what_waits() {
    let mut bench = Bench::new();
    let no = bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(2);
    bench.commit();
    bench.set_status(no, EndpointStatus::Disabled);
    bench.publish();
    let batch = bench.shard.take_batch().expect("the event");
    assert_eq!(batch.events[0].fanout[0].start, FanoutStart::Suppressed);
    assert_eq!(batch.events[0].fanout[0].sequence, 3, "suppressed numbers stay listed");
    assert_eq!(bench.pending.len(), 1);
}

#[test]
fn no_attempt_follows_a_delete_and_what_waits_is_cancelled() {
    let mut bench = Bench::new();
    let no = bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(3);
    bench.commit();
    bench.publish();
    bench.delete(no);
    assert_eq!(bench.attempts.len(), 1, "the one under way");
    let cancelled = bench.ended.iter().filter(|(_, s)| *s == DeliveryState::Cancelled).count();
    assert_eq!(cancelled, 3, "also the one whose event was committed with the delete");
    bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(bench.ended.len(), 4);
    assert!(bench.shard.queues.is_empty() && bench.pending.is_empty());
    let ticket = bench.publish();
    bench.commit();
    let reply = bench.reply_to(ticket);
    assert!(matches!(reply, Some(Reply::Accepted { endpoints: 0, .. })));
}

#[test]
fn a_change_made_from_an_old_version_is_refused() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.set_status(no, EndpointStatus::Paused);
    let stale = bench.endpoint(|config| config.version = 2);
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, stale, Trace::default(), fx));
    let reply = bench.reply_to(ticket);
    assert!(matches!(reply, Some(Reply::Refused(r)) if r.code == Code::Conflict));
}

#[test]
fn another_tenant_s_endpoint_is_not_found() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    let (ticket, now) = (bench.ticket(), bench.now);
    let other = TenantNo::new(65);
    bench.act(|shard, fx| shard.delete_endpoint(ticket, other, no, Trace::default(), now, fx));
    let reply = bench.reply_to(ticket);
    assert!(matches!(reply, Some(Reply::Refused(r)) if r.code == Code::NotFound));
}

#[test]
fn a_tenant_has_at_most_as_many_endpoints_as_the_limit() {
    let limits = Limits { endpoints_per_tenant: 2, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    bench.add(|_| {});
    bench.add(|_| {});
    let endpoint = bench.endpoint(|_| {});
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.create_endpoint(ticket, endpoint, None, Trace::default(), fx));
    let reply = bench.reply_to(ticket);
    assert!(matches!(reply, Some(Reply::Refused(r)) if r.code == Code::TooManyEndpoints));
}

#[test]
fn retry_makes_a_waiting_delivery_due_and_an_ended_one_a_new_delivery() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    let key = bench.end(Class::ServerError);
    bench.commit();
    let (ticket, action) = bench.action(key);
    let now = bench.now;
    bench.act(|shard, fx| shard.retry(ticket, action, Seen::Waiting, now, fx));
    bench.commit();
    bench.load();
    assert_eq!(bench.reply_to(ticket), Some(&Reply::Delivery(key)));
    assert_eq!(bench.attempts[0].attempt, 2, "at once");
    let (in_flight, action) = bench.action(key);
    bench.act(|shard, fx| shard.retry(in_flight, action, Seen::Waiting, now, fx));
    let reply = bench.reply_to(in_flight);
    assert!(matches!(reply, Some(Reply::Refused(r)) if r.code == Code::InvalidState));
    bench.end(Class::Success);
    bench.commit();
    let (ticket, action) = bench.action(key);
    bench.act(|shard, fx| shard.retry(ticket, action, Seen::Ended, now, fx));
    bench.commit();
    bench.load();
    let again = DeliveryKey { generation: Generation::new(1), ..key };
    assert_eq!(bench.reply_to(ticket), Some(&Reply::Delivery(again)));
    assert_eq!((bench.attempts[0].key, bench.attempts[0].attempt), (again, 1));
}

#[test]
fn cancel_ends_what_waits_and_stops_the_retries_of_what_is_in_flight() {
    let mut bench = Bench::new();
    bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(2);
    bench.commit();
    let now = bench.now;
    let in_flight = bench.attempts[0].key;
    let waits = DeliveryKey { event: bench.last_key, ..in_flight };
    for key in [in_flight, waits] {
        let (ticket, action) = bench.action(key);
        bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
        bench.commit();
        assert_eq!(bench.reply_to(ticket), Some(&Reply::Delivery(key)));
    }
    bench.end(Class::ServerError);
    bench.commit();
    let expected = [(waits, DeliveryState::Cancelled), (in_flight, DeliveryState::Cancelled)];
    assert_eq!(bench.ended, expected);
    assert!(bench.drain().is_empty());
}

#[test]
fn cancel_and_retry_hold_while_the_attempt_before_is_being_recorded() {
    let mut bench = Bench::new();
    bench.add(|config| config.concurrency = Some(2));
    bench.publish_many(2);
    bench.commit();
    let (cancelled, retried) = (bench.end(Class::ServerError), bench.end(Class::ServerError));
    let recording = bench.shard.take_batch().expect("the records");
    let now = bench.now;
    let (ticket, action) = bench.action(cancelled);
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    let (ticket, action) = bench.action(retried);
    bench.act(|shard, fx| shard.retry(ticket, action, Seen::Waiting, now, fx));
    bench.finish(&recording);
    bench.commit();
    bench.load();
    assert_eq!(bench.attempts.iter().map(|start| start.key).collect::<Vec<_>>(), [retried]);
    assert_eq!(bench.ended, [(cancelled, DeliveryState::Cancelled)]);
    bench.end(Class::Success);
    bench.commit();
    bench.pass(Duration::from_secs(60));
    assert!(bench.drain().is_empty());
    assert_eq!(bench.shard.memory.held(), 0);
}

#[test]
fn what_is_in_flight_when_its_endpoint_is_deleted_ends_by_its_own_record() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.publish();
    bench.commit();
    // It waits long enough to get a row, which a slice would find.
    bench.pass(Duration::from_secs(3));
    let (high_water, now) = (bench.last_key, bench.now);
    bench.shard.checkpoint(high_water, now);
    bench.commit();
    assert_eq!(bench.pending.len(), 1);
    bench.delete(no);
    let key = bench.end(Class::Success);
    bench.commit();
    assert_eq!(bench.ended, [(key, DeliveryState::Delivered)]);
    assert!(bench.pending.is_empty() && !bench.shard.queues.contains_key(&no));
}

#[test]
fn the_rows_of_a_deleted_endpoint_are_cancelled_once_nothing_is_in_flight() {
    let mut bench = Bench::with_limits(Limits { endpoint_ready: 1, ..Limits::default() });
    let no = bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(5);
    bench.commit();
    bench.delete(no);
    bench.end(Class::ServerError);
    bench.commit();
    assert!(bench.ended.iter().all(|(_, state)| *state == DeliveryState::Cancelled));
    assert_eq!((bench.ended.len(), bench.pending.len()), (5, 0));
    assert!(!bench.shard.queues.contains_key(&no));
}

#[test]
fn what_was_cancelled_while_its_row_was_being_read_is_not_sent() {
    for ordering in [Ordering::None, Ordering::Endpoint] {
        let mut bench = Bench::with_limits(Limits { endpoint_ready: 1, ..Limits::default() });
        bench.add(|config| {
            config.concurrency = Some(1);
            config.ordering = Some(ordering.clone());
        });
        bench.publish_many(4);
        bench.commit();
        let first = bench.end(Class::Success);
        bench.commit();
        while bench.loads.is_empty() {
            bench.end(Class::Success);
            bench.commit();
        }
        let load = bench.loads.remove(0);
        let page = bench.page(&load);
        let cancelled = page.deliveries[0].key;
        let (ticket, action) = bench.action(cancelled);
        let now = bench.now;
        bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
        bench.commit();
        bench.answer(&load, page);
        let sent = bench.drain();
        assert!(![first, cancelled].iter().any(|key| sent.contains(key)), "{ordering:?}");
        assert_eq!((bench.ended.len(), bench.pending.len()), (4, 0), "{ordering:?}");
    }
}

#[test]
fn what_is_being_cancelled_is_not_sent_when_an_earlier_wish_for_it_is_committed() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    let key = bench.end(Class::ServerError);
    bench.commit();
    let now = bench.now;
    let (ticket, action) = bench.action(key);
    bench.act(|shard, fx| shard.retry(ticket, action, Seen::Waiting, now, fx));
    let due_now = bench.shard.take_batch().expect("the first wish");
    let (ticket, action) = bench.action(key);
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    bench.finish(&due_now);
    bench.load();
    assert!(bench.attempts.is_empty(), "the second wish is on its way");
    bench.commit();
    assert_eq!(bench.drain(), []);
    assert_eq!(bench.ended, [(key, DeliveryState::Cancelled)]);
}
