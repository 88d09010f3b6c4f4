//! Writes down when keys were used last, away from the path of calls: a minute after the first use
//! that is new, all of them together. A stop writes what is left; a kill may lose a minute.

use crate::api::App;
use angarium_store::StoreResult;
use std::sync::Arc;
use std::time::Duration;

/// How long uses wait for company.
const GATHER: Duration = Duration::from_secs(60);

/// Writes uses as they come; where no key is used, nothing is written.
pub async fn keep_for_ever(app: Arc<App>) {
    loop {
        app.directory.key_used().await;
        app.clock.sleep(GATHER).await;
        if let Err(error) = keep(&app).await {
            tracing::warn!(%error, "the last uses of keys could not be written");
            app.directory.try_uses_again();
        }
    }
}

/// Writes the uses that are not written yet, and forgets keys that ended long ago, as the store
/// does.
///
/// # Errors
/// The store's; they are not written then.
pub async fn keep(app: &App) -> StoreResult<()> {
    app.directory.forget_keys(app.clock.wall());
    let uses = app.directory.unwritten_key_uses();
    app.store.note_key_uses(&uses).await?;
    app.directory.key_uses_written(&uses);
    Ok(())
}
