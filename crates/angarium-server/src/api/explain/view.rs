//! The answers of explain as they are shown.

use super::Sides;
use crate::api::App;
use crate::api::deliveries::{DeliveryView, view};
use crate::api::endpoints::CertificateView;
use crate::api::json::Time;
use angarium_core::contract::{DisableAfter, WhileDisabled};
use angarium_core::delivery::{DeadLetterPolicy, DeliveryState, GonePolicy};
use angarium_core::endpoint::{AuthInForce, Endpoint, Setting, TlsInForce};
use angarium_core::event::NewEvent;
use angarium_core::explain::{Admission, Reason, Wait, not_matched, not_wanted, waits_for};
use angarium_core::gate::{BreakerRule, BreakerState};
use angarium_core::id::EndpointNo;
use angarium_core::retry::RetryAfterBounds;
use angarium_core::shard::EndpointInForce;
use angarium_core::time::print_span;
use angarium_store::read::EventRow;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

/// Where an event goes, endpoint by endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(in crate::api) struct Explained {
    /// The event's id; null if it was only tried.
    id: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// When it was accepted; null if it was only tried.
    accepted_at: Option<Time>,
    /// How many endpoints it matched, or would match.
    endpoints: usize,
    /// What is wrong with the data, where the event type only warns.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// The tenant's endpoints, the newest first.
    data: Vec<ExplainedEndpoint>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// An event and an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct ExplainedEndpoint {
    /// The endpoint's id.
    endpoint: String,
    /// Where its deliveries go; null if it is deleted.
    url: Option<String>,
    /// `active`, `paused`, `disabled` or `deleted`.
    #[schema(example = "active")]
    status: &'static str,
    /// Whether the event matched it, or would.
    matched: bool,
    /// What this is judged by: the matches stored `at_acceptance`, or the rules as they are `now`.
    #[schema(example = "at_acceptance")]
    judged: &'static str,
    /// The rule by which it does not get the event: `type`, `subject`, `attribute`, or `not_then`
    /// where today it would.
    rule: Option<&'static str>,
    /// What it asks for and what came.
    reason: Option<String>,
    /// Its newest delivery of the event.
    delivery: Option<DeliveryView>,
    /// What that waits for, or would: `answer`, `endpoint_paused`, `endpoint_disabled`, `lane` (an
    /// earlier delivery of its lane), `held` (a dead letter that holds its lane), `time` (of the
    /// next attempt), `window` (as many attempts are in flight as the endpoint carries),
    /// `breaker` (a probe that succeeds: the endpoint is down), `pace` (it is being started
    /// slowly), `rate` (its own limit) or `turn`.
    waits_for: Option<&'static str>,
    /// The dead letter that holds its lane: skip it, or deliver it anew.
    held_by: Option<String>,
    /// When the next attempt is due, unless something else must happen first.
    next_attempt_at: Option<Time>,
    /// What its gate lets through now; null if it is deleted.
    gate: Option<GateShown>,
    /// What is in force for it; null if it is deleted.
    settings: Option<SettingsView>,
}

/// What an endpoint's gate lets through now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gate)]
pub(in crate::api) struct GateShown {
    /// Attempts in flight.
    in_flight: usize,
    /// Most attempts in flight, for now: it follows what the endpoint carries.
    window: usize,
    /// Most attempts a second while it is being started slowly; else null.
    pace: Option<f64>,
    /// `closed`; while the endpoint is down `open` or, while one attempt tries it, `probing`.
    #[schema(example = "closed")]
    breaker: &'static str,
    /// When the next probe may start, while the breaker is open.
    probe_at: Option<Time>,
}

impl From<&Admission> for GateShown {
    fn from(admission: &Admission) -> Self {
        let Admission { in_flight, gate, .. } = admission;
        let (breaker, probe_at) = match gate.breaker {
            BreakerState::Closed => ("closed", None),
            BreakerState::Open(until) => ("open", Some(Time(until))),
            BreakerState::Probing => ("probing", None),
        };
        Self { in_flight: *in_flight, window: gate.window, pace: gate.pace, breaker, probe_at }
    }
}

/// A breaker's rule in the form in which a contract writes it.
#[derive(Debug, Serialize)]
struct BreakerView {
    failures: u32,
    wait: String,
    cap: String,
}

