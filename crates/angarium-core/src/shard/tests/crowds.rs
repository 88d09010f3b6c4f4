//! Attempts to many endpoints start in portions.

use super::*;

/// To so many endpoints attempts start at once.
const FEW: usize = 3;

impl Bench {
    /// So many endpoints, of which each carries two attempts at a time.
    fn with_endpoints(endpoints: usize) -> Self {
        let limits = Limits { start_endpoints: FEW, ..Limits::default() };
        let mut bench = Self::with_limits(limits);
        bench.contract = Some(contract(""));
        for _ in 0..endpoints {
            bench.add(|config| config.concurrency = Some(2));
        }
        bench
    }

    /// An event to so many endpoints.
    fn crowd(endpoints: usize) -> Self {
        let mut bench = Self::with_endpoints(endpoints);
        bench.publish();
        bench.commit();
        bench
    }

    /// Starts a portion and says to which endpoints.
    fn portion(&mut self, least: usize) -> Vec<i64> {
        assert!(std::mem::take(&mut self.crowded), "a portion waits");
        let now = self.now;
        self.act(|shard, fx| shard.start_portion(least, now, fx));
        self.started()
    }

    fn started(&mut self) -> Vec<i64> {
        self.attempts.drain(..).map(|start| start.key.endpoint.get()).collect()
    }

    /// Starts portions until none waits.
    fn portions(&mut self, least: usize) -> Vec<Vec<i64>> {
        let mut portions = Vec::new();
        while self.crowded {
            portions.push(self.portion(least));
        }
        portions
    }
}

#[test]
fn an_event_to_a_few_starts_at_once() {
    let mut bench = Bench::crowd(FEW);
    assert_eq!((bench.started(), bench.crowded), (vec![1, 2, 3], false));
}

#[test]
fn an_event_to_more_starts_in_portions_each_attempt_once() {
    let mut bench = Bench::crowd(FEW + 2);
    assert!(bench.started().is_empty());
    assert_eq!(bench.portions(2), [vec![1, 2], vec![3, 4], vec![5]]);
    bench.pass(Duration::from_secs(1));
    assert!(bench.started().is_empty() && !bench.crowded);
}

#[test]
fn endpoints_with_several_attempts_take_turns() {
    let mut bench = Bench::with_endpoints(4);
    bench.publish_many(2);
    bench.commit();
    assert_eq!(bench.portions(3), [vec![1, 1, 2], vec![3, 3, 4], vec![2, 4]]);
}

#[test]
fn many_events_to_a_few_endpoints_each_start_at_once_however_many_endpoints_that_are() {
    let mut bench = Bench::with_endpoints(8);
    for no in 1..=8 {
        bench.publish_for(None, Audience::Only(vec![EndpointNo::new(no)]));
    }
    bench.commit();
    assert_eq!((bench.started().len(), bench.crowded), (8, false));
}

#[test]
fn many_records_of_one_endpoint_make_no_crowd() {
    let mut bench = Bench::with_endpoints(0);
    bench.add(|config| config.concurrency = Some(4));
    bench.publish_many(8);
    bench.commit();
    for start in std::mem::take(&mut bench.attempts) {
        bench.outcome(&start, Class::Success);
    }
    bench.commit();
    assert_eq!((bench.started().len(), bench.crowded), (4, false));
}

#[test]
fn an_event_to_one_goes_by_an_event_to_many_in_the_same_commit_and_in_a_later_one() {
    let mut bench = Bench::with_endpoints(5);
    bench.publish_for(None, Audience::Only((1..=4).map(EndpointNo::new).collect()));
    bench.publish_for(None, Audience::Only(vec![EndpointNo::new(5)]));
    bench.commit();
    assert_eq!(bench.started(), [5]);
    bench.publish_for(None, Audience::Only(vec![EndpointNo::new(4)]));
    bench.commit();
    assert_eq!(bench.started(), [4, 4], "and takes what waits before it along");
    assert_eq!(bench.portions(8).concat(), [1, 2, 3]);
}

#[test]
fn an_endpoint_waits_for_one_turn_however_much_is_sent_to_it() {
    let mut bench = Bench::crowd(5);
    bench.publish();
    bench.commit();
    assert_eq!(bench.shard.crowd.len(), 5);
}

