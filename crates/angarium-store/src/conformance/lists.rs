//! Lists: equal to a slow model, stable while rows arrive, bounded.

use super::Harness;
use super::world::{World, at, begun, delivered, died, event, failed};
use crate::read::{DeliveryQuery, EventQuery};
use angarium_core::batch::{FanoutStart, RowAction, RowActionKind, Trace};
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, TenantNo};
use angarium_core::outcome::Class;
use std::sync::Arc;

/// One delivery as the model knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    key: DeliveryKey,
    tenant: TenantNo,
    state: DeliveryState,
    class: Option<Class>,
}

/// Writes thirty events of every fate, and says what there should be, newest first.
async fn filled(world: &World) -> (Vec<Known>, Vec<EndpointNo>) {
    let [acme, globex] = world.tenants;
    let mine = [world.endpoint(acme, 1).await, world.endpoint(acme, 2).await];
    let theirs = world.endpoint(globex, 3).await;
    let mut known = Vec::new();
    for sequence in 1..=30_u64 {
        let millis = 10 + sequence.cast_signed();
        let (tenant, fanout) = match sequence % 3 {
            0 => (globex, vec![theirs]),
            1 => (acme, mine.to_vec()),
            _ => (acme, vec![mine[0]]),
        };
        let mut write = event(tenant, sequence, &fanout);
        write.accepted_at = at(millis);
        if sequence % 10 == 7 {
            write = begun(write, FanoutStart::Suppressed);
        }
        let key = world.publish(write, at(millis)).await;
        for no in fanout {
            let (state, class) = fate(world, tenant, key, no, sequence).await;
            known.push(Known { key: DeliveryKey::first(key, no), tenant, state, class });
        }
        if sequence == 12 {
            world.index_all().await;
        }
    }
    let ended = |known: &&Known| known.state == DeliveryState::Delivered;
    let again = *known.iter().find(ended).expect("one was delivered");
    let mut batch = world.batch(again.tenant);
    let kind = RowActionKind::Redeliver;
    batch.actions.push(RowAction { key: again.key, kind, at: at(99), trace: Trace::default() });
    let made = world.commit(batch, at(99)).await.actions[0].expect("a redelivery").key;
    known.push(Known { key: made, state: DeliveryState::Pending, class: None, ..again });
    known.sort_unstable_by_key(|known| std::cmp::Reverse(known.key));
    (known, vec![mine[0], mine[1], theirs])
}

async fn fate(
    world: &World,
    tenant: TenantNo,
    key: EventKey,
    no: EndpointNo,
    sequence: u64,
) -> (DeliveryState, Option<Class>) {
    match sequence % 10 {
        7 => (DeliveryState::Suppressed, None),
        0 | 1 => (DeliveryState::Pending, None),
        2 => {
            world.record(tenant, failed(key, no, at(900))).await;
            (DeliveryState::Pending, Some(Class::Timeout))
        }
        3 => {
            world.record(tenant, failed(key, no, at(900))).await;
            world.record(tenant, died(key, no)).await;
            (DeliveryState::Dead, Some(Class::Gone))
        }
        _ => {
            world.record(tenant, delivered(key, no)).await;
            (DeliveryState::Delivered, Some(Class::Success))
        }
    }
}

/// Every combination of filters and page sizes, before, while and after the index is filled.
pub async fn lists_equal_a_slow_model_while_the_index_grows(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let (known, endpoints) = filled(&world).await;
    for round in ["half indexed", "indexed"] {
        let mut queries = vec![world.deliveries()];
        queries.extend(
            world
                .tenants
                .map(|tenant| DeliveryQuery { tenant: Some(tenant), ..world.deliveries() }),
        );
        queries.extend(
            endpoints.iter().map(|no| DeliveryQuery { endpoint: Some(*no), ..world.deliveries() }),
        );
        queries.push(DeliveryQuery { event: Some(known[9].key.event), ..world.deliveries() });
        for query in queries {
            for state in [None].into_iter().chain(DeliveryState::ALL.iter().map(|s| Some(*s))) {
                for class in [None, Some(Class::Gone)] {
                    for (limit, rows_read) in [(1_000, 10_000), (3, 10_000), (4, 5)] {
                        let query =
                            DeliveryQuery { state, class, limit, rows_read, ..query.clone() };
                        compare(&world, &known, query, round).await;
                    }
                }
            }
        }
        world.index_all().await;
    }
}

