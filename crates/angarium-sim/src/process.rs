//! One life of the process: it starts, serves what people wish, and is killed or comes to rest.

mod again;

use crate::people::{Order, Wish};
use crate::plan::{DAY, FAULTS_END};
use crate::receivers::Receivers;
use crate::store::FaultyStore;
use crate::world::{BEGIN, Sim, SimClock, SimEntropy};
use angarium_core::batch::Trace;
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::{Endpoint, EndpointConfig, EndpointStatus, PlainHttp};
use angarium_core::id::{DeliveryKey, EndpointNo, EnvironmentNo, EventKey};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::retention::Looked;
use angarium_core::shard::{Audience, Lookup, Seen};
use angarium_server::recovery_jobs::{self, Driver, Jobs};
use angarium_server::runner::{Parts, Published, Runner};
use angarium_server::sweeper::{self, Sweeper};
use angarium_store::Store as _;
use std::sync::Arc;
use std::time::Duration;

/// How often people look whether all is at rest, in milliseconds: less and less often.
const LOOKS: [u64; 2] = [1_000, 600_000];
const GRACE: Duration = Duration::from_secs(5);

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Killed, or it could not start: another one follows.
    Early,
    /// Everything has come to rest.
    AtRest,
}

/// Lives until it is killed or at rest.
pub(crate) async fn live(sim: &Arc<Sim>) -> Ended {
    let killed = sim.begin_life();
    let ended = tokio::select! {
        biased;
        () = killed.notified() => Ended::Early,
        ended = serve(sim) => ended,
    };
    sim.end_life();
    ended
}

async fn start(sim: &Arc<Sim>) -> Option<Arc<Runner>> {
    let limits = sim.world().plan.limits.clone();
    let parts = Parts {
        store: Arc::new(FaultyStore(Arc::clone(sim))),
        transport: Arc::new(Receivers(Arc::clone(sim))),
        clock: Arc::new(SimClock(Arc::clone(sim))),
        entropy: Arc::new(SimEntropy(Arc::clone(sim))),
        contracts: Arc::clone(&sim.contracts),
        directory: Arc::default(),
        limits,
        plain_http: PlainHttp::Refused,
    };
    match Runner::start(parts).await {
        Ok(runner) => Some(runner),
        Err(error) => {
            sim.world().note(&format!("does not start: {error}"));
            None
        }
    }
}

async fn serve(sim: &Arc<Sim>) -> Ended {
    let Some(before) = look_before(sim).await else { return Ended::Early };
    let Some(runner) = start(sim).await else { return Ended::Early };
    let jobs = drive_jobs(sim, &runner);
    sweep(sim, &runner, before);
    loop {
        let next = sim.world().next_wish();
        let Some((wish, pause)) = next else { break };
        let calls = Calls { sim: Arc::clone(sim), runner: Arc::clone(&runner), jobs: jobs.clone() };
        tokio::spawn(fulfil(calls, wish));
        sim.pass(pause).await;
    }
    sim.pass_until(FAULTS_END).await;
    {
        let mut world = sim.world();
        if !world.calm {
            world.calm = true;
            world.note("nothing fails any more");
            if world.plan.faults.rests_after_restart {
                return Ended::Early;
            }
        }
    }
    settle(sim, &runner).await;
    sim.pass_until(DAY).await;
    runner.stop(GRACE).await;
    Ended::AtRest
}

/// The driver of recoveries, as the server starts it.
fn drive_jobs(sim: &Arc<Sim>, runner: &Arc<Runner>) -> Arc<Jobs> {
    let jobs = Arc::<Jobs>::default();
    let driver = Driver {
        store: Arc::new(FaultyStore(Arc::clone(sim))),
        runner: Arc::clone(runner),
        clock: Arc::new(SimClock(Arc::clone(sim))),
        jobs: Arc::clone(&jobs),
        rows_read: 10,
    };
    tokio::spawn(recovery_jobs::drive_for_ever(Arc::new(driver)));
    jobs
}

async fn look_before(sim: &Arc<Sim>) -> Option<Looked> {
    let (now, ages) = {
        let world = sim.world();
        (world.now().clock, world.plan.ages)
    };
    if ages.is_none() {
        return Some(Looked::first(now));
    }
    sweeper::look_before(&FaultyStore(Arc::clone(sim)), now).await.ok()
}

