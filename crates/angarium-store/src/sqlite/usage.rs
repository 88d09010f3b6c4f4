//! What each tenant takes of the store: bytes of payload, and deliveries that wait. Kept as
//! numbers, never scanned while serving.
//!
//! In memory stands what is durable. In the file a tenant's bytes stand up to the last event that
//! is indexed, written by the upkeep that indexes (`upkeep.rs`), so that a commit of events costs
//! nothing for it; the few events above are counted at the start.

use super::codec::stored;
use super::fault::Fault;
use super::writer::Tx;
use crate::read::Usage;
use angarium_core::id::{EndpointNo, EventKey, TenantNo};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

pub(super) const SETTLE: &str = "
    INSERT INTO tenant_usage (tenant, bytes) VALUES (?1, ?2)
    ON CONFLICT (tenant) DO UPDATE SET bytes = bytes + excluded.bytes";

const SETTLED: &str = "SELECT tenant, bytes FROM tenant_usage";

const UNSETTLED: &str = "
    SELECT tenant, sum(length(data)) FROM event
    WHERE key > (SELECT value FROM meta WHERE name = 'indexed_upto') GROUP BY tenant";

const WAITING: &str = "
    SELECT tenant, count(*) FROM pending JOIN endpoint ON no = pending.endpoint GROUP BY tenant";

pub(super) const OWNER: &str = "SELECT tenant FROM endpoint WHERE no = ?1";

/// What is durable, of all tenants that take something.
#[derive(Debug, Default)]
pub(super) struct Usages(Mutex<HashMap<TenantNo, Usage>>);

/// What an open transaction changes, and whose endpoints are, which never changes.
#[derive(Debug, Default)]
pub(super) struct Counting {
    owners: HashMap<EndpointNo, TenantNo>,
    changes: HashMap<TenantNo, Change>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Change {
    bytes: i64,
    pending: i64,
}

impl Usages {
    /// What a tenant takes.
    pub(super) fn of(&self, tenant: TenantNo) -> Usage {
        let usages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        usages.get(&tenant).copied().unwrap_or_default()
    }

    /// Reads it anew.
    pub(super) fn load(&self, connection: &Connection) -> Result<(), Fault> {
        let mut read = HashMap::<TenantNo, Usage>::new();
        for (sql, is_bytes) in [(SETTLED, true), (UNSETTLED, true), (WAITING, false)] {
            let mut select = connection.prepare(sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let usage = read.entry(TenantNo::new(row.get(0)?)).or_default();
                let number = row.get::<_, i64>(1)?.max(0).cast_unsigned();
                match is_bytes {
                    true => usage.bytes += number,
                    false => usage.pending += number,
                }
            }
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Follows a transaction that is durable.
    pub(super) fn follow(&self, counting: &mut Counting) {
        if counting.changes.is_empty() {
            return;
        }
        let mut usages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, change) in counting.changes.drain() {
            let usage = usages.entry(tenant).or_default();
            usage.bytes = usage.bytes.saturating_add_signed(change.bytes);
            usage.pending = usage.pending.saturating_add_signed(change.pending);
            if *usage == Usage::default() {
                usages.remove(&tenant);
            }
        }
    }
}

impl Counting {
    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.changes.clear();
    }
}

/// Notes that a tenant has so many bytes more of payload, or fewer.
pub(super) fn count_bytes(tx: &mut Tx<'_>, tenant: TenantNo, by: i64) {
    tx.counting.changes.entry(tenant).or_default().bytes += by;
}

/// Writes so many bytes more, or fewer, of events up to the last one that is indexed.
pub(super) fn settle_bytes(tx: &Tx<'_>, tenant: TenantNo, by: i64) -> Result<(), Fault> {
    tx.connection.prepare_cached(SETTLE)?.execute(params![tenant.get(), by])?;
    Ok(())
}

/// Notes that an event has so many bytes of payload no more, where it has been noted that it had.
pub(super) fn take_off(
    tx: &mut Tx<'_>,
    tenant: TenantNo,
    event: EventKey,
    bytes: i64,
) -> Result<(), Fault> {
    count_bytes(tx, tenant, -bytes);
    match event <= tx.state.indexed_upto {
        true => settle_bytes(tx, tenant, -bytes),
        false => Ok(()),
    }
}

/// Notes that one delivery more waits for an endpoint, or one fewer.
pub(super) fn count_waiting(tx: &mut Tx<'_>, endpoint: EndpointNo, by: i64) -> Result<(), Fault> {
    // What belongs to nobody is nobody's usage.
    if let Some(owner) = owner(tx, endpoint)? {
        tx.counting.changes.entry(owner).or_default().pending += by;
    }
    Ok(())
}

fn owner(tx: &mut Tx<'_>, endpoint: EndpointNo) -> Result<Option<TenantNo>, Fault> {
    if let Some(known) = tx.counting.owners.get(&endpoint) {
        return Ok(Some(*known));
    }
    let mut select = tx.connection.prepare_cached(OWNER)?;
    let found = select.query_row([endpoint.get()], |row| row.get(0)).optional()?;
    let found = found.map(TenantNo::new);
    tx.counting.owners.extend(found.map(|owner| (endpoint, owner)));
    Ok(found)
}

/// The length of a payload.
pub(super) fn length(data: &[u8]) -> i64 {
    stored(data.len() as u64)
}
