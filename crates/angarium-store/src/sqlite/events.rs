//! The event's row: written once, in the commit that accepts it.

use super::codec::{self, Columns as _, data_kind_number, stored};
use super::crc;
use super::deliveries;
use super::fault::Fault;
use super::guards::{self, Subject};
use super::usage;
use super::writer::Tx;
use angarium_core::batch::{EventWrite, FanoutStart};
use angarium_core::delivery::DeliveryState;
use angarium_core::event::{DataKind, Event, EventType, NewEvent, RECEIVED_HEADER};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId, TenantNo};
use angarium_core::retention::{Gone, GoneWhy};
use angarium_core::time::Timestamp;
use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};
use std::sync::Arc;

/// Columns that the checksum is of, but for the time at which the payload went.
const COLUMNS: usize = 14;

pub(super) const INSERT: &str = "
    INSERT INTO event (key, shard, tenant, sequence, accepted_at, type, own_id, time, subject,
                       ordering_key, attributes, fanout, data_kind, data, crc)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// The columns stand in the order of [`read`].
pub(super) const SELECT: &str = "
    SELECT key, shard, tenant, sequence, accepted_at, type, own_id, time, subject, ordering_key,
           attributes, fanout, data_kind, data, crc, gone_at
    FROM event WHERE key = ?1";

pub(super) const STRIP: &str = "
    UPDATE event SET subject = ?2, ordering_key = ?3, attributes = ?4, data_kind = ?5, data = ?6,
                     crc = ?7, gone_at = ?8
    WHERE key = ?1";

pub(super) const HAS_PAYLOAD: &str = "SELECT 1 FROM event WHERE key = ?1 AND gone_at IS NULL";

/// An event's row as it is written.
struct Written<'a> {
    shard: ShardId,
    key: EventKey,
    tenant: TenantNo,
    sequence: u64,
    accepted_at: Timestamp,
    body: &'a NewEvent,
    attributes: Option<Vec<u8>>,
    fanout: Vec<u8>,
    gone: Option<Gone>,
}

impl Written<'_> {
    fn values(&self) -> [ValueRef<'_>; COLUMNS] {
        let body = self.body;
        let kind = match self.gone {
            None => data_kind_number(body.data_kind),
            Some(gone) => gone_number(gone.why),
        };
        [
            ValueRef::Integer(self.key.get()),
            ValueRef::Integer(self.shard.get().into()),
            ValueRef::Integer(self.tenant.get()),
            ValueRef::Integer(stored(self.sequence)),
            ValueRef::Integer(self.accepted_at.as_millis()),
            ValueRef::Text(body.kind.as_str().as_bytes()),
            crc::text(body.own_id.as_deref()),
            crc::text(body.time.as_deref()),
            crc::text(body.subject.as_deref()),
            crc::text(body.ordering_key.as_deref()),
            self.attributes.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
            ValueRef::Blob(&self.fanout),
            ValueRef::Integer(kind),
            ValueRef::Blob(&body.data),
        ]
    }
}

fn checksum(values: [ValueRef<'_>; COLUMNS], gone_at: Option<i64>) -> u32 {
    crc::of(values.into_iter().chain(gone_at.map(ValueRef::Integer)))
}

/// Writes a new event, and the rows of those of its deliveries that begin with one.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    shard: ShardId,
    write: &EventWrite,
    now: Timestamp,
) -> Result<EventKey, Fault> {
    let key = tx.state.next_key(now);
    let row = Written {
        shard,
        key,
        tenant: write.tenant,
        sequence: write.sequence,
        accepted_at: write.accepted_at,
        body: &write.body,
        attributes: codec::attribute_bytes(&write.body.attributes),
        fanout: codec::fanout_bytes(write.fanout.iter().map(|f| (f.endpoint, f.sequence))),
        gone: None,
    };
    let values = row.values();
    let crc = ValueRef::Integer(checksum(values, None).into());
    let row = values.into_iter().chain([crc]).map(ToSqlOutput::Borrowed);
    tx.connection.prepare_cached(INSERT)?.execute(params_from_iter(row))?;
    tx.state.events += 1;
    usage::count_bytes(tx, write.tenant, usage::length(&write.body.data));
    for fanout in &write.fanout {
        let delivery = DeliveryKey::first(key, fanout.endpoint);
        match fanout.start {
            FanoutStart::Held | FanoutStart::Behind | FanoutStart::Overflow => {}
            FanoutStart::Pending { due } => {
                let waiting = deliveries::Waiting::first(delivery, fanout);
                deliveries::insert_waiting(tx, shard, &deliveries::Waiting { due, ..waiting })?;
            }
            FanoutStart::Queued => {
                let (state, waiting) =
                    (DeliveryState::Queued, deliveries::Waiting::first(delivery, fanout));
                deliveries::insert_waiting(tx, shard, &deliveries::Waiting { state, ..waiting })?;
            }
            FanoutStart::Suppressed => {
                deliveries::insert_suppressed(tx, delivery, fanout.sequence, write.accepted_at)?;
            }
        }
    }
    if let Some(guard) = &write.guard {
        guards::insert(tx, guard, write.tenant, Subject::Event(key), now)?;
    }
    Ok(key)
}

