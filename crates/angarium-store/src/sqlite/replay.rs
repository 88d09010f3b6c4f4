//! New deliveries of an event that was accepted before.

use super::codec::stored;
use super::deliveries::{LAST_GENERATION, Waiting, insert_waiting};
use super::events;
use super::fault::Fault;
use super::upkeep::INSERT_PAIR;
use super::writer::Tx;
use angarium_core::delivery::DeliveryState;
use angarium_core::id::ShardId;
use angarium_core::replay::{Replayed, UNNUMBERED};
use rusqlite::params;

/// Makes all of the deliveries, or none if the pair of one has gone on meanwhile, or the payload
/// is gone.
pub(super) fn replay(
    tx: &mut Tx<'_>,
    shard: ShardId,
    deliveries: &[Replayed],
) -> Result<bool, Fault> {
    for made in deliveries {
        if !is_next(tx, made)? || !events::has_payload(tx.connection, made.key.event)? {
            return Ok(false);
        }
    }
    for made in deliveries {
        insert(tx, shard, made)?;
    }
    Ok(true)
}

fn is_next(tx: &Tx<'_>, made: &Replayed) -> Result<bool, Fault> {
    let last: u32 = tx
        .connection
        .prepare_cached(LAST_GENERATION)?
        .query_row(params![made.key.event.get(), made.key.endpoint.get()], |row| row.get(0))?;
    Ok(last + 1 == made.key.generation.get())
}

fn insert(tx: &mut Tx<'_>, shard: ShardId, made: &Replayed) -> Result<(), Fault> {
    let waiting = Waiting {
        key: made.key,
        sequence: made.sequence,
        attempts: 0,
        state: DeliveryState::Pending,
        due: made.due,
        // It comes later than what followed the first one, so it stands in no lane.
        lane: None,
        repeats: made.repeats,
    };
    insert_waiting(tx, shard, &waiting)?;
    if made.sequence == UNNUMBERED {
        // The event's fan-out does not name this pair, so nothing else would index it.
        let pair = params![made.key.endpoint.get(), made.key.event.get(), stored(made.sequence)];
        tx.connection.prepare_cached(INSERT_PAIR)?.execute(pair)?;
    }
    Ok(())
}
