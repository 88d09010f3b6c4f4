//! The books: what was committed, sent and received, kept apart from the machine, and the promises
//! that are checked at each step.
//!
//! Everything here follows from the batches that the store committed and the requests that the
//! receivers saw. Nothing is asked of the machine.

mod answers;
mod commits;
mod gates;
mod holds;
mod jobs;
mod removal;
mod requests;

pub(crate) use requests::{Request, UnderWay};

use crate::world::Moment;
use angarium_core::batch::Fanout;
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::{EndpointConfig, EndpointStatus};
use angarium_core::event::NewEvent;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, JobId, ShardId, TenantNo};
use angarium_core::lane::Lane;
use angarium_core::limits::Limits;
use angarium_core::retention::Ages;
use angarium_core::time::Timestamp;
use gates::GateFacts;
use jobs::JobFacts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Violations of one run that are kept: the first is the one to look at.
const KEPT: usize = 5;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    node_window: usize,
    pub(crate) events: BTreeMap<EventKey, EventFacts>,
    /// Events by the number in their data.
    pub(crate) numbers: BTreeMap<u64, EventKey>,
    pub(crate) own_ids: BTreeMap<(TenantNo, Box<str>), EventKey>,
    pub(crate) endpoints: BTreeMap<EndpointNo, EndpointFacts>,
    pub(crate) deliveries: BTreeMap<DeliveryKey, DeliveryFacts>,
    tenants: BTreeMap<TenantNo, u64>,
    /// First deliveries without a row.
    rowless: BTreeSet<(EventKey, EndpointNo)>,
    /// First deliveries of each lane that are not known to have ended, oldest first.
    lanes: BTreeMap<(EndpointNo, Lane), BTreeSet<EventKey>>,
    /// Lanes that stand still, and the event whose dead letter holds them.
    holds: BTreeMap<(EndpointNo, Lane), EventKey>,
    /// What the clock said at the last commit.
    pub(crate) written_at: Timestamp,
    /// When the clock was set last.
    clock_set_at: Timestamp,
    /// Deliveries that are not known to have ended.
    open: BTreeSet<DeliveryKey>,
    gates: BTreeMap<EndpointNo, GateFacts>,
    pub(crate) jobs: BTreeMap<JobId, JobFacts>,
    /// Attempts whose record is not committed and answered.
    outstanding: BTreeMap<EndpointNo, BTreeMap<DeliveryKey, Outstanding>>,
    /// Shards without a machine: what begins now was given out by the one that is gone.
    out: BTreeSet<ShardId>,
    /// Attempts whose record a crash or a commit of unknown result may have lost.
    interrupted: BTreeSet<DeliveryKey>,
    cancels_asked: BTreeSet<DeliveryKey>,
    /// How long what is accepted is kept, if that is shorter than a run.
    pub(crate) ages: Option<Ages>,
    /// Up to here payloads are gone, and up to here events.
    gone: removal::Upto,
    violations: Vec<String>,
    pub(crate) counts: Counts,
}

/// What happened how often.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) repeated: u64,
    pub(crate) interruptions: u64,
    pub(crate) dead: u64,
    /// Times that a breaker opened.
    pub(crate) openings: u64,
    /// Deliveries that replays and recoveries made.
    pub(crate) replayed: u64,
    pub(crate) clocks_set: u64,
    /// Events of which the payload, and of which all that was left, went at its age.
    pub(crate) gone: [u64; 2],
    /// Deliveries that were given up because their event was of age.
    pub(crate) expired: u64,
}

/// An attempt whose record is not committed and answered.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    request: u64,
    /// Whether its record is committed.
    is_recorded: bool,
}

/// A committed event.
#[derive(Debug)]
pub(crate) struct EventFacts {
    pub(crate) number: u64,
    pub(crate) tenant: TenantNo,
    pub(crate) sequence: u64,
    pub(crate) body: Arc<NewEvent>,
    pub(crate) fanout: Vec<Fanout>,
}

/// A committed endpoint.
#[derive(Debug)]
pub(crate) struct EndpointFacts {
    pub(crate) config: EndpointConfig,
    last_sequence: u64,
    /// Whether its maker may know of it.
    pub(crate) made: Knowledge,
    pub(crate) deleted: Knowledge,
    /// Its status, and since when that is in force, whatever the clock says.
    in_force: (EndpointStatus, Timestamp),
    pub(crate) was_disabled: bool,
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Knowledge {
    /// Nobody asked for it.
    Unasked,
    /// It was asked for, or is committed.
    Possible,
    /// The machine knows that it is durable.
    Certain,
}

/// A delivery with a row, or with an attempt.
#[derive(Debug, Default)]
pub(crate) struct DeliveryFacts {
    pub(crate) attempts: u16,
    pub(crate) ended: Option<DeliveryState>,
    /// Before this it is not tried again.
    due: Option<Due>,
    /// Requests that began …
    requests: u64,
    /// … and those of them whose record was lost with the machine that made them.
    unrecorded: u64,
    /// The number that a replay gave it; none for a first delivery.
    sequence: Option<u64>,
    /// How often a receiver took it.
    pub(crate) received: u64,
}

/// When a delivery is tried again: when the clock says so, or when so much time has passed. A clock
/// that is set makes two of it; then the earlier one counts.
#[derive(Debug, Clone, Copy)]
struct Due(Moment);

impl Ledger {
    pub(crate) fn new(limits: &Limits, ages: Option<Ages>) -> Self {
        Self { node_window: limits.node_window, ages, ..Self::default() }
    }

