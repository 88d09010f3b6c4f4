//! The event's row: written once, in the commit that accepts it.

use super::codec::{self, Columns as _, data_kind_number, stored};
use super::deliveries;
use super::fault::Fault;
use super::guards::{self, Subject};
use super::writer::Tx;
use angarium_core::batch::{EventWrite, FanoutStart};
use angarium_core::delivery::DeliveryState;
use angarium_core::event::{Event, EventType, NewEvent};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, ShardId};
use angarium_core::time::Timestamp;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::sync::Arc;

pub(super) const INSERT: &str = "
    INSERT INTO event (key, shard, tenant, sequence, accepted_at, type, own_id, time, subject,
                       ordering_key, attributes, fanout, data_kind, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

/// The columns stand in the order of [`read`].
pub(super) const SELECT: &str = "
    SELECT key, shard, tenant, sequence, accepted_at, type, own_id, time, subject, ordering_key,
           attributes, fanout, data_kind, data
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
    tx.connection.prepare_cached(INSERT)?.execute(params![
        key.get(),
        shard.get(),
        write.tenant.get(),
        stored(write.sequence),
        write.accepted_at.as_millis(),
        body.kind.as_str(),
        body.own_id.as_deref(),
        body.time.as_deref(),
        body.subject.as_deref(),
        body.ordering_key.as_deref(),
        codec::attribute_bytes(&body.attributes),
        fanout,
        data_kind_number(body.data_kind),
        &*body.data,
    ])?;
    tx.state.events += 1;
    for fanout in &write.fanout {
        let delivery = DeliveryKey::first(key, fanout.endpoint);
        match fanout.start {
            FanoutStart::Held | FanoutStart::Behind => {}
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
        guards::insert(tx, guard, Subject::Event(key), now)?;
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
pub(super) fn read(row: &Row<'_>) -> Result<Stored, Fault> {
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
