//! Idempotency records: committed with the change that they guard; the first one stays until it
//! expires (contracts.md, G7).

use super::fault::Fault;
use super::readers::View;
use super::reseal::hex;
use super::writer::Tx;
use crate::seal::SealedPlace;
use crate::{Answered, StoredAnswer};
use angarium_core::batch::{Guard, GuardAnswer};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation, TenantNo};
use angarium_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

pub(super) const INSERT: &str = "
    INSERT INTO idempotency (scope, fingerprint, expires_at, kind, status, body,
                             event, endpoint, generation, tenant)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11)
    ON CONFLICT (scope) DO UPDATE SET
        fingerprint = excluded.fingerprint, expires_at = excluded.expires_at,
        kind = excluded.kind, status = excluded.status, body = excluded.body,
        event = excluded.event, endpoint = excluded.endpoint, generation = excluded.generation,
        tenant = excluded.tenant
    WHERE idempotency.expires_at <= ?10";

pub(super) const SELECT: &str = "
    SELECT fingerprint, kind, status, body, event, endpoint, generation, tenant
    FROM idempotency WHERE scope = ?1 AND expires_at > ?2";

/// Whose answers are that hold nobody's secret.
pub(super) const NOBODY: TenantNo = TenantNo::new(0);

/// What the guarded change made, for answers that derive from it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    /// Nothing that an answer can derive from.
    Nothing,
    /// An event.
    Event(EventKey),
    /// A delivery.
    Delivery(DeliveryKey),
}

/// Keeps the answer to a call, sealed as `owner`'s: it may hold a secret of theirs. One that should
/// derive from something that was not made is left out: the call changed nothing, and may be
/// repeated.
pub(super) fn insert(
    tx: &Tx<'_>,
    guard: &Guard,
    owner: TenantNo,
    subject: Subject,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut status = None;
    let mut sealed = None;
    let mut delivery = (None, None, None);
    let kind = match (&guard.answer, subject) {
        (GuardAnswer::Given { status: given, body }, _) => {
            status = Some(*given);
            sealed = Some(tx.vault().seal(place(owner.get(), &hex(&guard.scope)), body)?);
            1
        }
        (GuardAnswer::Event, Subject::Event(event)) => {
            delivery.0 = Some(event.get());
            2
        }
        (GuardAnswer::Delivery, Subject::Delivery(key)) => {
            delivery =
                (Some(key.event.get()), Some(key.endpoint.get()), Some(key.generation.get()));
            3
        }
        (GuardAnswer::Event | GuardAnswer::Delivery, _) => return Ok(()),
    };
    tx.connection.prepare_cached(INSERT)?.execute(params![
        guard.scope,
        guard.fingerprint,
        guard.expires_at.as_millis(),
        kind,
        status,
        sealed,
        delivery.0,
        delivery.1,
        delivery.2,
        now.as_millis(),
        owner.get(),
    ])?;
    Ok(())
}

/// What a guarded call answered before.
pub(super) fn answer(
    view: &View<'_>,
    scope: &[u8; 32],
    now: Timestamp,
) -> Result<Option<StoredAnswer>, Fault> {
    view.connection
        .prepare_cached(SELECT)?
        .query_row(params![scope, now.as_millis()], |row| Ok(read(view, scope, row)))
        .optional()?
        .transpose()
}

fn read(view: &View<'_>, scope: &[u8; 32], row: &Row<'_>) -> Result<StoredAnswer, Fault> {
    let answer = match row.get::<_, i64>(1)? {
        1 => {
            let sealed: Vec<u8> = row.get(3)?;
            let body = view.vault().unseal(place(row.get(7)?, &hex(scope)), &sealed)?;
            Answered::Given { status: row.get(2)?, body: body.to_vec() }
        }
        2 => Answered::Event(EventKey::new(row.get(4)?)),
        3 => Answered::Delivery(DeliveryKey {
            event: EventKey::new(row.get(4)?),
            endpoint: EndpointNo::new(row.get(5)?),
            generation: Generation::new(row.get(6)?),
        }),
        other => return Err(Fault::damaged("idempotency.kind", other)),
    };
    Ok(StoredAnswer { fingerprint: row.get(0)?, answer })
}

fn place(tenant: i64, row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "idempotency", tenant, row, column: "body" }
}
