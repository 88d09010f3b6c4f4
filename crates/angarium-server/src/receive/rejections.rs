//! Requests that were rejected, on their way to the store: a few a second of each source, written
//! together. A flood of forged requests costs memory and disk no more than that; the rest is
//! counted.

use crate::api::App;
use angarium_core::id::SourceId;
use angarium_core::source::Rejection;
use angarium_store::StoreResult;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Of each source the newest so many are kept.
const KEPT: usize = 1_000;
/// How long they wait for company.
const GATHER: Duration = Duration::from_secs(1);
/// Of one source so many are noted meanwhile.
const OF_SOURCE: usize = 20;
/// Of all sources.
const OF_ALL: usize = 1_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Rejections {
    waiting: Mutex<Waiting>,
    some: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    all: Vec<Rejection>,
    of_source: HashMap<SourceId, usize>,
}

impl Rejections {
    /// Notes one, unless there are enough of its source.
    pub fn note(&self, rejection: Rejection) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = waiting.of_source.get(&rejection.source).copied().unwrap_or_default();
        if of_source < OF_SOURCE && waiting.all.len() < OF_ALL {
            waiting.of_source.insert(rejection.source, of_source + 1);
            waiting.all.push(rejection);
            self.some.notify_one();
        }
    }

    /// Writes what waits, so that whoever reads the list finds it there.
    ///
    /// # Errors
    /// The store's; what was to be written is lost.
    pub(crate) async fn flush(&self, app: &App) -> StoreResult<()> {
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        match waiting.all.is_empty() {
            true => Ok(()),
            false => app.store.keep_rejections(waiting.all, KEPT).await,
        }
    }
}

/// Writes rejections as they come.
pub(crate) async fn keep_for_ever(app: Arc<App>) {
    loop {
        app.rejections.some.notified().await;
        app.clock.sleep(GATHER).await;
        if let Err(error) = app.rejections.flush(&app).await {
            tracing::warn!(%error, "rejected requests could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::time::Timestamp;
    use bytes::Bytes;

    fn rejection(source: u8) -> Rejection {
        Rejection {
            source: SourceId::from_bytes([source; 16]),
            at: Timestamp::from_millis(0),
            cause: "wrong_signature".into(),
            reason: String::new(),
            method: "POST".into(),
            target: "/".into(),
            headers: Vec::new(),
            body: Bytes::new(),
            body_bytes: 0,
        }
    }

    #[test]
    fn a_flood_at_one_source_leaves_room_for_the_others() {
        let rejections = Rejections::default();
        for _ in 0..10_000 {
            rejections.note(rejection(1));
        }
        rejections.note(rejection(2));
        let waiting = rejections.waiting.lock().expect("nobody panicked");
        assert_eq!(waiting.all.len(), OF_SOURCE + 1);
        assert_eq!(waiting.all[OF_SOURCE].source, SourceId::from_bytes([2; 16]));
    }

    #[test]
    fn a_flood_at_all_sources_is_bounded() {
        let rejections = Rejections::default();
        for n in 0..20_000_u32 {
            rejections.note(rejection(u8::try_from(n % 251).expect("below 256")));
        }
        assert_eq!(rejections.waiting.lock().expect("nobody panicked").all.len(), OF_ALL);
    }
}
