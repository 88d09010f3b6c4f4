//! What is of age goes, and nothing else does (design.md, rule 11).

use super::Harness;
use super::world::{
    World, at, begun, delivered, died, event, failed, in_lane, tenant, with_own_id,
};
use crate::read::EventRow;
use crate::removal::{
    ErasedEvent, ErasureStep, ExpiringQuery, Purged, SweepNext, SweepOrder, Swept,
};
use crate::{AccountChange, AccountChanged};
use angarium_core::audit::{Action, Author, Chain, Deed, Place};
use angarium_core::batch::{
    ActionResult, Checkpoint, EndpointWrite, EventWrite, FanoutStart, LaneWrite, RowAction,
    RowActionKind, Standing, Trace,
};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::erasure::{Erasure, ErasureStatus};
use angarium_core::event::RECEIVED_HEADER;
use angarium_core::id::{DeliveryKey, EndpointNo, ErasureId, EventId, EventKey, TenantNo};
use angarium_core::lane::Lane;
use angarium_core::notice::DeadLetter;
use angarium_core::replay::Replayed;
use angarium_core::retention::{GoneWhy, Looked, Part};
use angarium_core::time::Timestamp;
use angarium_core::waiting::LaneHold;
use std::sync::Arc;

/// Above every event.
const ALL: EventKey = EventKey::new(i64::MAX);

fn order(world: &World, part: Part, end: EventKey) -> SweepOrder {
    SweepOrder {
        environment: world.environment,
        part,
        end,
        attempts_end: EventKey::ZERO,
        again: false,
    }
}

/// An event with something in every member.
fn full(tenant: TenantNo, sequence: u64, endpoints: &[EndpointNo]) -> EventWrite {
    let mut write = with_own_id(event(tenant, sequence, endpoints), &format!("order-{sequence}"));
    let body = Arc::make_mut(&mut write.body);
    (body.subject, body.ordering_key) = (Some("anna".into()), Some("k".into()));
    body.attributes = vec![
        ("region".into(), "eu".into()),
        (format!("{RECEIVED_HEADER}x-secret").into(), "canary".into()),
    ];
    write
}

impl World {
    async fn sweep(&self, part: Part, end: EventKey) -> Swept {
        self.store.sweep(order(self, part, end), at(5_000)).await.expect("swept")
    }

    /// All shards' checkpoints stand at the newest event, and everything is indexed.
    async fn settle(&self) {
        for tenant in self.tenants {
            let mut batch = self.batch(tenant);
            let newest = self.commit(self.batch(tenant), at(0)).await.high_water;
            batch.checkpoint = Some(Checkpoint { upto: newest, ..Checkpoint::default() });
            self.commit(batch, at(0)).await;
        }
        self.index_all().await;
    }

    async fn found(&self, key: EventKey) -> Option<EventRow> {
        self.store.event(self.tenants[0], key).await.expect("read")
    }

    async fn act_on(&self, key: DeliveryKey, kind: RowActionKind) -> Option<ActionResult> {
        let mut batch = self.batch(self.tenants[0]);
        batch.actions.push(RowAction { key, kind, at: at(60), trace: Trace::default() });
        self.commit(batch, at(60)).await.actions[0]
    }

    async fn expiring(&self, end: EventKey, limit: usize) -> Vec<DeliveryKey> {
        let environment = self.environment;
        let mut query = ExpiringQuery { environment, end, cursor: None, limit };
        let mut all = Vec::new();
        loop {
            let page = self.store.expiring(query).await.expect("a page");
            all.extend(page.items.iter().map(|row| row.key));
            query.cursor = page.next;
            if query.cursor.is_none() {
                return all;
            }
        }
    }
}

fn letter(delivery: DeliveryKey) -> Box<DeadLetter> {
    Box::new(DeadLetter {
        delivery,
        event: EventId::Made(delivery.event),
        event_type: "order.paid".into(),
        attempts: 0,
        reason: EndReason::Expired.as_str(),
        last: None,
        left_out: 0,
    })
}

