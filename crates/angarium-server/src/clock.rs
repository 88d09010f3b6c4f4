//! The only reader of the system clock.

use angarium_core::time::Timestamp;
use async_trait::async_trait;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

/// Tells the time; the simulator and the tests replace it.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits for a span. It may return early: where the clock jumps, whoever waits reads it anew.
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
        let since_epoch =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
