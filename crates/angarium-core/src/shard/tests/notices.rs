//! What people are told: once it is durable, once an incident, and again after a restart.

use super::*;
use crate::notice::{Fact, Kind, Notice};

/// The bench of an endpoint that is told to be failing at its third failure.
fn bench() -> Bench {
    let limits = Limits { failing_attempts: 3, dead_letter_notices: 3, ..Limits::default() };
    Bench::with_limits(limits)
}

/// The kinds told so far, which are then forgotten.
fn told(bench: &mut Bench) -> Vec<Kind> {
    bench.notices.drain(..).map(|notice| Kind::of(&notice)).collect()
}

/// Publishes, and ends each attempt at once.
fn deliver(bench: &mut Bench, times: usize, class: Class) {
    for _ in 0..times {
        bench.publish();
        bench.commit();
        bench.load();
        bench.end(class);
        bench.commit();
    }
}

fn no_retries(config: &mut EndpointConfig) {
    config.contract = "aleta".into();
    let retries = Some(RetrySpec::List(vec![]));
    config.delivery = Some(DeliveryOverride { timeout: None, retries });
}

/// The shard as it is made anew from what the store has of the endpoint.
fn restarted(bench: &mut Bench, no: EndpointNo) -> Bench {
    let queue = &bench.shard.queues[&no];
    let counters = bench.counters.get(&no).copied().unwrap_or(EndpointCounters {
        endpoint: no,
        sequence: 0,
        health: EndpointHealth::default(),
    });
    let mut new = Bench { now: bench.now, ..Bench::with_limits(bench.limits.clone()) };
    new.last_key = bench.last_key;
    new.shard.recover_tenant(TENANT, 0);
    new.shard.recover_endpoint(queue.endpoint.clone(), &counters, None, &[], bench.now);
    let now = new.now;
    new.act(|shard, fx| shard.begin(now, fx));
    new.counters = bench.counters.clone();
    new
}

#[test]
fn nothing_is_told_before_it_is_durable() {
    let mut bench = bench();
    bench.add(no_retries);
    deliver(&mut bench, 2, Class::ServerError);
    bench.notices.clear();
    bench.publish();
    bench.commit();
    bench.end(Class::ServerError);
    let batch = bench.shard.take_batch().expect("the record of the third failure");
    assert_eq!(bench.notices, [], "its commit is under way");
    let health = batch.checkpoint.as_ref().expect("counters").endpoints[0].health;
    assert_eq!(health.open_incident(), Some(T0), "the incident is in the same commit");
    bench.finish(&batch);
    assert!(told(&mut bench).contains(&Kind::EndpointFailing));
}

#[test]
fn an_incident_is_told_at_its_beginning_and_its_end_and_so_after_each_restart() {
    let mut bench = bench();
    let no = bench.add(no_retries);
    let incident = |kind: &Kind| {
        matches!(kind, Kind::EndpointFailing | Kind::EndpointRecovered | Kind::EndpointDisabled)
    };
    let incidents =
        |bench: &mut Bench| -> Vec<Kind> { told(bench).into_iter().filter(incident).collect() };
    deliver(&mut bench, 9, Class::ServerError);
    let first = bench.notices.iter().find(|notice| Kind::of(notice) == Kind::EndpointFailing);
    let first = first.expect("a notice").event(None, None).own_id;
    assert_eq!(incidents(&mut bench), [Kind::EndpointFailing]);

    let mut bench = restarted(&mut bench, no);
    assert_eq!(bench.notices.first().map(|n| n.event(None, None).own_id), Some(first), "same id");
    assert_eq!(incidents(&mut bench), [Kind::EndpointFailing]);
    bench.pass(Duration::from_secs(600));
    deliver(&mut bench, 1, Class::Success);
    assert_eq!(incidents(&mut bench), [Kind::EndpointRecovered]);
    let mut bench = restarted(&mut bench, no);
    assert_eq!(incidents(&mut bench), [Kind::EndpointRecovered]);
    bench.now = bench.now + Duration::from_secs(8 * 86_400);
    let mut bench = restarted(&mut bench, no);
    assert_eq!(incidents(&mut bench), [], "old trouble is not told again");
}

