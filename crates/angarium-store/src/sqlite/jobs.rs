//! Jobs: where each stands, in one row.

use super::codec::{Columns as _, stored};
use super::fault::Fault;
use super::guards::Subject;
use super::readers::View;
use super::trace;
use super::writer::Tx;
use crate::read::{JobQuery, Page};
use angarium_core::batch::Trace;
use angarium_core::delivery::DeliveryState;
use angarium_core::id::{
    DeliveryKey, EndpointId, EndpointNo, EnvironmentNo, EventKey, Generation, JobId, TenantNo,
};
use angarium_core::job::{Job, JobStatus, Obstacle, Reach, Recovery};
use angarium_core::replay::Replayed;
use angarium_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

const INSERT: &str = "
    INSERT INTO job (id, environment, tenant, endpoint, since, until, states, types, rate, status,
                     obstacle, total, done, cursor, step, created_at, updated_at, ended_at,
                     left_out)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

pub(super) const COUNT_RUNNING: &str = "
    SELECT count(*) FROM job WHERE tenant = ?1 AND status = 'running'";

pub(super) const MOVE: &str = "
    UPDATE job SET status = ?2, obstacle = ?3, done = ?4, cursor = ?5, step = ?6, updated_at = ?7,
                   ended_at = ?8, endpoint = ?9, left_out = ?10, total = ?11
    WHERE id = ?1 AND status = 'running'";

macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT job.id, job.environment, job.tenant, endpoint, endpoint.id, since, until, \
             states, types, rate, job.status, obstacle, total, done, cursor, step, \
             job.created_at, updated_at, ended_at, left_out \
             FROM job CROSS JOIN endpoint ON endpoint.no = job.endpoint ",
            $rest
        )
    };
}

pub(super) const SELECT: &str = select_jobs!("WHERE job.id = ?1");

pub(super) const RUNNING: &str = select_jobs!("WHERE job.status = 'running'");

pub(super) const OF_ENVIRONMENT: &str =
    select_jobs!("WHERE job.environment = ?1 AND job.id < ?2 ORDER BY job.id DESC LIMIT ?3");

pub(super) const OF_TENANT: &str =
    select_jobs!("WHERE job.tenant = ?1 AND job.id < ?2 ORDER BY job.id DESC LIMIT ?3");

pub(super) const OF_ENDPOINT: &str = select_jobs!(
    "WHERE job.endpoint = ?1 AND job.id < ?2 AND left_out IS NULL ORDER BY job.id DESC LIMIT ?3"
);

/// Above every id.
const TOP: [u8; 16] = [0xff; 16];

/// Begins a job, unless `most` of its tenant run already.
pub(super) fn create(
    tx: &mut Tx<'_>,
    job: &Job,
    most: usize,
    trace: &Trace,
    now: Timestamp,
) -> Result<bool, Fault> {
    let running: i64 = tx
        .connection
        .prepare_cached(COUNT_RUNNING)?
        .query_row([job.tenant.get()], |row| row.get(0))?;
    if usize::try_from(running).unwrap_or(usize::MAX) >= most {
        return Ok(false);
    }
    let recovery = &job.recovery;
    tx.connection.prepare_cached(INSERT)?.execute(params![
        job.id.to_bytes(),
        job.environment.get(),
        job.tenant.get(),
        job.endpoint.get(),
        recovery.since.as_millis(),
        recovery.until.as_millis(),
        recovery.states.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(" "),
        serde_json::to_string(&recovery.types).map_err(|e| Fault::damaged("job.types", e))?,
        job.rate,
        job.status.as_str(),
        job.obstacle.map(Obstacle::as_str),
        stored(job.total),
        stored(job.done),
        job.cursor.get(),
        step_text(&job.step)?,
        job.created_at.as_millis(),
        job.updated_at.as_millis(),
        job.ended_at.map(Timestamp::as_millis),
        left_out_text(&job.reach),
    ])?;
    trace::keep(tx, trace, job.tenant, Subject::Nothing, now)?;
    Ok(true)
}

/// Writes where a job stands, unless it has ended.
pub(super) fn advance(
    tx: &mut Tx<'_>,
    job: &Job,
    trace: &Trace,
    now: Timestamp,
) -> Result<bool, Fault> {
    let moved = tx.connection.prepare_cached(MOVE)?.execute(params![
        job.id.to_bytes(),
        job.status.as_str(),
        job.obstacle.map(Obstacle::as_str),
        stored(job.done),
        job.cursor.get(),
        step_text(&job.step)?,
        job.updated_at.as_millis(),
        job.ended_at.map(Timestamp::as_millis),
        job.endpoint.get(),
        left_out_text(&job.reach),
        stored(job.total),
    ])?;
    if moved > 0 {
        trace::keep(tx, trace, job.tenant, Subject::Nothing, now)?;
    }
    Ok(moved > 0)
}

