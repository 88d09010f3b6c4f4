//! A seed from its beginning to its verdict.

use crate::people::contract_text;
use crate::plan::{CONTRACT, EndpointPlan, GUARDED, HOLDING, Plan, STRICT, Shards};
use crate::process::{Ended, live, live_again};
use crate::world::{BEGIN, Sim, World};
use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::Trace;
use angarium_core::contract::ContractLibrary;
use angarium_core::egress::EgressSettings;
use angarium_core::id::{EnvironmentNo, ShardId, TenantNo};
use angarium_core::limits::Limits;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, AccountChanged, Store as _};
use anyhow::{Context as _, Result, bail};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// What became of a seed.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The fingerprint of everything that happened.
    pub trace: u64,
    /// Events that were committed.
    pub events: u64,
    /// Requests that receivers saw begin.
    pub requests: u64,
    /// Requests that repeated one whose record was lost.
    pub repeated: u64,
    /// Times that the process was killed.
    pub kills: u64,
    /// Times that machines were dropped: by a kill, or a commit that failed.
    pub interruptions: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Times that an endpoint was left alone because it failed.
    pub openings: u64,
    /// Deliveries that replays and recoveries made.
    pub replayed: u64,
    /// Recoveries.
    pub jobs: u64,
    /// Times that the system's clock was set.
    pub clocks_set: u64,
    /// Events of which the payload, and of which all that was left, went at its age.
    pub gone: [u64; 2],
    /// Deliveries that were given up because their event was of age.
    pub expired: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Steps at which the process could have been killed.
    pub steps: u64,
    /// Broken promises.
    pub violations: Vec<String>,
    /// The last lines of the trace.
    pub last: Vec<String>,
}

/// The simulated contracts, parsed once.
static CONTRACTS: LazyLock<Arc<ContractLibrary>> = LazyLock::new(|| {
    let mut library = ContractLibrary::default();
    for name in [CONTRACT, STRICT, GUARDED, HOLDING] {
        let added = library.add(name, &contract_text(name), &Limits::default());
        added.expect("the simulated contracts have no mistakes");
    }
    Arc::new(library)
});

/// Runs a seed twice; a second run that differs is a violation. Keeps the last so many lines.
///
/// # Errors
/// When the simulation itself cannot be set up.
pub fn run_twice(seed: u64, lines: usize) -> Result<Report> {
    let mut report = run(seed, lines)?;
    let again = run(seed, lines)?;
    if again.trace != report.trace {
        report.violations.push("the same seed ran in two ways".into());
        report.last.push("-- the second run:".into());
        report.last.extend(again.last);
    }
    Ok(report)
}

/// Runs a seed once. Keeps the last so many lines.
///
/// # Errors
/// When the simulation itself cannot be set up.
pub fn run(seed: u64, lines: usize) -> Result<Report> {
    let plan = Plan::draw(seed);
    let store = SqliteStore::open(SqliteConfig {
        path: None,
        master_key: MasterKey::from_bytes([7; 32]),
        next_master_key: None,
        synchronous: Synchronous::Normal,
        mode: Mode::InPlace,
    })?;
    let tenants = make_tenants(&store, plan.tenants, plan.shards)?;
    let sim = Arc::new(Sim::new(seed, plan, store, Arc::clone(&CONTRACTS), lines));
    sim.world().people.tenants = tenants;
    while in_a_process(async { live(&sim).await })? == Ended::Early {
        if sim.world().turns_in_circles() {
            break;
        }
    }
    if sim.world().ledger.violations().is_empty() {
        in_a_process(async { live_again(&sim).await })?;
        judge(&sim)?;
    }
    let sim = Arc::into_inner(sim).context("a process has outlived its runtime")?;
    Ok(report(seed, sim.into_world()))
}

/// Every task of a process ends with its runtime, wherever it stands.
fn in_a_process<T>(life: impl Future<Output = T>) -> Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(life))
}

fn make_tenants(store: &SqliteStore, tenants: usize, shards: Shards) -> Result<Vec<TenantNo>> {
    let made = |change| match crate::ready(store.change_account(change, Trace::default(), BEGIN))? {
        AccountChanged::Created(no) => Ok(no),
        other => bail!("an account was not made: {other:?}"),
    };
    let environment = made(AccountChange::CreateEnvironment(Environment {
        no: EnvironmentNo::default(),
        slug: "sim".into(),
        title: "Simulated".into(),
        contracts: [CONTRACT, STRICT, GUARDED, HOLDING].map(Into::into).to_vec(),
        hosts: Vec::new(),
        egress: EgressSettings::default(),
        retention: Default::default(),
        created_at: BEGIN,
    }))?;
    let tenant = |place: usize| {
        made(AccountChange::PutTenant(Tenant {
            no: TenantNo::default(),
            environment: EnvironmentNo::new(environment),
            id: format!("tenant-{place}"),
            name: None,
            plan: None,
            metadata: serde_json::Map::new(),
            rate: None,
            created_at: BEGIN,
        }))
        .map(TenantNo::new)
    };
    // Tenants whose numbers are as far apart as there are shards share one.
    let apart = match shards {
        Shards::One => usize::from(ShardId::COUNT),
        Shards::Several => 1,
    };
    let all = (0..=(tenants - 1) * apart).map(tenant).collect::<Result<Vec<_>>>()?;
    Ok(all.into_iter().step_by(apart).collect())
}

/// What stands in the store at the end is what was promised.
fn judge(sim: &Sim) -> Result<()> {
    let mut world = sim.world();
    let promised: Vec<_> = world.people.promised.iter().map(|(n, key)| (*n, *key)).collect();
    for (number, key) in promised {
        let tenant = world.ledger.tenant_of(key).unwrap_or_default();
        let stored = crate::ready(sim.store.event(tenant, key))?;
        if stored.is_none() != world.ledger.is_gone(key) {
            world
                .ledger
                .violated(format!("event {number} was promised and is not there, or is too long"));
        }
    }
    for key in world.ledger.all_deliveries() {
        if world.ledger.is_gone(key.event) {
            continue;
        }
        let stored = crate::ready(sim.store.delivery(key))?;
        let attempts = world.asked(key.endpoint).and_then(EndpointPlan::attempts);
        world.ledger.judge(key, stored.as_ref().map(|stored| &stored.row), attempts);
    }
    let jobs: Vec<_> = world.ledger.jobs.keys().copied().collect();
    for id in jobs {
        let job = crate::ready(sim.store.job(id))?;
        world.ledger.judge_job(id, job.as_ref());
    }
    let now = world.now().clock;
    let depth = crate::ready(sim.store.depth(now))?;
    let events = world.ledger.kept() as u64;
    if (depth.pending, depth.events) != (0, events) {
        let (pending, counted) = (depth.pending, depth.events);
        let what = format!("{pending} rows wait, {counted} events are counted of {events}");
        world.ledger.violated(what);
    }
    Ok(())
}

fn report(seed: u64, world: World) -> Report {
    let counts = world.ledger.counts;
    Report {
        seed,
        trace: world.trace.hash(),
        events: world.ledger.events.len() as u64,
        requests: counts.requests,
        repeated: counts.repeated,
        kills: world.kills,
        interruptions: counts.interruptions,
        dead: counts.dead,
        openings: counts.openings,
        replayed: counts.replayed,
        jobs: world.ledger.jobs.len() as u64,
        clocks_set: counts.clocks_set,
        gone: counts.gone,
        expired: counts.expired,
        simulated: world.time().since(BEGIN),
        steps: world.steps(),
        violations: world.ledger.violations().to_vec(),
        last: world.trace.into_last(),
    }
}