fn change(bench: &mut Bench, no: EndpointNo, change: impl FnOnce(&mut EndpointConfig)) {
    let mut config = bench.shard.queues[&no].endpoint.config.clone();
    config.version += 1;
    change(&mut config);
    let endpoint = bench.endpoint(|new| *new = config);
    let ticket = bench.ticket();
    bench.act(|shard, fx| shard.replace_endpoint(ticket, no, endpoint, Trace::default(), fx));
    bench.commit();
}

#[test]
fn a_disabled_endpoint_is_told_once_whatever_is_changed_of_it_afterwards() {
    let mut bench = bench();
    let no = bench.add(no_retries);
    change(&mut bench, no, |config| {
        config.status = EndpointStatus::Disabled;
        config.disabled_reason = Some("by a call".into());
        config.disabled_at = Some(T0);
    });
    let id = |notice: &Notice| notice.event(None, None).own_id;
    let first: Vec<_> = bench.notices.drain(..).collect();
    let [Notice { fact: Fact::Disabled { reason, .. }, .. }] = &first[..] else {
        panic!("{first:?}");
    };
    assert_eq!(&**reason, "by a call");
    change(&mut bench, no, |config| config.description = Some("it is being moved".into()));
    assert_eq!(bench.notices, []);
    let again = restarted(&mut bench, no).notices;
    assert_eq!(again.iter().map(id).collect::<Vec<_>>(), [id(&first[0])]);

    change(&mut bench, no, |config| config.status = EndpointStatus::Active);
    assert_eq!(told(&mut bench), []);
    bench.publish_many(2);
    assert_eq!(bench.drain().len(), 2);
    assert_eq!(told(&mut bench), [Kind::EndpointRecovered]);
}

#[test]
fn dead_letters_are_told_up_to_the_limit_and_counted_beyond_it() {
    let mut bench = bench();
    bench.add(no_retries);
    deliver(&mut bench, 500, Class::ServerError);
    let letters = |bench: &mut Bench| -> Vec<u64> {
        let fact = |notice: Notice| match notice.fact {
            Fact::DeadLetter(letter) => Some(letter.left_out),
            _ => None,
        };
        bench.notices.drain(..).filter_map(fact).collect()
    };
    assert_eq!(letters(&mut bench), [0, 0]);
    let look = |bench: &mut Bench| {
        let now = bench.now;
        bench.act(|shard, fx| shard.look_over(now, fx));
    };
    look(&mut bench);
    assert!(letters(&mut bench).is_empty());
    bench.pass(Duration::from_secs(60));
    look(&mut bench);
    assert_eq!(letters(&mut bench), [497]);
}

#[test]
fn a_backlog_of_an_endpoint_is_told_once_and_what_waits_for_the_node_is_the_node_s() {
    let mut bench = bench();
    bench.add(|config| {
        no_retries(config);
        config.concurrency = Some(1);
    });
    let look_for_a_while = |bench: &mut Bench| {
        let mut of_node = None;
        for _ in 0..400 {
            bench.now = bench.now + Duration::from_secs(1);
            let now = bench.now;
            of_node = bench.act(|shard, fx| shard.look_over(now, fx));
        }
        of_node
    };
    bench.publish_many(2);
    bench.commit();
    assert_eq!(look_for_a_while(&mut bench), None, "its only slot is taken by itself");
    assert_eq!(told(&mut bench), [Kind::BacklogGrowing]);
    bench.slots = 0;
    bench.end(Class::Success);
    bench.commit();
    assert_eq!(look_for_a_while(&mut bench), Some(T0), "it waits for the node alone");
    assert_eq!(told(&mut bench), []);
}
