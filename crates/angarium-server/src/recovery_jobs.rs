//! Drives recoveries: what was given up, suppressed or cancelled is delivered anew, at the job's
//! rate.
//!
//! Every step begins with the job as it is stored, so a restart is nothing special. Its deliveries
//! are named before they are made and made only once, whether or not the server died in between.

use crate::api::App;
use crate::api::change::Lanes;
use crate::api::problem::Problem;
use crate::clock::Clock;
use crate::in_order::in_order;
use crate::runner::Runner;
use angarium_core::batch::Trace;
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::JobId;
use angarium_core::job::{Job, JobStatus, Obstacle, Pace};
use angarium_core::refusal::{Code, Refusal};
use angarium_core::replay::Replayed;
use angarium_core::shard::Replay;
use angarium_core::time::Timestamp;
use angarium_store::SharedStore;
use angarium_store::read::RecoverableQuery;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

/// So long until a job that cannot go on is tried again, and the longest that one rests.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// A job that still cannot go on is tried less and less often, down to this.
const TRY_AT_LEAST_EVERY: Duration = Duration::from_secs(15);
/// So soon jobs are looked for again that could not be listed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// So often jobs are looked for that nobody told of: whoever makes one tells.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// What calls and the driver of jobs share.
#[derive(Debug, Default)]
pub struct Jobs {
    /// A job was made.
    pub made: Notify,
    /// A step and a cancel of one job take turns: nothing is made after a cancel was answered.
    pub turns: Lanes,
}

/// What jobs are driven with.
#[derive(Clone)]
pub struct Driver {
    /// Where jobs are kept.
    pub store: SharedStore,
    /// What makes the deliveries.
    pub runner: Arc<Runner>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What is shared with calls.
    pub jobs: Arc<Jobs>,
    /// Most rows that are read for a step.
    pub rows_read: usize,
}

