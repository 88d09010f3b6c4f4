//! What is committed with a change: the record of its call, and the entry of the audit log.

use super::audit;
use super::fault::Fault;
use super::guards::{self, Subject};
use super::writer::Tx;
use angarium_core::batch::Trace;
use angarium_core::id::TenantNo;
use angarium_core::time::Timestamp;

/// Keeps what a change leaves behind; the answer to its call is sealed as `owner`'s.
pub(super) fn keep(
    tx: &mut Tx<'_>,
    trace: &Trace,
    owner: TenantNo,
    subject: Subject,
    now: Timestamp,
) -> Result<(), Fault> {
    if let Some(guard) = &trace.guard {
        guards::insert(tx, guard, owner, subject, now)?;
    }
    if let Some(deed) = &trace.deed {
        let place = audit::name(tx, deed.place)?;
        audit::add(tx, deed, &place, now)?;
    }
    Ok(())
}
