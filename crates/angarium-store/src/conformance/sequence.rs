//! An endpoint's sequence numbers: none is missing, whatever became of it.

use super::Harness;
use super::world::{World, at, begun, delivered, event, failed};
use crate::read::{SequenceQuery, SequenceRow};
use angarium_core::batch::{
    EndpointWrite, EventWrite, FanoutStart, RowAction, RowActionKind, Trace,
};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, TenantNo};

impl World {
    /// Every number of a range, page by page.
    pub(super) async fn numbers(&self, mut query: SequenceQuery) -> Vec<SequenceRow> {
        let mut all = Vec::new();
        loop {
            let page = self.store.deliveries_by_sequence(query).await.expect("a page");
            assert!(page.items.len() <= query.limit);
            assert!(page.next.is_none() || page.next > query.cursor, "a page goes on");
            all.extend(page.items);
            query.cursor = page.next;
            if query.cursor.is_none() {
                return all;
            }
        }
    }
}

/// All numbers of an endpoint on one page.
pub(super) fn all_of(endpoint: EndpointNo) -> SequenceQuery {
    SequenceQuery { endpoint, from: 1, to: u64::MAX, cursor: None, limit: 1_000, rows_read: 10_000 }
}

/// An event that is the endpoint's of this number.
pub(super) fn numbered(tenant: TenantNo, endpoint: EndpointNo, number: u64) -> EventWrite {
    let mut write = event(tenant, 1, &[endpoint]);
    write.fanout[0].sequence = number;
    write
}

/// Publishes up to a number, between events of others, and says which event has which number.
async fn publish(world: &World, mine: EndpointNo, other: EndpointNo, count: u64) -> Vec<EventKey> {
    let [tenant, elsewhere] = world.tenants;
    let mut keys = Vec::new();
    for number in 1..=count {
        let now = at(number.cast_signed() * 7);
        keys.push(world.publish(numbered(tenant, mine, number), now).await);
        world.publish(numbered(tenant, other, number), now).await;
        world.publish(event(elsewhere, number, &[]), now).await;
        if number == count / 2 {
            world.index_all().await;
        }
    }
    keys
}

/// Every range, page size and bound, with the index half filled and whole.
pub async fn every_number_between_two_is_listed_while_the_index_grows(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let (mine, other) = (world.endpoint(tenant, 1).await, world.endpoint(tenant, 2).await);
    let nothing = world.endpoint(tenant, 3).await;
    let keys = publish(&world, mine, other, 20).await;
    let ranges = [(1, u64::MAX), (1, 1), (5, 15), (10, 10), (11, 12), (20, 99), (21, 99), (9, 3)];
    for round in ["half indexed", "indexed"] {
        for (from, to) in ranges {
            for (limit, rows_read) in [(1_000, 10_000), (3, 10_000), (1, 1), (4, 5)] {
                let query = SequenceQuery { from, to, limit, rows_read, ..all_of(mine) };
                let found = world.numbers(query).await;
                let found: Vec<_> =
                    found.iter().map(|row| (row.first.sequence, row.first.key.event)).collect();
                let is_meant = |(number, _): &(u64, EventKey)| (from..=to).contains(number);
                let expected: Vec<_> = (1..).zip(keys.clone()).filter(is_meant).collect();
                assert_eq!(found, expected, "{round}: {query:?}");
            }
        }
        assert_eq!(world.numbers(all_of(nothing)).await, []);
        world.index_all().await;
    }
}

/// A redelivery carries the number of the one that it repeats.
pub async fn a_number_names_every_delivery_that_carries_it(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let first = world.publish(numbered(tenant, no, 1), at(10)).await;
    let second = world.publish(numbered(tenant, no, 2), at(11)).await;
    world.record(tenant, delivered(first, no)).await;
    let mut again = Vec::new();
    for _ in 0..2 {
        let mut batch = world.batch(tenant);
        let (key, kind) = (DeliveryKey::first(first, no), RowActionKind::Redeliver);
        batch.actions.push(RowAction { key, kind, at: at(60), trace: Trace::default() });
        again.insert(0, world.commit(batch, at(60)).await.actions[0].expect("a redelivery").key);
    }
    let found = world.numbers(SequenceQuery { limit: 1, ..all_of(no) }).await;
    let keys = |row: &SequenceRow| row.again.iter().map(|row| row.key).collect::<Vec<_>>();
    assert_eq!(found.iter().map(keys).collect::<Vec<_>>(), [again, vec![]]);
    assert_eq!(found[0].first.state, DeliveryState::Delivered);
    assert_eq!(found[1].first.key, DeliveryKey::first(second, no));
}

/// What was never sent has its number all the same.
pub async fn cancelled_and_suppressed_numbers_stay_listed(harness: &dyn Harness) {
    use DeliveryState::{Cancelled, Delivered, Pending, Suppressed};
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let mut keys = Vec::new();
    for number in 1..=4 {
        let mut write = numbered(tenant, no, number);
        if number == 3 {
            write = begun(write, FanoutStart::Suppressed);
        }
        keys.push(world.publish(write, at(10)).await);
    }
    world.record(tenant, delivered(keys[0], no)).await;
    world.record(tenant, failed(keys[1], no, at(900))).await;
    let mut batch = world.batch(tenant);
    let (key, kind) = (DeliveryKey::first(keys[1], no), RowActionKind::Cancel);
    batch.actions.push(RowAction { key, kind, at: at(60), trace: Trace::default() });
    world.commit(batch, at(60)).await;
    let found = world.numbers(all_of(no)).await;
    let states: Vec<_> = found.iter().map(|row| row.first.state).collect();
    assert_eq!(states, [Delivered, Cancelled, Suppressed, Pending]);
}

/// The log can name what a deleted endpoint was sent, and what it was not.
pub async fn the_numbers_of_a_deleted_endpoint_stay_listed(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let sent = world.publish(numbered(tenant, no, 1), at(10)).await;
    world.record(tenant, delivered(sent, no)).await;
    let waits = begun(numbered(tenant, no, 2), FanoutStart::Pending { due: Some(at(900)) });
    world.publish(waits, at(11)).await;
    let mut batch = world.batch(tenant);
    batch.endpoints.push(EndpointWrite::Delete { no, at: at(70), trace: Trace::default() });
    batch.endpoints.push(EndpointWrite::CancelWaiting { no, at: at(70), limit: 10 });
    world.commit(batch, at(70)).await;
    let found = world.numbers(all_of(no)).await;
    let ends: Vec<_> = found.iter().map(|row| (row.first.state, row.first.reason)).collect();
    let deleted = (DeliveryState::Cancelled, Some(EndReason::EndpointDeleted));
    assert_eq!(ends, [(DeliveryState::Delivered, None), deleted]);
}
