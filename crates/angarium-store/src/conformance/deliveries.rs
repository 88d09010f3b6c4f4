//! Rows of deliveries: when they come, when they go, and what stays.

use super::Harness;
use super::world::{World, at, attempt, begun, delivered, died, event, failed};
use angarium_core::batch::{FanoutStart, RowAction, RowActionKind, Trace};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::id::{DeliveryKey, Generation};
use angarium_core::outcome::Class;

/// A delivery that succeeds at once is two rows: the event and the delivery.
pub async fn the_happy_path_writes_no_pending_row(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let key = world.publish(event(tenant, 1, &[no]), at(10)).await;
    let before = world.delivery(DeliveryKey::first(key, no)).await;
    assert_eq!(before.row.state, DeliveryState::Pending);
    assert_eq!((before.row.attempts, before.row.next_due), (0, Some(at(10))));
    assert_eq!(before.row.ended_at, None);
    assert_eq!(world.pending().await, 0);
    world.record(tenant, delivered(key, no)).await;
    let after = world.delivery(DeliveryKey::first(key, no)).await;
    assert_eq!(world.pending().await, 0);
    assert_eq!((after.row.state, after.row.reason), (DeliveryState::Delivered, None));
    assert_eq!(after.attempts, [attempt(1, Class::Success)]);
    assert_eq!(after.row.last.map(|last| last.status), Some(Some(204)));
}

/// Attempts before the last one are kept beside it, in order.
pub async fn a_retry_that_succeeds_leaves_no_row_behind_and_keeps_its_attempts(
    harness: &dyn Harness,
) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let key = world.publish(event(tenant, 1, &[no]), at(10)).await;
    world.record(tenant, failed(key, no, at(500))).await;
    let waiting = world.delivery(DeliveryKey::first(key, no)).await;
    assert_eq!((waiting.row.state, waiting.row.attempts), (DeliveryState::Pending, 1));
    assert_eq!((waiting.row.next_due, waiting.row.ended_at), (Some(at(500)), None));
    assert_eq!(waiting.row.last.map(|last| last.class), Some(Class::Timeout));
    assert_eq!(world.pending().await, 1);
    let mut second = delivered(key, no);
    second.attempts = 2;
    second.has_row = true;
    second.attempt = Some(Box::new(attempt(2, Class::Success)));
    world.record(tenant, second).await;
    let ended = world.delivery(DeliveryKey::first(key, no)).await;
    assert_eq!(ended.attempts, [attempt(1, Class::Timeout), attempt(2, Class::Success)]);
    assert_eq!((ended.row.state, ended.row.attempts), (DeliveryState::Delivered, 2));
    assert_eq!(world.pending().await, 0);
}

/// An event of a disabled endpoint has its final row at once, one of a paused endpoint waits.
pub async fn a_suppressed_delivery_is_final_and_a_parked_one_waits(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let suppressed = begun(event(tenant, 1, &[no]), FanoutStart::Suppressed);
    let suppressed = world.publish(suppressed, at(10)).await;
    let parked = begun(event(tenant, 2, &[no]), FanoutStart::Pending { due: None });
    let parked = world.publish(parked, at(11)).await;
    let row = world.delivery(DeliveryKey::first(suppressed, no)).await.row;
    assert_eq!(row.state, DeliveryState::Suppressed);
    assert_eq!(row.reason, Some(EndReason::EndpointDisabled));
    let row = world.delivery(DeliveryKey::first(parked, no)).await.row;
    assert_eq!((row.state, row.next_due), (DeliveryState::Pending, None));
    assert_eq!(world.pending().await, 1);
}

/// A final state is final: a redelivery is another delivery of the same pair and sequence.
pub async fn a_redelivery_is_the_next_generation_and_names_the_one_it_repeats(
    harness: &dyn Harness,
) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let event = world.publish(event(tenant, 1, &[no]), at(10)).await;
    let first = DeliveryKey::first(event, no);
    world.record(tenant, delivered(event, no)).await;
    let act = async |key, kind| {
        let mut batch = world.batch(tenant);
        let at = at(60);
        batch.actions.push(RowAction { key, kind, at, trace: Trace::default() });
        world.commit(batch, at).await.actions[0].map(|done| done.key)
    };
    let second = act(first, RowActionKind::Redeliver).await.expect("a redelivery");
    let third = act(first, RowActionKind::Redeliver).await.expect("another one");
    assert_eq!((second.generation, third.generation), (Generation::new(1), Generation::new(2)));
    let row = world.delivery(third).await.row;
    assert_eq!((row.redelivery_of, row.sequence), (Some(Generation::new(0)), 1));
    assert_eq!((row.state, row.next_due), (DeliveryState::Pending, Some(at(60))));
    assert_eq!(act(second, RowActionKind::Redeliver).await, None, "it has not ended");
    let mut ended = delivered(event, no);
    ended.key = second;
    ended.has_row = true;
    world.record(tenant, ended).await;
    assert_eq!(act(third, RowActionKind::Cancel).await, Some(third));
    let of_event = world.all(world.deliveries()).await;
    let states: Vec<_> = of_event.iter().map(|row| (row.key.generation.get(), row.state)).collect();
    assert_eq!(
        states,
        [
            (2, DeliveryState::Cancelled),
            (1, DeliveryState::Delivered),
            (0, DeliveryState::Delivered)
        ]
    );
    assert!(of_event[..2].iter().all(|row| row.redelivery_of == Some(Generation::new(0))));
}

/// An action answers none where there is no such row, and changes nothing.
pub async fn an_action_on_a_row_that_is_not_there_does_nothing(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let event = world.publish(event(tenant, 1, &[no]), at(10)).await;
    let key = DeliveryKey::first(event, no);
    world.record(tenant, failed(event, no, at(500))).await;
    let late = DeliveryKey { generation: Generation::new(5), ..key };
    let mut batch = world.batch(tenant);
    for (key, kind) in [
        (late, RowActionKind::Cancel),
        (late, RowActionKind::DueNow),
        (key, RowActionKind::Redeliver),
        (key, RowActionKind::DueNow),
    ] {
        batch.actions.push(RowAction { key, kind, at: at(70), trace: Trace::default() });
    }
    let done = world.commit(batch, at(70)).await;
    let done: Vec<_> = done.actions.iter().map(|done| done.map(|done| done.key)).collect();
    assert_eq!(done, [None, None, None, Some(key)]);
    assert_eq!(world.delivery(key).await.row.next_due, Some(at(70)));
    world.record(tenant, died(event, no)).await;
    let row = world.delivery(key).await.row;
    assert_eq!((row.state, row.reason), (DeliveryState::Dead, Some(EndReason::Exhausted)));
    assert_eq!(row.ended_at, Some(at(40)));
}