impl From<BreakerRule> for BreakerView {
    fn from(rule: BreakerRule) -> Self {
        let BreakerRule { failures, wait, cap } = rule;
        Self { failures, wait: print_span(wait), cap: print_span(cap) }
    }
}

/// The settings in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectiveSettings)]
pub(in crate::api) struct SettingsView {
    /// The contract that it follows.
    contract: String,
    /// Time limit of one attempt.
    timeout: SettingView,
    /// The retry schedule.
    retries: SettingView,
    /// Within which bounds `Retry-After` of a failed answer defers a retry; null if it never does.
    retry_after: SettingView,
    /// What an answer 410 means: `retry` or `disable`.
    gone: SettingView,
    /// The method.
    method: SettingView,
    /// How requests prove who sends them: `type` and, for `oauth2`, `token_url`; null if they do
    /// not.
    auth: SettingView,
    /// How connections are secured: the `client_certificate` that is shown and the `ca` that
    /// vouches for the receiver; null if that is left to the server.
    tls: SettingView,
    /// Most attempts in flight.
    concurrency: SettingView,
    /// Most attempts a second; null if nobody limits them.
    rate: SettingView,
    /// When it is left alone; null if its schedule is kept to the letter.
    breaker: SettingView,
    /// What its deliveries are ordered by.
    ordering: SettingView,
    /// What follows in its lanes after a dead letter: `continue` or `hold`.
    after_dead_letter: SettingView,
    /// How it fails when it is switched off; null if it never is.
    disable_after: SettingView,
    /// What becomes of its events while it is off: `suppress` or `wait`.
    while_disabled: SettingView,
}

/// A setting and who decides it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectiveSetting)]
pub(in crate::api) struct SettingView {
    /// What is in force, in the form in which it can be set.
    #[schema(value_type = Value)]
    value: serde_json::Value,
    /// `system`, `contract` or `endpoint`.
    #[schema(example = "contract")]
    origin: &'static str,
}

impl Explained {
    pub(super) fn past(row: &EventRow, data: Vec<ExplainedEndpoint>, next: Option<String>) -> Self {
        Self {
            id: Some(row.event.id().to_string()),
            kind: row.event.body.kind.to_string(),
            accepted_at: Some(Time(row.event.accepted_at)),
            endpoints: row.fanout.len(),
            warning: None,
            data,
            next,
        }
    }

    pub(super) fn tried(
        event: &NewEvent,
        endpoints: usize,
        warning: Option<String>,
        data: Vec<ExplainedEndpoint>,
        next: Option<String>,
    ) -> Self {
        let kind = event.kind.to_string();
        Self { id: None, kind, accepted_at: None, endpoints, warning, data, next }
    }
}

/// An event that was accepted, and an endpoint that is there or was.
pub(super) fn past(
    app: &App,
    event: &EventRow,
    sides: &Sides,
    no: EndpointNo,
) -> ExplainedEndpoint {
    let (gate, row) = (sides.gates.get(&no), sides.deliveries.get(&no));
    let matched = sides.matched.contains(&no);
    let judge = |gate: &EndpointInForce| not_matched(&gate.endpoint.config, &event.event);
    let reason = gate.filter(|_| !matched).map(judge);
    let holder = row
        .and_then(|row| row.lane)
        .and_then(|lane| app.runner.holder(event.event.tenant, no, lane));
    let waits = gate.zip(row).and_then(|(gate, row)| {
        waits_for(row.state, row.next_due, holder, gate.admission, app.now())
    });
    let due = row.and_then(|row| row.next_due);
    let id = match gate {
        Some(gate) => gate.endpoint.config.id.to_string(),
        None => row.map(|row| row.endpoint_id.to_string()).unwrap_or_default(),
    };
    ExplainedEndpoint {
        endpoint: id,
        judged: if matched { "at_acceptance" } else { "now" },
        delivery: row.map(|row| view(app, row.clone())),
        held_by: holder.map(|holder| holder.to_string()),
        next_attempt_at: due.filter(|_| waits.is_some_and(Wait::is_by_the_clock)).map(Time),
        ..explained(gate, matched, reason, waits)
    }
}

