//! Replays: new deliveries of an event, to endpoints that it matched and to others.

use super::Harness;
use super::sequence::{all_of, numbered};
use super::world::{World, at, delivered, guarded};
use crate::read::{DeliveryQuery, SequenceQuery};
use angarium_core::batch::{DeliveryWrite, Guard, GuardAnswer, RowAction, RowActionKind, Trace};
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation, TenantNo};
use angarium_core::replay::{Replayed, UNNUMBERED};

/// The delivery that a replay makes.
fn made(event: EventKey, endpoint: EndpointNo, generation: u32, sequence: u64) -> Replayed {
    let key = DeliveryKey { event, endpoint, generation: Generation::new(generation) };
    let repeats = (sequence != UNNUMBERED).then(|| Generation::new(generation - 1));
    Replayed { key, sequence, repeats, due: Some(at(60)) }
}

impl World {
    /// Whether a replay was made.
    async fn replay(&self, tenant: TenantNo, made: &[Replayed], trace: Trace) -> bool {
        let mut batch = self.batch(tenant);
        let key = DeliveryKey::first(made[0].key.event, EndpointNo::default());
        let kind = RowActionKind::Replay(made.into());
        batch.actions.push(RowAction { key, kind, at: at(60), trace });
        self.commit(batch, at(60)).await.actions[0].is_some()
    }

    async fn keys(&self, query: DeliveryQuery) -> Vec<DeliveryKey> {
        self.all(query).await.iter().map(|row| row.key).collect()
    }
}

/// By event, by endpoint, by state and by its id; in the tail of the index and below it.
pub async fn a_replay_is_listed_wherever_its_event_and_endpoint_are(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let (one, two) = (world.endpoint(tenant, 1).await, world.endpoint(tenant, 2).await);
    let event = world.publish(numbered(tenant, one, 1), at(10)).await;
    world.publish(numbered(tenant, one, 2), at(11)).await;
    world.record(tenant, delivered(event, one)).await;
    let (again, other) = (made(event, one, 1, 1), made(event, two, 1, UNNUMBERED));
    assert!(world.replay(tenant, &[again, other], Trace::default()).await);
    let first = DeliveryKey::first(event, one);
    for round in ["in the tail", "indexed"] {
        let row = world.delivery(other.key).await.row;
        assert_eq!((row.sequence, row.redelivery_of, row.attempts), (UNNUMBERED, None, 0));
        assert_eq!((row.state, row.next_due), (DeliveryState::Pending, Some(at(60))));
        assert_eq!(world.delivery(again.key).await.row.redelivery_of, Some(Generation::new(0)));
        let of_event = DeliveryQuery { event: Some(event), ..world.deliveries() };
        assert_eq!(world.keys(of_event).await, [other.key, again.key, first], "{round}");
        let to_two = DeliveryQuery { endpoint: Some(two), ..world.deliveries() };
        assert_eq!(world.keys(to_two).await, [other.key], "{round}");
        world.index_all().await;
    }
    let due = world.store.load_due(two, at(60), &[], 10, 1 << 20).await.expect("rows");
    let loaded: Vec<_> = due.deliveries.iter().map(|row| (row.key, row.sequence)).collect();
    assert_eq!(loaded, [(other.key, UNNUMBERED)]);
    let ended = DeliveryWrite { key: other.key, has_row: true, ..delivered(event, two) };
    world.record(tenant, ended).await;
    assert_eq!(world.delivery(other.key).await.row.state, DeliveryState::Delivered);
    let zeroth = world.store.delivery(DeliveryKey::first(event, two)).await.expect("read");
    assert_eq!(zeroth, None, "the event never matched it");
}

/// If one pair has gone on meanwhile, nothing is made, and the call may be repeated.
pub async fn a_replay_makes_every_delivery_or_none(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let (one, two) = (world.endpoint(tenant, 1).await, world.endpoint(tenant, 2).await);
    let event = world.publish(numbered(tenant, one, 1), at(10)).await;
    world.record(tenant, delivered(event, one)).await;
    let guard = Guard {
        scope: [1; 32],
        fingerprint: [2; 32],
        expires_at: at(900),
        answer: GuardAnswer::Given { status: 202, body: b"{}".to_vec() },
    };
    assert!(world.replay(tenant, &[made(event, one, 1, 1)], Trace::default()).await);
    let both = [made(event, two, 1, UNNUMBERED), made(event, one, 1, 1)];
    assert!(!world.replay(tenant, &both, guarded(guard.clone())).await);
    assert_eq!(world.store.delivery(both[0].key).await.expect("read"), None);
    assert_eq!(world.store.guarded_answer(&[1; 32], at(60)).await.expect("read"), None);
    assert_eq!(world.pending().await, 1);
    let both = [made(event, two, 1, UNNUMBERED), made(event, one, 2, 1)];
    assert!(world.replay(tenant, &both, guarded(guard)).await);
    assert!(world.store.guarded_answer(&[1; 32], at(60)).await.expect("read").is_some());
    assert_eq!(world.pending().await, 3);
}

/// An endpoint that did not match misses nothing, so it counts nothing.
pub async fn a_replay_outside_the_numbering_leaves_no_gap_and_no_number(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let (one, two) = (world.endpoint(tenant, 1).await, world.endpoint(tenant, 2).await);
    let mut others = Vec::new();
    for number in 1..=3 {
        world.publish(numbered(tenant, one, number), at(10)).await;
        others.push(made(world.publish(numbered(tenant, two, number), at(11)).await, one, 1, 0));
    }
    assert!(world.replay(tenant, &others[..1], Trace::default()).await);
    world.index_all().await;
    assert!(world.replay(tenant, &others[1..], Trace::default()).await);
    for from in 1..=3 {
        let numbers = world.numbers(SequenceQuery { from, ..all_of(one) }).await;
        let found: Vec<_> = numbers.iter().map(|row| row.first.sequence).collect();
        assert_eq!(found, (from..=3).collect::<Vec<_>>());
        assert!(numbers.iter().all(|row| row.again.is_empty()));
    }
}
