//! An event to many endpoints that finds no room, and counters of many, are written a few at a
//! time.

use super::*;

const ENDPOINTS: usize = 5;

impl Bench {
    /// Five endpoints that are many, each with one attempt at a time, and three events: the first
    /// two fill the shard, the third finds no room.
    fn overflowing() -> Self {
        let shard_ready_bytes = 2 * ENDPOINTS * Self::event(None, None).weight();
        let limits = Limits { start_endpoints: 2, shard_ready_bytes, ..Limits::default() };
        let mut bench = Self::with_limits(limits);
        for _ in 0..ENDPOINTS {
            bench.add(|config| config.concurrency = Some(1));
        }
        for _ in 0..3 {
            bench.publish();
        }
        bench.commit();
        bench
    }

    /// Five endpoints that got an event each, and commits that write the counters of two.
    fn with_changed_counters() -> Self {
        let mut bench = Self::with_limits(Limits { commit_counters: 2, ..Limits::default() });
        for _ in 0..ENDPOINTS {
            bench.add(|_| {});
        }
        bench.publish();
        bench.drain();
        bench
    }

    /// Sends everything; what was sent to each endpoint, in its order.
    fn drain_crowd(&mut self) -> BTreeMap<EndpointNo, Vec<EventKey>> {
        let mut sent: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for _ in 0..1_000 {
            for DeliveryKey { endpoint, event, .. } in self.send_portion() {
                sent.entry(endpoint).or_default().push(event);
            }
            self.load();
        }
        sent
    }

    /// Sends what may start, and commits.
    fn send_portion(&mut self) -> Vec<DeliveryKey> {
        let now = self.now;
        self.act(|shard, fx| shard.start_portion(2, now, fx));
        let started = std::mem::take(&mut self.attempts);
        started.iter().for_each(|start| self.outcome(start, Class::Success));
        self.commit();
        started.iter().map(|start| start.key).collect()
    }

    fn checkpoint(&mut self) {
        let (high_water, now) = (self.last_key, self.now);
        self.act(|shard, _| shard.checkpoint(high_water, now));
    }

    /// What each batch writes until nothing is left, a tick after the other.
    fn portions_of<R>(&mut self, of: impl Fn(&ShardBatch) -> R) -> Vec<R> {
        let mut portions = Vec::new();
        while let Some(batch) = self.shard.take_batch() {
            portions.push(of(&batch));
            self.finish(&batch);
            let at = self.shard.wake_at().unwrap_or(self.now);
            self.pass(at.since(self.now));
        }
        portions
    }

    fn is_each_sent_in_order(&mut self, events: usize) -> bool {
        let sent = self.drain_crowd();
        sent.len() == ENDPOINTS
            && sent.values().all(|keys| keys.len() == events && keys.is_sorted())
            && self.pending.is_empty()
            && self.shard.memory.held() == 0
    }
}

#[test]
fn an_event_to_many_that_finds_no_room_has_no_row_in_its_commit_and_one_soon() {
    let mut bench = Bench::overflowing();
    assert!(bench.pending.is_empty());
    let third = bench.last_key;
    bench.checkpoint();
    let portions = bench.portions_of(|batch| batch.deliveries.len());
    assert_eq!(portions, [ENDPOINTS]);
    assert!(bench.pending.keys().all(|key| key.event == third), "the others wait in memory");
    assert!(bench.is_each_sent_in_order(3));
}

#[test]
fn what_found_no_room_starts_without_a_row_as_soon_as_there_is_some() {
    let mut bench = Bench::overflowing();
    let mut sent = 0;
    while sent < 3 * ENDPOINTS {
        sent += bench.send_portion().len();
        assert!(bench.pending.is_empty());
    }
}

#[test]
fn an_event_to_a_few_that_finds_no_room_has_its_row_at_once_and_so_has_one_beyond_the_bound() {
    let mut bench = Bench::overflowing();
    bench.publish_for(None, Audience::Only(vec![EndpointNo::new(1)]));
    bench.commit();
    assert_eq!(bench.pending.len(), 1);
    bench.publish();
    bench.commit();
    assert_eq!(bench.pending.len(), 1 + ENDPOINTS);
    let sent = bench.drain_crowd();
    assert_eq!(sent.values().map(Vec::len).collect::<Vec<_>>(), [5, 4, 4, 4, 4]);
    assert!(bench.pending.is_empty() && bench.shard.memory.held() == 0);
}

