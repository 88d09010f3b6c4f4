//! Lists, newest first (design.md, rule 10).
//!
//! Each list is a walk down the keys of events: first the tail that the listing indexes do not
//! have yet, then an index table. A page reads a bounded number of rows; when that is used up it
//! ends short, and says where to go on.

use super::codec;
use super::events::{self, Stored};
use super::fault::Fault;
use super::readers::View;
use super::rows::{self, Rows};
use crate::read::{DeliveryQuery, DeliveryRow, EventQuery, EventRow, Page};
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{DeliveryKey, EndpointNo, EnvironmentNo, EventKey, TenantNo};
use angarium_core::time::Timestamp;
use rusqlite::params;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// An event's key tells the time of its commit: later than its acceptance, by less than this
/// unless the clock was set.
pub(super) const COMMIT_LAG: Duration = Duration::from_secs(5);

/// Keys that are fetched at a time.
const CHUNK: i64 = 256;

pub(super) const TAIL: &str = "
    SELECT key, tenant, fanout FROM event WHERE key < ?1 AND key > ?2 ORDER BY key DESC LIMIT ?3";

pub(super) const BY_TENANT: &str = "
    SELECT event FROM event_by_tenant
    WHERE tenant = ?1 AND event < ?2 ORDER BY event DESC LIMIT ?3";

pub(super) const BY_ENDPOINT: &str = "
    SELECT event FROM pair_by_endpoint
    WHERE endpoint = ?1 AND event < ?2 ORDER BY event DESC LIMIT ?3";

pub(super) const INDEXED: &str = "
    SELECT 1 FROM pair_by_endpoint WHERE endpoint = ?1 AND event = ?2";

pub(super) const UNDELIVERED_BY_ENDPOINT: &str = "
    SELECT DISTINCT event FROM delivery INDEXED BY undelivered_by_endpoint
    WHERE state <> 4 AND endpoint = ?1 AND state = ?4 AND event < ?2
    ORDER BY event DESC LIMIT ?3";

pub(super) const UNDELIVERED_BY_TENANT: &str = "
    SELECT DISTINCT event FROM delivery INDEXED BY undelivered_by_tenant
    WHERE state <> 4 AND tenant = ?1 AND state = ?4 AND event < ?2
    ORDER BY event DESC LIMIT ?3";

pub(super) const UNDELIVERED: &str = "
    SELECT DISTINCT event FROM delivery INDEXED BY undelivered_by_state
    WHERE state <> 4 AND state = ?4 AND event < ?2 AND ?1 = 0
    ORDER BY event DESC LIMIT ?3";

/// Which events a list walks over.
#[derive(Debug, Clone, Copy)]
enum Walk {
    One(EventKey),
    All,
    Tenant(TenantNo),
    Endpoint(EndpointNo),
    Undelivered(Of, DeliveryState),
}

/// Whose undelivered ones.
#[derive(Debug, Clone, Copy)]
enum Of {
    All,
    Tenant(TenantNo),
    Endpoint(EndpointNo),
}

/// A walk down the keys, with what it may still read.
struct Keys<'a> {
    view: &'a View<'a>,
    walk: Walk,
    indexed_upto: i64,
    /// Keys below this one are still to be fetched; none at the end.
    below: Option<i64>,
    fetched: VecDeque<i64>,
    rows_left: usize,
}

impl<'a> Keys<'a> {
    fn new(view: &'a View<'a>, walk: Walk, below: EventKey, rows: usize) -> Result<Self, Fault> {
        let select = "SELECT value FROM meta WHERE name = 'indexed_upto'";
        let indexed_upto =
            view.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
        let mut keys = Self {
            view,
            walk,
            indexed_upto,
            below: Some(below.get()),
            fetched: VecDeque::new(),
            rows_left: rows.max(1),
        };
        if let Walk::One(key) = walk {
            keys.below = None;
            keys.fetched.extend((key < below).then_some(key.get()));
        }
        Ok(keys)
    }

    /// The next key, unless there is none or the page has read enough.
    fn next(&mut self) -> Result<Option<EventKey>, Fault> {
        while self.fetched.is_empty() {
            let Some(below) = self.below else {
                return Ok(None);
            };
            if self.rows_left == 0 {
                return Ok(None);
            }
            self.fetch(below)?;
        }
        Ok(self.fetched.pop_front().map(EventKey::new))
    }

    /// Where to go on if the walk has not ended: every key from here on was looked at.
    fn rest(&self) -> Option<i64> {
        self.fetched.front().map(|key| key + 1).or(self.below)
    }

    fn spend(&mut self, rows: usize) {
        self.rows_left = self.rows_left.saturating_sub(rows);
    }

