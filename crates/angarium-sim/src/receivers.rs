//! The receivers: what arrives, when, and what they answer.

use crate::plan::Mood;
use crate::world::{BEGIN, Sim, World};
use angarium_core::id::EndpointNo;
use angarium_core::outcome::{Outcome, Phase};
use angarium_core::request::OutgoingRequest;
use angarium_server::egress::{Exchange, Transport};
use async_trait::async_trait;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a receiver that is down stays so.
const DOWN: Duration = Duration::from_secs(12);
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
    Refused(u16),
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
    fn draw(world: &mut World, mood: Mood, ordering_key: Option<u64>) -> Self {
        let since = world.now().since(BEGIN);
        let calm = world.calm;
        let chance = &mut world.chance;
        let error = End::Refused(chance.pick(&ERRORS).unwrap_or(500));
        let (mut arrives, mut answers) = (chance.between(0, 5), chance.between(0, 20));
        let end = match mood {
            _ if calm => End::Accepted,
            Mood::Healthy => End::Accepted,
            Mood::Slow(most) => {
                answers = chance.between(0, most);
                arrives = chance.between(0, 50);
                End::Accepted
            }
            Mood::Down if since < DOWN => match chance.below(3) {
                0 => End::Broken,
                1 => End::Silence { accepted: false },
                _ => error,
            },
            Mood::Down => End::Accepted,
            Mood::Flaky(rate) if chance.chance(rate) => error,
            Mood::Flaky(_) => End::Accepted,
            Mood::RefusesKey(key) if ordering_key == Some(key) => error,
            Mood::RefusesKey(_) => End::Accepted,
            Mood::Hangs(rate) if chance.chance(rate) => {
                End::Silence { accepted: chance.chance(500) }
            }
            Mood::Hangs(_) => End::Accepted,
            Mood::LosesAnswers(rate) if chance.chance(rate) => End::AnswerLost,
            Mood::LosesAnswers(_) => End::Accepted,
        };
        Self { arrives, answers, end }
    }
}

/// The number of the event in a body, and its ordering key.
fn read_body(body: &[u8]) -> Option<(u64, Option<u64>)> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some((body["data"]["n"].as_u64()?, body["data"]["key"].as_u64()))
}

#[async_trait]
impl Transport for Receivers {
    async fn send(
        &self,
        endpoint: EndpointNo,
        request: OutgoingRequest,
        timeout: Duration,
    ) -> Exchange {
        let sim = &self.0;
        sim.point().await;
        let (number, ordering_key) = read_body(request.message.body()).unwrap_or_default();
        let sequence = request.message.headers().get("x-sequence");
        let sequence = sequence.and_then(|value| value.to_str().ok()?.parse().ok());
        let course = {
            let mut world = sim.world();
            let now = world.now();
            world.ledger.started(endpoint, number, sequence, now, |key| sim.state(key));
            world.note(&format!("endpoint {endpoint}: event {number} is sent"));
            let mood = world.asked(endpoint).map_or(Mood::Healthy, |plan| plan.mood);
            Course::draw(&mut world, mood, ordering_key)
        };
        let (outcome, took) = run(sim, endpoint, number, course, timeout).await;
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
        End::Refused(status) => (false, Outcome::Response { status, retry_after: None }),
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