/// A payload goes with what was received beside it; the rest stays, and cannot be sent.
pub async fn a_payload_goes_at_its_age_and_what_is_left_cannot_be_sent(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let first = world.publish(full(tenant, 1, &[no]), at(10)).await;
    let second = world.publish(full(tenant, 2, &[no]), at(11)).await;
    for key in [first, second] {
        world.record(tenant, delivered(key, no)).await;
    }
    world.settle().await;
    let swept = world.sweep(Part::Payload, second).await;
    assert_eq!((swept.events, swept.upto, swept.next), (1, first, SweepNext::Reached));
    let gone = world.found(first).await.expect("it is listed");
    assert_eq!(gone.gone.map(|gone| (gone.why, gone.at)), Some((GoneWhy::Expired, at(5_000))));
    let body = &gone.event.body;
    assert!(body.data.is_empty());
    assert_eq!((body.subject.as_deref(), body.ordering_key.as_deref()), (Some("anna"), Some("k")));
    assert_eq!(body.attributes, [("region".into(), "eu".into())]);
    assert_eq!(gone.fanout, [(no, 1)]);
    let kept = world.found(second).await.expect("it is there");
    assert_eq!((kept.gone, &*kept.event.body.data), (None, &b"{\"a\": 1}"[..]));
    let delivery = DeliveryKey::first(first, no);
    assert_eq!(world.delivery(delivery).await.attempts.len(), 1, "attempts have an age of theirs");
    assert_eq!(world.act_on(delivery, RowActionKind::Redeliver).await, None);
    let again = Replayed {
        key: DeliveryKey { generation: angarium_core::id::Generation::new(1), ..delivery },
        sequence: 1,
        repeats: None,
        due: Some(at(60)),
    };
    assert_eq!(world.act_on(delivery, RowActionKind::Replay([again].into())).await, None);
    assert_eq!(world.sweep(Part::Payload, second).await.events, 0, "once");
}

/// Attempts go with what receivers answered; how a delivery ended stays.
pub async fn attempts_go_at_their_age_and_how_it_ended_stays(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let key = world.publish(event(tenant, 1, &[no]), at(10)).await;
    world.record(tenant, failed(key, no, at(900))).await;
    world.record(tenant, died(key, no)).await;
    world.settle().await;
    let delivery = DeliveryKey::first(key, no);
    let before = world.delivery(delivery).await;
    assert_eq!(before.attempts.len(), 2);
    assert_eq!(world.sweep(Part::Attempts, ALL).await.events, 1);
    let after = world.delivery(delivery).await;
    assert_eq!(after.attempts, []);
    assert_eq!(after.row, before.row, "with the last attempt's meaning");
    assert_eq!(world.sweep(Part::Attempts, ALL).await.events, 0, "its event is passed");
    let late = SweepOrder { attempts_end: ALL, ..order(&world, Part::Payload, ALL) };
    let redelivered = world.act_on(delivery, RowActionKind::Redeliver).await.expect("made").key;
    let again = angarium_core::batch::DeliveryWrite { key: redelivered, ..died(key, no) };
    world.record(tenant, again).await;
    assert_eq!(world.delivery(redelivered).await.attempts.len(), 1);
    let again = SweepOrder { again: true, ..order(&world, Part::Attempts, ALL) };
    assert_eq!(world.store.sweep(again, at(5_000)).await.expect("swept").events, 1);
    assert_eq!(world.delivery(redelivered).await.attempts, [], "late ones are looked for again");
    let last = world.act_on(redelivered, RowActionKind::Redeliver).await.expect("made").key;
    let again = angarium_core::batch::DeliveryWrite { key: last, ..died(key, no) };
    world.record(tenant, again).await;
    world.store.sweep(late, at(5_000)).await.expect("swept");
    assert_eq!(world.delivery(last).await.attempts, [], "and go with the payload");
}

/// Nothing is left of an event whose metadata is of age: not in lists, not by its id.
pub async fn at_the_last_age_nothing_is_left(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let (no, other) = (world.endpoint(tenant, 1).await, world.endpoint(tenant, 2).await);
    let mut keys = Vec::new();
    for sequence in 1..=600 {
        let key = world.publish(full(tenant, sequence, &[no]), at(10)).await;
        world.record(tenant, delivered(key, no)).await;
        keys.push(key);
    }
    let replay = Replayed {
        key: DeliveryKey {
            event: keys[0],
            endpoint: other,
            generation: angarium_core::id::Generation::new(1),
        },
        sequence: 0,
        repeats: None,
        due: Some(at(60)),
    };
    world.act_on(replay.key, RowActionKind::Replay([replay].into())).await.expect("made");
    world.act_on(replay.key, RowActionKind::Cancel).await.expect("cancelled");
    world.settle().await;
    let mut steps = 0;
    loop {
        let swept = world.sweep(Part::Metadata, keys[599]).await;
        assert!(swept.events <= 250, "a step is bounded: {swept:?}");
        steps += 1;
        if swept.next == SweepNext::Reached {
            break;
        }
    }
    assert!(steps > 2, "{steps} steps");
    assert!(world.found(keys[0]).await.is_none() && world.found(keys[598]).await.is_none());
    assert!(world.found(keys[599]).await.is_some());
    assert_eq!(world.store.depth(at(0)).await.expect("a depth").events, 1);
    assert_eq!(world.store.find_own_id(tenant, "order-1").await.expect("read"), None);
    assert_eq!(world.store.find_own_id(tenant, "order-600").await.expect("read"), Some(keys[599]));
    assert!(world.store.delivery(replay.key).await.expect("read").is_none());
    for endpoint in [None, Some(no), Some(other)] {
        let query = crate::read::DeliveryQuery { endpoint, ..world.deliveries() };
        let listed = world.all(query).await;
        assert!(listed.iter().all(|row| row.key.event == keys[599]), "{listed:?}");
    }
    let next = world.publish(full(tenant, 601, &[no]), at(0)).await;
    assert!(next > keys[599], "keys rise on");
}