/// One job.
pub(super) fn find(view: &View<'_>, id: JobId) -> Result<Option<Job>, Fault> {
    let mut select = view.connection.prepare_cached(SELECT)?;
    select.query_row([id.to_bytes()], |row| Ok(read(row))).optional()?.transpose()
}

/// Every job that runs.
pub(super) fn running(view: &View<'_>) -> Result<Vec<Job>, Fault> {
    let mut select = view.connection.prepare_cached(RUNNING)?;
    select.query_map([], |row| Ok(read(row)))?.map(|row| row?).collect()
}

/// A page of jobs, newest first.
pub(super) fn list(view: &View<'_>, query: JobQuery) -> Result<Page<Job, JobId>, Fault> {
    let (select, whose) = match (query.endpoint, query.tenant) {
        (Some(no), _) => (OF_ENDPOINT, no.get()),
        (None, Some(no)) => (OF_TENANT, no.get()),
        (None, None) => (OF_ENVIRONMENT, query.environment.get()),
    };
    let below = query.before.map_or(TOP, JobId::to_bytes);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut items = view
        .connection
        .prepare_cached(select)?
        .query_map(params![whose, below, limit], |row| Ok(read(row)))?
        .map(|row| row?)
        .collect::<Result<Vec<_>, Fault>>()?;
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    let next = items.last().filter(|_| more).map(|job| job.id);
    Ok(Page { items, next })
}

fn read(row: &Row<'_>) -> Result<Job, Fault> {
    let endpoint = EndpointNo::new(row.get(3)?);
    let text = |at: usize| row.get::<_, String>(at);
    let status = text(10)?;
    let obstacle = row.get::<_, Option<String>>(11)?;
    let read_obstacle =
        |text: String| Obstacle::parse(&text).ok_or_else(|| Fault::damaged("job.obstacle", &text));
    Ok(Job {
        id: JobId::from_bytes(row.get(0)?),
        environment: EnvironmentNo::new(row.get(1)?),
        tenant: TenantNo::new(row.get(2)?),
        reach: reach(row.get(19)?)?,
        endpoint,
        endpoint_id: EndpointId::from_bytes(row.get(4)?),
        recovery: Recovery {
            since: row.time(5)?.unwrap_or_default(),
            until: row.time(6)?.unwrap_or_default(),
            states: states(&text(7)?)?,
            types: serde_json::from_str(&text(8)?).map_err(|e| Fault::damaged("job.types", e))?,
        },
        rate: row.get(9)?,
        status: JobStatus::parse(&status).ok_or_else(|| Fault::damaged("job.status", &status))?,
        obstacle: obstacle.map(read_obstacle).transpose()?,
        total: row.count(12)?,
        done: row.count(13)?,
        cursor: EventKey::new(row.get(14)?),
        step: step(endpoint, &text(15)?)?,
        created_at: row.time(16)?.unwrap_or_default(),
        updated_at: row.time(17)?.unwrap_or_default(),
        ended_at: row.time(18)?,
    })
}

/// Public ids, separated by spaces; none of a job that reaches no further than its endpoint.
fn left_out_text(reach: &Reach) -> Option<String> {
    match reach {
        Reach::Endpoint => None,
        Reach::Tenant { left_out } => {
            Some(left_out.iter().map(EndpointId::to_string).collect::<Vec<_>>().join(" "))
        }
    }
}

fn reach(left_out: Option<String>) -> Result<Reach, Fault> {
    let Some(text) = left_out else { return Ok(Reach::Endpoint) };
    let id = |text: &str| text.parse().map_err(|e| Fault::damaged("job.left_out", e));
    let left_out = text.split_whitespace().map(id).collect::<Result<_, _>>()?;
    Ok(Reach::Tenant { left_out })
}

fn states(text: &str) -> Result<Vec<DeliveryState>, Fault> {
    let state = |text| DeliveryState::parse(text).ok_or_else(|| Fault::damaged("job.states", text));
    text.split(' ').map(state).collect()
}

fn step_text(step: &[Replayed]) -> Result<String, Fault> {
    let parts = |made: &Replayed| (made.key.event.get(), made.key.generation.get(), made.sequence);
    let parts: Vec<_> = step.iter().map(parts).collect();
    serde_json::to_string(&parts).map_err(|e| Fault::damaged("job.step", e))
}

fn step(endpoint: EndpointNo, text: &str) -> Result<Vec<Replayed>, Fault> {
    let parts: Vec<(i64, u32, u64)> =
        serde_json::from_str(text).map_err(|e| Fault::damaged("job.step", e))?;
    let made = |(event, generation, sequence): (i64, u32, u64)| Replayed {
        key: DeliveryKey {
            event: EventKey::new(event),
            endpoint,
            generation: Generation::new(generation),
        },
        sequence,
        repeats: Some(Generation::new(generation.saturating_sub(1))),
        due: None,
    };
    Ok(parts.into_iter().map(made).collect())
}
