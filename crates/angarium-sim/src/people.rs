//! Publishers who publish, and people who change endpoints and deliveries. They remember what was
//! promised to them.

use crate::plan::{
    Again, BREAKER_FAILURES, BREAKER_WAIT, CONTRACT_WAITS, EndpointPlan, FAULTS_END, GUARDED,
    HOLDING, Plan, STRICT, Wishes,
};
use crate::random::Random;
use crate::world::{BEGIN, World};
use angarium_core::endpoint::{DeliveryOverride, EndpointConfig, EndpointStatus};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{DeliveryKey, EndpointId, EndpointNo, EventKey, JobId, TenantNo};
use angarium_core::job::Recovery;
use angarium_core::limits::Limits;
use angarium_core::subscription::Subscription;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Endpoints that are asked for while there is none.
const MOST_ASKED: usize = 20;
/// What the system's clock is set to, in milliseconds ahead of the time: an hour at most, so that
/// what waits for it comes to its end within the day.
const SKEWS: [i64; 8] = [0, 0, -1_000, 1_000, -60_000, 300_000, -3_600_000, 3_600_000];

/// See the module.
#[derive(Debug)]
pub(crate) struct People {
    random: Random,
    steps: usize,
    /// Steps that are left of the burst.
    burst: u64,
    last_number: u64,
    pub(crate) tenants: Vec<TenantNo>,
    to_make: VecDeque<EndpointPlan>,
    /// Endpoints that were asked for; an endpoint's name is its place here.
    pub(crate) asked: Vec<EndpointPlan>,
    /// Publishes whose answer did not come.
    pub(crate) unanswered: BTreeMap<u64, Order>,
    /// Pairs of which a single delivery was asked to be delivered anew.
    pub(crate) redelivered: BTreeSet<(EventKey, EndpointNo)>,
    /// Events that were promised to be delivered, by their number.
    pub(crate) promised: BTreeMap<u64, EventKey>,
}

/// A publish.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) tenant: TenantNo,
    pub(crate) event: Arc<NewEvent>,
}

/// What somebody does.
#[derive(Debug)]
pub(crate) enum Wish {
    Publish(Order),
    Make(Box<EndpointConfig>),
    Delete(EndpointNo),
    Status(EndpointNo, EndpointStatus),
    Cancel(DeliveryKey),
    Retry(DeliveryKey),
    /// An event goes out again to these.
    Replay(EventKey, Vec<EndpointNo>),
    /// The lane goes on that a dead letter holds.
    Skip(DeliveryKey),
    /// What an endpoint did not get goes out again, so many a second; of a whole tenant, what all
    /// from this one on did not get.
    Recover(EndpointNo, JobId, Recovery, u32),
    /// The system's clock is set, so far ahead of the time.
    Clock(i64),
}

impl People {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        Self {
            random: Random::new(seed, 4),
            steps: plan.steps,
            burst: 0,
            last_number: 0,
            tenants: Vec::new(),
            to_make: plan.endpoints.iter().cloned().collect(),
            asked: Vec::new(),
            unanswered: BTreeMap::new(),
            redelivered: BTreeSet::new(),
            promised: BTreeMap::new(),
        }
    }

    fn order(&mut self) -> Order {
        self.last_number += 1;
        let number = self.last_number;
        let random = &mut self.random;
        let key = random.chance(800).then(|| random.below(4));
        let padding = "x".repeat(random.pick(&[0, 0, 300]).unwrap_or(0));
        let data = serde_json::json!({"n": number, "key": key, "padding": padding});
        let own_id = random.chance(500).then(|| format!("own-{number}").into());
        let event = NewEvent {
            own_id,
            kind: EventType::from_stored("sim.event"),
            time: None,
            subject: None,
            ordering_key: key.map(|key| format!("key-{key}").into()),
            attributes: Vec::new(),
            data: data.to_string().into(),
            data_kind: DataKind::Json,
        };
        let tenant = random.pick(&self.tenants).unwrap_or_default();
        Order { number, tenant, event: Arc::new(event) }
    }

    fn some_id(&mut self) -> [u8; 10] {
        let (low, high) = (self.random.next().to_be_bytes(), self.random.next().to_be_bytes());
        let mut id = [0; 10];
        id[..8].copy_from_slice(&low);
        id[8..].copy_from_slice(&high[..2]);
        id
    }

    fn make(&mut self, plan: EndpointPlan, limits: &Limits) -> EndpointConfig {
        let types = ["*".to_owned()];
        let subscription = Subscription::try_new(&types, None, Vec::new(), limits);
        let place = self.asked.len();
        let id = self.some_id();
        let config = EndpointConfig {
            ordering: Some(plan.ordering.clone()),
            delivery: Some(DeliveryOverride {
                timeout: Some(format!("{}s", plan.timeout.as_secs())),
                retries: plan.schedule.spec(),
            }),
            concurrency: Some(plan.concurrency),
            rate: plan.rate,
            name: Some(place.to_string()),
            version: 1,
            ..EndpointConfig::new(
                EndpointId::from_parts(BEGIN, id),
                self.tenants[plan.tenant],
                plan.contract.to_owned(),
                format!("https://receiver-{place}.example/hook"),
                subscription.expect("every type may be asked for"),
                BEGIN,
            )
        };
        self.asked.push(plan);
        config
    }
}

