//! People deliver anew what has ended: events by replays, endpoints by recoveries. As the API does
//! it: what is stored is looked at, and what follows from it is asked for.

use super::shown;
use crate::store::FaultyStore;
use crate::world::Sim;
use angarium_core::batch::Trace;
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{DeliveryKey, EndpointNo, EnvironmentNo, EventKey, Generation, JobId};
use angarium_core::job::{Job, JobStatus, Reach, Recovery};
use angarium_core::replay::{self, Past, Replayed};
use angarium_core::shard::Replay;
use angarium_server::runner::Runner;
use angarium_store::read::RecoverableQuery;
use angarium_store::{Store, StoreResult};
use std::sync::Arc;

/// Jobs of one tenant that run at a time.
const MOST_JOBS: usize = 3;
/// Rows of a page, and rows that are read for one: few, so that there are pages.
const PAGE: usize = 10;

pub(super) async fn replay(
    sim: &Arc<Sim>,
    runner: &Arc<Runner>,
    event: EventKey,
    to: &[EndpointNo],
) {
    let Some(tenant) = sim.world().ledger.tenant_of(event) else { return };
    // Endpoints are looked at first: one that changes afterwards is refused by its shard.
    let Ok(gates) = runner.gates(tenant) else { return };
    let mut deliveries = Vec::new();
    for no in to {
        let gate = gates.iter().find(|gate| gate.no == *no);
        let status = gate.map(|gate| gate.admission.status);
        let Ok(past) = past(sim, event, *no).await else { return };
        let clock = sim.world().now().clock;
        deliveries.extend(replay::replay(event, *no, &past, status, clock).ok());
    }
    let made: Vec<_> = deliveries.iter().map(|made: &Replayed| made.key).collect();
    let answer = runner.replay(Replay { tenant, event, deliveries, trace: Trace::default() }).await;
    let mut world = sim.world();
    let number = world.ledger.number(event);
    world.note(&format!("event {number} is replayed to {}: {}", made.len(), shown(&answer)));
    let missing = made.iter().find(|key| !world.ledger.deliveries.contains_key(key)).copied();
    if let (Ok(()), Some(key)) = (&answer, missing) {
        let name = world.ledger.name(key);
        world.ledger.violated(format!("{name} was promised and is not there"));
    }
}

/// What became of an event at an endpoint so far.
async fn past(sim: &Arc<Sim>, event: EventKey, endpoint: EndpointNo) -> StoreResult<Past> {
    let store = FaultyStore(Arc::clone(sim));
    let mut past = Past::default();
    for generation in 0.. {
        let generation = Generation::new(generation);
        let key = DeliveryKey { event, endpoint, generation };
        match store.delivery(key).await? {
            Some(found) if generation.get() == 0 => {
                past.sequence = Some(found.row.sequence);
                past.deliveries.push((generation, found.row.state));
            }
            Some(found) => past.deliveries.push((generation, found.row.state)),
            // The first of an endpoint that the event did not match is its second.
            None if generation.get() == 0 => {}
            None => break,
        }
    }
    Ok(past)
}

/// Makes a job. Answers nothing if there is certainly none.
pub(super) async fn recover(
    sim: &Arc<Sim>,
    no: EndpointNo,
    id: JobId,
    recovery: Recovery,
    rate: u32,
) -> Option<()> {
    let store = FaultyStore(Arc::clone(sim));
    let endpoint_id = sim.world().ledger.endpoints.get(&no)?.config.id;
    let row = store.endpoint(endpoint_id).await.ok()??;
    if row.config.status == EndpointStatus::Disabled {
        return None;
    }
    let (now, recovers_tenants) = {
        let world = sim.world();
        (world.now().clock, world.plan.recovers_tenants)
    };
    let total = count(&store, no, &recovery, now).await.ok()?;
    let reach = match recovers_tenants {
        true => Reach::Tenant { left_out: Vec::new() },
        false => Reach::Endpoint,
    };
    let job = Job {
        id,
        environment: EnvironmentNo::new(1),
        tenant: row.config.tenant,
        reach,
        endpoint: no,
        endpoint_id,
        recovery,
        rate,
        status: JobStatus::Running,
        obstacle: None,
        total,
        done: 0,
        cursor: EventKey::ZERO,
        step: Vec::new(),
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    let made = store.create_job(&job, MOST_JOBS, Trace::default(), now).await;
    let answer = made.as_ref().map_or_else(ToString::to_string, ToString::to_string);
    sim.world().note(&format!("endpoint {no} is recovered, {total} by {id}: {answer}"));
    made.unwrap_or(true).then_some(())
}

async fn count(
    store: &FaultyStore,
    endpoint: EndpointNo,
    recovery: &Recovery,
    ended_by: angarium_core::time::Timestamp,
) -> StoreResult<u64> {
    let mut query = RecoverableQuery {
        endpoint,
        recovery: recovery.clone(),
        ended_by,
        cursor: EventKey::ZERO,
        limit: PAGE,
        rows_read: PAGE,
    };
    let mut total = 0;
    loop {
        let page = store.recoverable(&query).await?;
        total += page.items.len() as u64;
        match page.next {
            Some(next) => query.cursor = next,
            None => return Ok(total),
        }
    }
}
