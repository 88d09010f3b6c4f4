//! What goes wrong: how the endpoints of a call do, and what could not be delivered to them.

use super::operate::Operating;
use crate::api::endpoints::facts;
use crate::api::json::Answer;
use crate::api::problem::Problem;
use angarium_core::contract::api::{DeadLetter, MOST_DEAD_LETTERS, Subject};
use angarium_core::delivery::DeliveryState;
use angarium_core::event::Event;
use angarium_core::id::EndpointNo;
use angarium_store::read::{DeliveryQuery, DeliveryRow, EndpointRow};
use std::collections::HashSet;
use std::sync::Arc;

/// Most pages of a tenant's dead letters that one call reads; those of endpoints that it may not
/// see are passed over. Together they read no more rows than a page of a list may.
const PAGES: usize = 8;

/// A delivery that was given up, with its event.
#[derive(Debug)]
struct Dead {
    row: DeliveryRow,
    event: Arc<Event>,
}

impl Operating<'_> {
    /// The endpoints that the call may see, and their dead letters.
    pub(super) async fn diagnostics(&self) -> Result<Answer, Problem> {
        let rows = self.endpoints()?.list().await?;
        let endpoints: Vec<_> = rows.iter().map(|row| facts(self.app, row)).collect();
        let dead = self.dead(&rows).await?;
        let dead_letters: Vec<_> = dead.iter().map(letter).collect();
        Ok(self.print(&Subject::Diagnostics { endpoints: &endpoints, dead_letters: &dead_letters }))
    }

    /// What was given up, of the newest events first.
    async fn dead(&self, endpoints: &[EndpointRow]) -> Result<Vec<Dead>, Problem> {
        let seen: HashSet<EndpointNo> = endpoints.iter().map(|row| row.no).collect();
        let mut query = self.dead_query()?;
        let mut dead = Vec::new();
        for _ in 0..PAGES {
            let page = self.app.store.deliveries(&query).await?;
            for row in page.items.into_iter().filter(|row| seen.contains(&row.key.endpoint)) {
                if dead.len() == MOST_DEAD_LETTERS {
                    return Ok(dead);
                }
                let event = self.app.store.event(row.tenant, row.key.event).await?;
                dead.extend(event.map(|found| Dead { row, event: found.event }));
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(dead)
    }

    fn dead_query(&self) -> Result<DeliveryQuery, Problem> {
        Ok(DeliveryQuery {
            environment: self.caller.environment()?.no,
            tenant: Some(self.tenant()?.no),
            endpoint: None,
            event: None,
            state: Some(DeliveryState::Dead),
            class: None,
            kind: None,
            after: None,
            before: None,
            cursor: None,
            limit: MOST_DEAD_LETTERS,
            rows_read: self.app.limits.page_rows_read / PAGES,
        })
    }
}

fn letter(dead: &Dead) -> DeadLetter<'_> {
    let Dead { row, event } = dead;
    DeadLetter {
        event,
        endpoint: row.endpoint_id,
        died_at: row.ended_at.unwrap_or(event.accepted_at),
        attempts: row.attempts,
        class: row.last.map(|last| last.class),
        status: row.last.and_then(|last| last.status),
    }
}
