//! Lanes that stand still after a dead letter.

use super::fault::Fault;
use super::readers::View;
use super::writer::Tx;
use angarium_core::batch::{ActionResult, LaneWrite, Standing};
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation};
use angarium_core::lane::Lane;
use angarium_core::waiting::LaneHold;
use rusqlite::{OptionalExtension as _, params};

pub(super) const HOLD: &str = "
    INSERT INTO lane_hold (endpoint, event, generation, lane) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO NOTHING";

pub(super) const RELEASE: &str = "
    DELETE FROM lane_hold WHERE endpoint = ?1 AND event = ?2 RETURNING lane";

pub(super) const RELEASE_ALL: &str = "DELETE FROM lane_hold WHERE endpoint = ?1";

pub(super) const OF_ENDPOINT: &str = "
    SELECT event, generation, lane FROM lane_hold WHERE endpoint = ?1";

/// Writes that a lane stands still, or goes on.
pub(super) fn write(tx: &Tx<'_>, write: LaneWrite) -> Result<(), Fault> {
    match write {
        LaneWrite::Hold(LaneHold { lane, by }) => {
            let (event, endpoint, generation) = (by.event, by.endpoint, by.generation);
            let hold = params![endpoint.get(), event.get(), generation.get(), lane.to_bytes()];
            tx.connection.prepare_cached(HOLD)?.execute(hold)?;
        }
        LaneWrite::Release { endpoint, event } => {
            release(tx, endpoint, event)?;
        }
    }
    Ok(())
}

/// Lets the lane go on that a dead letter of this pair holds; none if it holds none.
pub(super) fn skip(tx: &Tx<'_>, key: DeliveryKey) -> Result<Option<ActionResult>, Fault> {
    let lane = release(tx, key.endpoint, key.event)?;
    Ok(lane.map(|lane| ActionResult { key, stood: Some((lane, Standing::Head)) }))
}

fn release(tx: &Tx<'_>, endpoint: EndpointNo, event: EventKey) -> Result<Option<Lane>, Fault> {
    let mut release = tx.connection.prepare_cached(RELEASE)?;
    let lane = release.query_row([endpoint.get(), event.get()], |row| row.get(0)).optional()?;
    Ok(lane.map(Lane::from_bytes))
}

/// Forgets what is held at an endpoint that is deleted.
pub(super) fn forget(tx: &Tx<'_>, endpoint: EndpointNo) -> Result<(), Fault> {
    tx.connection.prepare_cached(RELEASE_ALL)?.execute([endpoint.get()])?;
    Ok(())
}

/// The lanes of an endpoint that stand still.
pub(super) fn of_endpoint(view: &View<'_>, endpoint: EndpointNo) -> Result<Vec<LaneHold>, Fault> {
    let mut select = view.connection.prepare_cached(OF_ENDPOINT)?;
    let holds = select.query_map([endpoint.get()], |row| {
        let (event, generation) = (EventKey::new(row.get(0)?), Generation::new(row.get(1)?));
        let by = DeliveryKey { event, endpoint, generation };
        Ok(LaneHold { lane: Lane::from_bytes(row.get(2)?), by })
    })?;
    Ok(holds.collect::<Result<_, _>>()?)
}
