//! Deliveries as they are shown: rows of `delivery` and `pending`, and pairs that have no row yet.

use super::codec::Columns as _;
use super::crc;
use super::endpoints;
use super::events::{self, Stored};
use super::fault::Fault;
use super::readers::View;
use crate::read::{DeliveryRow, DeliveryWithAttempts, LastAttempt};
use angarium_core::batch::AttemptRecord;
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EndpointId, EndpointNo, EventKey, Generation};
use angarium_core::lane::Lane;
use angarium_core::replay::UNNUMBERED;
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};
use std::collections::{HashMap, HashSet};

pub(super) const ENDED_OF_PAIR: &str = "
    SELECT generation, sequence, state, reason, attempts, repeats, at, took, class, status,
           NULL, ended_at, NULL, crc
    FROM delivery WHERE event = ?1 AND endpoint = ?2";

pub(super) const WAITING_OF_PAIR: &str = "
    SELECT generation, sequence, state, NULL, attempts, repeats, NULL, NULL, NULL, NULL, due, NULL,
           lane, NULL
    FROM pending WHERE event = ?1 AND endpoint = ?2";

pub(super) const LAST_ATTEMPT: &str = "
    SELECT at, took, class, status FROM attempt
    WHERE event = ?1 AND endpoint = ?2 AND generation = ?3 ORDER BY n DESC LIMIT 1";

pub(super) const ATTEMPTS: &str = "
    SELECT n, at, took, class, status, detail, request, response, body FROM attempt
    WHERE event = ?1 AND endpoint = ?2 AND generation = ?3 ORDER BY n";

pub(super) const ENDED_WITH: &str = "
    SELECT n, at, took, class, status, detail, request, response, body FROM delivery
    WHERE event = ?1 AND endpoint = ?2 AND generation = ?3 AND n IS NOT NULL";

/// Endpoints that an event was replayed to although its fan-out need not name them.
pub(super) const REPLAYED: &str = "
    SELECT endpoint FROM delivery WHERE event = ?1 AND generation = 1
    UNION ALL SELECT endpoint FROM pending WHERE event = ?1 AND generation = 1";

/// An endpoint of an event, and the number that it gave the event; none if it did not match.
pub(super) type Pair = (EndpointNo, Option<u64>);

/// Reads deliveries of one page, and remembers the endpoints' public ids.
pub(super) struct Rows<'a> {
    view: &'a View<'a>,
    ids: HashMap<EndpointNo, EndpointId>,
}

impl<'a> Rows<'a> {
    /// For one page.
    pub(super) fn new(view: &'a View<'a>) -> Self {
        Self { view, ids: HashMap::new() }
    }

    /// The endpoints that an event matched, then others that it was replayed to.
    pub(super) fn pairs(&self, stored: &Stored) -> Result<Vec<Pair>, Fault> {
        let mut pairs: Vec<_> = stored.fanout.iter().map(|(no, n)| (*no, Some(*n))).collect();
        let mut select = self.view.connection.prepare_cached(REPLAYED)?;
        let mut rows = select.query([stored.event.key.get()])?;
        let mut matched = None;
        while let Some(row) = rows.next()? {
            let no = EndpointNo::new(row.get(0)?);
            let matched: &HashSet<_> =
                matched.get_or_insert_with(|| stored.fanout.iter().map(|(no, _)| *no).collect());
            if !matched.contains(&no) {
                pairs.push((no, None));
            }
        }
        Ok(pairs)
    }

    /// All deliveries of a pair, the newest generation first.
    pub(super) fn of_pair(
        &mut self,
        stored: &Stored,
        (endpoint, sequence): Pair,
    ) -> Result<Vec<DeliveryRow>, Fault> {
        let key = DeliveryKey::first(stored.event.key, endpoint);
        let first = DeliveryRow {
            key,
            tenant: stored.event.tenant,
            event_id: stored.event.id(),
            event_kind: stored.event.body.kind.as_str().to_owned(),
            endpoint_id: self.public_id(endpoint)?,
            state: DeliveryState::Pending,
            reason: None,
            attempts: 0,
            next_due: Some(stored.event.accepted_at),
            ended_at: None,
            sequence: sequence.unwrap_or(UNNUMBERED),
            last: None,
            redelivery_of: None,
            lane: None,
        };
        let mut all = Vec::new();
        for select in [ENDED_OF_PAIR, WAITING_OF_PAIR] {
            let mut select = self.view.connection.prepare_cached(select)?;
            let mut rows = select.query(params![key.event.get(), endpoint.get()])?;
            while let Some(row) = rows.next()? {
                all.push(self.read(row, &first)?);
            }
        }
        if sequence.is_some() && !all.iter().any(|row| row.key == key) {
            all.push(first);
        }
        all.sort_unstable_by_key(|row| std::cmp::Reverse(row.key.generation));
        Ok(all)
    }