/// An event that is only tried.
pub(super) fn tried(
    app: &App,
    event: &NewEvent,
    matched: bool,
    gate: &EndpointInForce,
) -> ExplainedEndpoint {
    let reason = not_wanted(&gate.endpoint.config.subscription, event);
    let now = app.now();
    let lane = gate.endpoint.ordering.lane(event).filter(|_| matched);
    let holder =
        lane.and_then(|lane| app.runner.holder(gate.endpoint.config.tenant, gate.no, lane));
    let state = holder.map_or(DeliveryState::Pending, |_| DeliveryState::Queued);
    let waits = waits_for(state, Some(now), holder, gate.admission, now);
    // A turn that comes at once is nothing to wait for.
    let waits = waits.filter(|wait| matched && *wait != Wait::Turn);
    let held_by = holder.map(|holder| holder.to_string());
    ExplainedEndpoint { held_by, ..explained(Some(gate), matched, reason, waits) }
}

/// What past and tried events have in common.
fn explained(
    gate: Option<&EndpointInForce>,
    matched: bool,
    reason: Option<Reason>,
    waits: Option<Wait>,
) -> ExplainedEndpoint {
    let config = gate.map(|gate| &gate.endpoint.config);
    ExplainedEndpoint {
        endpoint: config.map(|config| config.id.to_string()).unwrap_or_default(),
        url: config.map(|config| config.url.clone()),
        status: gate.map_or("deleted", |gate| gate.admission.status.as_str()),
        matched,
        judged: "now",
        rule: reason.as_ref().map(|reason| reason.rule.as_str()),
        reason: reason.map(|reason| reason.text),
        delivery: None,
        waits_for: waits.map(Wait::as_str),
        held_by: None,
        next_attempt_at: None,
        gate: gate.map(|gate| GateShown::from(&gate.admission)),
        settings: gate.map(|gate| settings(&gate.endpoint)),
    }
}

fn settings(endpoint: &Endpoint) -> SettingsView {
    let settings = endpoint.settings();
    SettingsView {
        contract: endpoint.contract.name().to_owned(),
        timeout: shown(settings.timeout.map(print_span)),
        retries: shown(settings.retries.map(|policy| policy.to_spec())),
        retry_after: shown(settings.retry_after.map(|bounds| bounds.map(bounds_text))),
        gone: shown(settings.gone.map(GonePolicy::as_str)),
        method: shown(settings.method),
        auth: shown(settings.auth.map(|auth| auth.map(auth_shown))),
        tls: shown(settings.tls.map(|tls| tls.map(tls_shown))),
        concurrency: shown(settings.concurrency),
        rate: shown(settings.rate.map(|rate| rate.map(|limit| limit.to_spec()))),
        breaker: shown(settings.breaker.map(|rule| rule.map(BreakerView::from))),
        ordering: shown(settings.ordering),
        after_dead_letter: shown(settings.after_dead_letter.map(DeadLetterPolicy::as_str)),
        disable_after: shown(settings.disable_after.map(|after| after.map(failures_text))),
        while_disabled: shown(settings.while_disabled.map(WhileDisabled::as_str)),
    }
}

/// In the form of a contract.
fn bounds_text(bounds: RetryAfterBounds) -> serde_json::Value {
    json!({ "floor": print_span(bounds.floor), "cap": print_span(bounds.cap) })
}

fn auth_shown(auth: AuthInForce<'_>) -> serde_json::Value {
    match auth.token_url {
        Some(url) => json!({ "type": auth.kind, "token_url": url }),
        None => json!({ "type": auth.kind }),
    }
}

fn tls_shown(tls: TlsInForce) -> serde_json::Value {
    let TlsInForce { client_certificate, ca } = tls;
    let ca = ca.map(|all| all.into_iter().map(CertificateView::from).collect::<Vec<_>>());
    json!({ "client_certificate": client_certificate.map(CertificateView::from), "ca": ca })
}

fn failures_text(after: DisableAfter) -> serde_json::Value {
    match after {
        DisableAfter::FailedDeliveries(failed) => json!({ "failed_deliveries": failed }),
        DisableAfter::FailingFor { span, deliveries } => {
            json!({ "failing_for": print_span(span), "deliveries": deliveries })
        }
    }
}

fn shown(setting: Setting<impl Serialize>) -> SettingView {
    let value = serde_json::to_value(setting.value).unwrap_or_default();
    SettingView { value, origin: setting.origin.as_str() }
}
