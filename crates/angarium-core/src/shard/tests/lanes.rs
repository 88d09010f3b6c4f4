//! Order within a lane, through failures, full memory, pauses, cancellations and crashes.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn ordered(limits: Limits) -> (Bench, EndpointNo) {
    let mut bench = Bench::with_limits(limits);
    let no = bench.add(|config| config.ordering = Some(Ordering::Key));
    (bench, no)
}

#[test]
fn the_next_of_a_lane_starts_when_the_one_before_is_recorded_and_other_lanes_do_not_wait() {
    let (mut bench, _) = ordered(Limits::default());
    for key in ["a", "a", "b"] {
        bench.publish_in(key);
    }
    bench.publish();
    bench.commit();
    assert_eq!(bench.attempts.len(), 3, "the heads of a and b, and one without a lane");
    let first = bench.end(Class::Success);
    assert_eq!(bench.attempts.len(), 2, "not before the record is committed");
    bench.commit();
    assert_eq!(bench.attempts.len(), 3);
    assert!(bench.attempts[2].key.event > first.event);
}

#[test]
fn a_lane_waits_through_the_retries_of_its_head_and_goes_on_after_its_dead_letter() {
    let (mut bench, _) = ordered(Limits::default());
    bench.publish_in("a");
    bench.publish_in("a");
    bench.commit();
    for wait in [5, 25] {
        bench.end(Class::ServerError);
        bench.commit();
        assert!(bench.attempts.is_empty());
        bench.pass(Duration::from_secs(wait));
        assert_eq!(bench.attempts.len(), 1);
    }
    let dead = bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(bench.ended, [(dead, DeliveryState::Dead)]);
    assert!(bench.attempts[0].key.event > dead.event);
}

#[test]
fn what_does_not_fit_waits_in_the_store_and_comes_in_order() {
    let (mut bench, _) = ordered(Limits { endpoint_ready: 4, ..Limits::default() });
    for _ in 0..100 {
        bench.publish_in("a");
    }
    bench.commit();
    assert!(bench.pending.len() >= 90, "{} rows", bench.pending.len());
    let sent = bench.drain();
    assert_eq!(sent.len(), 100);
    assert!(sent.is_sorted());
    assert!(bench.pending.is_empty());
}

#[test]
fn nobody_overtakes_one_whose_cancellation_is_not_durable() {
    let (mut bench, _) = ordered(Limits::default());
    for _ in 0..3 {
        bench.publish_in("a");
    }
    bench.commit();
    let [cancelled, last] = [1, 2].map(|place| *bench.events.keys().nth(place).expect("three"));
    let head = bench.end(Class::Success);
    let record = bench.shard.take_batch().expect("a record");
    let (ticket, action) = bench.action(DeliveryKey { event: cancelled, ..head });
    let now = bench.now;
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    bench.finish(&record);
    assert!(bench.attempts.is_empty(), "a crash now would leave the cancelled one waiting");
    bench.commit();
    assert_eq!(bench.drain(), [DeliveryKey { event: last, ..head }]);
}

/// The reading takes longer than the commit that writes what it looks for.
#[test]
fn a_row_that_is_committed_while_its_lane_is_read_is_asked_for_again() {
    let (mut bench, _) = ordered(Limits { endpoint_ready: 1, ..Limits::default() });
    bench.publish_in("a");
    bench.commit();
    bench.end(Class::Success);
    let record = bench.shard.take_batch().expect("a record");
    bench.publish_in("b");
    bench.publish_in("a");
    bench.finish(&record);
    let load = bench.loads.remove(0);
    let read_before = bench.page(&load);
    bench.commit();
    bench.answer(&load, read_before);
    assert_eq!(bench.loads, [load], "nothing else would bring it");
    assert_eq!(bench.drain().len(), 2);
}

#[test]
fn a_follower_cannot_be_retried_before_its_turn_and_a_cancelled_head_lets_the_next_one_go() {
    let (mut bench, no) = ordered(Limits::default());
    for _ in 0..3 {
        bench.publish_in("a");
    }
    bench.commit();
    let head = bench.end(Class::ServerError);
    bench.commit();
    let keys: Vec<_> = bench.events.keys().map(|key| DeliveryKey::first(*key, no)).collect();
    let (ticket, now) = (bench.ticket(), bench.now);
    let action = |key| DeliveryAction { tenant: TENANT, key, trace: Trace::default() };
    bench.act(|shard, fx| shard.retry(ticket, action(keys[1]), Seen::Waiting, now, fx));
    assert!(matches!(bench.reply_to(ticket), Some(Reply::Refused(_))));

    // The second leaves, then the head: the third is next.
    for key in [keys[1], head] {
        let ticket = bench.ticket();
        bench.act(|shard, fx| shard.cancel(ticket, action(key), now, fx));
        bench.commit();
        assert_eq!(bench.reply_to(ticket), Some(&Reply::Delivery(key)));
    }
    bench.load();
    assert_eq!(bench.attempts.iter().map(|start| start.key).collect::<Vec<_>>(), [keys[2]]);
}

