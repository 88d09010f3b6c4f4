//! One event is erased: what is left says which it was, and that it was.

use super::fault::Fault;
use super::guards::{self, Subject};
use super::removal::{self, Found};
use super::trace;
use super::writer::Tx;
use crate::removal::ErasedEvent;
use angarium_core::batch::Trace;
use angarium_core::id::{EventKey, TenantNo};
use angarium_core::retention::{Gone, GoneWhy};
use angarium_core::time::Timestamp;

/// Erases an event of a tenant, with what is committed with that.
pub(super) fn event(
    tx: &mut Tx<'_>,
    tenant: TenantNo,
    key: EventKey,
    trace: &Trace,
    now: Timestamp,
) -> Result<ErasedEvent, Fault> {
    let erased = erase(tx, tenant, key, now)?;
    if erased == ErasedEvent::Erased {
        trace::keep(tx, trace, guards::NOBODY, Subject::Nothing, now)?;
    }
    Ok(erased)
}

/// Erases an event of a tenant. One that was erased before stays as it is.
pub(super) fn erase(
    tx: &mut Tx<'_>,
    tenant: TenantNo,
    key: EventKey,
    now: Timestamp,
) -> Result<ErasedEvent, Fault> {
    let stored = match removal::find(tx.connection, key)? {
        Found::Sound(stored) if stored.event.tenant == tenant => stored,
        Found::Sound(_) | Found::Nothing => return Ok(ErasedEvent::NotFound),
        Found::Damaged => return damaged(tx, key),
    };
    if stored.gone.is_some_and(|gone| gone.why == GoneWhy::Erased) {
        return Ok(ErasedEvent::Erased);
    }
    let unended = removal::unended(tx.connection, &stored)?;
    if !unended.is_empty() {
        return Ok(ErasedEvent::Waiting(unended));
    }
    removal::for_good(tx, |tx| {
        removal::attempts(tx, key)?;
        removal::payload(tx, stored, Gone { why: GoneWhy::Erased, at: now })
    })?;
    tx.state.to_scrub = true;
    Ok(ErasedEvent::Erased)
}

/// What cannot be read goes whole.
fn damaged(tx: &mut Tx<'_>, key: EventKey) -> Result<ErasedEvent, Fault> {
    if !removal::for_good(tx, |tx| removal::damaged(tx, key))? {
        return Ok(ErasedEvent::Waiting(removal::waiting(tx.connection, key)?));
    }
    tx.state.to_scrub = true;
    Ok(ErasedEvent::Erased)
}
