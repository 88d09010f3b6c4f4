//! Crashes, commits of unknown result, other owners.

use super::*;
use crate::waiting::RecoveredEvent;

impl Bench {
    /// The process dies and another one takes the shard over: memory is gone, rows and events stay.
    fn restart(&mut self, endpoints: &[(EndpointNo, EndpointStatus)], recorded: &[DeliveryKey]) {
        self.restart_with(endpoints, recorded, &Ordering::None);
    }

    /// As [`Bench::restart`], the endpoints ordered.
    pub(super) fn restart_with(
        &mut self,
        endpoints: &[(EndpointNo, EndpointStatus)],
        recorded: &[DeliveryKey],
        ordering: &Ordering,
    ) {
        self.attempts.clear();
        self.loads.clear();
        let (limits, now) = (self.limits.clone(), self.now);
        self.shard = Shard::new(ShardId::of(TENANT), Epoch::new(2), EventKey::ZERO, limits);
        for (no, status) in endpoints {
            let endpoint = self.endpoint(|config| {
                config.status = *status;
                config.ordering = Some(ordering.clone());
            });
            let due = |(key, row): (&DeliveryKey, &Row)| row.0.filter(|_| key.endpoint == *no);
            let next_due = self.pending.iter().filter_map(due).min();
            let health = EndpointHealth::default();
            let counters = EndpointCounters { endpoint: *no, sequence: 0, health };
            let lanes = self.stored_lanes(*no);
            self.shard.recover_endpoint(endpoint, &counters, next_due, &lanes, self.now);
            let holds = self.holds.values().filter(|hold| hold.by.endpoint == *no);
            holds.for_each(|hold| self.shard.recover_hold(*hold));
        }
        for event in self.events.clone().into_values() {
            let has_row = |no: EndpointNo| {
                let key = DeliveryKey::first(event.key, no);
                self.pending.contains_key(&key) || recorded.contains(&key)
            };
            let fanout = vec![(EndpointNo::new(1), event.sequence)];
            let recorded = fanout.iter().map(|(no, _)| *no).filter(|no| has_row(*no)).collect();
            let shard = ShardId::of(TENANT);
            let recovered = RecoveredEvent { shard, event: event.clone(), fanout, recorded };
            self.shard.recover_event(&recovered, now);
        }
        self.act(|shard, fx| shard.begin(now, fx));
    }

    fn stored_lanes(&self, no: EndpointNo) -> Vec<StoredLane> {
        let mut lanes: BTreeMap<Lane, StoredLane> = BTreeMap::new();
        for (key, (.., lane, state)) in self.pending.iter().filter(|(key, _)| key.endpoint == no) {
            let Some(lane) = *lane else { continue };
            let first = key.event;
            let empty = StoredLane { lane, has_head: false, behind: 0, first };
            let stored = lanes.entry(lane).or_insert(empty);
            match state {
                DeliveryState::Queued => {
                    stored.first = if stored.behind == 0 { first } else { stored.first.min(first) };
                    stored.behind += 1;
                }
                _ => stored.has_head = true,
            }
        }
        lanes.into_values().collect()
    }
}

#[test]
fn after_a_crash_every_pair_without_a_row_is_sent_and_no_other() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.publish_many(3);
    bench.commit();
    let delivered = bench.end(Class::Success);
    let failed = bench.end(Class::ServerError);
    bench.commit();
    bench.restart(&[(no, EndpointStatus::Active)], &[delivered]);
    assert_eq!(bench.attempts.len(), 1, "the one that was in flight");
    assert!(![delivered, failed].contains(&bench.attempts[0].key));
    bench.end(Class::Success);
    bench.commit();
    bench.pass(Duration::from_secs(5));
    bench.load();
    assert_eq!((bench.attempts[0].key, bench.attempts[0].attempt), (failed, 2));
}