#[test]
fn a_record_of_one_that_waits_its_turn_starts_no_more_of_it() {
    let mut bench = Bench::with_endpoints(5);
    bench.publish_many(2);
    bench.commit();
    let now = bench.now;
    bench.act(|shard, fx| shard.start_portion(1, now, fx));
    assert_eq!(bench.end(Class::Success).endpoint, EndpointNo::new(1));
    bench.commit();
    assert!(bench.started().is_empty());
    assert_eq!(bench.portions(8).concat().len(), 9);
}

#[test]
fn what_many_loads_bring_starts_in_portions() {
    let mut bench = Bench::with_endpoints(5);
    for no in 1..=5 {
        bench.set_status(EndpointNo::new(no), EndpointStatus::Paused);
    }
    bench.publish();
    bench.commit();
    for no in 1..=5 {
        bench.set_status(EndpointNo::new(no), EndpointStatus::Active);
    }
    assert_eq!(bench.loads.len(), 5);
    bench.load();
    assert_eq!(bench.started(), [3, 4, 5], "few loads are under way by then");
    assert_eq!(bench.portions(8).concat(), [1, 2]);
}

#[test]
fn many_retries_that_are_due_at_the_same_time_start_in_portions() {
    let mut bench = Bench::crowd(5);
    bench.crowded = false;
    let now = bench.now;
    bench.act(|shard, fx| shard.start_portion(5, now, fx));
    for start in std::mem::take(&mut bench.attempts) {
        bench.outcome(&start, Class::ServerError);
    }
    bench.commit();
    bench.pass(Duration::from_secs(5));
    assert!(bench.started().is_empty());
    assert_eq!(bench.portions(4).concat().len(), 5);
}

#[test]
fn what_waits_its_turn_is_paused_and_deleted_like_all_that_waits() {
    let mut bench = Bench::crowd(5);
    assert_eq!(bench.portion(2), [1, 2]);
    bench.set_status(EndpointNo::new(3), EndpointStatus::Paused);
    bench.delete(EndpointNo::new(4));
    bench.crowded = true;
    assert_eq!(bench.portions(2).concat(), [5]);
    bench.set_status(EndpointNo::new(3), EndpointStatus::Active);
    bench.load();
    assert_eq!(bench.started(), [3]);
}

#[test]
fn what_waits_its_turn_can_be_cancelled() {
    let mut bench = Bench::crowd(4);
    let key = DeliveryKey::first(bench.last_key, EndpointNo::new(2));
    let ((ticket, action), now) = (bench.action(key), bench.now);
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    bench.commit();
    assert_eq!(bench.reply_to(ticket), Some(&Reply::Delivery(key)));
    assert_eq!(bench.portions(1).concat(), [1, 3, 4]);
}

#[test]
fn what_finds_no_slot_when_its_turn_comes_starts_when_one_is_free() {
    let mut bench = Bench::crowd(5);
    bench.slots = 2;
    assert_eq!(bench.portions(8).concat(), [1, 2]);
    for (slots, started) in [(1, vec![3]), (4, vec![4, 5])] {
        bench.slots = slots;
        let now = bench.now;
        bench.act(|shard, fx| shard.use_slots(now, fx));
        assert_eq!((bench.started(), bench.crowded), (started, false));
    }
}

#[test]
fn many_that_find_slots_again_start_in_portions_and_no_more_wait_their_turn_than_there_are_slots() {
    let mut bench = Bench::crowd(8);
    bench.slots = 0;
    assert!(bench.portions(8).concat().is_empty());
    bench.slots = 5;
    let now = bench.now;
    bench.act(|shard, fx| shard.use_slots(now, fx));
    assert!(bench.started().is_empty());
    assert_eq!(bench.portions(2), [vec![1, 2], vec![3, 4], vec![]], "the tenant leaves one free");
}

#[test]
fn the_more_wait_the_greater_are_the_portions() {
    let mut bench = Bench::with_endpoints(500);
    bench.slots = 10_000;
    bench.publish_many(2);
    bench.commit();
    let portions = bench.portions(1);
    assert!(portions[..50].iter().all(|portion| portion.len() == 4));
    assert!(portions[50..100].iter().all(|portion| portion.len() == 3), "800 were left");
    assert_eq!(portions.concat().len(), 1_000);
}
