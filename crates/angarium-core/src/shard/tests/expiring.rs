//! What waits although its event's payload is of age is given up.

use super::*;
use crate::delivery::EndReason;
use crate::id::EventId;
use crate::notice::{DeadLetter, Fact};

fn expire(bench: &mut Bench, key: DeliveryKey) -> Reply {
    let (ticket, now) = (bench.ticket(), bench.now);
    let letter = Box::new(DeadLetter {
        delivery: key,
        event: EventId::Made(key.event),
        event_type: "a.b".into(),
        attempts: 0,
        reason: EndReason::Expired.as_str(),
        last: None,
        left_out: 0,
    });
    let expiry = Expiry { tenant: TENANT, letter };
    bench.act(|shard, fx| shard.expire(ticket, expiry, now, fx));
    bench.commit();
    bench.load();
    bench.reply_to(ticket).cloned().expect("a reply")
}

fn told(bench: &Bench, key: DeliveryKey) -> bool {
    let is_of = |notice: &Notice| match &notice.fact {
        Fact::DeadLetter(letter) => letter.delivery == key,
        _ => false,
    };
    bench.notices.iter().any(is_of)
}

#[test]
fn what_waits_in_memory_or_in_a_row_becomes_a_dead_letter_that_is_told() {
    let mut bench = Bench::new();
    bench.add(|config| config.concurrency = Some(1));
    bench.publish_many(2);
    bench.commit();
    let failed = bench.end(Class::ServerError);
    bench.commit();
    bench.attempts.clear();
    assert_eq!(expire(&mut bench, failed), Reply::Delivery(failed), "it waits for its retry");
    assert_eq!(bench.ended, [(failed, DeliveryState::Dead)]);
    assert!(told(&bench, failed));
    assert!(bench.pending.is_empty());
    bench.pass(Duration::from_secs(60));
    assert!(bench.attempts.iter().all(|start| start.key != failed), "nothing follows");
}

#[test]
fn an_attempt_under_way_is_the_last_one() {
    for (class, ended) in
        [(Class::ServerError, DeliveryState::Dead), (Class::Success, DeliveryState::Delivered)]
    {
        let mut bench = Bench::new();
        bench.add(|_| {});
        bench.publish();
        bench.commit();
        let key = bench.attempts[0].key;
        assert_eq!(expire(&mut bench, key), Reply::Delivery(key));
        assert!(bench.ended.is_empty(), "not before its attempt has ended");
        bench.end(class);
        bench.commit();
        assert_eq!(bench.ended, [(key, ended)]);
        assert_eq!(told(&bench, key), ended == DeliveryState::Dead);
        bench.pass(Duration::from_secs(60));
        assert!(bench.drain().is_empty());
    }
}

#[test]
fn the_head_of_a_lane_holds_it_where_dead_letters_do() {
    for (policy, is_held) in [("\nafter_dead_letter = \"hold\"", true), ("", false)] {
        let mut bench = Bench::new();
        bench.contract = Some(contract(&format!("ordering = \"key\"{policy}")));
        let no = bench.add(|config| config.ordering = None);
        bench.publish_in("a");
        bench.publish_in("a");
        bench.commit();
        let head = bench.end(Class::ServerError);
        bench.commit();
        expire(&mut bench, head);
        assert_eq!(bench.shard.holder(no, Lane::of_key("a")).is_some(), is_held, "{policy}");
        bench.pass(Duration::from_secs(60));
        bench.load();
        assert_eq!(bench.attempts.is_empty(), is_held, "the next one goes, or waits");
    }
}

#[test]
fn what_is_of_nobody_or_has_ended_is_refused() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    let key = bench.end(Class::Success);
    bench.commit();
    let refused =
        |reply: &Reply, code: Code| matches!(reply, Reply::Refused(no) if no.code == code);
    let reply = expire(&mut bench, key);
    assert!(refused(&reply, Code::Conflict), "{reply:?}");
    let nowhere = DeliveryKey { endpoint: EndpointNo::new(99), ..key };
    let reply = expire(&mut bench, nowhere);
    assert!(refused(&reply, Code::NotFound), "{reply:?}");
    assert_eq!(bench.ended, [(key, DeliveryState::Delivered)]);
}
