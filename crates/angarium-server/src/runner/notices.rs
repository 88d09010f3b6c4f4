//! Notices that wait to be published: what shards and handlers tell, in their order.

use super::Runner;
use angarium_core::id::{EndpointNo, ShardId};
use angarium_core::limits::Limits;
use angarium_core::notice::{About, Fact, Growth, Notice};
use angarium_store::StoreResult;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Rows that are counted for a figure in a notice.
const COUNTED: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Told {
    waiting: Mutex<VecDeque<Notice>>,
    arrived: Notify,
    dropped: AtomicU64,
    backlog: Mutex<Growth>,
}

impl Told {
    pub(super) fn tell(&self, notices: impl IntoIterator<Item = Notice>, limits: &Limits) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for notice in notices {
            if waiting.len() < limits.notices_waiting {
                waiting.push_back(notice);
            } else if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!("notices come faster than they are published: some are dropped");
            }
        }
        self.arrived.notify_one();
    }
}

impl Runner {
    /// Tells people something that is durable.
    pub fn tell(&self, notice: Notice) {
        self.told.tell([notice], &self.parts.limits);
    }

    /// Up to `most` notices in their order; waits until there is one.
    pub async fn next_notices(&self, most: usize) -> Vec<Notice> {
        loop {
            let arrived = self.told.arrived.notified();
            {
                let mut waiting = self.told.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if !waiting.is_empty() {
                    let most = most.min(waiting.len());
                    return waiting.drain(..most).collect();
                }
            }
            arrived.await;
        }
    }

    /// Notices that were dropped because too many waited.
    pub fn notices_dropped(&self) -> u64 {
        self.told.dropped.load(Ordering::Relaxed)
    }

    /// How many deliveries wait: of an endpoint, counted up to 10,000, or of all.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting(&self, endpoint: Option<EndpointNo>) -> StoreResult<u64> {
        match endpoint {
            Some(no) => self.parts.store.waiting(no, COUNTED).await,
            None => Ok(self.parts.store.depth(self.now()).await?.pending),
        }
    }

    /// Looks at what only time brings about; called about once a second.
    pub(super) fn look_over(self: &Arc<Self>) {
        let look = |id| self.with(id, |owned, now, fx| owned.machine.look_over(now, fx)).ok();
        let oldest = ShardId::all().filter_map(look).flatten().min();
        let now = self.now();
        let mut backlog = self.told.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(oldest_due) = backlog.look(oldest, now, &self.parts.limits) {
            let fact = Fact::BacklogGrowing { oldest_due };
            self.tell(Notice { at: now, about: About::Node, fact });
        }
    }
}
