//! What an endpoint was sent between two of its sequence numbers, upwards (design.md, rule 8).
//!
//! The numbers of an endpoint rise with the keys of its events, so the place of a number is found
//! by halving the span of keys, and needs no index of its own. The walk goes first through the
//! listing index, then through the tail of events that the index does not have yet.

use super::codec;
use super::fault::Fault;
use super::readers::View;
use super::rows::{self, Rows};
use crate::read::{Page, SequenceQuery, SequenceRow};
use angarium_core::id::{EndpointNo, EventKey};
use rusqlite::params;
use std::collections::VecDeque;

/// Pairs that are fetched at a time.
const CHUNK: usize = 256;

/// A pair without a number stands outside the endpoint's numbering.
pub(super) const PAIRS: &str = "
    SELECT event, sequence FROM pair_by_endpoint
    WHERE endpoint = ?1 AND event > ?2 AND event <= ?3 AND sequence > 0 ORDER BY event LIMIT ?4";

pub(super) const TAIL: &str = "
    SELECT key, fanout FROM event WHERE key > ?1 ORDER BY key LIMIT ?2";

/// An event and the number that an endpoint gave it.
type Pair = (EventKey, u64);

/// A page of an endpoint's numbers.
pub(super) fn page(
    view: &View<'_>,
    query: SequenceQuery,
) -> Result<Page<SequenceRow, EventKey>, Fault> {
    let mut walk = Walk::new(view, &query)?;
    let mut read = Rows::new(view);
    let mut page = Page { items: Vec::new(), next: None };
    while page.items.len() < query.limit {
        let Some((key, number)) = walk.next()? else { break };
        if number > query.to {
            return Ok(page);
        }
        if number < query.from {
            continue;
        }
        let stored = rows::stored_event(view, key)?;
        let mut again = read.of_pair(&stored, (query.endpoint, Some(number)))?;
        walk.spend(again.len());
        // The newest stands first, the one that the event's fan-out implies last.
        page.items.extend(again.pop().map(|first| SequenceRow { first, again }));
        if number == query.to {
            return Ok(page);
        }
    }
    page.next = walk.rest();
    Ok(page)
}

/// A walk up the pairs of one endpoint, with what it may still read.
struct Walk<'a> {
    view: &'a View<'a>,
    endpoint: EndpointNo,
    indexed_upto: EventKey,
    /// Pairs above this key are still to be fetched; none at the end.
    after: Option<EventKey>,
    fetched: VecDeque<Pair>,
    rows_left: usize,
}

impl<'a> Walk<'a> {
    fn new(view: &'a View<'a>, query: &SequenceQuery) -> Result<Self, Fault> {
        let select = "SELECT value FROM meta WHERE name = 'indexed_upto'";
        let indexed_upto =
            view.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
        let mut walk = Self {
            view,
            endpoint: query.endpoint,
            indexed_upto: EventKey::new(indexed_upto),
            after: query.cursor,
            fetched: VecDeque::new(),
            rows_left: query.rows_read.max(1),
        };
        if walk.after.is_none() {
            walk.after = Some(walk.place_before(query.from)?);
        }
        Ok(walk)
    }

    /// The place in the index up to which every number is lower than this one.
    fn place_before(&self, number: u64) -> Result<EventKey, Fault> {
        let (mut low, mut high) = (EventKey::ZERO.get(), self.indexed_upto.get());
        while low < high {
            let middle = low + (high - low) / 2;
            let above = self.pairs(EventKey::new(middle), EventKey::new(high), 1)?;
            match above.first() {
                Some((key, found)) if *found < number => low = key.get(),
                Some(_) | None => high = middle,
            }
        }
        Ok(EventKey::new(low))
    }

    /// The next pair, unless there is none or the page has read enough.
    fn next(&mut self) -> Result<Option<Pair>, Fault> {
        while self.fetched.is_empty() {
            let Some(after) = self.after.filter(|_| self.rows_left > 0) else {
                return Ok(None);
            };
            self.fetch(after)?;
        }
        Ok(self.fetched.pop_front())
    }

    /// Where to go on if the walk has not ended: every pair up to here was looked at.
    fn rest(&self) -> Option<EventKey> {
        let before_next = self.fetched.front().map(|(key, _)| EventKey::new(key.get() - 1));
        before_next.or(self.after)
    }

    fn spend(&mut self, rows: usize) {
        self.rows_left = self.rows_left.saturating_sub(rows);
    }

    fn fetch(&mut self, after: EventKey) -> Result<(), Fault> {
        let most = CHUNK.min(self.rows_left);
        if after >= self.indexed_upto {
            return self.scan(after, most);
        }
        let pairs = self.pairs(after, self.indexed_upto, most)?;
        let is_full = pairs.len() == most;
        let last = pairs.last().map(|(key, _)| *key).filter(|_| is_full);
        // Above the index the tail goes on.
        self.after = Some(last.unwrap_or(self.indexed_upto));
        self.fetched.extend(pairs);
        Ok(())
    }

    /// Reads pairs from the index.
    fn pairs(&self, after: EventKey, upto: EventKey, most: usize) -> Result<Vec<Pair>, Fault> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let pairs = self
            .view
            .connection
            .prepare_cached(PAIRS)?
            .query_map(params![self.endpoint.get(), after.get(), upto.get(), most], |row| {
                Ok((EventKey::new(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
            })?
            .collect::<Result<_, _>>()?;
        Ok(pairs)
    }

    /// Reads events themselves, where the index does not reach.
    fn scan(&mut self, after: EventKey, most: usize) -> Result<(), Fault> {
        let mut select = self.view.connection.prepare_cached(TAIL)?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = select.query(params![after.get(), limit])?;
        let (mut read, mut last) = (0, after);
        while let Some(row) = rows.next()? {
            read += 1;
            last = EventKey::new(row.get(0)?);
            let fanout = row.get_ref(1)?.as_blob();
            let fanout = fanout.map_err(|e| Fault::damaged("event.fanout", e))?;
            let mine = codec::fanout(fanout)?.into_iter().find(|(no, _)| *no == self.endpoint);
            self.fetched.extend(mine.map(|(_, number)| (last, number)));
        }
        self.after = (read == most).then_some(last);
        self.spend(read);
        Ok(())
    }
}
