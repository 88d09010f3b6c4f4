//! `/v1/endpoints/{id}/recover`, `/v1/tenants/{tenant}/recover` and `/v1/jobs`: what did not arrive
//! is delivered anew, in bulk.

use super::auth::{Caller, Reader};
use super::endpoints::Endpoints;
use super::idempotency::Command;
use super::json::{Answer, Empty, Time};
use super::page::{self, ListName, Listed, Query};
use super::problem::{Problem, not_found};
use super::{App, Named, deliveries};
use crate::entropy::random;
use angarium_core::audit::{Action, Deed, Place};
use angarium_core::delivery::DeliveryState;
use angarium_core::endpoint::EndpointStatus;
use angarium_core::id::{EndpointId, EndpointNo, EventKey, JobId, TenantNo};
use angarium_core::job::{Job, JobStatus, Obstacle, Reach, Recovery};
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::subscription::TypePattern;
use angarium_core::time::Timestamp;
use angarium_store::read::{JobQuery, RecoverableQuery};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Deliveries a second where nothing else is asked for.
const USUAL_RATE: u32 = 50;

/// What is delivered anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recovery)]
pub(super) struct RecoveryBody {
    /// Of events accepted at or after.
    #[schema(format = DateTime, example = "2026-04-20T12:00:00Z")]
    since: String,
    /// Of events accepted before; until now if absent.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// In which states; `dead` and `suppressed` if absent, `cancelled` on request.
    #[schema(min_items = 1, max_items = 3, example = json!(["dead"]))]
    states: Option<Vec<String>>,
    /// Of events of these types; `a.b.*` for everything below `a.b`. Of every type if absent.
    #[schema(min_items = 1, max_items = 256, example = json!(["order.*"]))]
    types: Option<Vec<String>>,
    /// At most so many deliveries a second; 50 if absent.
    #[schema(minimum = 1, maximum = 1000)]
    rate: Option<u32>,
    /// Only counts, and makes no job.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    dry_run: bool,
}

/// What a recovery would deliver anew.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecoveryCount)]
pub(super) struct CountView {
    /// Always true.
    dry_run: bool,
    /// So many deliveries.
    total: u64,
}

/// A recovery that is under way or has ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobView {
    /// Its id.
    #[schema(example = "job_00cq0a3f7e8vb6k2m4n5p6q7r8")]
    id: String,
    /// The tenant.
    tenant: String,
    /// The endpoint's id; null for one of the whole tenant.
    endpoint: Option<String>,
    /// The endpoints that one of the whole tenant went past, because they were disabled or had
    /// been deleted; null for one of an endpoint.
    left_out: Option<Vec<String>>,
    /// `running`, `done`, `cancelled` or `failed`.
    #[schema(example = "running")]
    status: &'static str,
    /// `endpoint_disabled` while it waits for that, and goes on when somebody enables the
    /// endpoint.
    waits_for: Option<&'static str>,
    /// Why it failed: `endpoint_deleted`.
    reason: Option<&'static str>,
    /// Deliveries that it was about when it began.
    total: u64,
    /// Deliveries of these that are made anew; one that somebody else retried meanwhile does not
    /// count.
    done: u64,
    /// Of events accepted at or after.
    since: Time,
    /// Of events accepted before.
    until: Time,
    /// In which states they had ended.
    states: Vec<&'static str>,
    /// Of which types; null for every type.
    types: Option<Vec<String>>,
    /// At most so many deliveries a second.
    rate: u32,
    /// When it began.
    created_at: Time,
    /// When it last got on.
    updated_at: Time,
    /// When it ended.
    ended_at: Option<Time>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsQuery {
    /// Of this tenant.
    tenant: Option<String>,
    /// Of this endpoint.
    endpoint: Option<String>,
    /// Items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// The page before gave it as `next`.
    cursor: Option<String>,
}

/// Recover an endpoint
///
/// Delivers anew what did not arrive: the newest delivery of each event that has ended in one of
/// the states, the oldest event first. It goes on as a job, at its rate, through restarts. What
/// ends after the call is left alone. A disabled endpoint is `invalid_state`: enable it first.
#[utoipa::path(post, path = "/v1/endpoints/{id}/recover", tag = "jobs",
    params(("id" = String, Path, description = "The endpoint's id")),
    request_body = RecoveryBody,
    responses((status = 200, description = "Counted", body = CountView),
        (status = 202, description = "The job is durable", body = JobView)))]
