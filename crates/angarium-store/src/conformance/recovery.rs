//! What an owner reads when it takes over, and when its memory has room again.

use super::Harness;
use super::world::{World, at, begun, delivered, event, failed};
use angarium_core::batch::{Checkpoint, FanoutStart};
use angarium_core::id::{DeliveryKey, EventKey, ShardId};

/// Above the checkpoint each event comes once, with those of its endpoints that have a row.
pub async fn recovery_lists_what_has_no_row_above_the_checkpoint(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let endpoints = [1, 2, 3].map(|random| world.endpoint(tenant, random));
    let mut numbers = Vec::new();
    for endpoint in endpoints {
        numbers.push(endpoint.await);
    }
    let mut keys = Vec::new();
    for sequence in 1..=4 {
        keys.push(world.publish(event(tenant, sequence, &numbers), at(10)).await);
        world.publish(event(other, sequence, &[]), at(10)).await;
    }
    world.record(tenant, delivered(keys[2], numbers[0])).await;
    world.record(tenant, failed(keys[2], numbers[2], at(900))).await;
    let mut batch = world.batch(tenant);
    batch.checkpoint = Some(Checkpoint { upto: keys[1], ..Checkpoint::default() });
    world.commit(batch, at(60)).await;
    let wanted = [(ShardId::of(tenant), keys[1])];
    let mut found = Vec::new();
    let mut after = EventKey::ZERO;
    loop {
        let (events, next) = world.store.events_above(&wanted, after, 1).await.expect("read");
        assert!(events.len() <= 1);
        found.extend(events);
        let Some(next) = next else { break };
        after = next;
    }
    let found_keys: Vec<_> = found.iter().map(|event| event.event.key).collect();
    assert_eq!(found_keys, keys[2..]);
    let mut recorded = found[0].recorded.clone();
    recorded.sort_unstable();
    assert_eq!(recorded, [numbers[0], numbers[2]]);
    assert!(found[1].recorded.is_empty());
    assert_eq!(found[1].fanout.len(), 3);
}

/// A refill brings what is due and not held, and says when to come again.
pub async fn a_refill_skips_what_memory_holds_and_tells_the_next_due_time(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let mut keys = Vec::new();
    for (sequence, due) in [(1, 400), (2, 100), (3, 200), (4, 300)] {
        let start = FanoutStart::Pending { due: Some(at(due)) };
        let key = world.publish(begun(event(tenant, sequence, &[no]), start), at(10)).await;
        keys.push(DeliveryKey::first(key, no));
    }
    let parked = begun(event(tenant, 5, &[no]), FanoutStart::Pending { due: None });
    world.publish(parked, at(10)).await;
    let rows: [(&[_], _, _, &[usize], _); 5] = [
        (&[], 1_000, 10, &[1, 2, 3, 0], None),
        (&[], 250, 10, &[1, 2], Some(at(300))),
        (&[], 1_000, 2, &[1, 2], Some(at(300))),
        (&[keys[1], keys[3]], 1_000, 1, &[2], Some(at(400))),
        (&[keys[0], keys[3]], 50, 10, &[], Some(at(100))),
    ];
    for (skip, due_by, limit, expected, next_due) in rows {
        let page = world.store.load_due(no, at(due_by), skip, limit, 1 << 20).await.expect("read");
        let found: Vec<_> = page.deliveries.iter().map(|delivery| delivery.key).collect();
        assert_eq!(found, expected.iter().map(|i| keys[*i]).collect::<Vec<_>>());
        assert_eq!(page.next_due, next_due);
    }
}

/// The first row always comes, however large; then the bytes are counted.
pub async fn a_refill_is_bounded_by_bytes(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    for sequence in 1..=3 {
        let start = FanoutStart::Pending { due: Some(at(100)) };
        world.publish(begun(event(tenant, sequence, &[no]), start), at(10)).await;
    }
    for (bytes, expected) in [(0, 1), (1, 1), (1 << 20, 3)] {
        let page = world.store.load_due(no, at(100), &[], 10, bytes).await.expect("read");
        assert_eq!(page.deliveries.len(), expected);
        assert_eq!(page.next_due.is_some(), expected < 3);
    }
}