/// What is above the checkpoint, waits, or is another environment's, stays.
pub async fn nothing_goes_that_is_alive(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let ended = world.publish(event(tenant, 1, &[no]), at(10)).await;
    world.record(tenant, delivered(ended, no)).await;
    world.index_all().await;
    for part in Part::ALL {
        let swept = world.sweep(part, ALL).await;
        assert_eq!((swept.events, swept.next), (0, SweepNext::HeldUp(vec![])), "no checkpoint");
    }
    world.settle().await;
    let theirs = SweepOrder {
        environment: angarium_core::id::EnvironmentNo::new(99),
        ..order(&world, Part::Metadata, ALL)
    };
    let swept = world.store.sweep(theirs, at(0)).await.expect("swept");
    assert_eq!((swept.events, swept.next), (0, SweepNext::Reached), "another environment's");
    let waits = begun(event(tenant, 2, &[no]), FanoutStart::Pending { due: None });
    let waits = world.publish(waits, at(11)).await;
    let later = world.publish(event(tenant, 3, &[no]), at(12)).await;
    world.record(tenant, delivered(later, no)).await;
    world.settle().await;
    for part in [Part::Payload, Part::Metadata] {
        let swept = world.sweep(part, ALL).await;
        let held_up = SweepNext::HeldUp(vec![]);
        assert_eq!((swept.events, swept.upto, swept.next), (1, ended, held_up), "{part:?}");
    }
    assert!(world.found(waits).await.is_some_and(|row| row.gone.is_none()));
    assert!(world.found(later).await.is_some_and(|row| row.gone.is_none()));
}

/// What waits is given up first: a dead letter with its reason, which may hold its lane.
pub async fn what_waits_expires_before_its_payload_goes(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let lane = Lane::of_key("k");
    let mut keys = Vec::new();
    for (sequence, start) in [(1, FanoutStart::Pending { due: None }), (2, FanoutStart::Queued)] {
        let write = in_lane(begun(event(tenant, sequence, &[no]), start), lane);
        keys.push(world.publish(write, at(10)).await);
    }
    let alone = begun(event(tenant, 3, &[no]), FanoutStart::Pending { due: Some(at(900)) });
    keys.push(world.publish(alone, at(20)).await);
    let deliveries: Vec<_> = keys.iter().map(|key| DeliveryKey::first(*key, no)).collect();
    assert_eq!(world.expiring(keys[2], 1).await, deliveries[..2], "page by page, below the age");
    assert_eq!(world.expiring(ALL, 64).await, deliveries);
    let expire = |key, holds| RowActionKind::Expire { letter: letter(key), holds };
    let head = world.act_on(deliveries[0], expire(deliveries[0], true)).await;
    assert_eq!(head.and_then(|done| done.stood), Some((lane, Standing::Head)));
    let behind = world.act_on(deliveries[1], expire(deliveries[1], true)).await;
    assert_eq!(behind.and_then(|done| done.stood), Some((lane, Standing::Behind)));
    world.act_on(deliveries[2], expire(deliveries[2], true)).await.expect("it waited");
    assert_eq!(world.act_on(deliveries[2], expire(deliveries[2], true)).await, None, "once");
    for key in &deliveries {
        let row = world.delivery(*key).await.row;
        assert_eq!((row.state, row.reason), (DeliveryState::Dead, Some(EndReason::Expired)));
    }
    let holds = world.shard(tenant).await.endpoints[0].holds.clone();
    assert_eq!(holds, [LaneHold { lane, by: deliveries[0] }], "the head alone");
    assert_eq!(world.pending().await, 0);
    world.settle().await;
    assert_eq!(world.sweep(Part::Payload, ALL).await.events, 3);
    let swept = world.sweep(Part::Metadata, ALL).await;
    assert_eq!(swept.next, SweepNext::HeldUp(vec![deliveries[0]]), "a lane is held");
    let mut batch = world.batch(tenant);
    batch.lanes.push(LaneWrite::Release { endpoint: no, event: keys[0] });
    world.commit(batch, at(70)).await;
    assert_eq!(world.sweep(Part::Metadata, ALL).await.events, 3);
}

