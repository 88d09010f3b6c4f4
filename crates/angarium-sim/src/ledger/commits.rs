//! What a commit may write.

use super::{DeliveryFacts, Due, EndpointFacts, EventFacts, Knowledge, Ledger};
use crate::world::Moment;
use angarium_core::batch::{
    ActionResult, BatchResult, Committed, DeliveryWrite, EndpointWrite, EventWrite, FanoutStart,
    NextState, RowAction, RowActionKind, ShardBatch, Standing,
};
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::{EndpointConfig, EndpointStatus};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId};
use angarium_core::time::Timestamp;
use std::time::Duration;

/// An outcome is committed at most so long after it came.
const COMMITTED_WITHIN: Duration = Duration::from_secs(30);

impl Due {
    /// A time by the clock, as it looks now.
    fn seen(clock: Timestamp, now: Moment) -> Self {
        Self(Moment { clock, time: now.time + clock.since(now.clock) })
    }
}

impl Ledger {
    /// Books a commit at the moment in which it is durable. Answers lines for the trace.
    pub(crate) fn committed(
        &mut self,
        batches: &[ShardBatch],
        results: &[BatchResult],
        now: Moment,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for (batch, result) in batches.iter().zip(results) {
            let BatchResult::Committed(given) = result else {
                lines.push(format!("shard {}: a stale batch", batch.shard));
                continue;
            };
            for (write, key) in batch.events.iter().zip(&given.events) {
                self.event(write, *key);
                lines.push(self.shown(*key));
            }
            for write in &batch.deliveries {
                lines.push(self.delivery(write, now));
            }
            for (action, done) in batch.actions.iter().zip(&given.actions) {
                let key = done.map(|done| done.key);
                self.action(action, *done);
                let name = self.name(action.key);
                let made = key.map(|key| self.name(key));
                lines.push(format!("{name}: {:?} makes {made:?}", action.kind));
            }
            self.endpoints(batch, given, now.time, &mut lines);
            if let Some(checkpoint) = &batch.checkpoint {
                self.checkpoint(batch.shard, checkpoint.upto);
            }
        }
        lines
    }

    /// The machine learns of the commit: slots are free, changes are in force.
    pub(crate) fn answered(
        &mut self,
        batches: &[ShardBatch],
        results: &[BatchResult],
        now: Timestamp,
    ) {
        for (batch, result) in batches.iter().zip(results) {
            let BatchResult::Committed(given) = result else {
                self.interrupt(&[batch.shard], now);
                continue;
            };
            for write in batch.deliveries.iter().filter(|write| write.attempt.is_some()) {
                let outstanding = self.outstanding.entry(write.key.endpoint).or_default();
                outstanding.remove(&write.key);
            }
            for result in &given.endpoints {
                if let Some(gate) = self.gates.get_mut(&result.no) {
                    gate.may_begin_anew();
                }
            }
            for (write, result) in batch.endpoints.iter().zip(&given.endpoints) {
                let Some(facts) = self.endpoints.get_mut(&result.no) else { continue };
                match write {
                    EndpointWrite::Create { .. } => facts.made = Knowledge::Certain,
                    EndpointWrite::Delete { .. } => facts.deleted = Knowledge::Certain,
                    EndpointWrite::Replace { config, .. } => facts.in_force = (config.status, now),
                    EndpointWrite::CancelWaiting { .. }
                    | EndpointWrite::Unpark { .. }
                    | EndpointWrite::Park { .. } => {}
                }
            }
        }
    }

    pub(crate) fn number(&self, key: EventKey) -> u64 {
        self.events.get(&key).map_or(0, |event| event.number)
    }

    /// A delivery as people read it in a trace.
    pub(crate) fn name(&self, key: DeliveryKey) -> String {
        let (number, endpoint) = (self.number(key.event), key.endpoint);
        match key.generation.get() {
            0 => format!("event {number} to {endpoint}"),
            again => format!("event {number} to {endpoint}, again {again}"),
        }
    }

    fn shown(&self, key: EventKey) -> String {
        let fanout = self.events.get(&key).map_or(&[][..], |facts| &facts.fanout);
        let to: Vec<_> =
            fanout.iter().map(|to| format!("{} {:?}", to.endpoint, to.start)).collect();
        format!("event {} is committed for {}", self.number(key), to.join(", "))
    }