    fn fetch(&mut self, below: i64) -> Result<(), Fault> {
        let rows = CHUNK.min(i64::try_from(self.rows_left).unwrap_or(CHUNK));
        match self.walk {
            Walk::One(_) => self.below = None,
            Walk::All => self.scan(below, 0, rows)?,
            Walk::Tenant(_) | Walk::Endpoint(_) if below > self.indexed_upto + 1 => {
                self.scan(below, self.indexed_upto, rows)?;
            }
            Walk::Tenant(no) => self.seek(BY_TENANT, params![no.get(), below, rows], rows)?,
            Walk::Endpoint(no) => self.seek(BY_ENDPOINT, params![no.get(), below, rows], rows)?,
            Walk::Undelivered(of, state) => {
                let (select, whose) = match of {
                    Of::All => (UNDELIVERED, 0),
                    Of::Tenant(no) => (UNDELIVERED_BY_TENANT, no.get()),
                    Of::Endpoint(no) => (UNDELIVERED_BY_ENDPOINT, no.get()),
                };
                self.seek(select, params![whose, below, rows, state.number()], rows)?;
            }
        }
        Ok(())
    }

    /// Reads keys from an index.
    fn seek(
        &mut self,
        select: &str,
        params: &[&dyn rusqlite::ToSql],
        most: i64,
    ) -> Result<(), Fault> {
        let mut select = self.view.connection.prepare_cached(select)?;
        let mut rows = select.query(params)?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            self.fetched.push_back(row.get(0)?);
            read += 1;
        }
        let last = self.fetched.back().copied();
        self.below = last.filter(|_| read == most);
        Ok(())
    }

    /// Whether the index names a pair already: a replay to an endpoint that did not match.
    fn is_indexed(&self, no: EndpointNo, event: i64) -> Result<bool, Fault> {
        Ok(self.view.connection.prepare_cached(INDEXED)?.exists([no.get(), event])?)
    }

    /// Reads events themselves, where no index reaches, down to `floor`.
    fn scan(&mut self, below: i64, floor: i64, most: i64) -> Result<(), Fault> {
        let mut select = self.view.connection.prepare_cached(TAIL)?;
        let mut rows = select.query(params![below, floor, most])?;
        let mut read = 0;
        let mut last = below;
        while let Some(row) = rows.next()? {
            read += 1;
            last = row.get(0)?;
            let wanted = match self.walk {
                Walk::Tenant(no) => row.get::<_, i64>(1)? == no.get(),
                Walk::Endpoint(no) => {
                    let fanout = row.get_ref(2)?.as_blob();
                    let fanout = fanout.map_err(|e| Fault::damaged("event.fanout", e))?;
                    codec::fanout(fanout)?.iter().any(|(matched, _)| *matched == no)
                        || self.is_indexed(no, last)?
                }
                Walk::One(_) | Walk::All | Walk::Undelivered(..) => true,
            };
            if wanted {
                self.fetched.push_back(last);
            }
        }
        self.below = match (read == most, floor) {
            (true, _) => Some(last),
            (false, 0) => None,
            // Below the tail the index goes on.
            (false, floor) => Some(floor + 1),
        };
        self.rows_left = self.rows_left.saturating_sub(usize::try_from(read).unwrap_or(0));
        Ok(())
    }
}

/// Tenants of an environment, where a walk meets others too.
fn tenants_of(view: &View<'_>, environment: EnvironmentNo) -> Result<HashSet<TenantNo>, Fault> {
    let tenants = view
        .connection
        .prepare_cached("SELECT no FROM tenant WHERE environment = ?1")?
        .query_map([environment.get()], |row| row.get(0).map(TenantNo::new))?
        .collect::<Result<_, _>>()?;
    Ok(tenants)
}

/// Which tenants' events a list shows.
fn visible(
    view: &View<'_>,
    environment: EnvironmentNo,
    tenant: Option<TenantNo>,
) -> Result<HashSet<TenantNo>, Fault> {
    let all = tenants_of(view, environment)?;
    Ok(match tenant {
        Some(tenant) => all.into_iter().filter(|no| *no == tenant).collect(),
        None => all,
    })
}