pub(super) async fn recover(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<RecoveryBody>,
) -> Result<Answer, Problem> {
    let row = Endpoints::of(&app, &call.caller)?.find(&id).await?;
    let now = app.now();
    let recovery = recovery(&call.body, now, &app.limits)?;
    if row.config.status == EndpointStatus::Disabled && !call.body.dry_run {
        let message = "the endpoint is disabled; enable it first";
        return Err(Refusal::whole(Code::InvalidState, message).into());
    }
    let (tenant, endpoints) = (row.config.tenant, vec![(row.no, row.config.id)]);
    begin(&app, &call, Aim { tenant, reach: Reach::Endpoint, endpoints, recovery, now }).await
}

/// Recover a tenant
///
/// As for an endpoint, for all of the tenant's endpoints in one job at one rate: one endpoint after
/// the other, in the order of their making. One that is disabled when its turn comes is left out,
/// and named in `left_out`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/recover", tag = "jobs",
    params(("tenant" = String, Path, description = "The platform's own id")),
    request_body = RecoveryBody,
    responses((status = 200, description = "Counted", body = CountView),
        (status = 202, description = "The job is durable", body = JobView)))]
pub(super) async fn recover_tenant(
    State(app): State<Arc<App>>,
    Named(tenant): Named,
    call: Command<RecoveryBody>,
) -> Result<Answer, Problem> {
    let tenant = call.caller.tenant(&app, &tenant)?.no;
    let now = app.now();
    let recovery = recovery(&call.body, now, &app.limits)?;
    let in_force = app.runner.gates(tenant)?.into_iter();
    let mut endpoints: Vec<_> =
        in_force.map(|other| (other.no, other.endpoint.config.id)).collect();
    endpoints.sort_unstable_by_key(|(no, _)| *no);
    let reach = Reach::Tenant { left_out: Vec::new() };
    begin(&app, &call, Aim { tenant, reach, endpoints, recovery, now }).await
}

/// What a recovery is meant to be about.
struct Aim {
    tenant: TenantNo,
    reach: Reach,
    /// In the order in which they are taken up.
    endpoints: Vec<(EndpointNo, EndpointId)>,
    recovery: Recovery,
    now: Timestamp,
}

/// Counts, and makes the job unless it is a dry run.
async fn begin(app: &App, call: &Command<RecoveryBody>, aim: Aim) -> Result<Answer, Problem> {
    let rate = rate(call.body.rate, &app.limits)?;
    let mut total = 0;
    for (endpoint, _) in &aim.endpoints {
        total += count(app, *endpoint, &aim.recovery, aim.now).await?;
    }
    if call.body.dry_run {
        return Ok(Answer::ok(&CountView { dry_run: true, total }));
    }
    let now = aim.now;
    let job = Job { rate, total, ..new_job(app, &call.caller, aim)? };
    let answer = Answer::accepted(&view(app, &job));
    let most = app.limits.jobs_per_tenant;
    let trace = call.trace(&answer, begun(app, &call.caller, &job));
    let made = app.store.create_job(&job, most, trace, now).await;
    // A job whose maker does not learn of it goes on too.
    app.jobs.made.notify_one();
    if !made? {
        let message = format!("{most} jobs of the tenant run; cancel one, or wait for its end");
        return Err(Refusal::whole(Code::TooManyJobs, message).into());
    }
    Ok(answer)
}

/// The beginning of a job in the audit log: what is recovered, and how.
fn begun(app: &App, caller: &Caller, job: &Job) -> Deed {
    let place = Place::Tenant(job.tenant);
    let begun = match job.reach {
        Reach::Endpoint => caller.does(Action::EndpointRecover, place, &job.endpoint_id),
        Reach::Tenant { .. } => caller.does(Action::TenantRecover, place, &tenant_id(app, job)),
    };
    begun.making(job)
}

fn tenant_id(app: &App, job: &Job) -> String {
    app.directory.tenant_by_no(job.tenant).map_or_else(String::new, |tenant| tenant.id.clone())
}

