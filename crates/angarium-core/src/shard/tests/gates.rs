//! Gates and shares, in the machine.

use super::*;
use crate::gate::BreakerRule;
use crate::rate::{RateLimit, RateSpec};

impl Bench {
    /// Makes an endpoint whose gate keeps to other rules.
    fn add_gated(&mut self, change: impl FnOnce(&mut Endpoint)) -> EndpointNo {
        let mut endpoint = (*self.endpoint(|_| {})).clone();
        change(&mut endpoint);
        let ticket = self.ticket();
        self.act(|shard, fx| {
            shard.create_endpoint(ticket, Arc::new(endpoint), None, Trace::default(), fx)
        });
        self.commit();
        EndpointNo::new(self.last_endpoint)
    }

    fn end_and_commit(&mut self, class: Class) {
        self.end(class);
        self.commit();
    }

    fn died(&self) -> usize {
        self.ended.iter().filter(|(_, state)| *state == DeliveryState::Dead).count()
    }

    /// Attempts under way, by whether they are the first tenant's.
    fn under_way(&self) -> (usize, usize) {
        let of = |tenant| move |start: &&Start| start.endpoint.config.tenant == tenant;
        let count = |tenant| self.attempts.iter().filter(of(tenant)).count();
        (count(TENANT), count(OTHER))
    }
}

#[test]
fn what_waits_for_an_endpoint_that_is_down_keeps_its_retries() {
    let mut bench = Bench::new();
    let rule =
        BreakerRule { failures: 2, wait: Duration::from_secs(5), cap: Duration::from_secs(60) };
    bench.add_gated(|endpoint| {
        (endpoint.gate.window, endpoint.gate.breaker) = (1, Some(rule));
    });
    bench.publish_many(20);
    bench.commit();
    (0..2).for_each(|_| bench.end_and_commit(Class::Unreachable));
    assert!(bench.attempts.is_empty(), "it is left alone");
    for _ in 0..5 {
        bench.pass(Duration::from_secs(60));
        assert_eq!(bench.attempts.len(), 1, "one probe at a time");
        bench.end_and_commit(Class::Unreachable);
    }
    let attempts = |row: &Row| row.2;
    let tried: u16 = bench.pending.values().map(attempts).sum();
    assert_eq!(tried, 7, "each attempt was a probe, or before");
    bench.pass(Duration::from_secs(60));
    bench.end_and_commit(Class::Success);
    assert_eq!(bench.drain().len() + 1 + bench.died(), 20);
}

#[test]
fn a_gate_knows_of_an_attempt_whose_record_has_to_wait_for_the_next_commit() {
    let mut bench = Bench::with_limits(Limits { commit_deliveries: 1, ..Limits::default() });
    let wait = Duration::from_secs(5);
    let rule = BreakerRule { failures: 2, wait, cap: wait };
    bench.add_gated(|endpoint| {
        (endpoint.gate.window, endpoint.gate.breaker) = (3, Some(rule));
    });
    bench.publish_many(5);
    bench.commit();
    assert_eq!(bench.attempts.len(), 3);
    (0..2).for_each(|_| {
        bench.end(Class::Unreachable);
    });
    let batch = bench.shard.take_batch().expect("the first of them is recorded");
    bench.finish(&batch);
    assert_eq!(bench.attempts.len(), 1, "none begins in the place of the first");
}

#[test]
fn an_endpoint_s_rate_is_kept_and_what_it_holds_follows_by_the_clock() {
    let mut bench = Bench::new();
    let limit = RateLimit::try_new(RateSpec { per_second: 10.0, burst: Some(3) }).expect("one");
    bench.add_gated(|endpoint| endpoint.gate.rate = Some(limit));
    bench.publish_many(10);
    bench.commit();
    assert_eq!(bench.attempts.len(), 3);
    for sent in 4..=10 {
        bench.pass(Duration::from_millis(100));
        assert_eq!(bench.attempts.len(), sent);
    }
    assert_eq!(bench.shard.wake_at(), None, "nothing is held any more");
}

#[test]
fn a_resumed_endpoint_gets_its_backlog_slowly_at_first() {
    let mut bench = Bench::new();
    let no = bench.add(|_| {});
    bench.set_status(no, EndpointStatus::Paused);
    bench.publish_many(200);
    bench.commit();
    bench.set_status(no, EndpointStatus::Active);
    let mut seconds = Vec::new();
    while bench.ended.len() < 200 {
        let (before, end) = (bench.ended.len(), bench.now + Duration::from_secs(1));
        while bench.now < end {
            bench.commit();
            bench.load();
            while !bench.attempts.is_empty() {
                bench.end_and_commit(Class::Success);
            }
            bench.pass(Duration::from_millis(10));
        }
        seconds.push(bench.ended.len() - before);
    }
    assert!(seconds[0] <= 20 && seconds[1] <= 25 && seconds.len() <= 8, "{seconds:?}");
}

#[test]
fn a_tenant_that_wants_every_slot_leaves_some_for_the_next() {
    let mut bench = Bench::new();
    bench.slots = 10;
    bench.add(|_| {});
    bench.add(|config| config.tenant = OTHER);
    bench.flood(TENANT, 50);
    bench.commit();
    assert_eq!((bench.under_way(), bench.slots), ((8, 0), 2));
    bench.flood(OTHER, 50);
    bench.commit();
    assert_eq!((bench.under_way(), bench.slots), ((8, 2), 0));
}

#[test]
fn endpoints_that_hang_leave_slots_to_one_of_their_tenant_that_does_not() {
    let mut bench = Bench::new();
    bench.slots = 1_000;
    for _ in 0..20 {
        bench.add(|_| {});
    }
    bench.publish_many(50);
    bench.commit();
    let hanging = bench.attempts.len();
    assert!((700..760).contains(&hanging), "{hanging}");
    let well = bench.add(|_| {});
    for _ in 0..50 {
        bench.publish();
        bench.commit();
        let of_well = |start: &Start| start.key.endpoint == well;
        let place = bench.attempts.iter().position(of_well);
        let start = bench.attempts.remove(place.expect("it is served at once"));
        bench.outcome(&start, Class::Success);
        bench.commit();
        bench.slots += 1;
    }
}

#[test]
fn slots_that_become_free_go_round_the_endpoints() {
    let mut bench = Bench::new();
    bench.slots = 0;
    for _ in 0..4 {
        bench.add(|config| config.concurrency = Some(1));
    }
    bench.publish();
    bench.commit();
    let mut served = Vec::new();
    for _ in 0..4 {
        bench.slots = 1;
        let now = bench.now;
        bench.act(|shard, fx| shard.use_slots(now, fx));
        served.extend(bench.attempts.drain(..).map(|start| start.key.endpoint.get()));
    }
    assert_eq!(served, [1, 2, 3, 4]);
}

#[test]
fn a_tick_ends_although_a_gate_s_wait_is_no_whole_number_of_milliseconds() {
    let mut bench = Bench::new();
    // Three quarters of it are 3750.75 ms.
    let wait = Duration::from_millis(5_001);
    let rule = BreakerRule { failures: 1, wait, cap: wait };
    bench.add_gated(|endpoint| endpoint.gate.breaker = Some(rule));
    bench.publish_many(2);
    bench.commit();
    bench.end_and_commit(Class::Unreachable);
    (0..3_751).for_each(|_| bench.pass(Duration::from_millis(1)));
    assert!(!bench.attempts.is_empty(), "the probe has gone");
}