#[test]
fn what_was_accepted_before_the_clock_was_set_back_does_not_wait_for_that_time() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.publish_many(1);
    bench.commit();
    bench.now = bench.now - Duration::from_secs(3_600);
    bench.limits.shard_ready_bytes = 0;
    bench.restart(&[(no, EndpointStatus::Active)], &[]);
    bench.commit();
    let due: Vec<_> = bench.pending.values().map(|row| row.0).collect();
    assert_eq!(due, [Some(bench.now)]);
}

#[test]
fn sequences_go_on_after_a_crash_where_they_stopped() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.publish_many(3);
    bench.commit();
    bench.restart(&[(no, EndpointStatus::Active)], &[]);
    let ticket = bench.publish();
    bench.commit();
    assert!(matches!(bench.reply_to(ticket), Some(Reply::Accepted { sequence: 4, .. })));
    assert_eq!(bench.attempts.last().map(|start| start.sequence), Some(4));
}

#[test]
fn a_pair_whose_endpoint_is_gone_reads_as_cancelled() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    bench.restart(&[], &[]);
    bench.commit();
    assert_eq!(bench.ended.len(), 1);
    assert_eq!(bench.ended[0].1, DeliveryState::Cancelled);
}

#[test]
fn a_pair_whose_endpoint_was_paused_before_the_crash_gets_a_row_and_waits() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.publish();
    bench.commit();
    bench.restart(&[(no, EndpointStatus::Paused)], &[]);
    bench.commit();
    assert!(bench.attempts.is_empty());
    assert_eq!(bench.pending.values().map(|row| row.0).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_recovery_larger_than_memory_gives_rows_to_the_rest() {
    let mut bench = Bench::new();
    let no = bench.add(|config| config.concurrency = Some(1));
    for _ in 0..50 {
        bench.publish();
    }
    bench.commit();
    bench.limits.endpoint_ready = 8;
    bench.restart(&[(no, EndpointStatus::Active)], &[]);
    bench.commit();
    assert_eq!(bench.pending.len(), 42);
    assert_eq!(bench.drain().len(), 50);
}

#[test]
fn a_commit_of_unknown_result_answers_everyone_that_nothing_is_promised() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    let first = bench.publish_as(Some("a"));
    let batch = bench.shard.take_batch().expect("an event");
    let duplicate = bench.publish_as(Some("a"));
    let second = bench.publish();
    assert_eq!(batch.events.len(), 1);
    let limits = bench.limits.clone();
    let empty = Shard::new(ShardId::of(TENANT), Epoch::new(2), EventKey::ZERO, limits);
    let answers = std::mem::replace(&mut bench.shard, empty).abandon();
    let mut answered: Vec<_> = answers.iter().map(|(ticket, _)| *ticket).collect();
    answered.sort_unstable();
    assert_eq!(answered, [first, duplicate, second]);
    let unavailable =
        |reply: &Reply| matches!(reply, Reply::Refused(r) if r.code == Code::Unavailable);
    assert!(answers.iter().all(|(_, reply)| unavailable(reply)));
}

#[test]
fn a_row_that_recovery_writes_is_found_although_rows_were_read_before_its_commit() {
    let mut bench = Bench::with_limits(Limits { endpoint_ready: 1, ..Limits::default() });
    let no = bench.add(|_| {});
    bench.publish();
    bench.commit();
    bench.end(Class::ServerError);
    bench.publish();
    bench.commit();
    bench.pass(Duration::from_secs(5));
    // The first waits with a row that is due, the second has none and finds no room.
    bench.restart(&[(no, EndpointStatus::Active)], &[]);
    bench.load();
    bench.commit();
    assert_eq!(bench.drain().len(), 2);
}

#[test]
fn a_stale_epoch_says_that_the_shard_is_lost() {
    let mut bench = Bench::new();
    bench.publish();
    let batch = bench.shard.take_batch().expect("an event");
    let now = bench.now;
    let lost = |shard: &mut Shard<u32>, fx: &mut Effects<u32>| {
        shard.committed(&batch, &BatchResult::StaleEpoch, now, fx)
    };
    assert_eq!(bench.act(lost), Ownership::Lost);
}
