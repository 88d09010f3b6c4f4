//! The machine's promises, driven step by step against a store of ten lines.

mod changes;
mod crowds;
mod deeds;
mod expiring;
mod flow;
mod gates;
mod health;
mod holds;
mod lanes;
mod named;
mod notices;
mod overflow;
mod recovering;
mod replaying;
mod turns;
mod verdicts;

use super::*;
use crate::batch::{
    ActionResult, AttemptRecord, BatchResult, Committed, DeliveryWrite, EndpointResult,
    FanoutStart, LaneWrite, NextState, RowAction, RowActionKind, Standing, Trace,
};
use crate::contract::{Contract, ContractLibrary};
use crate::delivery::DeliveryState;
use crate::endpoint::{
    DeliveryOverride, EndpointConfig, EndpointCounters, EndpointHealth, EndpointStatus, PlainHttp,
};
use crate::event::{DataKind, EventType, NewEvent};
use crate::id::{EndpointId, Generation};
use crate::lane::Ordering;
use crate::outcome::{Class, RetryAfter};
use crate::retry::RetrySpec;
use crate::subscription::Subscription;
use crate::time::Jitter;
use crate::waiting::{DueDelivery, DuePage, LaneHold, StoredLane};
use bytes::Bytes;
use std::time::Duration;

const TENANT: TenantNo = TenantNo::new(1);
const OTHER: TenantNo = TenantNo::new(2);
const T0: Timestamp = Timestamp::from_millis(1_000_000_000);

/// A waiting row: due, sequence, attempts, lane, state.
type Row = (Option<Timestamp>, u64, u16, Option<Lane>, DeliveryState);

/// A contract that signs nothing, with these lines in its `[delivery]`.
fn contract(delivery: &str) -> Arc<Contract> {
    let text = format!(
        "contract = \"x\"\ntitle = \"X\"\n\
         events.\"a.b\" = {{ description = \"d\", example = {{}} }}\n\
         request.body = \"{{event.data}}\"\nendpoint.schemes = [\"https\"]\n\
         [delivery]\ntimeout = \"10s\"\nretries = [\"5s\", \"25s\"]\n{delivery}"
    );
    Arc::new(Contract::parse("x.toml", &text, &Limits::default()).expect("a contract"))
}

/// A shard with a store that keeps `pending` rows only.
struct Bench {
    shard: Shard<u32>,
    limits: Limits,
    /// What endpoints follow, where it is no built-in contract.
    contract: Option<Arc<Contract>>,
    now: Timestamp,
    last_key: EventKey,
    last_endpoint: i64,
    last_ticket: u32,
    slots: usize,
    crowded: bool,
    room: Room,
    publishers: Publishers,
    pending: BTreeMap<DeliveryKey, Row>,
    events: BTreeMap<EventKey, Arc<Event>>,
    ended: Vec<(DeliveryKey, DeliveryState)>,
    holds: BTreeMap<(EndpointNo, EventKey), LaneHold>,
    attempts: Vec<Start>,
    replies: Vec<(u32, Reply)>,
    loads: Vec<Load>,
    notices: Vec<Notice>,
    /// What checkpoints have said of endpoints.
    counters: BTreeMap<EndpointNo, EndpointCounters>,
}