    /// Notes that a promise was broken.
    pub(crate) fn violated(&mut self, what: String) {
        if self.violations.len() < KEPT {
            self.violations.push(what);
        }
    }

    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Every machine is gone.
    pub(crate) fn interrupt_all(&mut self, now: Timestamp) {
        let all: Vec<_> = ShardId::all().collect();
        self.interrupt(&all, now);
    }

    /// The machines of these shards are gone: what they had under way may be sent again.
    pub(crate) fn interrupt(&mut self, shards: &[ShardId], now: Timestamp) {
        self.counts.interruptions += 1;
        self.out.extend(shards);
        for facts in self.endpoints.values_mut() {
            // The next machine begins with what is committed.
            if shards.contains(&ShardId::of(facts.config.tenant)) {
                facts.in_force = (facts.config.status, now);
            }
        }
        let endpoints = &self.endpoints;
        let is_of = |no: &EndpointNo| {
            let tenant = endpoints.get(no).map(|facts| facts.config.tenant);
            tenant.is_some_and(|tenant| shards.contains(&ShardId::of(tenant)))
        };
        let gone: Vec<_> = self.outstanding.extract_if(.., |no, _| is_of(no)).collect();
        // A gate remembers nothing beyond its machine.
        self.gates.retain(|no, _| !is_of(no));
        for (key, outstanding) in gone.into_iter().flat_map(|(_, attempts)| attempts) {
            self.interrupted.insert(key);
            if !outstanding.is_recorded {
                self.deliveries.entry(key).or_default().unrecorded += 1;
            }
        }
    }

    /// A process takes the store over. What waits is brought forward by as much as its clock is
    /// behind the last commit.
    pub(crate) fn claimed(&mut self, clock: Timestamp) {
        let set_back = self.written_at.since(clock);
        for due in self.deliveries.values_mut().filter_map(|facts| facts.due.as_mut()) {
            let Moment { time, clock } = due.0;
            due.0 = Moment { time: time - set_back, clock: clock - set_back };
        }
        self.written_at = clock;
    }

    /// The process's clock is another than that of the one before, which said `before`.
    pub(crate) fn clock_set(&mut self, before: Moment) {
        self.counts.clocks_set += 1;
        self.clock_set_at = before.time;
        // What the clock has reached may be sent, even if it is set back now.
        for facts in self.deliveries.values_mut() {
            facts.due = facts.due.filter(|due| due.0.clock > before.clock);
        }
        for no in self.endpoints.keys() {
            self.gates.entry(*no).or_default().clock_set(before.time);
        }
    }

    /// Machines are made of what is committed now.
    pub(crate) fn taken_over(&mut self, shards: &[ShardId]) {
        self.out.retain(|shard| !shards.contains(shard));
    }

    /// Endpoints of a tenant that every event must match which is published now, and those that
    /// none may match.
    pub(crate) fn audience(&self, tenant: TenantNo) -> (Vec<EndpointNo>, Vec<EndpointNo>) {
        let of_tenant = self.endpoints.iter().filter(|(_, facts)| facts.config.tenant == tenant);
        let (mut must, mut must_not) = (Vec::new(), Vec::new());
        for (no, facts) in of_tenant {
            match (facts.made, facts.deleted) {
                (_, Knowledge::Certain) => must_not.push(*no),
                (Knowledge::Certain, Knowledge::Unasked) => must.push(*no),
                (_, Knowledge::Possible)
                | (Knowledge::Unasked | Knowledge::Possible, Knowledge::Unasked) => {}
            }
        }
        (must, must_not)
    }

    /// The lane of an event's delivery, from the endpoint's order.
    fn lane(&self, endpoint: EndpointNo, event: &NewEvent) -> Option<Lane> {
        self.endpoints.get(&endpoint)?.config.ordering.as_ref()?.lane(event)
    }

    /// The newest delivery of a pair.
    pub(crate) fn newest(&self, event: EventKey, endpoint: EndpointNo) -> DeliveryKey {
        let first = DeliveryKey::first(event, endpoint);
        let of_pair = self.deliveries.range(first..).map(|(key, _)| *key);
        let of_pair = of_pair.take_while(|key| (key.event, key.endpoint) == (event, endpoint));
        of_pair.last().unwrap_or(first)
    }

    /// Every delivery that there is: those of all fan-outs, and redeliveries.
    pub(crate) fn all_deliveries(&self) -> BTreeSet<DeliveryKey> {
        let firsts = self.events.iter().flat_map(|(key, event)| {
            event.fanout.iter().map(|fanout| DeliveryKey::first(*key, fanout.endpoint))
        });
        firsts.chain(self.deliveries.keys().copied()).collect()
    }

    /// A delivery that has not ended, and where it stands; `state` asks the store.
    pub(crate) fn waiting(
        &mut self,
        state: impl Fn(DeliveryKey) -> Option<DeliveryState>,
    ) -> Option<(DeliveryKey, Option<DeliveryState>)> {
        while let Some(key) = self.open.first().copied() {
            match state(key) {
                // What an endpoint's deletion ended is not in the books.
                Some(state) if state.is_final() => self.ends(key, state),
                state => return Some((key, state)),
            }
        }
        None
    }
}
