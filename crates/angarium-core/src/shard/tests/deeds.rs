//! What the audit log is told of, by the machine itself and of what stays in memory.

use super::*;
use crate::audit::{Action, Actor, Author, Deed, Place};

#[test]
fn an_endpoint_that_is_switched_off_by_its_health_is_the_servers_deed() {
    let mut bench = Bench::new();
    bench.contract = Some(contract("[health]\ndisable_after = { failed_deliveries = 1 }"));
    let no = bench.add(|_| {});
    bench.publish();
    bench.commit();
    for wait in [5, 25] {
        bench.end(Class::ServerError);
        bench.commit();
        bench.pass(Duration::from_secs(wait));
        bench.load();
    }
    bench.end(Class::ServerError);
    let mut told = Vec::new();
    while let Some(batch) = bench.shard.take_batch() {
        told.extend(batch.endpoints.iter().filter_map(|write| match write {
            EndpointWrite::Replace { no: changed, trace, .. } => {
                assert_eq!(*changed, no);
                trace.deed.clone()
            }
            _ => None,
        }));
        bench.finish(&batch);
    }
    let [deed] = &told[..] else { panic!("one deed: {told:?}") };
    assert_eq!((deed.action, deed.place), (Action::EndpointDisable, Place::Tenant(TENANT)));
    assert_eq!(deed.author.actor, Actor::Server);
    let changes = serde_json::to_string(&deed.changes).expect("prints");
    let status = r#"{"member":"status","old":"active","new":"disabled"}"#;
    assert!(changes.contains(status), "{changes}");
}

#[test]
fn a_cancel_of_what_is_in_flight_is_told_although_no_row_changes_yet() {
    let mut bench = Bench::new();
    bench.add(|_| {});
    bench.publish();
    bench.commit();
    let key = bench.attempts[0].key;
    let deed = Deed::new(Author::SERVER, Action::DeliveryCancel, Place::Tenant(TENANT), &key);
    let action = DeliveryAction { tenant: TENANT, key, trace: Trace::of(deed) };
    let (ticket, now) = (bench.ticket(), bench.now);
    bench.act(|shard, fx| shard.cancel(ticket, action, now, fx));
    let batch = bench.shard.take_batch().expect("something to write");
    assert_eq!((batch.cancelled.len(), batch.actions.len()), (1, 0));
    bench.finish(&batch);
    assert_eq!(bench.reply_to(ticket), Some(&Reply::Delivery(key)));
}