    fn event(&mut self, write: &EventWrite, key: EventKey) {
        let newest = self.events.last_key_value().map(|(key, _)| *key);
        if newest.is_some_and(|newest| newest >= key) {
            self.violated(format!("event {} is not newer than the one before", key.get()));
        }
        let last = self.tenants.entry(write.tenant).or_default();
        let (expected, given) = (*last + 1, write.sequence);
        *last = given;
        if expected != given {
            let tenant = write.tenant;
            self.violated(format!("tenant {tenant}: sequence {given} after {}", expected - 1));
        }
        if let Some(own_id) = &write.body.own_id
            && let Some(first) = self.own_ids.insert((write.tenant, own_id.clone()), key)
        {
            let (first, second) = (first.get(), key.get());
            self.violated(format!("{own_id}: accepted twice, as {first} and {second}"));
        }
        let data: serde_json::Value = serde_json::from_slice(&write.body.data).unwrap_or_default();
        let number = data["n"].as_u64().unwrap_or_default();
        self.numbers.insert(number, key);
        for fanout in &write.fanout {
            self.pair(write, key, fanout.endpoint, fanout.sequence, fanout.start);
        }
        let (tenant, sequence) = (write.tenant, write.sequence);
        let (body, fanout) = (write.body.clone(), write.fanout.clone());
        self.events.insert(key, EventFacts { number, tenant, sequence, body, fanout });
    }

    fn pair(
        &mut self,
        write: &EventWrite,
        key: EventKey,
        no: EndpointNo,
        sequence: u64,
        start: FanoutStart,
    ) {
        let Some(facts) = self.endpoints.get_mut(&no) else {
            return self.violated(format!("event {} matches an unknown endpoint {no}", key.get()));
        };
        let (last, was_disabled) = (facts.last_sequence, facts.was_disabled);
        facts.last_sequence = sequence;
        if facts.config.tenant != write.tenant {
            self.violated(format!("event {} matches another tenant's endpoint", key.get()));
        }
        if sequence != last + 1 {
            self.violated(format!("endpoint {no}: sequence {sequence} after {last}"));
        }
        let delivery = DeliveryKey::first(key, no);
        self.open.insert(delivery);
        match start {
            FanoutStart::Held | FanoutStart::Behind | FanoutStart::Overflow => {
                self.rowless.insert((key, no));
            }
            FanoutStart::Pending { .. } | FanoutStart::Queued => {
                self.deliveries.entry(delivery).or_default();
            }
            FanoutStart::Suppressed => {
                self.ends(delivery, DeliveryState::Suppressed);
                if !was_disabled || self.waits(no) {
                    let number = key.get();
                    self.violated(format!("{number} is suppressed by {no}, for which it could go"));
                }
                return;
            }
        }
        if let Some(lane) = self.lane(no, &write.body) {
            self.lanes.entry((no, lane)).or_default().insert(key);
        }
    }

    fn delivery(&mut self, write: &DeliveryWrite, now: Moment) -> String {
        let key = write.key;
        // It may have been judged before the clock was set.
        let set_lately = self.clock_set_at + COMMITTED_WITHIN;
        self.rowless.remove(&(key.event, key.endpoint));
        let facts = self.deliveries.entry(key).or_default();
        let before = facts.attempts;
        if write.attempt.is_some()
            && let Some(attempts) = self.outstanding.get_mut(&key.endpoint)
            && let Some(outstanding) = attempts.get_mut(&key)
        {
            outstanding.is_recorded = true;
        }
        let expected = before + u16::from(write.attempt.is_some());
        facts.attempts = write.attempts;
        facts.due = match write.next {
            NextState::Pending { due } if write.attempt.is_some() => {
                due.filter(|_| now.time > set_lately).map(|due| Due::seen(due, now))
            }
            // A row of what memory holds promises no more than was promised before.
            NextState::Pending { due } => facts.due.filter(|_| due.is_some()),
            NextState::Queued | NextState::Ended { .. } => None,
        };
        // A delivery that ended is over, but for what its endpoint's deletion ended meanwhile.
        let is_over = facts.ended.is_some();
        let n = write.attempt.as_ref().map_or(expected, |attempt| attempt.n);
        if write.attempts != expected || n != expected {
            let after = write.attempts;
            let name = self.name(key);
            self.violated(format!("{name}: attempt {n} makes {after} after {before}"));
        }
        if is_over {
            let name = self.name(key);
            self.violated(format!("{name}: is written after its end: {:?}", write.next));
        }
        if let NextState::Ended { state, .. } = write.next {
            self.ends(key, state);
            self.hold_or_release(key, state);
        }
        let name = self.name(key);
        let standing = match write.next {
            NextState::Queued => "queued".to_owned(),
            NextState::Pending { due: Some(due) } => format!("pending until {due}"),
            NextState::Pending { due: None } => "parked".to_owned(),
            NextState::Ended { state, .. } => state.as_str().to_owned(),
        };
        format!("{name}: {standing}, {} attempts", write.attempts)
    }