#[test]
fn an_event_to_many_goes_behind_what_found_no_room_even_if_there_is_room_for_it() {
    let mut bench = Bench::overflowing();
    let (slow, mut under_way) = (EndpointNo::new(1), None);
    for _ in 0..3 {
        let now = bench.now;
        bench.act(|shard, fx| shard.start_portion(ENDPOINTS, now, fx));
        for start in std::mem::take(&mut bench.attempts) {
            if start.key.endpoint == slow {
                under_way = Some(start);
            } else {
                bench.outcome(&start, Class::Success);
            }
        }
        bench.commit();
    }
    bench.publish();
    bench.commit();
    bench.outcome(&under_way.expect("its first"), Class::Success);
    bench.commit();
    assert!(bench.drain_crowd()[&slow].is_sorted());
    assert!(bench.pending.is_empty() && bench.shard.memory.held() == 0);
}

#[test]
fn what_found_no_room_is_paused_cancelled_and_deleted_like_all_that_waits() {
    let mut bench = Bench::overflowing();
    let third = |no| DeliveryKey::first(bench.last_key, EndpointNo::new(no));
    let (cancelled, deleted) = (third(1), third(2));
    let ((ticket, action), now) = (bench.action(cancelled), bench.now);
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    bench.delete(deleted.endpoint);
    bench.set_status(EndpointNo::new(3), EndpointStatus::Paused);
    bench.commit();
    for key in [cancelled, deleted] {
        assert!(bench.ended.contains(&(key, DeliveryState::Cancelled)), "{key:?}");
    }
    assert_eq!(bench.pending.len(), 3, "those of the paused one");
    bench.set_status(EndpointNo::new(3), EndpointStatus::Active);
    let sent = bench.drain_crowd();
    assert_eq!(sent.values().map(Vec::len).collect::<Vec<_>>(), [2, 3, 3, 3]);
    assert!(bench.pending.is_empty() && bench.shard.memory.held() == 0);
}

#[test]
fn the_checkpoint_stays_below_what_has_no_row() {
    let mut bench = Bench::overflowing();
    let third = bench.last_key;
    for start in std::mem::take(&mut bench.attempts) {
        bench.outcome(&start, Class::Success);
    }
    bench.pass(Duration::from_secs(3));
    bench.checkpoint();
    let moves = bench.portions_of(|batch| batch.checkpoint.as_ref().map(|to| to.upto));
    assert!(moves.into_iter().flatten().all(|upto| upto < third));
    bench.checkpoint();
    let moves = bench.portions_of(|batch| batch.checkpoint.as_ref().map(|to| to.upto));
    assert_eq!(moves.into_iter().flatten().collect::<Vec<_>>(), [third]);
}

#[test]
fn counters_of_many_are_written_a_few_at_a_time_and_the_checkpoint_moves_with_the_last() {
    let mut bench = Bench::with_changed_counters();
    let (last, began) = (bench.last_key, bench.now);
    bench.checkpoint();
    let written = |batch: &ShardBatch| {
        let checkpoint = batch.checkpoint.as_ref().expect("counters");
        (checkpoint.endpoints.len(), checkpoint.tenants.len(), checkpoint.upto == last)
    };
    assert_eq!(bench.portions_of(written), [(2, 0, false), (2, 0, false), (1, 1, true)]);
    assert!(bench.now.since(began) < Duration::from_secs(1));
    assert!(bench.counters.values().all(|counters| counters.sequence == 1));
    bench.checkpoint();
    assert!(!bench.shard.wants_commit(), "nothing changed since");
}

#[test]
fn the_last_checkpoint_writes_all_counters_at_once() {
    let mut bench = Bench::with_changed_counters();
    let (last, now) = (bench.last_key, bench.now);
    bench.act(|shard, _| shard.last_checkpoint(last, now));
    let batch = bench.shard.take_batch().expect("counters");
    let checkpoint = batch.checkpoint.expect("a checkpoint");
    assert_eq!((checkpoint.endpoints.len(), checkpoint.upto), (ENDPOINTS, last));
}
