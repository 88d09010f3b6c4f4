//! Changes of endpoints that are committed now.

use crate::batch::{Committed, EndpointResult, EndpointWrite, ShardBatch};
use crate::endpoint::EndpointStatus;
use crate::id::EndpointNo;
use crate::shard::queue::Queue;
use crate::shard::{Effects, EndpointTicket, Reply, Shard, change};
use crate::time::Timestamp;

impl<T> Shard<T> {
    pub(super) fn endpoints_committed(
        &mut self,
        batch: &ShardBatch,
        given: &Committed,
        tickets: Vec<EndpointTicket<T>>,
        now: Timestamp,
        touched: &mut Vec<EndpointNo>,
        fx: &mut Effects<T>,
    ) {
        for ((write, result), waiting) in batch.endpoints.iter().zip(&given.endpoints).zip(tickets)
        {
            let reply = match write {
                EndpointWrite::Create { config, .. } => {
                    let tenant = self.tenants.entry(config.tenant).or_default();
                    tenant.being_made.pop_front();
                    if let Some(endpoint) = waiting.endpoint {
                        tenant.endpoints.push(result.no);
                        self.queues.insert(result.no, Queue::new(endpoint));
                    }
                    Reply::EndpointMade(result.no)
                }
                EndpointWrite::Replace { .. } => {
                    if let Some(endpoint) = waiting.endpoint {
                        self.replaced(result.no, endpoint, now, fx);
                    }
                    Reply::Done
                }
                EndpointWrite::Delete { at, .. } => {
                    self.deleted(result.no, *at);
                    Reply::Done
                }
                EndpointWrite::CancelWaiting { limit, .. }
                | EndpointWrite::Unpark { limit, .. }
                | EndpointWrite::Park { limit, .. } => {
                    self.slice_committed(write, *result, *limit, now);
                    Reply::Done
                }
            };
            fx.replies.extend(waiting.ticket.map(|ticket| (ticket, reply)));
            touched.push(result.no);
        }
    }

    /// A slice of rows is done; the next one follows if this one was full.
    fn slice_committed(
        &mut self,
        write: &EndpointWrite,
        result: EndpointResult,
        limit: usize,
        now: Timestamp,
    ) {
        let (no, more) = (result.no, result.rows >= limit);
        let status = self.queues.get(&no).map(|queue| queue.endpoint.config.status);
        match (write, status) {
            (EndpointWrite::CancelWaiting { .. }, _) if more => {
                self.slice(change::cancel_waiting(no, now));
            }
            (EndpointWrite::CancelWaiting { .. }, _) => self.forget_deleted(no),
            (EndpointWrite::Unpark { .. }, Some(EndpointStatus::Active)) => {
                if let Some(queue) = self.queues.get_mut(&no) {
                    queue.note_unloaded(now);
                }
                if more {
                    self.slice(change::unpark(no, now));
                }
            }
            (
                EndpointWrite::Park { .. },
                Some(EndpointStatus::Paused | EndpointStatus::Disabled),
            ) if more => self.slice(change::park(no)),
            (
                EndpointWrite::Create { .. }
                | EndpointWrite::Replace { .. }
                | EndpointWrite::Delete { .. }
                | EndpointWrite::Unpark { .. }
                | EndpointWrite::Park { .. },
                _,
            ) => {}
        }
    }
}
