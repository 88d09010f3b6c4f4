//! Who stands where in a lane, step by step. What follows from it is tested with the machine.

use super::*;
use crate::event::{DataKind, Event, EventType, NewEvent};
use crate::id::{EndpointNo, Generation, TenantNo};
use crate::time::Timestamp;
use crate::waiting::LaneHold;
use std::sync::Arc;

const LANE: Lane = Lane::WHOLE;
const T0: Timestamp = Timestamp::from_millis(0);
const BATCH: BatchNo = BatchNo(7);

fn key(n: i64) -> EventKey {
    EventKey::new(n)
}

fn held(n: i64) -> Held {
    let body = NewEvent {
        own_id: None,
        kind: EventType::from_stored("a.b"),
        time: None,
        subject: None,
        ordering_key: None,
        attributes: Vec::new(),
        data: Default::default(),
        data_kind: DataKind::Json,
    };
    let (tenant, body) = (TenantNo::new(1), Arc::new(body));
    let event = Event { key: key(n), tenant, sequence: 1, accepted_at: T0, body };
    Held {
        event: Arc::new(event),
        generation: Generation::default(),
        sequence: 1,
        attempts: 0,
        lane: Some(LANE),
        due: T0,
        has_row: false,
    }
}

fn number(held: Option<Held>) -> Option<i64> {
    held.map(|held| held.event.key.get())
}

/// A lane whose head has just ended, before those behind it have come.
fn between(coming: usize) -> Lanes {
    let mut lanes = Lanes::default();
    assert_eq!(lanes.enter(LANE, Room::Free), Place::Head);
    (0..coming).for_each(|_| assert_eq!(lanes.enter(LANE, Room::Free), Place::Behind));
    assert!(lanes.head_ended(LANE).is_none());
    lanes
}

fn recovered(has_head: bool, behind: usize) -> Lanes {
    let mut lanes = Lanes::default();
    lanes.recover(&StoredLane { lane: LANE, has_head, behind, first: key(10) });
    lanes
}

#[test]
fn the_first_is_the_head_and_others_wait_in_memory_until_one_has_to_wait_in_the_store() {
    let mut lanes = Lanes::default();
    assert_eq!(lanes.enter(LANE, Room::Full), Place::Head);
    assert!(lanes.is_idle(), "a head is with the deliveries that have no lane");
    assert_eq!(lanes.enter(LANE, Room::Free), Place::Behind);
    assert!(!lanes.is_idle(), "one is expected");
    assert!(matches!(lanes.arrived(LANE, held(2)), Arrival::Behind));
    assert_eq!((lanes.behind(), lanes.is_idle()), (1, false));
    assert_eq!(lanes.enter(LANE, Room::Full), Place::Stored);
    assert_eq!(lanes.enter(LANE, Room::Free), Place::Stored, "nobody overtakes it");
    assert_eq!(number(lanes.head_ended(LANE)), Some(2));
    assert_eq!((lanes.behind(), lanes.is_idle()), (0, true));
    assert!(lanes.head_ended(LANE).is_none());
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
    assert!(!lanes.is_idle(), "rows are expected");
}

#[test]
fn who_comes_when_the_head_has_ended_is_the_next() {
    let mut lanes = between(1);
    assert!(matches!(lanes.arrived(LANE, held(2)), Arrival::Ready(_)));
}

#[test]
fn who_comes_while_rows_before_it_are_written_waits_for_them() {
    let mut lanes = between(2);
    lanes.writes_before_others(LANE, BATCH);
    assert!(matches!(lanes.arrived(LANE, held(2)), Arrival::Behind));
    assert!(matches!(lanes.arrived(LANE, held(3)), Arrival::Behind));
    let next: Vec<_> = lanes.commit_ended(BATCH).into_iter().map(Some).map(number).collect();
    assert_eq!(next, [Some(2)]);
    assert_eq!(number(lanes.head_ended(LANE)), Some(3));
}

#[test]
fn who_comes_to_a_lane_that_is_held_waits_in_the_store() {
    let mut lanes = Lanes::default();
    lanes.enter(LANE, Room::Free);
    lanes.enter(LANE, Room::Free);
    let by = DeliveryKey::first(key(1), EndpointNo::new(1));
    assert!(lanes.hold(LaneHold { lane: LANE, by }).is_empty());
    assert!(matches!(lanes.arrived(LANE, held(2)), Arrival::Stored(_)));
    assert!(lanes.release(key(1)).is_none());
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
}

