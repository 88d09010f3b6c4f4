//! Rows that wait in a lane: kept apart from what is due, read in the order of their events.

use super::Harness;
use super::world::{World, at, begun, event, in_lane};
use angarium_core::batch::{
    ActionResult, EndpointWrite, FanoutStart, LaneWrite, RowAction, RowActionKind, Standing, Trace,
};
use angarium_core::id::DeliveryKey;
use angarium_core::lane::Lane;
use angarium_core::waiting::{LaneHold, StoredLane};

/// What waits behind is not due, is found by its lane, and recovery counts it.
pub async fn what_waits_in_a_lane_is_read_by_its_lane_in_order(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let (a, b) = (Lane::of_key("a"), Lane::of_key("b"));
    let due = FanoutStart::Pending { due: Some(at(10)) };
    let starts =
        [(a, due), (a, FanoutStart::Queued), (b, FanoutStart::Queued), (a, FanoutStart::Queued)];
    let mut keys = Vec::new();
    for ((lane, start), sequence) in starts.into_iter().zip(1..) {
        let write = in_lane(begun(event(tenant, sequence, &[no]), start), lane);
        keys.push(DeliveryKey::first(world.publish(write, at(10)).await, no));
    }
    let due = world.store.load_due(no, at(99), &[], 10, 1 << 20).await.expect("read");
    let found: Vec<_> = due.deliveries.iter().map(|due| (due.key, due.lane)).collect();
    assert_eq!(found, [(keys[0], Some(a))]);

    let behind = async |lane, limit, bytes| {
        let page = world.store.load_behind(no, lane, limit, bytes).await.expect("read");
        page.deliveries.iter().map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(behind(a, 10, 1 << 20).await, [keys[1], keys[3]]);
    assert_eq!(behind(a, 1, 1 << 20).await, [keys[1]]);
    assert_eq!(behind(a, 10, 0).await, [keys[1]], "one always, whatever it weighs");
    assert_eq!(behind(b, 10, 1 << 20).await, [keys[2]]);

    let lanes = world.shard(tenant).await.endpoints[0].lanes.clone();
    let stored = |lane, has_head, behind, first: DeliveryKey| StoredLane {
        lane,
        has_head,
        behind,
        first: first.event,
    };
    let mut expected = [stored(a, true, 2, keys[1]), stored(b, false, 1, keys[2])];
    expected.sort_by_key(|lane| lane.lane);
    assert_eq!(lanes, expected);
}

/// An action tells where its row stood, and a follower cannot be made due.
pub async fn an_action_tells_where_its_row_stood_in_its_lane(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let lane = Lane::WHOLE;
    let mut keys = Vec::new();
    for (start, sequence) in [
        (FanoutStart::Pending { due: None }, 1),
        (FanoutStart::Queued, 2),
        (FanoutStart::Queued, 3),
    ] {
        let write = in_lane(begun(event(tenant, sequence, &[no]), start), lane);
        keys.push(DeliveryKey::first(world.publish(write, at(10)).await, no));
    }
    let mut batch = world.batch(tenant);
    let kinds = [RowActionKind::DueNow, RowActionKind::Cancel, RowActionKind::Cancel];
    for (key, kind) in [keys[1], keys[1], keys[0]].into_iter().zip(kinds) {
        batch.actions.push(RowAction { key, kind, at: at(20), trace: Trace::default() });
    }
    let done = world.commit(batch, at(20)).await.actions;
    let result = |key, standing| Some(ActionResult { key, stood: Some((lane, standing)) });
    let expected = [None, result(keys[1], Standing::Behind), result(keys[0], Standing::Head)];
    assert_eq!(done, expected);
}

/// A hold reads back with the dead letter that holds, once, until it ends.
pub async fn a_lane_is_held_until_it_is_released_or_skipped_or_its_endpoint_deleted(
    harness: &dyn Harness,
) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let mut holds = Vec::new();
    for (name, sequence) in [("a", 1), ("b", 2), ("c", 3)] {
        let event = world.publish(event(tenant, sequence, &[no]), at(10)).await;
        holds.push(LaneHold { lane: Lane::of_key(name), by: DeliveryKey::first(event, no) });
    }
    let held = async || {
        let endpoints = world.shard(tenant).await.endpoints;
        endpoints.into_iter().flat_map(|endpoint| endpoint.holds).collect::<Vec<_>>()
    };
    let write = async |lanes: Vec<LaneWrite>| {
        let mut batch = world.batch(tenant);
        batch.lanes = lanes;
        world.commit(batch, at(20)).await;
    };
    for _ in 0..2 {
        // A batch whose result was lost may be repeated.
        write(holds.iter().copied().map(LaneWrite::Hold).collect()).await;
        assert_eq!(held().await, holds);
    }
    write(vec![LaneWrite::Release { endpoint: no, event: holds[0].by.event }]).await;
    assert_eq!(held().await, holds[1..]);

    let mut batch = world.batch(tenant);
    for _ in 0..2 {
        let (key, kind) = (holds[1].by, RowActionKind::Skip);
        batch.actions.push(RowAction { key, kind, at: at(30), trace: Trace::default() });
    }
    let done = world.commit(batch, at(30)).await.actions;
    let stood = Some((holds[1].lane, Standing::Head));
    assert_eq!(done, [Some(ActionResult { key: holds[1].by, stood }), None]);
    assert_eq!(held().await, holds[2..]);

    let mut batch = world.batch(tenant);
    batch.endpoints.push(EndpointWrite::Delete { no, at: at(40), trace: Trace::default() });
    world.commit(batch, at(40)).await;
    assert_eq!(held().await, []);
}