/// An erased event says which it was, and that it was.
pub async fn an_erased_event_keeps_its_id_type_and_time(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let no = world.endpoint(tenant, 1).await;
    let held = world.publish(full(tenant, 1, &[no]), at(10)).await;
    let erase = async |tenant, key| {
        let erased = world.store.erase_event(tenant, key, Trace::default(), at(80)).await;
        erased.expect("an answer")
    };
    let first = DeliveryKey::first(held, no);
    assert_eq!(erase(tenant, held).await, ErasedEvent::Waiting(vec![first]), "it has no row yet");
    world.record(tenant, failed(held, no, at(900))).await;
    assert_eq!(erase(tenant, held).await, ErasedEvent::Waiting(vec![first]), "it waits");
    assert_eq!(erase(other, held).await, ErasedEvent::NotFound, "another tenant's");
    world.record(tenant, died(held, no)).await;
    for at_once in [true, false] {
        assert_eq!(erase(tenant, held).await, ErasedEvent::Erased, "first: {at_once}");
    }
    let row = world.found(held).await.expect("what is left");
    assert_eq!(row.gone.map(|gone| (gone.why, gone.at)), Some((GoneWhy::Erased, at(80))));
    let body = &row.event.body;
    assert_eq!((body.own_id.as_deref(), body.kind.as_str()), (Some("order-1"), "order.paid"));
    assert!(body.data.is_empty() && body.attributes.is_empty());
    assert_eq!((&body.subject, &body.ordering_key), (&None, &None));
    assert_eq!(world.delivery(first).await.attempts, []);
    let known = world.store.find_own_id(tenant, "order-1").await.expect("read");
    assert_eq!(known, Some(held), "a duplicate is still known");
}

fn erasure(tenant: TenantNo, random: u8) -> Erasure {
    Erasure {
        id: ErasureId::from_parts(at(i64::from(random)), [random; 10]),
        tenant,
        status: ErasureStatus::Running,
        erased: 0,
        created_at: at(70),
        updated_at: at(70),
        ended_at: None,
    }
}

/// All of a subject's events that were there go, those of others stay.
pub async fn an_erasure_finds_every_event_of_its_subject(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let publish = async |tenant, sequence, subject: &str| {
        let mut write = event(tenant, sequence, &[]);
        Arc::make_mut(&mut write.body).subject = Some(subject.into());
        world.publish(write, at(10)).await
    };
    let (mut hers, mut others) = (Vec::new(), vec![publish(other, 1, "anna").await]);
    for sequence in 1..=450 {
        match sequence % 3 {
            0 => others.push(publish(tenant, sequence, "bert").await),
            _ => hers.push(publish(tenant, sequence, "anna").await),
        }
    }
    let begun = erasure(tenant, 1);
    let create = async |erasure: &Erasure| {
        world.store.create_erasure(erasure, "anna", 1, Trace::default(), at(70)).await
    };
    assert!(create(&begun).await.expect("written"));
    assert!(!create(&erasure(tenant, 2)).await.expect("an answer"), "one at a time");
    let late = publish(tenant, 451, "anna").await;
    let step = async || world.store.step_erasure(begun.id, at(90)).await.expect("a step");
    assert_eq!(step().await, ErasureStep::Waiting(tenant, vec![]), "nothing is indexed");
    world.index_all().await;
    let mut steps = 0;
    while step().await != ErasureStep::Ended {
        steps += 1;
        assert!(steps < 100);
    }
    assert!(steps > 1, "in bounded steps");
    let ended = world.store.erasure(begun.id).await.expect("read").expect("it is there");
    assert_eq!((ended.status, ended.erased), (ErasureStatus::Done, 300));
    assert_eq!(ended.ended_at, Some(at(90)));
    assert!(world.store.running_erasures().await.expect("read").is_empty());
    for key in hers {
        assert!(world.found(key).await.is_some_and(|row| row.gone.is_some()));
    }
    for key in others.into_iter().skip(1).chain([late]) {
        assert!(world.found(key).await.is_some_and(|row| row.gone.is_none()));
    }
    let listed = world.store.erasures(tenant, None, 10).await.expect("a page");
    assert_eq!(listed.items, [ended]);
}

