//! The receivers: what arrives, when, and what they answer.

use crate::ledger::Request;
use crate::plan::{Mood, OutageKind};
use crate::world::{BEGIN, Sim, World};
use angarium_core::id::EndpointNo;
use angarium_core::outcome::{Outcome, Phase, RetryAfter};
use angarium_core::request::OutgoingRequest;
use angarium_server::egress::{Exchange, Transport, Way};
use async_trait::async_trait;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const ERRORS: [u16; 7] = [302, 400, 404, 410, 429, 500, 503];

/// See the module.
pub(crate) struct Receivers(pub(crate) Arc<Sim>);

/// What becomes of one request.
struct Course {
    /// Milliseconds until it arrives, and from then until the answer.
    arrives: u64,
    answers: u64,
    end: End,
}

enum End {
    Accepted,
    Refused(u16, Option<RetryAfter>),
    /// Accepted, but the connection breaks before the answer.
    AnswerLost,
    /// The connection breaks before it arrives.
    Broken,
    /// Accepted or not, there is no answer.
    Silence {
        accepted: bool,
    },
}

impl Course {
    fn draw(world: &mut World, endpoint: EndpointNo, ordering_key: Option<u64>) -> Self {
        let chance = &mut world.chance;
        let (arrives, answers) = (chance.between(0, 5), chance.between(0, 20));
        let prompt = |end| Self { arrives, answers, end };
        if world.calm {
            return prompt(End::Accepted);
        }
        let since = world.time().since(BEGIN);
        let asked = world.asked(endpoint).map(|plan| (plan.mood, plan.outage(since)));
        match asked.unwrap_or((Mood::Healthy, None)) {
            (_, Some(outage)) => prompt(End::in_outage(world, outage)),
            (Mood::Slow(most), None) => Self {
                arrives: world.chance.between(0, 50),
                answers: world.chance.between(0, most),
                end: End::Accepted,
            },
            (mood, None) => prompt(End::usual(world, mood, ordering_key)),
        }
    }
}

impl End {
    fn usual(world: &mut World, mood: Mood, ordering_key: Option<u64>) -> Self {
        let chance = &mut world.chance;
        let error = End::Refused(chance.pick(&ERRORS).unwrap_or(500), None);
        match mood {
            Mood::Flaky(rate) if chance.chance(rate) => error,
            Mood::RefusesKey(key) if ordering_key == Some(key) => error,
            Mood::Hangs(rate) if chance.chance(rate) => {
                End::Silence { accepted: chance.chance(500) }
            }
            Mood::LosesAnswers(rate) if chance.chance(rate) => End::AnswerLost,
            Mood::Healthy
            | Mood::Slow(_)
            | Mood::Flaky(_)
            | Mood::RefusesKey(_)
            | Mood::Hangs(_)
            | Mood::LosesAnswers(_) => End::Accepted,
        }
    }

    fn in_outage(world: &mut World, kind: OutageKind) -> Self {
        let clock = world.wall();
        let chance = &mut world.chance;
        match kind {
            OutageKind::Gone if chance.chance(500) => End::Broken,
            OutageKind::Gone => End::Silence { accepted: false },
            OutageKind::Broken => End::Refused(chance.pick(&ERRORS).unwrap_or(500), None),
            OutageKind::NoMore => End::Refused(410, None),
            OutageKind::Busy => {
                let (minute, years) = (Duration::from_secs(60), Duration::from_secs(1 << 28));
                let again = [
                    None,
                    Some(RetryAfter::Span(Duration::from_secs(2))),
                    Some(RetryAfter::Span(10 * minute)),
                    Some(RetryAfter::Span(years)),
                    Some(RetryAfter::At(clock + minute)),
                    Some(RetryAfter::At(clock - minute)),
                ];
                let status = chance.pick(&[429, 503]).unwrap_or(429);
                End::Refused(status, chance.pick(&again).flatten())
            }
        }
    }
}

/// The number of the event in a body, and its ordering key.
fn read_body(body: &[u8]) -> Option<(u64, Option<u64>)> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some((body["data"]["n"].as_u64()?, body["data"]["key"].as_u64()))
}

#[async_trait]
impl Transport for Receivers {
    async fn send(&self, way: &Way, request: OutgoingRequest, timeout: Duration) -> Exchange {
        let (sim, endpoint) = (&self.0, way.endpoint);
        sim.point().await;
        let (number, ordering_key) = read_body(request.message.body()).unwrap_or_default();
        let sequence = request.message.headers().get("x-sequence");
        let sequence = sequence.and_then(|value| value.to_str().ok()?.parse().ok());
        let (course, under_way) = {
            let mut world = sim.world();
            let now = world.now();
            let request = Request { endpoint, number, sequence };
            let under_way = world.ledger.started(request, now, |key| sim.state(key));
            world.note(&format!("endpoint {endpoint}: event {number} is sent"));
            (Course::draw(&mut world, endpoint, ordering_key), under_way)
        };
        let (outcome, took) = run(sim, endpoint, number, course, timeout).await;
        {
            let mut world = sim.world();
            let time = world.time();
            world.ledger.request_ended(under_way, outcome.class(), time);
            let status = outcome.status().unwrap_or_default();
            world.note(&format!("endpoint {endpoint}: event {number} is answered: {status}"));
        }
        Exchange {
            outcome,
            took,
            response: Box::default(),
            headers: HeaderMap::new(),
            body: Box::default(),
        }
    }
}

/// Follows a request to its end or to the end of its time.
async fn run(
    sim: &Arc<Sim>,
    endpoint: EndpointNo,
    number: u64,
    course: Course,
    timeout: Duration,
) -> (Outcome, Duration) {
    let limit = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let arrives = course.arrives.min(limit);
    sim.pass(arrives).await;
    let (accepted, outcome) = match course.end {
        End::Accepted => (true, Outcome::Response { status: 204, retry_after: None }),
        End::Refused(status, retry_after) => (false, Outcome::Response { status, retry_after }),
        End::AnswerLost => (true, Outcome::Broken("simulated".into())),
        End::Broken => (false, Outcome::NotConnected("simulated".into())),
        End::Silence { accepted } => (accepted, Outcome::TimedOut(Phase::Head)),
    };
    if accepted {
        let mut world = sim.world();
        world.ledger.received(endpoint, number);
        world.note(&format!("endpoint {endpoint}: event {number} is received"));
    }
    let left = limit - arrives;
    let is_late = course.answers > left || matches!(outcome, Outcome::TimedOut(_));
    let waits = if is_late { left } else { course.answers };
    sim.pass(waits).await;
    let outcome = if is_late { Outcome::TimedOut(Phase::Head) } else { outcome };
    (outcome, Duration::from_millis(arrives + waits))
}