/// What happens in a run.
#[derive(Debug, Clone)]
enum Step {
    Publish(u8),
    End(usize, bool),
    Commit,
    Load,
    Pass(u64),
    Pause,
    Resume,
    Cancel(usize),
    Redeliver(usize),
    Skip(usize),
    Crash,
}

/// Steps that print on one line.
#[derive(Clone)]
struct Script(Vec<Step>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "{step:?} "))
    }
}

fn steps() -> impl Strategy<Value = Script> {
    let step = prop_oneof![
        6 => (0u8..3).prop_map(Step::Publish),
        6 => (0usize..8, any::<bool>()).prop_map(|(place, good)| Step::End(place, good)),
        6 => Just(Step::Commit),
        3 => Just(Step::Load),
        3 => (1u64..30).prop_map(Step::Pass),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
        1 => (0usize..20).prop_map(Step::Cancel),
        1 => (0usize..20).prop_map(Step::Redeliver),
        1 => (0usize..20).prop_map(Step::Skip),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..120).prop_map(Script)
}

/// A run with one ordered endpoint, and what must hold in it.
struct Run {
    bench: Bench,
    no: EndpointNo,
    status: EndpointStatus,
    /// Skips that were asked for.
    skips: Vec<(u32, EventKey)>,
}

impl Run {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish(key) => {
                self.bench.publish_in(&key.to_string());
            }
            Step::End(place, good) => self.end(*place, *good),
            Step::Commit => self.bench.commit(),
            Step::Load => self.bench.load(),
            Step::Pass(seconds) => self.bench.pass(Duration::from_secs(*seconds)),
            Step::Pause => self.set(EndpointStatus::Paused),
            Step::Resume => self.set(EndpointStatus::Active),
            Step::Cancel(place) => self.cancel(*place),
            Step::Redeliver(place) => self.redeliver(*place),
            Step::Skip(place) => self.skip(*place),
            Step::Crash => self.crash(),
        }
        self.check();
    }

    fn end(&mut self, place: usize, good: bool) {
        if self.bench.attempts.is_empty() {
            return;
        }
        let start = self.bench.attempts.remove(place % self.bench.attempts.len());
        let class = if good { Class::Success } else { Class::ServerError };
        self.bench.outcome(&start, class);
    }

    fn set(&mut self, status: EndpointStatus) {
        self.bench.commit();
        self.status = status;
        let version = self.bench.shard.queues[&self.no].version + 1;
        let endpoint = self.bench.endpoint(|config| {
            config.ordering = Some(Ordering::Key);
            config.status = status;
            config.version = version;
        });
        let (ticket, no) = (self.bench.ticket(), self.no);
        self.bench
            .act(|shard, fx| shard.replace_endpoint(ticket, no, endpoint, Trace::default(), fx));
        self.bench.commit();
    }

    fn cancel(&mut self, place: usize) {
        let Some(event) = self.bench.events.keys().nth(place).copied() else {
            return;
        };
        let action = DeliveryAction {
            tenant: TENANT,
            key: DeliveryKey::first(event, self.no),
            trace: Trace::default(),
        };
        let (ticket, now) = (self.bench.ticket(), self.bench.now);
        self.bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    }

    /// Once for each event, so that it is the same one that is looked for.
    fn redeliver(&mut self, place: usize) {
        let Some(event) = self.dead().into_iter().nth(place) else {
            return;
        };
        let again = |key: &DeliveryKey| key.event == event && key.generation.get() > 0;
        let known = self.bench.pending.keys().chain(self.bench.ended.iter().map(|(key, _)| key));
        if known.filter(|key| again(key)).count() > 0 {
            return;
        }
        let key = DeliveryKey::first(event, self.no);
        let action = DeliveryAction { tenant: TENANT, key, trace: Trace::default() };
        let (ticket, now) = (self.bench.ticket(), self.bench.now);
        self.bench.act(|shard, fx| shard.retry(ticket, action, Seen::Ended, now, fx));
        self.bench.commit();
    }

    fn skip(&mut self, place: usize) {
        if let Some(event) = self.dead().into_iter().nth(place) {
            let key = DeliveryKey::first(event, self.no);
            let action = DeliveryAction { tenant: TENANT, key, trace: Trace::default() };
            let (ticket, now) = (self.bench.ticket(), self.bench.now);
            self.bench.act(|shard, fx| shard.skip(ticket, action, now, fx));
            self.skips.push((ticket, event));
        }
    }

    fn dead(&self) -> BTreeSet<EventKey> {
        let is_dead = |(key, state): &&(DeliveryKey, DeliveryState)| {
            *state == DeliveryState::Dead && key.generation.get() == 0
        };
        self.bench.ended.iter().filter(is_dead).map(|(key, _)| key.event).collect()
    }

    /// Dead letters that were neither skipped nor have arrived after all.
    fn unsettled(&self) -> BTreeSet<EventKey> {
        let arrived = |event: &EventKey| {
            self.bench
                .ended
                .iter()
                .any(|(key, state)| key.event == *event && *state == DeliveryState::Delivered)
        };
        let skipped = |event: &EventKey| {
            self.skips.iter().any(|(ticket, other)| {
                other == event && matches!(self.bench.reply_to(*ticket), Some(Reply::Delivery(_)))
            })
        };
        self.dead().into_iter().filter(|event| !arrived(event) && !skipped(event)).collect()
    }

    /// Memory is gone, uncommitted events with it; rows and records stay.
    fn crash(&mut self) {
        let recorded: Vec<_> = self.bench.ended.iter().map(|(key, _)| *key).collect();
        let endpoints = [(self.no, self.status)];
        self.bench.restart_with(&endpoints, &recorded, &Ordering::Key);
    }

    /// In each lane at most one is under way, and it is the oldest that has not ended; none is
    /// where a dead letter holds the lane.
    fn check(&self) {
        let ended: BTreeSet<_> = self.bench.ended.iter().map(|(key, _)| *key).collect();
        let mut lanes = BTreeSet::new();
        let holds = self.bench.contract.is_some();
        let unsettled = if holds { self.unsettled() } else { BTreeSet::new() };
        // What is delivered anew stands in no lane.
        let in_lanes = self.bench.attempts.iter().filter(|start| start.key.generation.get() == 0);
        for start in in_lanes {
            let lane = start.event.body.ordering_key.clone();
            assert!(lanes.insert(lane.clone()), "two of lane {lane:?} are under way");
            let older = self.bench.events.range(..start.key.event).filter(|(key, event)| {
                event.body.ordering_key == lane
                    && !ended.contains(&DeliveryKey::first(**key, self.no))
            });
            assert_eq!(older.count(), 0, "an older one of lane {lane:?} has not ended");
            let of_lane = |event: &&EventKey| self.bench.events[event].body.ordering_key == lane;
            assert_eq!(unsettled.iter().find(of_lane), None, "lane {lane:?} is held");
        }
    }

    /// From any state everything ends once the receiver is well.
    fn finish(&mut self) {
        self.set(EndpointStatus::Active);
        for round in 0..2_000 {
            self.bench.commit();
            self.bench.load();
            self.end(0, true);
            self.check();
            if round % 50 == 0 {
                (0..self.dead().len()).for_each(|place| self.skip(place));
            }
            self.bench.pass(Duration::from_secs(1));
        }
        self.bench.commit();
        let first = |(key, _): &&(DeliveryKey, DeliveryState)| key.generation.get() == 0;
        let ended = self.bench.ended.iter().filter(first).count();
        assert_eq!(ended, self.bench.events.len(), "each event ended once");
        assert!(self.bench.pending.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_happens_a_lane_is_in_order_and_nothing_of_it_is_lost(
        steps in steps(), ready in 1usize..6, holds in any::<bool>()
    ) {
        let mut bench = Bench::with_limits(Limits { endpoint_ready: ready, ..Limits::default() });
        let hold = || contract("ordering = \"key\"\nafter_dead_letter = \"hold\"");
        bench.contract = holds.then(hold);
        let no = bench.add(|config| config.ordering = Some(Ordering::Key));
        let mut run = Run { bench, no, status: EndpointStatus::Active, skips: Vec::new() };
        for step in &steps.0 {
            run.step(step);
        }
        run.finish();
    }
}