/// Of a deleted tenant nothing is left, once what is under way has ended.
pub async fn a_deleted_tenant_is_removed_in_bounded_steps(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [tenant, other] = world.tenants;
    let no = world.endpoint(tenant, 1).await;
    for sequence in 1..=300 {
        let key = world.publish(full(tenant, sequence, &[no]), at(10)).await;
        world.record(tenant, delivered(key, no)).await;
    }
    let under_way = world.publish(event(tenant, 301, &[no]), at(11)).await;
    let theirs = world.publish(full(other, 1, &[]), at(12)).await;
    let mut batch = world.batch(tenant);
    batch.endpoints.push(EndpointWrite::Delete { no, at: at(60), trace: Trace::default() });
    world.commit(batch, at(60)).await;
    assert_eq!(world.store.purge().await.expect("a step"), Purged::Nothing, "it is there");
    let delete = AccountChange::DeleteTenant(tenant);
    let deleted = world.store.change_account(delete, Trace::default(), at(61)).await;
    assert_eq!(deleted.expect("written"), AccountChanged::Done);
    let step = async || world.store.purge().await.expect("a step");
    assert_eq!(step().await, Purged::HeldUp, "nothing is indexed");
    world.index_all().await;
    assert_eq!(step().await, Purged::Some(250));
    assert_eq!(step().await, Purged::Some(50));
    assert_eq!(step().await, Purged::HeldUp, "an attempt is under way");
    world.record(tenant, delivered(under_way, no)).await;
    while step().await != Purged::Nothing {}
    assert_eq!(world.store.depth(at(0)).await.expect("a depth").events, 1);
    assert!(world.store.endpoint_ids(&[no]).await.expect("read").is_empty());
    assert!(world.store.event(other, theirs).await.expect("read").is_some());
}

/// The log is cut at its beginning alone, and what is left follows what went.
pub async fn the_oldest_entries_go_and_the_rest_follows_them(harness: &dyn Harness) {
    let world = World::new(harness).await;
    for (n, name) in [(1, "one"), (2, "two"), (3, "three")] {
        let made = AccountChange::DeleteTenant(TenantNo::new(999));
        let deed = Deed::new(Author::SERVER, Action::TenantDelete, Place::Instance, &name);
        let changed = world.store.change_account(made, Trace::of(deed), at(n)).await;
        assert_eq!(changed.expect("answered"), AccountChanged::NotFound);
        let put = tenant(world.environment, name);
        let deed = Deed::new(Author::SERVER, Action::TenantCreate, Place::Instance, &name);
        world.store.change_account(put, Trace::of(deed), at(n)).await.expect("made");
    }
    let (entries, head) = world.log().await;
    assert_eq!(entries.len(), 3);
    assert_eq!(world.store.sweep_audit(at(0)).await.expect("swept"), 0);
    assert_eq!(world.store.sweep_audit(at(2)).await.expect("swept"), 2);
    assert_eq!(world.store.sweep_audit(at(99)).await.expect("swept"), 0, "the last one stays");
    let ends = world.store.audit_ends().await.expect("both ends");
    assert_eq!(ends, (entries[1].link, head));
    let (rest, _) = world.log().await;
    assert_eq!(rest, entries[2..]);
    let mut chain = Chain::of_rest(ends.0, vec![entries[0].link, head]);
    assert_eq!(chain.follow(&rest[0].line()), Ok(head));
    assert_eq!(chain.end(), Ok(head));
}

/// What is known of the clock reads back.
pub async fn what_is_noted_of_the_clock_reads_back(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let mut looked = Looked::first(at(0));
    looked.look(at(100_000_000));
    world.store.note_clock(looked).await.expect("written");
    let (noted, _) = world.store.clock_looked_at().await.expect("read");
    assert_eq!(noted, Some(looked));
    let later = at(5_000);
    world
        .publish(EventWrite { accepted_at: later, ..event(world.tenants[0], 1, &[]) }, later)
        .await;
    let (_, written_at) = world.store.clock_looked_at().await.expect("read");
    assert!(written_at >= later && written_at > Timestamp::default());
}