impl Driver {
    /// With what calls are answered with.
    pub fn of(app: &App) -> Self {
        Self {
            store: Arc::clone(&app.store),
            runner: Arc::clone(&app.runner),
            clock: Arc::clone(&app.clock),
            jobs: Arc::clone(&app.jobs),
            rows_read: app.limits.page_rows_read,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Drives every job that runs, those of earlier processes too.
pub async fn drive_for_ever(with: Arc<Driver>) {
    let mut drivers = JoinSet::new();
    let mut driven: HashMap<JobId, AbortHandle> = HashMap::new();
    loop {
        let mut next_look = LOOK_EVERY;
        while drivers.try_join_next().is_some() {}
        driven.retain(|_, driver| !driver.is_finished());
        match with.store.running_jobs().await {
            Ok(jobs) => {
                for job in jobs {
                    let driver = || drivers.spawn(drive(Arc::clone(&with), job.id, job.rate));
                    driven.entry(job.id).or_insert_with(driver);
                }
            }
            Err(error) => {
                tracing::error!(%error, "running jobs cannot be listed");
                next_look = LOOK_AGAIN;
            }
        }
        tokio::select! {
            biased;
            () = with.jobs.made.notified() => {}
            () = with.clock.sleep(next_look) => {}
        }
    }
}

/// Takes a job's steps until it has ended.
async fn drive(with: Arc<Driver>, id: JobId, rate: u32) {
    let mut pace = Pace::new(rate, with.now());
    let mut blocked = Duration::ZERO;
    loop {
        let began = with.now();
        let rest = match step(&with, id, pace.step()).await {
            Ok(Taken::Made(count)) => {
                blocked = Duration::ZERO;
                pace.spend(count, began);
                pace.wait(with.now()).min(TRY_EVERY)
            }
            Ok(Taken::Blocked) => {
                blocked = (blocked * 2).clamp(TRY_EVERY, TRY_AT_LEAST_EVERY);
                blocked
            }
            Ok(Taken::Last) => return,
            Err(Problem(refusal)) => {
                tracing::warn!(%id, %refusal, "a step of a job is taken again");
                TRY_EVERY
            }
        };
        with.clock.sleep(rest).await;
    }
}

/// What became of a step.
enum Taken {
    /// So many deliveries are in hand now.
    Made(usize),
    /// Something is in the way.
    Blocked,
    /// The job has ended.
    Last,
}

/// Takes the step that was begun, or else the next one.
async fn step(with: &Arc<Driver>, id: JobId, most: usize) -> Result<Taken, Problem> {
    let _turn = with.jobs.turns.turn(&id).await;
    let job = with.store.job(id).await?.filter(|job| job.status == JobStatus::Running);
    let Some(mut job) = job else { return Ok(Taken::Last) };
    if job.step.is_empty() {
        let next = with.store.recoverable(&upcoming(with, &job, most)).await?;
        job.begin(next.items, next.next, with.now());
        turn(with, &mut job)?;
        with.store.advance_job(&job, Trace::default(), with.now()).await?;
    }
    let count = job.step.len();
    if count > 0 {
        let is_news = match make(with, &job).await? {
            Some(obstacle) => job.meet(obstacle, with.now()),
            None => {
                job.settle(with.now());
                true
            }
        };
        turn(with, &mut job)?;
        if is_news {
            with.store.advance_job(&job, Trace::default(), with.now()).await?;
        }
    }
    Ok(match (job.status, job.obstacle) {
        (JobStatus::Running, None) => Taken::Made(count),
        (JobStatus::Running, Some(_)) => Taken::Blocked,
        (JobStatus::Done | JobStatus::Cancelled | JobStatus::Failed, _) => Taken::Last,
    })
}

/// A job of a whole tenant that is through with an endpoint goes on with the next that was made.
fn turn(with: &Driver, job: &mut Job) -> Result<(), Refusal> {
    if job.goes_on_elsewhere() {
        let endpoints = with.runner.gates(job.tenant)?.into_iter();
        let later = endpoints.filter(|other| other.no > job.endpoint);
        let next = later.min_by_key(|other| other.no);
        job.turn_to(next.map(|next| (next.no, next.endpoint.config.id)), with.now());
    }
    Ok(())
}

fn upcoming(with: &Driver, job: &Job, most: usize) -> RecoverableQuery {
    RecoverableQuery {
        endpoint: job.endpoint,
        recovery: job.recovery.clone(),
        ended_by: job.created_at,
        cursor: job.cursor,
        limit: most,
        rows_read: with.rows_read,
    }
}

/// Makes the deliveries of the step that are not there yet, in one group commit; says what is in
/// the way.
async fn make(with: &Arc<Driver>, job: &Job) -> Result<Option<Obstacle>, Problem> {
    let replay = |made: &Replayed| {
        let (tenant, event, deliveries) = (job.tenant, made.key.event, vec![*made]);
        with.runner.replay(Replay { tenant, event, deliveries, trace: Trace::default() })
    };
    let answers = in_order(job.step.iter().map(replay)).await;
    for (made, answer) in job.step.iter().zip(answers) {
        if let Err(refusal) = answer {
            let obstacle = obstacle(with, job, made, refusal).await?;
            if obstacle.is_some() {
                return Ok(obstacle);
            }
        }
    }
    Ok(None)
}

/// Why a delivery was not made: nothing is in the way if it is there already, be it from a step
/// that was broken off or because a person was faster.
async fn obstacle(
    with: &Driver,
    job: &Job,
    made: &Replayed,
    refusal: Refusal,
) -> Result<Option<Obstacle>, Problem> {
    if refusal.code != Code::Conflict {
        return Err(refusal.into());
    }
    if with.store.delivery(made.key).await?.is_some() {
        return Ok(None);
    }
    let event = with.store.event(job.tenant, made.key.event).await?;
    if event.is_none_or(|event| event.gone.is_some()) {
        // It came of age, or was erased: there is nothing to deliver any more.
        return Ok(None);
    }
    let gates = with.runner.gates(job.tenant)?;
    let gate = gates.iter().find(|gate| gate.no == job.endpoint);
    match gate.map(|gate| gate.admission.status) {
        None => Ok(Some(Obstacle::EndpointDeleted)),
        Some(EndpointStatus::Disabled) => Ok(Some(Obstacle::EndpointDisabled)),
        Some(EndpointStatus::Active | EndpointStatus::Paused) => Err(refusal.into()),
    }
}
