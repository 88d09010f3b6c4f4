//! Erases what people want erased. What waits of an event is cancelled first; an attempt that is
//! under way cannot be called back, so its end is awaited.

use crate::api::App;
use crate::clock::Clock;
use crate::in_order::in_order;
use crate::runner::Runner;
use angarium_core::audit::{Action, Author, Deed, Place};
use angarium_core::batch::Trace;
use angarium_core::id::{DeliveryKey, ErasureId, EventKey, TenantNo};
use angarium_core::refusal::{Code, Refusal};
use angarium_store::removal::{ErasedEvent, ErasureStep};
use angarium_store::{SharedStore, StoreError, StoreResult};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// So soon is looked again whether what waited has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often a call looks again: as long as an attempt takes as a rule.
const LOOKS: usize = 350;
/// Pause between two steps of an erasure, so that commits go first.
const BREATH: Duration = Duration::from_millis(20);
/// So soon a step that failed is taken again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Erases one event, once everything of it has ended.
///
/// # Errors
/// `not_found`; `invalid_state` while an attempt is under way that does not end; the store's.
pub(crate) async fn erase_event(
    app: &App,
    tenant: TenantNo,
    event: EventKey,
    trace: Trace,
) -> Result<(), ErasingFailed> {
    let author = trace.deed.as_ref().map_or(Author::SERVER, |erased| erased.author.clone());
    for _ in 0..LOOKS {
        match app.store.erase_event(tenant, event, trace.clone(), app.now()).await? {
            ErasedEvent::Erased => {
                app.metrics.swept("erased", 1);
                return Ok(());
            }
            ErasedEvent::NotFound => {
                let gone = Refusal::whole(Code::NotFound, "there is no such event");
                return Err(gone.into());
            }
            ErasedEvent::Waiting(unended) => cancel(&app.runner, &author, tenant, &unended).await,
        }
        app.clock.sleep(LOOK_AGAIN).await;
    }
    let message = "an attempt of the event is under way; what waited is cancelled: erase it again \
                   when the attempt has ended";
    Err(Refusal::whole(Code::InvalidState, message).into())
}

/// Why an event is not erased.
#[derive(Debug)]
pub(crate) enum ErasingFailed {
    /// It may not be, or not now.
    Refused(Refusal),
    /// The store failed.
    Store(StoreError),
}

impl From<Refusal> for ErasingFailed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for ErasingFailed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Cancels deliveries; those that have ended or are gone meanwhile are nobody's concern.
async fn cancel(
    runner: &Arc<Runner>,
    author: &Author,
    tenant: TenantNo,
    deliveries: &[DeliveryKey],
) {
    let cancel = |key: &DeliveryKey| {
        let place = Place::Tenant(tenant);
        let deed = Deed::new(author.clone(), Action::DeliveryCancel, place, key);
        runner.cancel_delivery(tenant, *key, Trace::of(deed))
    };
    for answer in in_order(deliveries.iter().map(cancel)).await {
        if let Err(refusal) = answer {
            tracing::debug!(%refusal, "a delivery of what is erased is looked at again");
        }
    }
}

/// What erasures are driven with.
pub struct Eraser {
    /// Where they are kept.
    pub store: SharedStore,
    /// What cancels deliveries.
    pub runner: Arc<Runner>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// An erasure was made.
    pub bell: Arc<Notify>,
}

impl Eraser {
    /// With what calls are answered with.
    pub fn of(app: &App) -> Self {
        Self {
            store: Arc::clone(&app.store),
            runner: Arc::clone(&app.runner),
            clock: Arc::clone(&app.clock),
            bell: Arc::clone(&app.erasing),
        }
    }
}

impl std::fmt::Debug for Eraser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eraser").finish_non_exhaustive()
    }
}

/// Drives every erasure that runs, those of earlier processes too, one after the other.
pub async fn erase_for_ever(with: Arc<Eraser>) {
    loop {
        match with.erase_all().await {
            Ok(()) => with.bell.notified().await,
            Err(error) => {
                tracing::warn!(%error, "erasures that run are looked for again");
                with.clock.sleep(TRY_AGAIN).await;
            }
        }
    }
}

impl Eraser {
    async fn erase_all(&self) -> StoreResult<()> {
        loop {
            let running = self.store.running_erasures().await?;
            if running.is_empty() {
                return Ok(());
            }
            // In turns, so that one that waits for an attempt holds nobody up.
            for id in running {
                if let Err(error) = self.turn(id).await {
                    tracing::warn!(%error, %id, "a step of an erasure is taken again");
                    self.clock.sleep(TRY_AGAIN).await;
                }
            }
        }
    }

    async fn turn(&self, id: ErasureId) -> StoreResult<()> {
        match self.store.step_erasure(id, self.clock.now()).await? {
            ErasureStep::More => self.clock.sleep(BREATH).await,
            ErasureStep::Waiting(tenant, unended) => {
                cancel(&self.runner, &Author::SERVER, tenant, &unended).await;
                // What is not indexed yet is, once the store was looked after.
                self.runner.look_after_store();
                self.clock.sleep(LOOK_AGAIN).await;
            }
            ErasureStep::Ended => {}
        }
        Ok(())
    }
}