    /// One delivery; none if there is none.
    pub(super) fn one(&mut self, key: DeliveryKey) -> Result<Option<DeliveryRow>, Fault> {
        let Some(stored) = events::find(self.view.connection, key.event)? else {
            return Ok(None);
        };
        let matched = stored.fanout.iter().find(|(no, _)| *no == key.endpoint).copied();
        let pair = match matched {
            Some((no, sequence)) => Some((no, Some(sequence))),
            None => self.pairs(&stored)?.into_iter().find(|(no, _)| *no == key.endpoint),
        };
        let Some(pair) = pair else { return Ok(None) };
        let of_pair = self.of_pair(&stored, pair)?;
        Ok(of_pair.into_iter().find(|row| row.key == key))
    }

    fn read(&self, row: &Row<'_>, first: &DeliveryRow) -> Result<DeliveryRow, Fault> {
        let key = DeliveryKey { generation: Generation::new(row.get(0)?), ..first.key };
        check(row, key)?;
        let attempts = row.small(4)?.unwrap_or_default();
        let last = match last_attempt(row, 6)? {
            None if attempts > 0 => self.earlier_attempt(key)?,
            last => last,
        };
        Ok(DeliveryRow {
            key,
            sequence: row.count(1)?,
            state: row.state(2)?,
            reason: row.reason(3)?,
            attempts,
            redelivery_of: row.get::<_, Option<u32>>(5)?.map(Generation::new),
            last,
            next_due: row.time(10)?,
            ended_at: row.time(11)?,
            lane: row.get::<_, Option<[u8; 16]>>(12)?.map(Lane::from_bytes),
            ..first.clone()
        })
    }

    fn earlier_attempt(&self, key: DeliveryKey) -> Result<Option<LastAttempt>, Fault> {
        let mut select = self.view.connection.prepare_cached(LAST_ATTEMPT)?;
        let mut rows = select.query(parts(key))?;
        match rows.next()? {
            Some(row) => last_attempt(row, 0),
            None => Ok(None),
        }
    }

    fn public_id(&mut self, no: EndpointNo) -> Result<EndpointId, Fault> {
        if let Some(id) = self.ids.get(&no) {
            return Ok(*id);
        }
        let id = endpoints::id_of(self.view, no)?
            .ok_or_else(|| Fault::damaged("event.fanout", format!("no endpoint {no}")))?;
        self.ids.insert(no, id);
        Ok(id)
    }
}

/// Whether a row of [`ENDED_OF_PAIR`] is what was written (`deliveries.rs`).
fn check(row: &Row<'_>, key: DeliveryKey) -> Result<(), Fault> {
    let pair = [key.event.get(), key.endpoint.get()].map(ValueRef::Integer);
    let mut values = [ValueRef::Null; 11];
    for (value, at) in values.iter_mut().zip((0..10).chain([11])) {
        *value = row.get_ref(at)?;
    }
    crc::check("delivery", row.get(13)?, pair.into_iter().chain(values))
}

fn parts(key: DeliveryKey) -> (i64, i64, u32) {
    (key.event.get(), key.endpoint.get(), key.generation.get())
}

/// The four columns of an attempt's summary, if there was one.
fn last_attempt(row: &Row<'_>, at: usize) -> Result<Option<LastAttempt>, Fault> {
    let (Some(begun), Some(class)) = (row.time(at)?, row.class(at + 2)?) else {
        return Ok(None);
    };
    Ok(Some(LastAttempt { at: begun, took: row.span(at + 1)?, class, status: row.small(at + 3)? }))
}

/// One delivery with its attempts.
pub(super) fn delivery(
    view: &View<'_>,
    key: DeliveryKey,
) -> Result<Option<DeliveryWithAttempts>, Fault> {
    let Some(row) = Rows::new(view).one(key)? else {
        return Ok(None);
    };
    let attempts = attempts(view, key)?;
    Ok(Some(DeliveryWithAttempts { row, attempts }))
}

fn attempts(view: &View<'_>, key: DeliveryKey) -> Result<Vec<AttemptRecord>, Fault> {
    let mut all = Vec::new();
    for select in [ATTEMPTS, ENDED_WITH] {
        let mut select = view.connection.prepare_cached(select)?;
        let mut rows = select.query(parts(key))?;
        while let Some(row) = rows.next()? {
            all.push(attempt(row)?);
        }
    }
    Ok(all)
}

fn attempt(row: &Row<'_>) -> Result<AttemptRecord, Fault> {
    Ok(AttemptRecord {
        n: row.get(0)?,
        at: row.time(1)?.unwrap_or_default(),
        took: row.span(2)?,
        class: row.class(3)?.ok_or_else(|| Fault::damaged("attempt.class", "absent"))?,
        status: row.small(4)?,
        detail: row.get(5)?,
        request: row.get(6)?,
        response: row.get(7)?,
        body: row.get::<_, Vec<u8>>(8)?.into(),
    })
}

/// The event that a key names, for callers that have only that.
pub(super) fn stored_event(view: &View<'_>, key: EventKey) -> Result<Stored, Fault> {
    events::find(view.connection, key)?
        .ok_or_else(|| Fault::damaged("event_by_tenant.event", "there is no such event"))
}