    pub(super) fn ends(&mut self, key: DeliveryKey, state: DeliveryState) {
        self.deliveries.entry(key).or_default().ended.get_or_insert(state);
        self.open.remove(&key);
        let Some(event) = self.events.get(&key.event) else { return };
        if let Some(lane) = self.lane(key.endpoint, &event.body)
            && key == DeliveryKey::first(key.event, key.endpoint)
            && let Some(line) = self.lanes.get_mut(&(key.endpoint, lane))
        {
            line.remove(&key.event);
        }
    }

    fn action(&mut self, action: &RowAction, done: Option<ActionResult>) {
        let Some(done) = done else { return };
        let key = done.key;
        match &action.kind {
            RowActionKind::Cancel => {
                if self.deliveries.get(&key).is_some_and(|facts| facts.ended.is_some()) {
                    let name = self.name(key);
                    self.violated(format!("{name}: is cancelled after its end"));
                }
                self.ends(key, DeliveryState::Cancelled);
            }
            RowActionKind::Expire { holds, .. } => {
                let is_head = matches!(done.stood, Some((_, Standing::Head)));
                self.expired(key, *holds && is_head);
            }
            RowActionKind::DueNow => self.deliveries.entry(key).or_default().due = None,
            RowActionKind::Redeliver => self.made_anew(key, None),
            RowActionKind::Skip => self.release(key),
            RowActionKind::Replay(made) => {
                self.counts.replayed += made.len() as u64;
                made.iter().for_each(|made| self.made_anew(made.key, Some(made.sequence)));
            }
        }
    }

    fn made_anew(&mut self, key: DeliveryKey, sequence: Option<u64>) {
        if self.deliveries.contains_key(&key) {
            let name = self.name(key);
            self.violated(format!("{name}: is made twice"));
        }
        self.deliveries.insert(key, DeliveryFacts { sequence, ..DeliveryFacts::default() });
        self.open.insert(key);
    }

    fn endpoints(
        &mut self,
        batch: &ShardBatch,
        given: &Committed,
        now: Timestamp,
        lines: &mut Vec<String>,
    ) {
        for (write, result) in batch.endpoints.iter().zip(&given.endpoints) {
            let (no, rows) = (result.no, result.rows);
            match write {
                EndpointWrite::Create { config, .. } => self.made(no, config, now),
                EndpointWrite::Replace { config, .. } => self.replaced(no, config),
                EndpointWrite::Delete { .. } => {
                    if let Some(facts) = self.endpoints.get_mut(&no) {
                        facts.deleted = facts.deleted.max(Knowledge::Possible);
                    }
                }
                EndpointWrite::CancelWaiting { .. }
                | EndpointWrite::Unpark { .. }
                | EndpointWrite::Park { .. } => self.forget_due(no),
            }
            let name = format!("{write:?}");
            let name = name.split(' ').next().unwrap_or_default();
            lines.push(format!("endpoint {no}: {name}, {rows} rows"));
        }
    }

    fn made(&mut self, no: EndpointNo, config: &EndpointConfig, now: Timestamp) {
        let facts = EndpointFacts {
            config: config.clone(),
            last_sequence: 0,
            made: Knowledge::Possible,
            deleted: Knowledge::Unasked,
            in_force: (config.status, now),
            was_disabled: config.status == EndpointStatus::Disabled,
        };
        if self.endpoints.insert(no, facts).is_some() {
            self.violated(format!("endpoint {no} is made twice"));
        }
    }

    fn replaced(&mut self, no: EndpointNo, config: &EndpointConfig) {
        let Some(facts) = self.endpoints.get_mut(&no) else { return };
        if config.version != facts.config.version + 1 {
            let (before, after) = (facts.config.version, config.version);
            self.violated(format!("endpoint {no}: version {after} after {before}"));
        }
        let Some(facts) = self.endpoints.get_mut(&no) else { return };
        facts.config = config.clone();
        facts.was_disabled |= config.status == EndpointStatus::Disabled;
        self.forget_due(no);
    }

    /// What was parked is due when its endpoint is on again, whatever its time was.
    fn forget_due(&mut self, no: EndpointNo) {
        let of_endpoint = self.deliveries.iter_mut().filter(|(key, _)| key.endpoint == no);
        of_endpoint.for_each(|(_, facts): (_, &mut DeliveryFacts)| facts.due = None);
    }

    fn checkpoint(&mut self, shard: ShardId, upto: EventKey) {
        let is_of = |key: &EventKey| {
            self.events.get(key).is_some_and(|event| ShardId::of(event.tenant) == shard)
        };
        let below = self.rowless.iter().take_while(|(key, _)| *key <= upto);
        let missing: Vec<_> = below.filter(|(key, _)| is_of(key)).copied().collect();
        if let Some((key, no)) = missing.first() {
            let (key, upto) = (key.get(), upto.get());
            self.violated(format!("checkpoint {upto} above {key}, without a row for {no}"));
        }
    }
}
