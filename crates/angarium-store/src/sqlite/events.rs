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
use angarium_core::event::{Event, EventType, NewEvent};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId};
use angarium_core::time::Timestamp;
use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use std::sync::Arc;

/// Columns of the table that its checksum is of.
const COLUMNS: usize = 14;

pub(super) const INSERT: &str = "
    INSERT INTO event (key, shard, tenant, sequence, accepted_at, type, own_id, time, subject,
                       ordering_key, attributes, fanout, data_kind, data, crc)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// The columns stand in the order of [`read`].
pub(super) const SELECT: &str = "
    SELECT key, shard, tenant, sequence, accepted_at, type, own_id, time, subject, ordering_key,
           attributes, fanout, data_kind, data, crc
    FROM event WHERE key = ?1";

/// Writes a new event, and the rows of those of its deliveries that begin with one.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    shard: ShardId,
    write: &EventWrite,
    now: Timestamp,
) -> Result<EventKey, Fault> {
    let key = tx.state.next_key(now);
    let body = &*write.body;
    let fanout = codec::fanout_bytes(write.fanout.iter().map(|f| (f.endpoint, f.sequence)));
    let attributes = codec::attribute_bytes(&body.attributes);
    let values: [ValueRef<'_>; COLUMNS] = [
        ValueRef::Integer(key.get()),
        ValueRef::Integer(shard.get().into()),
        ValueRef::Integer(write.tenant.get()),
        ValueRef::Integer(stored(write.sequence)),
        ValueRef::Integer(write.accepted_at.as_millis()),
        ValueRef::Text(body.kind.as_str().as_bytes()),
        crc::text(body.own_id.as_deref()),
        crc::text(body.time.as_deref()),
        crc::text(body.subject.as_deref()),
        crc::text(body.ordering_key.as_deref()),
        attributes.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
        ValueRef::Blob(&fanout),
        ValueRef::Integer(data_kind_number(body.data_kind)),
        ValueRef::Blob(&body.data),
    ];
    let crc = ValueRef::Integer(crc::of(values).into());
    let row = values.into_iter().chain([crc]).map(ToSqlOutput::Borrowed);
    tx.connection.prepare_cached(INSERT)?.execute(params_from_iter(row))?;
    tx.state.events += 1;
    usage::count_bytes(tx, write.tenant, usage::length(&body.data));
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
    crc::check("event", row.get(COLUMNS)?, values)?;
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
        data_kind: row.data_kind(12)?,
    };
    let event = Event {
        key: EventKey::new(row.get(0)?),
        tenant: row.tenant(2)?,
        sequence: row.count(3)?,
        accepted_at: row.time(4)?.unwrap_or_default(),
        body: Arc::new(body),
    };
    Ok(Stored { shard: row.shard(1)?, event: Arc::new(event), fanout: codec::fanout(fanout)? })
}
