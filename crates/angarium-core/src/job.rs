//! Jobs: deliveries in bulk, made anew slowly, through restarts.
//!
//! A job goes on in steps. A step is written before it is taken: which deliveries it makes, and the
//! place up to which everything is then in hand. Each of them is named with its generation, so a
//! step that is taken again after a crash makes what is missing and nothing twice.

use crate::delivery::DeliveryState;
use crate::event::EventType;
use crate::id::{EndpointId, EndpointNo, EnvironmentNo, EventKey, JobId, TenantNo};
use crate::replay::Replayed;
use crate::subscription::TypePattern;
use crate::time::Timestamp;
use std::time::Duration;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// It goes on, now or when what it waits for is over.
    Running,
    /// Everything that it was about is in hand.
    Done,
    /// A person ended it.
    Cancelled,
    /// It cannot go on.
    Failed,
}

impl JobStatus {
    /// All of them.
    pub const ALL: &[JobStatus] = &[Self::Running, Self::Done, Self::Cancelled, Self::Failed];

    /// The text in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobStatus::Running => "running",
            JobStatus::Done => "done",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Failed => "failed",
        }
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == text)
    }
}

/// What stands in a job's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// Its endpoint is disabled: it waits until somebody enables it.
    EndpointDisabled,
    /// Its endpoint is deleted.
    EndpointDeleted,
}

impl Obstacle {
    /// All of them.
    pub const ALL: &[Obstacle] = &[Self::EndpointDisabled, Self::EndpointDeleted];

    /// The text in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Obstacle::EndpointDisabled => "endpoint_disabled",
            Obstacle::EndpointDeleted => "endpoint_deleted",
        }
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|obstacle| obstacle.as_str() == text)
    }
}

/// Which deliveries of an endpoint are made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Of events accepted at or after.
    pub since: Timestamp,
    /// Of events accepted before.
    pub until: Timestamp,
    /// In one of these states, which are final.
    pub states: Vec<DeliveryState>,
    /// Of events whose type one of these matches; of every type if there is none.
    pub types: Vec<TypePattern>,
}

impl Recovery {
    /// The states that can be recovered.
    pub const STATES: [DeliveryState; 3] =
        [DeliveryState::Dead, DeliveryState::Suppressed, DeliveryState::Cancelled];
    /// Those that are, unless others are asked for: nobody wanted these to end.
    pub const USUAL_STATES: [DeliveryState; 2] = [DeliveryState::Dead, DeliveryState::Suppressed];

    /// Whether an event is meant.
    pub fn wants(&self, kind: &EventType, accepted_at: Timestamp) -> bool {
        let is_of_type = |pattern: &TypePattern| pattern.matches(kind.as_str());
        (self.since..self.until).contains(&accepted_at)
            && (self.types.is_empty() || self.types.iter().any(is_of_type))
    }
}

