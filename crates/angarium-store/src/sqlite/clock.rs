//! What is known of the clock, through restarts: ages are reached by it.

use super::accounts::json;
use super::fault::Fault;
use super::readers::View;
use super::writer::Tx;
use angarium_core::retention::Looked;
use angarium_core::time::Timestamp;
use rusqlite::OptionalExtension as _;

const NOTE_CLOCK: &str = "
    INSERT INTO meta (name, value) VALUES ('clock_looked_at', ?1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// What was noted of the clock, and the last time of which the store knows.
pub(super) fn looked_at(view: &View<'_>) -> Result<(Option<Looked>, Timestamp), Fault> {
    let select = "SELECT value FROM meta WHERE name = 'clock_looked_at'";
    let noted: Option<String> =
        view.connection.prepare_cached(select)?.query_row([], |row| row.get(0)).optional()?;
    let parse = |text: String| {
        serde_json::from_str(&text).map_err(|e| Fault::damaged("meta.clock_looked_at", e))
    };
    let select = "SELECT max(ifnull((SELECT value FROM meta WHERE name = 'written_at'), 0),
                             ifnull((SELECT max(accepted_at) FROM (
                                 SELECT accepted_at FROM event ORDER BY key DESC LIMIT 1)), 0))";
    let written = view.connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
    Ok((noted.map(parse).transpose()?, Timestamp::from_millis(written)))
}

/// Notes what is known of the clock.
pub(super) fn note(tx: &Tx<'_>, looked: Looked) -> Result<(), Fault> {
    let text = json("meta.clock_looked_at", &looked)?;
    tx.connection.prepare_cached(NOTE_CLOCK)?.execute([text])?;
    Ok(())
}