impl World {
    /// How an endpoint's receiver behaves, and how it was asked for.
    pub(crate) fn asked(&self, endpoint: EndpointNo) -> Option<&EndpointPlan> {
        let place = self.ledger.endpoints.get(&endpoint)?.config.name.as_deref()?;
        self.people.asked.get(place.parse::<usize>().ok()?)
    }

    /// What somebody does next, and how long it is quiet then, in milliseconds; none when the time
    /// of the faults is over.
    pub(crate) fn next_wish(&mut self) -> Option<(Wish, u64)> {
        let left = (BEGIN + FAULTS_END).since(self.time());
        if left.is_zero() {
            return None;
        }
        // Whoever was refused asks again.
        let is_empty = self.people.to_make.is_empty() && self.ledger.endpoints.is_empty();
        if is_empty && self.people.asked.len() < MOST_ASKED {
            self.people.to_make.extend(self.plan.endpoints.iter().cloned());
        }
        if let Some(plan) = self.people.to_make.pop_front() {
            let config = self.people.make(plan, &self.plan.limits);
            return Some((Wish::Make(Box::new(config)), 5));
        }
        self.people.steps = self.people.steps.checked_sub(1)?;
        let wish = self.draw_wish().unwrap_or_else(|| Wish::Publish(self.people.order()));
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        Some((wish, self.draw_pause().min(left)))
    }

    /// Often several things happen at once; between two bursts it is quiet.
    fn draw_pause(&mut self) -> u64 {
        let People { random, burst, .. } = &mut self.people;
        if *burst == 0 {
            *burst = Plan::burst(random);
            return random.between(1_000, self.plan.lull);
        }
        *burst -= 1;
        if random.chance(500) { 0 } else { random.between(1, self.plan.pace) }
    }

    /// Something else than a new event, now and then.
    fn draw_wish(&mut self) -> Option<Wish> {
        let wishes = self.plan.wishes;
        let Wishes { status, cancel, retry, replay, recover, skip, endpoints, same_again, clock } =
            wishes;
        let drawn = self.people.random.below(1_000);
        let mut below = 0;
        let mut is = |rate: u64| {
            below += rate;
            drawn < below
        };
        if is(status) {
            return self.some_status();
        }
        if is(cancel) {
            return Some(Wish::Cancel(self.some_delivery()?));
        }
        if is(retry) {
            return Some(Wish::Retry(self.some_delivery()?));
        }
        if is(replay) {
            return self.some_replay();
        }
        if is(recover) {
            return self.some_recovery();
        }
        if is(skip) {
            let holders: Vec<_> = self.ledger.holders().collect();
            return self.people.random.pick(&holders).map(Wish::Skip);
        }
        if is(endpoints) {
            return Some(Wish::Delete(self.some_endpoint()?));
        }
        if is(endpoints) {
            let random = &mut self.people.random;
            let Plan { tenants, recovers_tenants, ref limits, .. } = self.plan;
            let plan = EndpointPlan::draw(random, tenants, recovers_tenants, limits);
            let config = self.people.make(plan, &self.plan.limits);
            return Some(Wish::Make(Box::new(config)));
        }
        if is(same_again) {
            return self.some_order().map(Wish::Publish);
        }
        is(clock).then(|| Wish::Clock(self.people.random.pick(&SKEWS).unwrap_or(0)))
    }

    fn some_status(&mut self) -> Option<Wish> {
        let statuses = [
            EndpointStatus::Active,
            EndpointStatus::Active,
            EndpointStatus::Paused,
            EndpointStatus::Disabled,
        ];
        let status = self.people.random.pick(&statuses)?;
        Some(Wish::Status(self.some_endpoint()?, status))
    }