/// List jobs
///
/// Newest first.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(JobsQuery),
    responses((status = 200, description = "A page", body = Listed<JobView>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<JobsQuery>,
) -> Result<Json<Listed<JobView>>, Problem> {
    let environment = caller.environment()?.no;
    let tenant = caller.tenant_meant(&app, query.tenant.as_deref())?.map(|tenant| tenant.no);
    let endpoint = deliveries::endpoint_no(&app, &caller, query.endpoint.as_deref()).await?;
    let Some(endpoint) = endpoint else {
        return Ok(Json(Listed { data: Vec::new(), next: None }));
    };
    let name = ListName(format!("jobs/{environment}/{tenant:?}"));
    let before = name.parse(query.cursor.as_deref())?;
    let limit = page::limit(query.limit.as_deref(), &app.limits)?;
    let page = app.store.jobs(JobQuery { environment, tenant, endpoint, before, limit }).await?;
    Ok(Json(name.page(page, |job| view(&app, &job))))
}

/// Show a job
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The job", body = JobView)))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Named(id): Named,
) -> Result<Json<JobView>, Problem> {
    let job = find(&app, &caller, &id).await?;
    Ok(Json(view(&app, &job)))
}

/// Cancel a job
///
/// It makes no delivery after the answer; those that it has made go on. One that has ended is
/// `invalid_state`.
#[utoipa::path(post, path = "/v1/jobs/{id}/cancel", tag = "jobs",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 202, description = "The job", body = JobView)))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Named(id): Named,
    call: Command<Empty>,
) -> Result<Answer, Problem> {
    let known = find(&app, &call.caller, &id).await?;
    let _turn = app.jobs.turns.turn(&known.id).await;
    let mut job = find(&app, &call.caller, &id).await?;
    let has_ended = |status: JobStatus| {
        Refusal::whole(Code::InvalidState, format!("it has ended: {}", status.as_str()))
    };
    if job.status != JobStatus::Running {
        return Err(has_ended(job.status).into());
    }
    job.end(JobStatus::Cancelled, app.now());
    let answer = Answer::accepted(&view(&app, &job));
    let cancelled = call.caller.does(Action::JobCancel, Place::Tenant(job.tenant), &job.id);
    let trace = call.trace(&answer, cancelled);
    if app.store.advance_job(&job, trace, app.now()).await? {
        return Ok(answer);
    }
    Err(has_ended(find(&app, &call.caller, &id).await?.status).into())
}

async fn find(app: &App, caller: &Caller, id: &str) -> Result<Job, Problem> {
    caller.environment()?;
    let unknown = || not_found("job");
    let id: JobId = id.parse().map_err(|_| unknown())?;
    let job = app.store.job(id).await?.ok_or_else(unknown)?;
    caller.owner(app, job.tenant, "job")?;
    Ok(job)
}

/// How many deliveries a recovery is about, counted page by page.
async fn count(
    app: &App,
    endpoint: EndpointNo,
    recovery: &Recovery,
    ended_by: Timestamp,
) -> Result<u64, Problem> {
    let rows = app.limits.page_rows_read;
    let mut query = RecoverableQuery {
        endpoint,
        recovery: recovery.clone(),
        ended_by,
        cursor: EventKey::ZERO,
        limit: rows,
        rows_read: rows,
    };
    let mut total = 0;
    loop {
        let page = app.store.recoverable(&query).await?;
        total += page.items.len() as u64;
        query.cursor = match page.next {
            Some(next) => next,
            None => return Ok(total),
        };
    }
}

fn new_job(
    app: &App,
    caller: &Caller,
    Aim { tenant, reach, endpoints, recovery, now }: Aim,
) -> Result<Job, Refusal> {
    let (endpoint, endpoint_id) = *endpoints.first().ok_or_else(|| {
        Refusal::whole(Code::InvalidState, "the tenant has no endpoint to deliver to")
    })?;
    Ok(Job {
        id: JobId::from_parts(now, random(&*app.entropy)),
        environment: caller.environment()?.no,
        tenant,
        reach,
        endpoint,
        endpoint_id,
        recovery,
        rate: USUAL_RATE,
        status: JobStatus::Running,
        obstacle: None,
        total: 0,
        done: 0,
        cursor: EventKey::ZERO,
        step: Vec::new(),
        created_at: now,
        updated_at: now,
        ended_at: None,
    })
}

