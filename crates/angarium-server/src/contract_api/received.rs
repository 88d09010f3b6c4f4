//! What sources received, and how it was forwarded: the newest first, at most so many.

use super::operate::Operating;
use crate::api::json::Answer;
use crate::api::problem::Problem;
use angarium_core::contract::api::{ForwardDelivery, MOST_RECEIVED, ReceivedEvent, Subject};
use angarium_core::delivery::DeliveryState;
use angarium_core::source::Source;
use angarium_store::read::{DeliveryQuery, DeliveryRow, EventQuery, EventRow};
use bytes::Bytes;
use std::cmp::Reverse;
use std::sync::Arc;

/// Most pages that one list is read in; each may be short (design.md, rule 10).
const PAGES: usize = 8;

/// An event with the source that received it.
type Received = (EventRow, Arc<Source>);

impl Operating<'_> {
    /// What the source in the path received.
    pub(super) async fn list_received(&self) -> Result<Answer, Problem> {
        let source = self.sources()?.find(self.id())?;
        let mut events = Vec::new();
        self.read_received(&source, &mut events).await?;
        Ok(self.print_received(&events))
    }

    /// What all sources received.
    pub(super) async fn list_recent(&self) -> Result<Answer, Problem> {
        let mut events = Vec::new();
        for source in self.all_sources()? {
            self.read_received(&source, &mut events).await?;
            events.sort_by_key(|(row, _)| Reverse(row.event.key));
            events.truncate(MOST_RECEIVED);
        }
        Ok(self.print_received(&events))
    }

    /// Adds the newest events of a source, but for those that are older than what is there if that
    /// is enough already.
    async fn read_received(
        &self,
        source: &Arc<Source>,
        events: &mut Vec<Received>,
    ) -> Result<(), Problem> {
        let oldest = events.get(MOST_RECEIVED - 1).map(|(row, _)| row.event.accepted_at);
        let mut query = EventQuery {
            environment: self.caller.environment()?.no,
            tenant: Some(source.config.tenant),
            kind: None,
            subject: Some(source.config.id.to_string()),
            ordering_key: None,
            after: oldest,
            before: None,
            cursor: None,
            limit: MOST_RECEIVED,
            rows_read: self.app.limits.page_rows_read / PAGES,
        };
        for _ in 0..PAGES {
            let page = self.app.store.events(&query).await?;
            query.limit = query.limit.saturating_sub(page.items.len());
            events.extend(page.items.into_iter().map(|row| (row, Arc::clone(source))));
            query.cursor = page.next.filter(|_| query.limit > 0);
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn print_received(&self, events: &[Received]) -> Answer {
        let events = events.iter().map(|(row, source)| ReceivedEvent {
            event: &row.event,
            is_gone: row.gone.is_some(),
            source: source.config.id,
            source_name: &source.config.name,
        });
        self.print(&Subject::Received(&events.collect::<Vec<_>>()))
    }

    /// How what the source in the path received was forwarded.
    pub(super) async fn list_forwards(&self) -> Result<Answer, Problem> {
        let source = self.sources()?.find(self.id())?;
        let mut forwards = Vec::new();
        for row in self.forwarded(&source).await? {
            let answer_body = self.last_answer(&row).await?;
            forwards.push(forward(row, answer_body));
        }
        Ok(self.print(&Subject::Forwards(&forwards)))
    }

    async fn forwarded(&self, source: &Source) -> Result<Vec<DeliveryRow>, Problem> {
        let Some(endpoint) = self.app.store.endpoint(source.config.forward.endpoint).await? else {
            return Ok(Vec::new());
        };
        let mut query = DeliveryQuery {
            environment: self.caller.environment()?.no,
            tenant: Some(source.config.tenant),
            endpoint: Some(endpoint.no),
            event: None,
            state: None,
            class: None,
            kind: None,
            after: None,
            before: None,
            cursor: None,
            limit: MOST_RECEIVED,
            rows_read: self.app.limits.page_rows_read / PAGES,
        };
        let mut rows = Vec::new();
        for _ in 0..PAGES {
            let page = self.app.store.deliveries(&query).await?;
            query.limit = query.limit.saturating_sub(page.items.len());
            rows.extend(page.items);
            query.cursor = page.next.filter(|_| query.limit > 0);
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// The beginning of the last answer's body.
    async fn last_answer(&self, row: &DeliveryRow) -> Result<Option<Bytes>, Problem> {
        if row.last.is_none_or(|last| last.status.is_none()) {
            return Ok(None);
        }
        let delivery = self.app.store.delivery(row.key).await?;
        let last = delivery.and_then(|delivery| delivery.attempts.into_iter().next_back());
        Ok(last.map(|attempt| Bytes::from(attempt.body)))
    }
}

fn forward(row: DeliveryRow, answer_body: Option<Bytes>) -> ForwardDelivery {
    ForwardDelivery {
        key: row.key,
        event: row.event_id,
        state: row.state,
        attempts: row.attempts,
        answer_status: row.last.and_then(|last| last.status),
        answer_body,
        created_at: row.key.event.time(),
        delivered_at: row.ended_at.filter(|_| row.state == DeliveryState::Delivered),
    }
}