/// How far a job reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// One endpoint.
    Endpoint,
    /// Every endpoint of the tenant, one after the other in the order of their making.
    Tenant {
        /// Those that it went past because they were disabled, or deleted meanwhile.
        left_out: Vec<EndpointId>,
    },
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// In which environment.
    pub environment: EnvironmentNo,
    /// Whose.
    pub tenant: TenantNo,
    /// How far it reaches.
    pub reach: Reach,
    /// The endpoint that it is about, or is at.
    pub endpoint: EndpointNo,
    /// The endpoint's public id.
    pub endpoint_id: EndpointId,
    /// What it recovers: of these, what had ended when it began.
    pub recovery: Recovery,
    /// At most so many deliveries a second.
    pub rate: u32,
    /// Where it stands.
    pub status: JobStatus,
    /// What it waits for, or why it failed.
    pub obstacle: Option<Obstacle>,
    /// Deliveries that it was about when it began.
    pub total: u64,
    /// Deliveries of these that are made anew.
    pub done: u64,
    /// Events up to here are in hand, but for those of the step.
    pub cursor: EventKey,
    /// The deliveries that are being made.
    pub step: Vec<Replayed>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last got on.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Job {
    /// The cursor of a job that has looked at everything of its endpoint.
    pub const END: EventKey = EventKey::new(i64::MAX);

    /// Whether everything of the endpoint is in hand while others may follow.
    pub fn goes_on_elsewhere(&self) -> bool {
        matches!(self.reach, Reach::Tenant { .. }) && self.is_whole()
    }

    /// Takes up the next of the tenant's endpoints; without one it is done.
    pub fn turn_to(&mut self, next: Option<(EndpointNo, EndpointId)>, now: Timestamp) {
        let Some((no, id)) = next else { return self.end(JobStatus::Done, now) };
        (self.endpoint, self.endpoint_id) = (no, id);
        self.cursor = EventKey::ZERO;
        self.updated_at = now;
    }

    /// Takes up the next deliveries, and where the ones after them are.
    pub fn begin(&mut self, step: Vec<Replayed>, next: Option<EventKey>, now: Timestamp) {
        self.step = step;
        self.cursor = next.unwrap_or(Self::END);
        self.updated_at = now;
        self.end_if_whole(now);
    }

    /// The deliveries of the step are made.
    pub fn settle(&mut self, now: Timestamp) {
        self.done += self.step.len() as u64;
        // What ended while it was being counted is meant too.
        self.total = self.total.max(self.done);
        self.step.clear();
        self.obstacle = None;
        self.updated_at = now;
        self.end_if_whole(now);
    }

    /// Something is in the way; says whether that is news. What reaches further goes past it.
    pub fn meet(&mut self, obstacle: Obstacle, now: Timestamp) -> bool {
        if let Reach::Tenant { left_out } = &mut self.reach {
            left_out.push(self.endpoint_id);
            self.step.clear();
            self.cursor = Self::END;
            self.updated_at = now;
            return true;
        }
        let is_news = self.obstacle.replace(obstacle) != Some(obstacle);
        match obstacle {
            Obstacle::EndpointDisabled if is_news => self.updated_at = now,
            Obstacle::EndpointDisabled => {}
            Obstacle::EndpointDeleted => self.end(JobStatus::Failed, now),
        }
        is_news
    }

    /// Nothing follows.
    pub fn end(&mut self, status: JobStatus, now: Timestamp) {
        self.status = status;
        self.updated_at = now;
        self.ended_at = Some(now);
    }

    fn end_if_whole(&mut self, now: Timestamp) {
        if self.is_whole() && self.reach == Reach::Endpoint {
            self.end(JobStatus::Done, now);
        }
    }

    fn is_whole(&self) -> bool {
        self.cursor == Self::END && self.step.is_empty()
    }
}

/// Keeps a job to its rate: a step every tenth of a second, or one delivery at a time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    rate: u32,
    next: Timestamp,
}

/// A step that came late is made up for by so much, so that the rate holds on average.
const LATE: Duration = Duration::from_millis(100);

impl Pace {
    /// The first step is due now.
    pub fn new(rate: u32, now: Timestamp) -> Self {
        Self { rate: rate.max(1), next: now }
    }

    /// Most deliveries of one step.
    pub fn step(self) -> usize {
        usize::try_from(self.rate / 10).unwrap_or(usize::MAX).max(1)
    }

    /// Counts deliveries that were made from `now` on.
    pub fn spend(&mut self, made: usize, now: Timestamp) {
        let made = u32::try_from(made).unwrap_or(u32::MAX);
        let span = Duration::from_secs(1) * made / self.rate;
        // A clock that was set must not stop a job, nor let it run.
        self.next = self.next.clamp(now - LATE, now + LATE) + span;
    }

    /// How long until the next step.
    pub fn wait(self, now: Timestamp) -> Duration {
        self.next.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DeliveryKey, Generation};
    use crate::limits::Limits;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn job() -> Job {
        Job {
            id: JobId::from_bytes([1; 16]),
            environment: EnvironmentNo::new(1),
            tenant: TenantNo::new(2),
            reach: Reach::Endpoint,
            endpoint: EndpointNo::new(3),
            endpoint_id: EndpointId::from_bytes([4; 16]),
            recovery: Recovery {
                since: at(0),
                until: at(10),
                states: Recovery::USUAL_STATES.into(),
                types: Vec::new(),
            },
            rate: 50,
            status: JobStatus::Running,
            obstacle: None,
            total: 2,
            done: 0,
            cursor: EventKey::ZERO,
            step: Vec::new(),
            created_at: at(20),
            updated_at: at(20),
            ended_at: None,
        }
    }

    fn made(event: i64) -> Replayed {
        let first = DeliveryKey::first(EventKey::new(event), EndpointNo::new(3));
        let key = DeliveryKey { generation: Generation::new(1), ..first };
        Replayed { key, sequence: 1, repeats: Some(first.generation), due: None }
    }