/// What removes what is of age, as the server starts it.
fn sweep(sim: &Arc<Sim>, runner: &Arc<Runner>, before: Looked) {
    let Some(ages) = sim.world().plan.ages else { return };
    let environment = EnvironmentNo::new(1);
    let sweeper = Sweeper {
        store: Arc::new(FaultyStore(Arc::clone(sim))),
        runner: Arc::clone(runner),
        clock: Arc::new(SimClock(Arc::clone(sim))),
        ages: Box::new(move || vec![(environment, ages)]),
        metrics: Arc::default(),
        bell: Arc::default(),
        before,
    };
    tokio::spawn(sweeper::sweep_for_ever(Arc::new(sweeper)));
}

/// A new process over a store at rest sends nothing.
pub(crate) async fn live_again(sim: &Arc<Sim>) {
    sim.begin_life();
    let requests = sim.world().ledger.counts.requests;
    if let Some(runner) = start(sim).await {
        sim.pass(5_000).await;
        runner.stop(GRACE).await;
    }
    let mut world = sim.world();
    if world.ledger.counts.requests != requests {
        world.ledger.violated("something is sent again after everything had ended".into());
    }
    drop(world);
    sim.end_life();
}

/// Brings everything to rest: what was not answered is published again, every endpoint is on,
/// and no dead letter holds its lane.
async fn settle(sim: &Arc<Sim>, runner: &Arc<Runner>) {
    let [mut pause, longest] = LOOKS;
    loop {
        let again: Vec<_> = sim.world().people.unanswered.values().cloned().collect();
        for order in again {
            match order.event.own_id {
                Some(_) => publish(sim, runner, order).await,
                // Without an id nobody can know whether it was taken: it is not sent again.
                None => drop(sim.world().people.unanswered.remove(&order.number)),
            }
        }
        let off = sim.world().ledger.switched_off();
        for no in off {
            set_status(sim, runner, no, EndpointStatus::Active).await;
        }
        let holders: Vec<_> = sim.world().ledger.holders().collect();
        for key in holders {
            skip(sim, runner, key).await;
        }
        sim.pass(pause).await;
        pause = longest.min(pause * 2);
        match unrest(sim) {
            None => return,
            Some(what) if sim.world().time().since(BEGIN) >= DAY => {
                return sim
                    .world()
                    .ledger
                    .violated(format!("no rest by the end of the day: {what}"));
            }
            Some(_) => {}
        }
    }
}

/// What has not come to rest.
fn unrest(sim: &Sim) -> Option<String> {
    let mut world = sim.world();
    if let Some(number) = world.people.unanswered.keys().next() {
        return Some(format!("event {number} is not answered"));
    }
    if let Some((key, state)) = world.ledger.waiting(|key| sim.state(key)) {
        return Some(format!("{} is {state:?}", world.ledger.name(key)));
    }
    let running = crate::ready(sim.store.running_jobs()).ok()?;
    running.first().map(|job| format!("{} runs", job.id))
}

/// What people call: the runner, and the driver of jobs.
struct Calls {
    sim: Arc<Sim>,
    runner: Arc<Runner>,
    jobs: Arc<Jobs>,
}

async fn fulfil(calls: Calls, wish: Wish) {
    let Calls { sim, runner, jobs } = calls;
    match wish {
        Wish::Publish(order) => publish(&sim, &runner, order).await,
        Wish::Make(config) => make(&sim, &runner, *config).await,
        Wish::Delete(no) => delete(&sim, &runner, no).await,
        Wish::Status(no, status) => set_status(&sim, &runner, no, status).await,
        Wish::Cancel(key) => cancel(&sim, &runner, key).await,
        Wish::Retry(key) => retry(&sim, &runner, key).await,
        Wish::Skip(key) => skip(&sim, &runner, key).await,
        Wish::Replay(key, to) => again::replay(&sim, &runner, key, &to).await,
        Wish::Recover(no, id, recovery, rate) => {
            if again::recover(&sim, no, id, recovery, rate).await.is_some() {
                jobs.made.notify_one();
            }
        }
        Wish::Clock(skew) => sim.world().set_wall(skew),
    }
}

async fn publish(sim: &Arc<Sim>, runner: &Arc<Runner>, order: Order) {
    let Order { number, tenant, event } = order.clone();
    let (must, must_not) = {
        let mut world = sim.world();
        world.people.unanswered.insert(number, order);
        world.note(&format!("event {number} is published"));
        world.ledger.audience(tenant)
    };
    let own_id = event.own_id.clone();
    let answer = runner.publish(tenant, event, Audience::Matching, Lookup::NotYet, None).await;
    // The answer may not reach anybody any more.
    sim.point().await;
    let mut world = sim.world();
    world.note(&format!("event {number}: {}", shown(&answer)));
    match answer {
        Ok(Published::Accepted { key, sequence, endpoints }) => {
            let world = &mut *world;
            let ledger = &mut world.ledger;
            ledger.accepted(number, key, sequence, endpoints);
            ledger.matched(key, &must, &must_not);
            promise(world, number, key);
        }
        Ok(Published::Known(key)) => {
            let known = own_id.and_then(|own_id| world.ledger.own_ids.get(&(tenant, own_id)));
            if known != Some(&key) {
                let key = key.get();
                world.ledger.violated(format!("event {number} is known as {key}"));
            }
            promise(&mut world, number, key);
        }
        Err(_) if own_id.is_none() => drop(world.people.unanswered.remove(&number)),
        Err(_) => {}
    }
}