/// An event's row.
pub(super) struct Stored {
    pub(super) shard: ShardId,
    pub(super) event: Arc<Event>,
    pub(super) fanout: Vec<(EndpointNo, u64)>,
    /// Why it has no payload; its data is empty then.
    pub(super) gone: Option<Gone>,
}

/// Takes the payload from an event for good: its data and, of one that was received, its headers;
/// if it is erased, all that says more than which event it is.
pub(super) fn strip(tx: &mut Tx<'_>, stored: Stored, gone: Gone) -> Result<(), Fault> {
    let Stored { shard, event, fanout, .. } = stored;
    usage::take_off(tx, event.tenant, event.key, usage::length(&event.body.data))?;
    let mut body = NewEvent::clone(&event.body);
    body.data = Bytes::new();
    match gone.why {
        GoneWhy::Expired => body.attributes.retain(|(name, _)| !name.starts_with(RECEIVED_HEADER)),
        GoneWhy::Erased => {
            (body.subject, body.ordering_key) = (None, None);
            body.attributes.clear();
        }
    }
    let row = Written {
        shard,
        key: event.key,
        tenant: event.tenant,
        sequence: event.sequence,
        accepted_at: event.accepted_at,
        attributes: codec::attribute_bytes(&body.attributes),
        body: &body,
        fanout: codec::fanout_bytes(fanout.into_iter()),
        gone: Some(gone),
    };
    let gone_at = gone.at.as_millis();
    let crc = checksum(row.values(), Some(gone_at));
    tx.connection.prepare_cached(STRIP)?.execute(params![
        event.key.get(),
        body.subject,
        body.ordering_key,
        row.attributes,
        gone_number(gone.why),
        &*body.data,
        crc,
        gone_at,
    ])?;
    Ok(())
}

/// Whether there is such an event and it can be sent.
pub(super) fn has_payload(connection: &Connection, key: EventKey) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(HAS_PAYLOAD)?.exists([key.get()])?)
}

/// One event.
pub(super) fn find(connection: &Connection, key: EventKey) -> Result<Option<Stored>, Fault> {
    let mut select = connection.prepare_cached(SELECT)?;
    select.query_row([key.get()], |row| Ok(read(row))).optional()?.transpose()
}

/// Reads a row with the columns of [`SELECT`].
///
/// # Errors
/// A value is not what was written.
pub(super) fn read(row: &Row<'_>) -> Result<Stored, Fault> {
    let mut values = [ValueRef::Null; COLUMNS];
    for (at, value) in values.iter_mut().enumerate() {
        *value = row.get_ref(at)?;
    }
    let gone_at: Option<i64> = row.get(COLUMNS + 1)?;
    let of_gone = gone_at.map(ValueRef::Integer);
    crc::check("event", row.get(COLUMNS)?, values.into_iter().chain(of_gone))?;
    let gone = gone_at.map(|at| gone(row.get(12)?, Timestamp::from_millis(at))).transpose()?;
    let text = |at: usize| row.get::<_, Option<Box<str>>>(at);
    let kind = row.get_ref(5)?.as_str().map_err(|e| Fault::damaged("event.type", e))?;
    let attributes = row.get_ref(10)?.as_blob_or_null();
    let attributes = attributes.map_err(|e| Fault::damaged("event.attributes", e))?;
    let fanout = row.get_ref(11)?.as_blob().map_err(|e| Fault::damaged("event.fanout", e))?;
    let data = row.get_ref(13)?.as_blob().map_err(|e| Fault::damaged("event.data", e))?;
    let body = NewEvent {
        own_id: text(6)?,
        kind: EventType::from_stored(kind),
        time: text(7)?,
        subject: text(8)?,
        ordering_key: text(9)?,
        attributes: codec::attributes(attributes)?,
        data: Bytes::copy_from_slice(data),
        data_kind: gone.map_or_else(|| row.data_kind(12), |_| Ok(DataKind::default()))?,
    };
    let event = Event {
        key: EventKey::new(row.get(0)?),
        tenant: row.tenant(2)?,
        sequence: row.count(3)?,
        accepted_at: row.time(4)?.unwrap_or_default(),
        body: Arc::new(body),
    };
    let (shard, fanout) = (row.shard(1)?, codec::fanout(fanout)?);
    Ok(Stored { shard, event: Arc::new(event), fanout, gone })
}

/// In the place of what the data is.
const fn gone_number(why: GoneWhy) -> i64 {
    match why {
        GoneWhy::Expired => 4,
        GoneWhy::Erased => 5,
    }
}

fn gone(number: i64, at: Timestamp) -> Result<Gone, Fault> {
    let why = match number {
        4 => GoneWhy::Expired,
        5 => GoneWhy::Erased,
        other => return Err(Fault::damaged("event.data_kind", other)),
    };
    Ok(Gone { why, at })
}