    #[test]
    fn a_job_is_done_when_everything_was_looked_at_and_the_last_step_is_made() {
        let mut job = job();
        job.begin(vec![made(1)], Some(EventKey::new(1)), at(21));
        job.settle(at(22));
        assert_eq!((job.status, job.done, job.cursor), (JobStatus::Running, 1, EventKey::new(1)));
        job.begin(vec![made(2)], None, at(23));
        assert_eq!((job.status, job.done), (JobStatus::Running, 1), "its step is not made yet");
        job.settle(at(24));
        assert_eq!((job.status, job.done, job.ended_at), (JobStatus::Done, 2, Some(at(24))));
        let mut undercounted = Job { total: 0, ..self::job() };
        undercounted.begin(vec![made(1)], None, at(21));
        undercounted.settle(at(22));
        assert_eq!((undercounted.done, undercounted.total), (1, 1), "never more than all");
        let mut nothing = self::job();
        nothing.begin(Vec::new(), None, at(21));
        assert_eq!(nothing.status, JobStatus::Done);
    }

    #[test]
    fn a_disabled_endpoint_is_waited_for_and_a_deleted_one_ends_the_job() {
        let mut job = job();
        job.begin(vec![made(1)], None, at(21));
        assert!(job.meet(Obstacle::EndpointDisabled, at(22)));
        assert!(!job.meet(Obstacle::EndpointDisabled, at(23)), "it was said before");
        assert_eq!((job.status, job.updated_at), (JobStatus::Running, at(22)));
        let mut lost = job.clone();
        job.settle(at(24));
        assert_eq!((job.status, job.obstacle), (JobStatus::Done, None));
        assert!(lost.meet(Obstacle::EndpointDeleted, at(24)));
        assert_eq!((lost.status, lost.ended_at), (JobStatus::Failed, Some(at(24))));
    }

    #[test]
    fn a_job_of_a_tenant_goes_from_endpoint_to_endpoint_and_past_one_that_is_disabled() {
        let id = |n| EndpointId::from_bytes([n; 16]);
        let mut job = Job { reach: Reach::Tenant { left_out: Vec::new() }, ..job() };
        job.begin(vec![made(1)], None, at(21));
        assert!(!job.goes_on_elsewhere(), "its step is not made yet");
        job.settle(at(22));
        assert!(job.goes_on_elsewhere() && job.status == JobStatus::Running);
        job.turn_to(Some((EndpointNo::new(5), id(5))), at(23));
        assert_eq!((job.endpoint, job.cursor), (EndpointNo::new(5), EventKey::ZERO));
        job.begin(vec![made(2)], Some(EventKey::new(2)), at(24));
        assert!(job.meet(Obstacle::EndpointDisabled, at(25)));
        assert!(job.goes_on_elsewhere());
        assert_eq!(job.reach, Reach::Tenant { left_out: vec![id(5)] });
        job.turn_to(None, at(26));
        assert_eq!((job.status, job.done, job.obstacle), (JobStatus::Done, 1, None));
    }

    #[test]
    fn a_recovery_wants_its_types_within_its_span() {
        let pattern = |text| TypePattern::try_new(text, &Limits::default()).expect("a pattern");
        let types = vec![pattern("order.*"), pattern("a")];
        let recovery = Recovery { types, ..job().recovery };
        let kind = EventType::from_stored;
        for (text, millis, wanted) in [
            ("order.paid", 0, true),
            ("a", 9, true),
            ("order", 5, false),
            ("a", 10, false),
            ("a", -1, false),
        ] {
            assert_eq!(recovery.wants(&kind(text), at(millis)), wanted, "{text} {millis}");
        }
        assert!(job().recovery.wants(&kind("anything"), at(0)));
    }

    /// Steps that begin up to 30 ms late, for ten seconds.
    #[test]
    fn the_rate_holds_although_steps_come_late() {
        for rate in [1, 3, 7, 10, 55, 300, 1_000] {
            let (mut now, mut made) = (at(0), 0);
            let mut pace = Pace::new(rate, now);
            while now < at(10_000) {
                pace.spend(pace.step(), now);
                made += pace.step();
                let late = Duration::from_millis(u64::try_from(made % 31).unwrap_or_default());
                now = now + pace.wait(now) + late;
            }
            let expected = 10 * i64::from(rate);
            let off = i64::try_from(made).expect("few") - expected;
            assert!(off.abs() <= expected / 20 + 1, "{rate}: {made} of {expected}");
        }
    }

    #[test]
    fn a_clock_that_was_set_neither_stops_a_job_nor_lets_it_run() {
        for jump in [-3_600_000, 3_600_000] {
            let mut pace = Pace::new(10, at(0));
            pace.spend(1, at(0));
            pace.spend(1, at(jump));
            let wait = pace.wait(at(jump));
            assert!(wait <= Duration::from_millis(200), "{jump}: {wait:?}");
            pace.spend(1, at(jump));
            pace.spend(1, at(jump));
            assert!(pace.wait(at(jump)) > Duration::ZERO, "{jump}");
        }
    }
}