#[test]
fn after_a_restart_what_has_no_row_goes_before_the_rows_of_younger_events_only() {
    let mut lanes = recovered(false, 1);
    assert_eq!(lanes.reenter(LANE, key(5), Room::Free), Place::Head);
    assert!(lanes.is_idle());
    assert_eq!(lanes.reenter(LANE, key(6), Room::Free), Place::Behind);
    assert!(!lanes.is_idle(), "one is expected");
    assert_eq!(lanes.reenter(LANE, key(10), Room::Free), Place::Stored);
    assert_eq!(lanes.reenter(LANE, key(12), Room::Free), Place::Stored);
}

#[test]
fn after_a_restart_nobody_overtakes_a_head_nor_one_that_had_no_room() {
    let mut lanes = recovered(true, 1);
    assert_eq!(lanes.reenter(LANE, key(5), Room::Free), Place::Behind);
    assert_eq!(lanes.reenter(LANE, key(6), Room::Full), Place::Stored);
    assert_eq!(lanes.reenter(LANE, key(7), Room::Free), Place::Stored);
}

#[test]
fn after_a_restart_a_lane_that_is_held_takes_nobody_into_memory() {
    let mut lanes = recovered(false, 0);
    let by = DeliveryKey::first(key(1), EndpointNo::new(1));
    lanes.hold(LaneHold { lane: LANE, by });
    assert_eq!(lanes.reenter(LANE, key(5), Room::Free), Place::Stored);
}

/// A lane with a head, and these behind it in memory.
fn with_behind(behind: &[i64]) -> Lanes {
    let mut lanes = Lanes::default();
    lanes.enter(LANE, Room::Free);
    for n in behind {
        lanes.enter(LANE, Room::Free);
        assert!(matches!(lanes.arrived(LANE, held(*n)), Arrival::Behind));
    }
    lanes
}

#[test]
fn one_that_is_taken_out_of_memory_is_waited_for_in_the_store() {
    let mut lanes = with_behind(&[2, 3]);
    let delivery = |n| DeliveryKey::first(key(n), EndpointNo::new(1));
    assert!(lanes.has_behind(delivery(2)) && !lanes.has_behind(delivery(9)));
    assert_eq!(number(lanes.take(delivery(2))), Some(2));
    assert!(lanes.take(delivery(2)).is_none());
    assert!(!lanes.has_behind(delivery(2)) && lanes.has_behind(delivery(3)));
    assert_eq!(lanes.behind(), 1);
    assert_eq!(number(lanes.head_ended(LANE)), Some(3));
    assert!(lanes.head_ended(LANE).is_none());
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
}

#[test]
fn all_that_are_taken_out_of_memory_are_waited_for_in_the_store() {
    let mut lanes = with_behind(&[2, 3]);
    assert_eq!(lanes.iter_mut().count(), 2);
    let all: Vec<_> = lanes.take_all().into_iter().map(Some).map(number).collect();
    assert_eq!((all, lanes.behind()), (vec![Some(2), Some(3)], 0));
    assert!(lanes.head_ended(LANE).is_none());
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
}

#[test]
fn after_a_restart_a_head_with_nobody_behind_it_keeps_nobody_out_of_memory() {
    let mut lanes = recovered(true, 0);
    assert_eq!(lanes.reenter(LANE, key(12), Room::Free), Place::Behind);
}

#[test]
fn once_recovered_a_lane_without_a_head_reads_its_first() {
    let mut lanes = recovered(false, 1);
    lanes.begin();
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
    let mut lanes = recovered(true, 1);
    lanes.begin();
    assert_eq!(lanes.next_load(Commits::Settled), None);
}

#[test]
fn a_row_that_a_commit_took_away_while_it_was_read_is_missed_once() {
    let mut lanes = recovered(false, 1);
    lanes.begin();
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
    assert_eq!(lanes.enter(LANE, Room::Free), Place::Stored);
    lanes.row_gone(LANE, DeliveryKey::first(key(10), EndpointNo::new(1)));
    assert!(lanes.loaded(LANE, Vec::new(), Commits::Settled).is_none());
    assert_eq!(lanes.enter(LANE, Room::Free), Place::Stored, "one is still before it");
    assert_eq!(lanes.next_load(Commits::Settled), Some(LANE));
}