    /// To all that the event matched, or to one of the tenant's endpoints.
    fn some_replay(&mut self) -> Option<Wish> {
        let events: Vec<_> = self.ledger.events.keys().copied().collect();
        let key = self.people.random.pick(&events)?;
        let event = self.ledger.events.get(&key)?;
        let of_tenant = self.ledger.endpoints.iter();
        let of_tenant = of_tenant.filter(|(_, facts)| facts.config.tenant == event.tenant);
        let all: Vec<_> = of_tenant.map(|(no, _)| *no).collect();
        let matched: Vec<_> = event.fanout.iter().map(|fanout| fanout.endpoint).collect();
        let random = &mut self.people.random;
        let mut to = if random.chance(500) { matched } else { vec![random.pick(&all)?] };
        to.retain(|no| self.asked(*no).is_some_and(|plan| plan.again == Again::Recovered));
        (!to.is_empty()).then_some(Wish::Replay(key, to))
    }

    fn some_recovery(&mut self) -> Option<Wish> {
        let all = self.ledger.endpoints.keys().copied();
        let all: Vec<_> = all
            .filter(|no| self.asked(*no).is_some_and(|plan| plan.again == Again::Recovered))
            .collect();
        let clock = self.now().clock;
        let random = &mut self.people.random;
        let no = random.pick(&all)?;
        let states = match random.chance(500) {
            true => Recovery::USUAL_STATES.to_vec(),
            false => Recovery::STATES.to_vec(),
        };
        let hours = Duration::from_secs(3_600 * random.between(1, 20));
        let until = clock + Duration::from_millis(1);
        let recovery = Recovery { since: clock - hours, until, states, types: Vec::new() };
        let rate = random.pick(&[1, 5, 50]).unwrap_or(5);
        let id = JobId::from_parts(clock, self.people.some_id());
        Some(Wish::Recover(no, id, recovery, rate))
    }

    /// Whether people may retry what has ended of a pair: once, at endpoints that get no replays.
    pub(crate) fn may_redeliver(&mut self, pair: (EventKey, EndpointNo)) -> bool {
        self.asked(pair.1).is_some_and(|plan| plan.again == Again::Retried)
            && self.people.redelivered.insert(pair)
    }

    fn some_endpoint(&mut self) -> Option<EndpointNo> {
        let all: Vec<_> = self.ledger.endpoints.keys().copied().collect();
        self.people.random.pick(&all)
    }

    fn some_delivery(&mut self) -> Option<DeliveryKey> {
        // The newest ones are those that still wait.
        let newest: Vec<_> = self.ledger.events.iter().rev().take(24).collect();
        let pairs: Vec<_> = newest
            .iter()
            .flat_map(|(key, event)| event.fanout.iter().map(|fanout| (**key, fanout.endpoint)))
            .collect();
        let (event, endpoint) = self.people.random.pick(&pairs)?;
        Some(self.ledger.newest(event, endpoint))
    }

    /// A publish that was made before, by its own id.
    fn some_order(&mut self) -> Option<Order> {
        let own: Vec<_> = self.ledger.own_ids.iter().map(|(own, key)| (own.0, *key)).collect();
        let (tenant, key) = self.people.random.pick(&own)?;
        let event = Arc::clone(&self.ledger.events.get(&key)?.body);
        Some(Order { number: self.ledger.number(key), tenant, event })
    }
}

/// The contracts of the run's endpoints.
pub(crate) fn contract_text(name: &str) -> String {
    let policy = match name {
        GUARDED => format!(
            r#"breaker = {{ failures = {BREAKER_FAILURES}, wait = "{BREAKER_WAIT}s", cap = "5m" }}
retry_after = {{ floor = "1s", cap = "1h" }}"#
        ),
        HOLDING => {
            "ordering = \"key\"\ngone = \"disable\"\nafter_dead_letter = \"hold\"".to_owned()
        }
        _ => String::new(),
    };
    let health = match name {
        STRICT => "[health]\ndisable_after = { failed_deliveries = 3 }",
        HOLDING => {
            "[health]\ndisable_after = { failing_for = \"30m\", deliveries = 2 }
while_disabled = \"wait\""
        }
        _ => "",
    };
    format!(
        r#"contract = "{name}"
title = "Simulated"

[events."sim.event"]
description = "Something."
example = {{ n = 1 }}

[request]
body = {{ data = "{{event.data}}" }}

[request.headers]
x-sequence = "{{sequence}}"

[delivery]
timeout = "5s"
retries = {CONTRACT_WAITS:?}
{policy}

{health}

[endpoint]
schemes = ["https"]
"#
    )
}
