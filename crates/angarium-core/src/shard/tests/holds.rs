//! Lanes that stand still after a dead letter.

use super::*;

/// A bench whose dead letters hold their lanes, with the first of two in lane `a` dead.
fn held() -> (Bench, EndpointNo, DeliveryKey) {
    let mut bench = Bench::new();
    bench.contract = Some(contract("ordering = \"key\"\nafter_dead_letter = \"hold\""));
    let no = bench.add(|config| config.ordering = None);
    bench.publish_in("a");
    bench.publish_in("a");
    bench.commit();
    for wait in [5, 25] {
        bench.end(Class::ServerError);
        bench.commit();
        bench.pass(Duration::from_secs(wait));
    }
    let dead = bench.end(Class::ServerError);
    bench.commit();
    (bench, no, dead)
}

fn skip(bench: &mut Bench, key: DeliveryKey) -> Reply {
    let (ticket, now) = (bench.ticket(), bench.now);
    let action = DeliveryAction { tenant: TENANT, key, trace: Trace::default() };
    bench.act(|shard, fx| shard.skip(ticket, action, now, fx));
    bench.commit();
    bench.load();
    bench.reply_to(ticket).cloned().expect("a reply")
}

fn redeliver(bench: &mut Bench, key: DeliveryKey) {
    let (ticket, now) = (bench.ticket(), bench.now);
    let action = DeliveryAction { tenant: TENANT, key, trace: Trace::default() };
    bench.act(|shard, fx| shard.retry(ticket, action, Seen::Ended, now, fx));
    bench.commit();
    bench.load();
}

fn holder(bench: &Bench, no: EndpointNo) -> Option<DeliveryKey> {
    bench.shard.holder(no, Lane::of_key("a"))
}

#[test]
fn a_dead_letter_holds_its_lane_and_no_other_and_what_comes_later_waits_in_the_store() {
    let (mut bench, no, dead) = held();
    assert_eq!(holder(&bench, no), Some(dead));
    for key in ["a", "b", "a"] {
        bench.publish_in(key);
    }
    bench.commit();
    bench.pass(Duration::from_secs(3600));
    bench.load();
    let keys = bench.attempts.iter().map(|start| start.event.body.ordering_key.as_deref());
    assert_eq!(keys.collect::<Vec<_>>(), [Some("b")]);
    assert_eq!(bench.pending.len(), 3, "what waits in the lane takes up no memory");
    assert_eq!(bench.shard.queues[&no].lanes.behind(), 0);
}

#[test]
fn a_skipped_dead_letter_lets_its_lane_go_on_in_order_and_cannot_be_skipped_twice() {
    let (mut bench, no, dead) = held();
    bench.publish_in("a");
    bench.commit();
    assert_eq!(skip(&mut bench, dead), Reply::Delivery(dead));
    assert_eq!(holder(&bench, no), None);
    assert!(bench.holds.is_empty());
    let sent = bench.drain();
    assert_eq!(sent.len(), 2);
    assert!(sent.is_sorted());
    assert!(matches!(skip(&mut bench, dead), Reply::Refused(_)));
}

#[test]
fn a_redelivery_lets_the_lane_go_on_when_it_arrives_and_not_before() {
    let (mut bench, no, dead) = held();
    redeliver(&mut bench, dead);
    let again = bench.attempts[0].key;
    assert_eq!((again.event, again.generation.get()), (dead.event, 1));
    bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(holder(&bench, no), Some(dead));
    bench.pass(Duration::from_secs(5));
    bench.end(Class::Success);
    assert_eq!(bench.attempts.len(), 0, "not before the record is committed");
    bench.commit();
    bench.load();
    assert_eq!(holder(&bench, no), None);
    assert!(bench.holds.is_empty());
    assert!(bench.attempts[0].key.event > dead.event);
}

#[test]
fn a_lane_is_still_held_after_a_restart() {
    let (mut bench, no, dead) = held();
    // This one has no row yet when the process dies.
    bench.publish_in("a");
    bench.commit();
    bench.restart_with(&[(no, EndpointStatus::Active)], &[dead], &Ordering::Key);
    bench.load();
    bench.commit();
    assert_eq!(holder(&bench, no), Some(dead));
    assert!(bench.attempts.is_empty());
    assert_eq!(skip(&mut bench, dead), Reply::Delivery(dead));
    let sent = bench.drain();
    assert_eq!(sent.len(), 2);
    assert!(sent.is_sorted());
}

#[test]
fn what_a_person_ends_holds_nothing() {
    let mut bench = Bench::new();
    bench.contract = Some(contract("ordering = \"key\"\nafter_dead_letter = \"hold\""));
    let no = bench.add(|config| config.ordering = None);
    bench.publish_in("a");
    bench.publish_in("a");
    bench.commit();
    let head = bench.attempts[0].key;
    let (ticket, now) = (bench.ticket(), bench.now);
    let action = DeliveryAction { tenant: TENANT, key: head, trace: Trace::default() };
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    bench.end(Class::ServerError);
    bench.commit();
    assert_eq!(holder(&bench, no), None);
    assert!(bench.attempts[0].key.event > head.event);
}