/// A span of acceptance times, as the keys that can lie in it.
#[derive(Debug, Clone, Copy)]
struct Span {
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Span {
    /// Below this key the span can begin.
    fn top(self) -> EventKey {
        let end = self.before.map(|time| EventKey::first_at(time + COMMIT_LAG));
        end.unwrap_or(EventKey::new(i64::MAX))
    }

    /// Whether everything below this key is too old.
    fn is_over(self, key: EventKey) -> bool {
        self.after.is_some_and(|time| key < EventKey::first_at(time))
    }

    fn holds(self, accepted_at: Timestamp) -> bool {
        self.after.is_none_or(|after| accepted_at >= after)
            && self.before.is_none_or(|before| accepted_at < before)
    }
}

/// One event of a tenant.
pub(super) fn event(
    view: &View<'_>,
    tenant: TenantNo,
    key: EventKey,
) -> Result<Option<EventRow>, Fault> {
    let found = events::find(view.connection, key)?.filter(|found| found.event.tenant == tenant);
    Ok(found.map(shown))
}

fn shown(stored: Stored) -> EventRow {
    EventRow { event: stored.event, fanout: stored.fanout, gone: stored.gone }
}

/// A page of events.
pub(super) fn events(
    view: &View<'_>,
    query: &EventQuery,
) -> Result<Page<EventRow, EventKey>, Fault> {
    let visible = visible(view, query.environment, query.tenant)?;
    let span = Span { after: query.after, before: query.before };
    let below = query.cursor.map_or(span.top(), |cursor| cursor.min(span.top()));
    let walk = query.tenant.map_or(Walk::All, Walk::Tenant);
    let mut keys = Keys::new(view, walk, below, query.rows_read)?;
    let mut items = Vec::new();
    while let Some(key) = keys.next()? {
        if span.is_over(key) {
            return Ok(Page { items, next: None });
        }
        let stored = rows::stored_event(view, key)?;
        keys.spend(1);
        let body = &stored.event.body;
        let wanted = visible.contains(&stored.event.tenant)
            && span.holds(stored.event.accepted_at)
            && is_or_any(query.kind.as_deref(), Some(body.kind.as_str()))
            && is_or_any(query.subject.as_deref(), body.subject.as_deref())
            && is_or_any(query.ordering_key.as_deref(), body.ordering_key.as_deref());
        if wanted {
            items.push(shown(stored));
        }
        if items.len() >= query.limit || keys.rows_left == 0 {
            break;
        }
    }
    let next = keys.rest().map(EventKey::new);
    Ok(Page { items, next })
}

fn is_or_any(wanted: Option<&str>, found: Option<&str>) -> bool {
    wanted.is_none() || wanted == found
}

/// A page of deliveries: by event, then by endpoint, then by generation, all downwards.
pub(super) fn deliveries(
    view: &View<'_>,
    query: &DeliveryQuery,
) -> Result<Page<DeliveryRow, DeliveryKey>, Fault> {
    let visible = visible(view, query.environment, query.tenant)?;
    let span = Span { after: query.after, before: query.before };
    // The cursor's own event may have more below it.
    let from = query.cursor.map(|cursor| EventKey::new(cursor.event.get().saturating_add(1)));
    let below = from.map_or(span.top(), |from| from.min(span.top()));
    let mut keys = Keys::new(view, walk_of(query), below, query.rows_read)?;
    let mut read = Rows::new(view);
    let mut page = Page { items: Vec::new(), next: None };
    while let Some(key) = keys.next()? {
        if span.is_over(key) {
            return Ok(page);
        }
        let stored = rows::stored_event(view, key)?;
        keys.spend(1);
        if !visible.contains(&stored.event.tenant)
            || !span.holds(stored.event.accepted_at)
            || !is_or_any(query.kind.as_deref(), Some(stored.event.body.kind.as_str()))
        {
            continue;
        }
        for row in of_event(&mut read, &mut keys, &stored, query)? {
            if page.items.len() == query.limit {
                page.next = page.items.last().map(|last: &DeliveryRow| last.key);
                return Ok(page);
            }
            page.items.push(row);
        }
        if keys.rows_left == 0 {
            break;
        }
    }
    page.next = keys.rest().map(below_all_of);
    Ok(page)
}

/// The cursor that stands after every delivery of the events from a key on.
fn below_all_of(below: i64) -> DeliveryKey {
    DeliveryKey {
        event: EventKey::new(below),
        endpoint: EndpointNo::default(),
        generation: angarium_core::id::Generation::default(),
    }
}

fn walk_of(query: &DeliveryQuery) -> Walk {
    let of = match (query.endpoint, query.tenant) {
        (Some(no), _) => Of::Endpoint(no),
        (None, Some(no)) => Of::Tenant(no),
        (None, None) => Of::All,
    };
    match (query.event, query.state, of) {
        (Some(event), _, _) => Walk::One(event),
        (
            None,
            Some(
                state
                @ (DeliveryState::Dead | DeliveryState::Cancelled | DeliveryState::Suppressed),
            ),
            of,
        ) => Walk::Undelivered(of, state),
        (None, _, Of::Endpoint(no)) => Walk::Endpoint(no),
        (None, _, Of::Tenant(no)) => Walk::Tenant(no),
        (None, _, Of::All) => Walk::All,
    }
}

/// The deliveries of one event that a page shows, in the order of the list.
fn of_event(
    read: &mut Rows<'_>,
    keys: &mut Keys<'_>,
    stored: &Stored,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryRow>, Fault> {
    let mut pairs = read.pairs(stored)?;
    pairs.retain(|(no, _)| query.endpoint.is_none_or(|wanted| wanted == *no));
    pairs.sort_unstable_by_key(|(no, _)| std::cmp::Reverse(*no));
    let state = query.state.map(|state| match state {
        DeliveryState::InFlight => DeliveryState::Pending,
        other => other,
    });
    let mut found = Vec::new();
    for pair in pairs {
        let of_pair = read.of_pair(stored, pair)?;
        keys.spend(of_pair.len());
        found.extend(of_pair.into_iter().filter(|row| {
            query.cursor.is_none_or(|cursor| row.key < cursor)
                && state.is_none_or(|state| row.state == state)
                && query.class.is_none_or(|class| row.last.is_some_and(|last| last.class == class))
        }));
    }
    Ok(found)
}
