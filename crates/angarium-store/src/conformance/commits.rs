//! Batches: keys, epochs, repetition, checkpoints.

use super::Harness;
use super::world::{World, at, begun, delivered, event, failed};
use angarium_core::batch::{BatchResult, Checkpoint, FanoutStart};
use angarium_core::endpoint::{EndpointCounters, EndpointHealth};
use angarium_core::event::DataKind;
use angarium_core::id::{DeliveryKey, Epoch, EventKey, ShardId};
use angarium_core::outcome::Class;
use bytes::Bytes;
use std::sync::Arc;

/// Keys rise in the order of commits, over all shards and when the clock goes back.
pub async fn keys_rise_in_commit_order_across_shards(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let mut keys = Vec::new();
    for (round, now) in [(1, at(100)), (2, at(90)), (3, at(200))] {
        let batches = world.tenants.map(|tenant| {
            let mut batch = world.batch(tenant);
            batch.events = vec![event(tenant, round, &[]), event(tenant, round + 10, &[])];
            batch
        });
        for result in world.store.commit(Arc::new(batches.into()), now).await.expect("committed") {
            let BatchResult::Committed(done) = result else { panic!("{result:?}") };
            assert_eq!(done.events.last(), Some(&done.high_water));
            keys.extend(done.events);
        }
    }
    assert_eq!(keys.len(), 12);
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
    assert_eq!(keys[8].time(), at(200));
}

/// A batch of an earlier owner is refused, and others in the same commit are not.
pub async fn a_stale_epoch_rejects_only_its_own_batch(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let batches = world.tenants.map(|tenant| {
        let mut batch = world.batch(tenant);
        batch.events.push(event(tenant, 1, &[]));
        batch
    });
    let claimed = world.store.claim(&[batches[0].shard], at(1)).await.expect("claimed");
    assert_eq!(claimed[0].1, Epoch::new(batches[0].epoch.get() + 1));
    let results = world.store.commit(Arc::new(batches.into()), at(2)).await.expect("committed");
    assert_eq!(results[0], BatchResult::StaleEpoch);
    assert!(matches!(&results[1], BatchResult::Committed(done) if done.events.len() == 1));
    let page = world.store.events(&world.events()).await.expect("a page");
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].event.tenant, world.tenants[1]);
}

/// What was committed and is committed again, because its answer was lost, changes nothing.
pub async fn a_repeated_batch_changes_nothing(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let first = world.publish(event(tenant, 1, &[no]), at(10)).await;
    let second = world.publish(event(tenant, 2, &[no]), at(11)).await;
    let mut batch = world.batch(tenant);
    batch.deliveries = vec![delivered(first, no), failed(second, no, at(900))];
    batch.checkpoint =
        Some(Checkpoint { upto: second, tenants: vec![(tenant, 2)], endpoints: Vec::new() });
    world.commit(batch.clone(), at(50)).await;
    let before = (world.all(world.deliveries()).await, world.pending().await);
    world.commit(batch, at(60)).await;
    assert_eq!((world.all(world.deliveries()).await, world.pending().await), before);
    assert_eq!(before.1, 1);
    assert_eq!(world.delivery(DeliveryKey::first(second, no)).await.attempts.len(), 1);
}

/// Data is kept byte for byte, and every other word of the publisher.
pub async fn an_event_reads_back_as_it_was_published(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let mut write = event(tenant, 7, &[no]);
    let body = Arc::make_mut(&mut write.body);
    body.own_id = Some("order-17".into());
    body.time = Some("2023-03-15T12:46Z".into());
    body.subject = Some("ä".into());
    body.ordering_key = Some("k".into());
    body.attributes = vec![("b".into(), "1".into()), ("a".into(), "".into())];
    body.data = Bytes::from_static(&[0, 255, b'{']);
    body.data_kind = DataKind::Binary;
    let key = world.publish(write.clone(), at(11)).await;
    let row = world.store.event(tenant, key).await.expect("read").expect("an event");
    assert_eq!((row.event.key, row.event.tenant, row.event.sequence), (key, tenant, 7));
    assert_eq!(row.event.accepted_at, write.accepted_at);
    assert_eq!(row.event.body, write.body);
    assert_eq!(row.fanout, [(no, 7)]);
    let other = world.store.event(world.tenants[1], key).await.expect("read");
    assert!(other.is_none(), "another tenant's event is not found");
}

/// A checkpoint brings back what lives in memory, and an older one takes nothing back.
pub async fn a_checkpoint_keeps_counters_and_never_goes_back(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let waits = begun(event(tenant, 1, &[no]), FanoutStart::Pending { due: None });
    let upto = world.publish(waits, at(10)).await;
    let counters = EndpointCounters {
        endpoint: no,
        sequence: 9,
        health: EndpointHealth {
            consecutive_failures: 3,
            dead_in_a_row: 2,
            last_success_at: Some(at(5)),
            last_failure_at: Some(at(6)),
            last_failure_class: Some(Class::Redirect),
            last_failure_status: Some(302),
            failing_since: Some(at(4)),
            incident: Some(at(3)),
        },
    };
    for (upto, sequence) in [(upto, 12), (EventKey::ZERO, 4)] {
        let mut batch = world.batch(tenant);
        batch.checkpoint =
            Some(Checkpoint { upto, tenants: vec![(tenant, sequence)], endpoints: vec![counters] });
        world.commit(batch, at(20)).await;
    }
    let state = world.shard(tenant).await;
    assert_eq!((state.shard, state.checkpoint), (ShardId::of(tenant), upto));
    assert_eq!(state.tenants, [(tenant, 12)]);
    assert_eq!(state.endpoints[0].counters, counters);
    assert!(state.endpoints[0].parked && state.endpoints[0].next_due.is_none());
}
