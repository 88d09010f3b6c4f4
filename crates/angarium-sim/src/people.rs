//! Publishers who publish, and people who change endpoints and deliveries. They remember what was
//! promised to them.

use crate::plan::{CONTRACT, EndpointPlan, Plan, Wishes};
use crate::random::Random;
use crate::world::{BEGIN, World};
use angarium_core::endpoint::{DeliveryOverride, EndpointConfig, EndpointSecrets, EndpointStatus};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{DeliveryKey, EndpointId, EndpointNo, EventKey, TenantNo};
use angarium_core::limits::Limits;
use angarium_core::retry::RetrySpec;
use angarium_core::subscription::Subscription;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Endpoints that are asked for while there is none.
const MOST_ASKED: usize = 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct People {
    random: Random,
    steps: usize,
    last_number: u64,
    pub(crate) tenants: Vec<TenantNo>,
    to_make: VecDeque<EndpointPlan>,
    /// Endpoints that were asked for; an endpoint's name is its place here.
    pub(crate) asked: Vec<EndpointPlan>,
    /// Publishes whose answer did not come.
    pub(crate) unanswered: BTreeMap<u64, Order>,
    /// Pairs that were asked to be delivered anew: each once, so that a request tells which of
    /// them it is.
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
}

impl People {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        Self {
            random: Random::new(seed, 4),
            steps: plan.steps,
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

    fn make(&mut self, plan: EndpointPlan, limits: &Limits) -> EndpointConfig {
        let types = ["*".to_owned()];
        let subscription = Subscription::try_new(&types, None, Vec::new(), limits);
        let place = self.asked.len();
        let (low, high) = (self.random.next().to_be_bytes(), self.random.next().to_be_bytes());
        let mut id = [0; 10];
        id[..8].copy_from_slice(&low);
        id[8..].copy_from_slice(&high[..2]);
        let retries = plan.retries.iter().map(|wait| (*wait).to_owned()).collect();
        let config = EndpointConfig {
            id: EndpointId::from_parts(BEGIN, id),
            tenant: self.tenants[plan.tenant],
            contract: plan.contract.to_owned(),
            url: format!("https://receiver-{place}.example/hook"),
            subscription: subscription.expect("every type may be asked for"),
            method: None,
            ordering: Some(plan.ordering.clone()),
            delivery: Some(DeliveryOverride {
                timeout: Some(format!("{}s", plan.timeout.as_secs())),
                retries: Some(RetrySpec::List(retries)),
            }),
            concurrency: Some(plan.concurrency),
            rate: None,
            name: Some(place.to_string()),
            description: None,
            metadata: serde_json::Map::new(),
            status: EndpointStatus::Active,
            disabled_reason: None,
            disabled_at: None,
            made_by: None,
            version: 1,
            created_at: BEGIN,
            updated_at: BEGIN,
            secrets: EndpointSecrets::default(),
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
        // Often several things happen at once.
        let pace = self.plan.pace;
        let random = &mut self.people.random;
        let pause = if random.chance(500) { 0 } else { random.between(1, pace) };
        Some((wish, pause))
    }

    /// Something else than a new event, now and then.
    fn draw_wish(&mut self) -> Option<Wish> {
        let Wishes { status, cancel, retry, endpoints, same_again } = self.plan.wishes;
        let drawn = self.people.random.below(1_000);
        let mut below = 0;
        let mut is = |rate: u64| {
            below += rate;
            drawn < below
        };
        if is(status) {
            let statuses = [
                EndpointStatus::Active,
                EndpointStatus::Active,
                EndpointStatus::Paused,
                EndpointStatus::Disabled,
            ];
            let status = self.people.random.pick(&statuses)?;
            return Some(Wish::Status(self.some_endpoint()?, status));
        }
        if is(cancel) {
            return Some(Wish::Cancel(self.some_delivery()?));
        }
        if is(retry) {
            return Some(Wish::Retry(self.some_delivery()?));
        }
        if is(endpoints) {
            return Some(Wish::Delete(self.some_endpoint()?));
        }
        if is(endpoints) {
            let random = &mut self.people.random;
            let plan = EndpointPlan::draw(random, self.plan.tenants, &self.plan.limits);
            let config = self.people.make(plan, &self.plan.limits);
            return Some(Wish::Make(Box::new(config)));
        }
        if is(same_again) {
            return self.some_order().map(Wish::Publish);
        }
        None
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
        let number = self.ledger.numbers.iter().find(|(_, other)| **other == key)?.0;
        Some(Order { number: *number, tenant, event })
    }
}

/// The contracts of the run's endpoints.
pub(crate) fn contract_text(name: &str) -> String {
    let health = match name {
        CONTRACT => "",
        _ => "\n[health]\ndisable_after = { failed_deliveries = 3 }\n",
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
timeout = "{}s"
retries = ["1s"]
{health}
[endpoint]
schemes = ["https"]
"#,
        Duration::from_secs(5).as_secs()
    )
}
