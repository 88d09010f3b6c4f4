//! Work in the background, and the figures that show what waits.

use super::Harness;
use super::world::{World, at, begun, delivered, event, with_own_id};
use crate::read::Usage;
use angarium_core::batch::{DeliveryWrite, FanoutStart, ShardBatch};
use std::sync::Arc;

/// A publisher's own id names one event of its tenant, indexed or not.
pub async fn own_ids_are_found_in_the_tail_and_in_the_index(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let first = world.publish(with_own_id(event(tenant, 1, &[]), "order-1"), at(10)).await;
    let theirs = world.publish(with_own_id(event(other, 1, &[]), "order-1"), at(11)).await;
    world.publish(event(tenant, 2, &[]), at(12)).await;
    let find = async |tenant, id| world.store.find_own_id(tenant, id).await.expect("read");
    let tail = world.store.own_id_tail().await.expect("read");
    assert_eq!(tail, [(tenant, "order-1".into(), first), (other, "order-1".into(), theirs)]);
    for _ in ["in the tail", "in the index"] {
        assert_eq!(find(tenant, "order-1").await, Some(first));
        assert_eq!(find(other, "order-1").await, Some(theirs));
        assert_eq!(find(tenant, "order-2").await, None);
        world.index_all().await;
    }
    assert!(world.store.own_id_tail().await.expect("read").is_empty());
    let years = 1_000 * 86_400 * 400;
    let later = world.publish(with_own_id(event(tenant, 3, &[]), "order-3"), at(years)).await;
    world.index_all().await;
    assert_eq!(find(tenant, "order-3").await, Some(later));
    assert_eq!(find(tenant, "order-1").await, Some(first), "in an older slice");
}

/// A step does a part, says how far it came, and that there is more.
pub async fn upkeep_goes_in_bounded_steps(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let mut batch = world.batch(tenant);
    batch.events = (1..=1_500).map(|sequence| event(tenant, sequence, &[])).collect();
    let keys = world.commit(batch, at(10)).await.events;
    let step = async || world.store.upkeep(at(20)).await.expect("upkeep");
    let first = step().await;
    assert!(first.more);
    assert_eq!(first.own_ids_indexed_upto, keys[999], "1,000 rows");
    let second = step().await;
    assert_eq!(second.own_ids_indexed_upto, keys[1_499]);
    assert!(!second.more);
    assert_eq!(step().await, second, "nothing is left");
}

/// Each tenant's, as rows come and go, whoever else has some.
pub async fn usage_follows_what_is_stored_and_what_waits(harness: &dyn Harness) {
    let mut world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let no = world.endpoint(tenant, 1).await;
    let waits = |sequence| {
        let due = Some(at(600));
        begun(event(tenant, sequence, &[no]), FanoutStart::Pending { due })
    };
    let bytes = waits(1).body.data.len() as u64;
    let first = world.publish(waits(1), at(10)).await;
    world.publish(waits(2), at(11)).await;
    world.publish(event(other, 1, &[]), at(12)).await;
    let usage = |tenant| world.store.usage(tenant);
    assert_eq!(usage(tenant), Usage { pending: 2, bytes: 2 * bytes });
    assert_eq!(usage(other), Usage { pending: 0, bytes });
    world.record(tenant, DeliveryWrite { has_row: true, ..delivered(first, no) }).await;
    assert_eq!(usage(tenant), Usage { pending: 1, bytes: 2 * bytes });
    world.index_all().await;
    assert_eq!(usage(tenant), Usage { pending: 1, bytes: 2 * bytes }, "it is written once");
    let old = world.batch(tenant);
    world.claim_all().await;
    let stale = ShardBatch { events: vec![waits(3)], ..old };
    world.store.commit(Arc::new(vec![stale]), at(13)).await.expect("an answer");
    assert_eq!(world.store.usage(tenant).bytes, 2 * bytes, "what was refused is nobody's");
}

/// Counted as rows come and go.
pub async fn the_depth_counts_what_waits(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    for (sequence, due) in [(1, Some(at(700))), (2, Some(at(600))), (3, None)] {
        let waits = begun(event(tenant, sequence, &[no]), FanoutStart::Pending { due });
        world.publish(waits, at(10)).await;
    }
    world.store.ping(at(20)).await.expect("it writes");
    let depth = world.store.depth(at(20)).await.expect("a depth");
    assert_eq!((depth.pending, depth.events), (3, 3));
    assert_eq!(depth.oldest_due, Some(at(600)));
    for (most, counted) in [(2, 2), (3, 3), (4, 3)] {
        assert_eq!(world.store.waiting(no, most).await.expect("a count"), counted);
    }
}