fn recovery(body: &RecoveryBody, now: Timestamp, limits: &Limits) -> Result<Recovery, Refusal> {
    let since = time("since", &body.since)?;
    let until = body.until.as_deref().map(|text| time("until", text)).transpose()?;
    // What was accepted in this very millisecond is meant too.
    let until = until.unwrap_or(now + Duration::from_millis(1));
    if until <= since {
        let field = if body.until.is_some() { "until" } else { "since" };
        let message = "the span ends after it begins";
        return Err(Refusal::field(Code::InvalidField, field, message));
    }
    let states = body.states.as_deref().map_or(Ok(Recovery::USUAL_STATES.into()), states)?;
    let types = body.types.as_deref().map_or(Ok(Vec::new()), |types| patterns(types, limits))?;
    Ok(Recovery { since, until, states, types })
}

fn time(field: &str, text: &str) -> Result<Timestamp, Refusal> {
    let message = "a time is RFC 3339, such as 2026-04-20T14:32:00Z";
    Timestamp::parse(text).ok_or_else(|| Refusal::field(Code::InvalidField, field, message))
}

fn states(texts: &[String]) -> Result<Vec<DeliveryState>, Refusal> {
    let known = Recovery::STATES.map(DeliveryState::as_str).join(", ");
    if texts.is_empty() {
        let message = format!("some of {known}, or none at all");
        return Err(Refusal::field(Code::InvalidField, "states", message));
    }
    let mut states = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let state = Recovery::STATES.into_iter().find(|state| state.as_str() == text);
        let field = format!("states[{place}]");
        let refused = || Refusal::field(Code::InvalidField, field, format!("one of {known}"));
        let state = state.ok_or_else(refused)?;
        if !states.contains(&state) {
            states.push(state);
        }
    }
    Ok(states)
}

fn patterns(texts: &[String], limits: &Limits) -> Result<Vec<TypePattern>, Refusal> {
    let most = limits.subscription_types;
    if texts.is_empty() || texts.len() > most {
        let message = format!("between 1 and {most} types, or none at all");
        return Err(Refusal::field(Code::InvalidSubscription, "types", message));
    }
    let pattern = |(place, text): (usize, &String)| {
        TypePattern::try_new(text, limits)
            .map_err(|refusal| Refusal { field: Some(format!("types[{place}]")), ..refusal })
    };
    texts.iter().enumerate().map(pattern).collect()
}

fn rate(asked: Option<u32>, limits: &Limits) -> Result<u32, Refusal> {
    let most = u32::try_from(limits.recovery_rate).unwrap_or(u32::MAX).max(1);
    match asked {
        None => Ok(USUAL_RATE.min(most)),
        Some(rate) if (1..=most).contains(&rate) => Ok(rate),
        Some(_) => {
            let message = format!("from 1 to {most} deliveries a second");
            Err(Refusal::field(Code::InvalidField, "rate", message))
        }
    }
}

fn view(app: &App, job: &Job) -> JobView {
    let (endpoint, left_out) = match &job.reach {
        Reach::Endpoint => (Some(job.endpoint_id.to_string()), None),
        Reach::Tenant { left_out } => {
            (None, Some(left_out.iter().map(EndpointId::to_string).collect()))
        }
    };
    let recovery = &job.recovery;
    let types: Vec<_> = recovery.types.iter().map(|kind| kind.as_str().to_owned()).collect();
    let obstacle = |status| {
        let obstacle = job.obstacle.filter(|_| job.status == status);
        obstacle.map(Obstacle::as_str)
    };
    JobView {
        id: job.id.to_string(),
        tenant: tenant_id(app, job),
        endpoint,
        left_out,
        status: job.status.as_str(),
        waits_for: obstacle(JobStatus::Running),
        reason: obstacle(JobStatus::Failed),
        total: job.total,
        done: job.done,
        since: Time(recovery.since),
        until: Time(recovery.until),
        states: recovery.states.iter().map(|state| state.as_str()).collect(),
        types: (!types.is_empty()).then_some(types),
        rate: job.rate,
        created_at: Time(job.created_at),
        updated_at: Time(job.updated_at),
        ended_at: job.ended_at.map(Time),
    }
}
