//! Endpoints: their secrets, their end, what waits for them.

use super::Harness;
use super::world::{World, at, begun, endpoint, event};
use angarium_core::batch::{EndpointResult, EndpointWrite, FanoutStart, Trace};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::DeliveryKey;

/// Configuration and secrets read back, after a change too.
pub async fn an_endpoint_reads_back_with_its_secrets(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let other = world.endpoint(tenant, 2).await;
    assert!(other > no);
    let mut config = endpoint(tenant, 1);
    assert_eq!(world.endpoint(tenant, 1).await, no, "made once");
    let found = world.store.endpoint(config.id).await.expect("read").expect("an endpoint");
    assert_eq!((found.no, &found.config), (no, &config));
    config.status = EndpointStatus::Paused;
    config.version = 2;
    config.secrets.headers.clear();
    let mut batch = world.batch(tenant);
    let replaced = Box::new(config.clone());
    batch.endpoints.push(EndpointWrite::Replace { no, config: replaced, trace: Trace::default() });
    world.commit(batch, at(20)).await;
    let state = world.shard(tenant).await;
    assert_eq!(state.endpoints.iter().map(|e| e.no).collect::<Vec<_>>(), [no, other]);
    assert_eq!(state.endpoints[0].config, config);
    let paused = Some(EndpointStatus::Paused);
    for (status, expected) in [(None, vec![other, no]), (paused, vec![no])] {
        for tenant in [None, Some(tenant)] {
            let page = world.store.endpoints(world.environment, tenant, status, None, 10).await;
            let found: Vec<_> = page.expect("a page").items.iter().map(|e| e.no).collect();
            assert_eq!(found, expected);
        }
    }
}

/// After a delete callers find nothing, the log still has its name, and rows end in slices.
pub async fn a_deleted_endpoint_is_gone_for_callers_and_its_rows_are_cancelled_in_slices(
    harness: &dyn Harness,
) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let id = endpoint(tenant, 1).id;
    let mut keys = Vec::new();
    for sequence in 1..=5 {
        let start = FanoutStart::Pending { due: Some(at(900)) };
        keys.push(world.publish(begun(event(tenant, sequence, &[no]), start), at(10)).await);
    }
    let mut batch = world.batch(tenant);
    batch.endpoints.push(EndpointWrite::Delete { no, at: at(20), trace: Trace::default() });
    world.commit(batch, at(20)).await;
    assert!(world.store.endpoint(id).await.expect("read").is_none());
    assert_eq!(world.store.endpoint_ids(&[no]).await.expect("read"), [(no, id)]);
    let state = world.shard(tenant).await;
    assert!(state.endpoints.is_empty());
    assert_eq!(state.deleted_with_rows, [no]);
    for rows in [2, 2, 1, 0] {
        let mut batch = world.batch(tenant);
        batch.endpoints.push(EndpointWrite::CancelWaiting { no, at: at(21), limit: 2 });
        assert_eq!(world.commit(batch, at(21)).await.endpoints, [EndpointResult { no, rows }]);
    }
    assert!(world.shard(tenant).await.deleted_with_rows.is_empty());
    for key in keys {
        let row = world.delivery(DeliveryKey::first(key, no)).await.row;
        assert_eq!(row.state, DeliveryState::Cancelled);
        assert_eq!(row.reason, Some(EndReason::EndpointDeleted));
    }
}

/// Pausing takes the due time, resuming gives one; fewer rows than the limit means none are left.
pub async fn rows_are_parked_and_unparked_in_slices(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    for sequence in 1..=3 {
        let start = FanoutStart::Pending { due: Some(at(900)) };
        world.publish(begun(event(tenant, sequence, &[no]), start), at(10)).await;
    }
    let write = async |write: EndpointWrite| {
        let mut batch = world.batch(tenant);
        batch.endpoints.push(write);
        world.commit(batch, at(30)).await.endpoints[0].rows
    };
    let due = at(50);
    assert_eq!(write(EndpointWrite::Park { no, limit: 2 }).await, 2);
    assert_eq!(write(EndpointWrite::Park { no, limit: 2 }).await, 1);
    let state = &world.shard(tenant).await.endpoints[0];
    assert_eq!((state.next_due, state.parked), (None, true));
    assert_eq!(write(EndpointWrite::Unpark { no, due, limit: 2 }).await, 2);
    let state = &world.shard(tenant).await.endpoints[0];
    assert_eq!((state.next_due, state.parked), (Some(due), true));
    assert_eq!(write(EndpointWrite::Unpark { no, due, limit: 2 }).await, 1);
    assert!(!world.shard(tenant).await.endpoints[0].parked);
}