impl Bench {
    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        Self {
            shard: Shard::new(ShardId::of(TENANT), Epoch::new(1), EventKey::ZERO, limits.clone()),
            limits,
            contract: None,
            now: T0,
            last_key: EventKey::ZERO,
            last_endpoint: 0,
            last_ticket: 0,
            slots: 1_000,
            crowded: false,
            room: Room::Free,
            publishers: Publishers::default(),
            pending: BTreeMap::new(),
            events: BTreeMap::new(),
            ended: Vec::new(),
            holds: BTreeMap::new(),
            attempts: Vec::new(),
            replies: Vec::new(),
            loads: Vec::new(),
            notices: Vec::new(),
            counters: BTreeMap::new(),
        }
    }

    fn ticket(&mut self) -> u32 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Gives the machine an input and keeps what it asks for.
    fn act<R>(&mut self, input: impl FnOnce(&mut Shard<u32>, &mut Effects<u32>) -> R) -> R {
        let (room, publishers) = (self.room, self.publishers);
        let mut fx = Effects { room, publishers, ..Effects::new(self.slots, self.slots) };
        let result = input(&mut self.shard, &mut fx);
        self.slots = fx.slots;
        self.crowded |= fx.crowded;
        self.attempts.extend(fx.attempts);
        self.replies.extend(fx.replies);
        self.loads.extend(fx.loads);
        self.notices.extend(fx.notices);
        result
    }

    fn endpoint(&self, change: impl FnOnce(&mut EndpointConfig)) -> Arc<Endpoint> {
        let subscription = Subscription::try_new(&["*".into()], None, vec![], &self.limits);
        let mut config = EndpointConfig {
            ordering: Some(Ordering::None),
            version: 1,
            ..EndpointConfig::new(
                EndpointId::from_bytes([1; 16]),
                TENANT,
                "anduin-legacy".into(),
                "https://receiver.example/hook".into(),
                subscription.expect("a subscription"),
                T0,
            )
        };
        config.delivery = Some(DeliveryOverride {
            timeout: None,
            retries: Some(RetrySpec::List(vec!["5s".into(), "25s".into()])),
        });
        change(&mut config);
        let built_in = || {
            let library = ContractLibrary::built_in(&self.limits).expect("the built-in contracts");
            library.get(&config.contract).expect("a contract").clone()
        };
        let contract = self.contract.clone().unwrap_or_else(built_in);
        let endpoint = Endpoint::prepare(config, contract, &self.limits, PlainHttp::Refused);
        Arc::new(endpoint.expect("an endpoint"))
    }

    /// Makes an endpoint and commits it.
    fn add(&mut self, change: impl FnOnce(&mut EndpointConfig)) -> EndpointNo {
        let endpoint = self.endpoint(change);
        let ticket = self.ticket();
        self.act(|shard, fx| shard.create_endpoint(ticket, endpoint, None, Trace::default(), fx));
        self.commit();
        EndpointNo::new(self.last_endpoint)
    }

    fn event(own_id: Option<&str>, key: Option<&str>) -> Arc<NewEvent> {
        Arc::new(NewEvent {
            own_id: own_id.map(Into::into),
            kind: EventType::from_stored("a.b"),
            time: None,
            subject: None,
            ordering_key: key.map(Into::into),
            attributes: vec![],
            data: Bytes::from_static(b"{}"),
            data_kind: DataKind::Json,
        })
    }

    fn publish(&mut self) -> u32 {
        self.publish_as(None)
    }

    fn publish_many(&mut self, events: usize) {
        for _ in 0..events {
            self.publish();
        }
    }

    fn publish_as(&mut self, own_id: Option<&str>) -> u32 {
        self.publish_for(own_id, Audience::Matching)
    }

    fn publish_for(&mut self, own_id: Option<&str>, audience: Audience) -> u32 {
        self.publish_event(Self::event(own_id, None), audience)
    }

    /// Publishes an event with an ordering key.
    fn publish_in(&mut self, key: &str) -> u32 {
        self.publish_event(Self::event(None, Some(key)), Audience::Matching)
    }

    fn publish_event(&mut self, event: Arc<NewEvent>, audience: Audience) -> u32 {
        self.publish_of(TENANT, event, audience)
    }

    /// Many plain events of one tenant at once.
    fn flood(&mut self, tenant: TenantNo, events: usize) -> Vec<u32> {
        let publish = |_| self.publish_of(tenant, Self::event(None, None), Audience::Matching);
        (0..events).map(publish).collect()
    }

    fn publish_of(&mut self, tenant: TenantNo, event: Arc<NewEvent>, audience: Audience) -> u32 {
        let (ticket, now) = (self.ticket(), self.now);
        let lookup = Lookup::Absent { at: now };
        let call = Publish { tenant, event, audience, guard: None, lookup };
        self.act(|shard, fx| shard.publish(ticket, call, now, fx));
        ticket
    }

    /// Commits what waits, if anything does.
    fn commit(&mut self) {
        while let Some(batch) = self.shard.take_batch() {
            self.finish(&batch);
        }
    }

    /// Ends the commit of a batch that was taken.
    fn finish(&mut self, batch: &ShardBatch) {
        let result = BatchResult::Committed(self.write(batch));
        let now = self.now;
        let ownership = self.act(|shard, fx| shard.committed(batch, &result, now, fx));
        assert_eq!(ownership, Ownership::Ours);
    }

    /// The store: what a batch does to the rows.
    fn write(&mut self, batch: &ShardBatch) -> Committed {
        let mut given = Committed::default();
        for write in &batch.events {
            self.last_key = self.last_key.next(self.now);
            given.events.push(self.last_key);
            let event = Event {
                key: self.last_key,
                tenant: write.tenant,
                sequence: write.sequence,
                accepted_at: write.accepted_at,
                body: write.body.clone(),
            };
            self.events.insert(self.last_key, Arc::new(event));
            for entry in &write.fanout {
                let (due, state) = match entry.start {
                    FanoutStart::Pending { due } => (due, DeliveryState::Pending),
                    FanoutStart::Queued => (None, DeliveryState::Queued),
                    FanoutStart::Held
                    | FanoutStart::Behind
                    | FanoutStart::Overflow
                    | FanoutStart::Suppressed => continue,
                };
                let key = DeliveryKey::first(self.last_key, entry.endpoint);
                self.pending.insert(key, (due, entry.sequence, 0, entry.lane, state));
            }
        }
        for write in &batch.deliveries {
            self.write_delivery(write);
        }
        for write in &batch.lanes {
            match *write {
                LaneWrite::Hold(hold) => {
                    self.holds.insert((hold.by.endpoint, hold.by.event), hold);
                }
                LaneWrite::Release { endpoint, event } => {
                    self.holds.remove(&(endpoint, event));
                }
            }
        }
        for action in &batch.actions {
            given.actions.push(self.write_action(action));
        }
        for write in &batch.endpoints {
            given.endpoints.push(self.write_endpoint(write));
        }
        let counters = batch.checkpoint.iter().flat_map(|checkpoint| &checkpoint.endpoints);
        self.counters.extend(counters.map(|counters| (counters.endpoint, *counters)));
        given.high_water = self.last_key;
        given
    }

    fn write_delivery(&mut self, write: &DeliveryWrite) {
        let row = |due, state| (due, write.sequence, write.attempts, write.lane, state);
        match write.next {
            NextState::Queued => {
                self.pending.insert(write.key, row(None, DeliveryState::Queued));
            }
            NextState::Pending { due } => {
                self.pending.insert(write.key, row(due, DeliveryState::Pending));
            }
            NextState::Ended { state, .. } => {
                assert_eq!(self.pending.remove(&write.key).is_some(), write.has_row);
                self.ended.push((write.key, state));
            }
        }
    }

    fn write_action(&mut self, action: &RowAction) -> Option<ActionResult> {
        let (key, at) = (action.key, action.at);
        let alone = |key| ActionResult { key, stood: None };
        match &action.kind {
            RowActionKind::Cancel => self.end_row(key, DeliveryState::Cancelled),
            RowActionKind::Expire { holds, .. } => {
                let done = self.end_row(key, DeliveryState::Dead)?;
                if let Some((lane, Standing::Head)) = done.stood.filter(|_| *holds) {
                    self.holds.insert((key.endpoint, key.event), LaneHold { lane, by: key });
                }
                Some(done)
            }
            RowActionKind::DueNow => {
                let row = self.pending.get_mut(&key);
                row.filter(|row| row.4 == DeliveryState::Pending)?.0 = Some(at);
                Some(alone(key))
            }
            RowActionKind::Redeliver => {
                let generation = Generation::new(key.generation.get() + 1);
                let key = DeliveryKey { generation, ..key };
                self.pending.insert(key, (Some(at), 1, 0, None, DeliveryState::Pending));
                Some(alone(key))
            }
            RowActionKind::Skip => {
                let hold = self.holds.remove(&(key.endpoint, key.event))?;
                Some(ActionResult { key, stood: Some((hold.lane, Standing::Head)) })
            }
            RowActionKind::Replay(made) => {
                if made.iter().any(|made| self.pending.contains_key(&made.key)) {
                    return None;
                }
                for made in made {
                    let row = (made.due, made.sequence, 0, None, DeliveryState::Pending);
                    self.pending.insert(made.key, row);
                }
                Some(alone(key))
            }
        }
    }

    fn end_row(&mut self, key: DeliveryKey, ended: DeliveryState) -> Option<ActionResult> {
        let (.., lane, state) = self.pending.remove(&key)?;
        self.ended.push((key, ended));
        let standing = match state {
            DeliveryState::Queued => Standing::Behind,
            _ => Standing::Head,
        };
        Some(ActionResult { key, stood: lane.map(|lane| (lane, standing)) })
    }

    fn write_endpoint(&mut self, write: &EndpointWrite) -> EndpointResult {
        let mine = |no: EndpointNo| move |key: &DeliveryKey| key.endpoint == no;
        match write {
            EndpointWrite::Create { .. } => {
                self.last_endpoint += 1;
                EndpointResult { no: EndpointNo::new(self.last_endpoint), rows: 0 }
            }
            EndpointWrite::Replace { no, .. } | EndpointWrite::Delete { no, .. } => {
                EndpointResult { no: *no, rows: 0 }
            }
            EndpointWrite::CancelWaiting { no, .. } => {
                let keys: Vec<_> = self.pending.keys().copied().filter(mine(*no)).collect();
                for key in &keys {
                    self.pending.remove(key);
                    self.ended.push((*key, DeliveryState::Cancelled));
                }
                EndpointResult { no: *no, rows: keys.len() }
            }
            EndpointWrite::Unpark { no, due, .. } => self.set_due(*no, Some(*due)),
            EndpointWrite::Park { no, .. } => self.set_due(*no, None),
        }
    }

    fn set_due(&mut self, no: EndpointNo, due: Option<Timestamp>) -> EndpointResult {
        let rows = self.pending.iter_mut().filter(|(key, _)| key.endpoint == no);
        let rows = rows.filter(|(_, row)| row.0.is_some() != due.is_some());
        let rows = rows.filter(|(_, row)| row.4 == DeliveryState::Pending);
        EndpointResult { no, rows: rows.map(|(_, row)| row.0 = due).count() }
    }

    /// Answers the loads that were asked for.
    fn load(&mut self) {
        for load in std::mem::take(&mut self.loads) {
            let page = self.page(&load);
            self.answer(&load, page);
        }
    }

    /// Answers one load with what was read for it.
    fn answer(&mut self, load: &Load, page: DuePage) {
        let now = self.now;
        self.act(|shard, fx| shard.loaded(load.endpoint, load.rows, page, now, fx));
    }

    /// What the store reads for a load now.
    fn page(&self, load: &Load) -> DuePage {
        let due = |(key, row): (&DeliveryKey, &Row)| {
            let wanted = key.endpoint == load.endpoint && !load.skip.contains(key);
            let due = match load.rows {
                Rows::Due(_) => row.0,
                Rows::Behind(lane) => {
                    let is_behind = (row.3, row.4) == (Some(lane), DeliveryState::Queued);
                    is_behind.then_some(T0)
                }
            };
            due.filter(|_| wanted).map(|due| (due, *key))
        };
        let mut rows: Vec<_> = self.pending.iter().filter_map(due).collect();
        rows.sort_unstable();
        let due_by = match load.rows {
            Rows::Due(by) => by,
            Rows::Behind(_) => T0,
        };
        let ready = rows.iter().take_while(|(due, _)| *due <= due_by).count();
        let weights = rows.iter().map(|(_, key)| self.events[&key.event].body.weight());
        let before = weights.scan(0, |sum, weight| Some(std::mem::replace(sum, *sum + weight)));
        let within = before.take_while(|before| *before == 0 || *before < load.bytes).count();
        let taken = ready.min(load.limit).min(within);
        DuePage {
            next_due: rows.get(taken).map(|(due, _)| *due),
            deliveries: rows[..taken]
                .iter()
                .map(|(due, key)| DueDelivery {
                    key: *key,
                    sequence: self.pending[key].1,
                    attempts: self.pending[key].2,
                    lane: self.pending[key].3,
                    due: *due,
                    event: self.events[&key.event].clone(),
                })
                .collect(),
        }
    }

    /// Ends the oldest attempt that was started.
    fn end(&mut self, class: Class) -> DeliveryKey {
        let start = self.attempts.remove(0);
        self.outcome(&start, class);
        start.key
    }

    fn outcome(&mut self, start: &Start, class: Class) {
        self.answer_of(start, class, None);
    }

    /// As [`Bench::outcome`], with a `Retry-After`.
    fn answer_of(&mut self, start: &Start, class: Class, asked: Option<RetryAfter>) {
        let attempt = Box::new(AttemptRecord {
            n: start.attempt,
            at: self.now,
            took: Duration::from_millis(1),
            class,
            status: None,
            detail: None,
            request: Box::default(),
            response: Box::default(),
            body: Box::default(),
        });
        let now = self.now;
        let jitter = Jitter::HALF;
        let ended = EndedAttempt { key: start.key, record: attempt, asked, jitter, at: now };
        self.shard.outcome(ended);
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        let now = self.now;
        self.act(|shard, fx| shard.tick(now, fx));
    }

    fn reply_to(&self, ticket: u32) -> Option<&Reply> {
        self.replies.iter().find(|(other, _)| *other == ticket).map(|(_, reply)| reply)
    }

    /// Ends every attempt with success, commits and loads until nothing is left to do; waits for
    /// what a gate holds.
    fn drain(&mut self) -> Vec<DeliveryKey> {
        let mut sent = Vec::new();
        for _ in 0..10_000 {
            self.commit();
            self.load();
            if !self.attempts.is_empty() {
                sent.push(self.end(Class::Success));
                continue;
            }
            match self.shard.queues.values().filter_map(|queue| queue.opens_at).min() {
                Some(at) => self.pass(at.since(self.now)),
                None => return sent,
            }
        }
        panic!("the machine does not come to rest");
    }
}