fn promise(world: &mut crate::world::World, number: u64, key: EventKey) {
    world.people.unanswered.remove(&number);
    if let Some(other) = world.people.promised.insert(number, key)
        && other != key
        && !world.ledger.is_gone(other)
    {
        world.ledger.violated(format!("event {number} was promised as two events"));
    }
}

fn shown<T: std::fmt::Debug>(answer: &Result<T, Refusal>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(refusal) => refusal.code.as_str().to_owned(),
    }
}

async fn make(sim: &Arc<Sim>, runner: &Arc<Runner>, config: EndpointConfig) {
    let Some(endpoint) = prepared(sim, config) else { return };
    let answer = runner.create_endpoint(endpoint, None, Trace::default()).await;
    sim.world().note(&format!("an endpoint is made: {}", shown(&answer)));
}

async fn delete(sim: &Arc<Sim>, runner: &Arc<Runner>, no: EndpointNo) {
    let Some(tenant) = sim.world().ledger.ask_to_delete(no) else { return };
    let answer = runner.delete_endpoint(tenant, no, Trace::default()).await;
    sim.world().note(&format!("endpoint {no} is deleted: {}", shown(&answer)));
}

/// As the API does it: the newest version is read, changed and put in its place.
async fn set_status(sim: &Arc<Sim>, runner: &Arc<Runner>, no: EndpointNo, status: EndpointStatus) {
    let id = sim.world().ledger.endpoints.get(&no).map(|facts| facts.config.id);
    let Some(id) = id else { return };
    let Ok(Some(row)) = sim.store.endpoint(id).await else { return };
    let mut config = row.config;
    config.status = status;
    config.version += 1;
    let Some(endpoint) = prepared(sim, config) else { return };
    let answer = runner.replace_endpoint(no, endpoint, Trace::default()).await;
    let status = status.as_str();
    sim.world().note(&format!("endpoint {no} is {status}: {}", shown(&answer)));
}

fn prepared(sim: &Sim, config: EndpointConfig) -> Option<Arc<Endpoint>> {
    let contract = sim.contracts.get(&config.contract)?.clone();
    let mut world = sim.world();
    let prepared = Endpoint::prepare(config, contract, &world.plan.limits, PlainHttp::Refused);
    prepared
        .map(Arc::new)
        .map_err(|refusal| world.ledger.violated(format!("not an endpoint: {refusal:?}")))
        .ok()
}

async fn cancel(sim: &Arc<Sim>, runner: &Arc<Runner>, key: DeliveryKey) {
    let Some(tenant) = sim.world().ledger.ask_to_cancel(key) else { return };
    let answer = runner.cancel_delivery(tenant, key, Trace::default()).await;
    let mut world = sim.world();
    let name = world.ledger.name(key);
    world.note(&format!("{name} is cancelled: {}", shown(&answer)));
}

async fn retry(sim: &Arc<Sim>, runner: &Arc<Runner>, key: DeliveryKey) {
    let is_final = sim.state(key).is_some_and(DeliveryState::is_final);
    let Some(tenant) = sim.world().ledger.tenant_of(key.event) else { return };
    let pair = (key.event, key.endpoint);
    if is_final && !sim.world().may_redeliver(pair) {
        return;
    }
    let seen = if is_final { Seen::Ended } else { Seen::Waiting };
    let answer = runner.retry_delivery(tenant, key, seen, Trace::default()).await;
    let mut world = sim.world();
    let name = world.ledger.name(key);
    world.note(&format!("{name} is retried: {}", shown(&answer)));
    if matches!(&answer, Err(refusal) if refusal.code == Code::Internal) {
        world.ledger.violated(format!("a retry was answered by another call: {key:?}"));
    }
}

async fn skip(sim: &Arc<Sim>, runner: &Arc<Runner>, key: DeliveryKey) {
    let Some(tenant) = sim.world().ledger.tenant_of(key.event) else { return };
    let answer = runner.skip_delivery(tenant, key, Trace::default()).await;
    let mut world = sim.world();
    let name = world.ledger.name(key);
    world.note(&format!("{name} is skipped: {}", shown(&answer)));
}