async fn compare(world: &World, known: &[Known], query: DeliveryQuery, round: &str) {
    let state = query.state.map(|state| match state {
        DeliveryState::InFlight => DeliveryState::Pending,
        other => other,
    });
    let expected: Vec<_> = known
        .iter()
        .filter(|known| {
            query.tenant.is_none_or(|tenant| known.tenant == tenant)
                && query.endpoint.is_none_or(|no| known.key.endpoint == no)
                && query.event.is_none_or(|event| known.key.event == event)
                && state.is_none_or(|state| known.state == state)
                && query.class.is_none_or(|class| known.class == Some(class))
        })
        .copied()
        .collect();
    let found: Vec<_> = world
        .all(query.clone())
        .await
        .iter()
        .map(|row| Known {
            key: row.key,
            tenant: row.tenant,
            state: row.state,
            class: row.last.map(|last| last.class),
        })
        .collect();
    assert_eq!(found, expected, "{round}: {query:?}");
}

/// A reader that pages on meets each event once, whatever is published meanwhile.
pub async fn pages_stay_stable_while_events_arrive(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let mut expected = Vec::new();
    for sequence in 1..=20 {
        expected.push(world.publish(event(tenant, sequence, &[]), at(10)).await);
    }
    expected.reverse();
    let mut query = world.events();
    query.tenant = Some(tenant);
    query.limit = 3;
    let mut found = Vec::new();
    loop {
        let page = world.store.events(&query).await.expect("a page");
        found.extend(page.items.iter().map(|row| row.event.key));
        world.publish(event(tenant, 99, &[]), at(20)).await;
        if found.len() == 9 {
            world.index_all().await;
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}

/// A page that finds nothing ends short and says where to go on.
pub async fn a_page_reads_a_bounded_number_of_rows(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let first = world.publish(event(other, 1, &[]), at(10)).await;
    for sequence in 1..=50 {
        world.publish(event(tenant, sequence, &[]), at(10)).await;
    }
    let mut query = world.events();
    query.tenant = Some(other);
    query.rows_read = 10;
    let mut pages = 0;
    let found = loop {
        let page = world.store.events(&query).await.expect("a page");
        pages += 1;
        if let Some(row) = page.items.first() {
            break row.event.key;
        }
        query.cursor = Some(page.next.expect("there is more"));
    };
    assert_eq!(found, first);
    assert!(pages >= 5, "{pages} pages");
}

/// Sets a filter of a query.
type Filter = fn(&mut EventQuery);

/// By type, subject, ordering key and time of acceptance.
pub async fn events_are_filtered(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let mut keys = Vec::new();
    for sequence in 1..=4_u64 {
        let mut write = event(tenant, sequence, &[]);
        write.accepted_at = at(sequence.cast_signed() * 10_000);
        let body = Arc::make_mut(&mut write.body);
        body.subject = Some(format!("s{}", sequence % 2).into());
        body.ordering_key = (sequence == 3).then(|| "k".into());
        keys.push(world.publish(write, at(sequence.cast_signed() * 10_000 + 2)).await);
    }
    let rows: [(Filter, &[usize]); 6] = [
        (|query| query.kind = Some("order.paid".into()), &[3, 2, 1, 0]),
        (|query| query.kind = Some("order".into()), &[]),
        (|query| query.subject = Some("s0".into()), &[3, 1]),
        (|query| query.ordering_key = Some("k".into()), &[2]),
        (|query| query.after = Some(at(20_000)), &[3, 2, 1]),
        (|query| query.before = Some(at(30_000)), &[1, 0]),
    ];
    for (filter, expected) in rows {
        let mut query = world.events();
        filter(&mut query);
        let page = world.store.events(&query).await.expect("a page");
        let found: Vec<_> = page.items.iter().map(|row| row.event.key).collect();
        let expected: Vec<_> = expected.iter().map(|i| keys[*i]).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}
