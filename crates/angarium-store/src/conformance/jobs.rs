//! Jobs: what a recovery is about, and where it stands.

use super::Harness;
use super::sequence::numbered;
use super::world::{World, at, begun, delivered, died, failed, guarded};
use crate::read::{JobQuery, Page, RecoverableQuery};
use angarium_core::batch::{
    DeliveryWrite, FanoutStart, Guard, GuardAnswer, RowAction, RowActionKind, Trace,
};
use angarium_core::delivery::DeliveryState;
use angarium_core::event::EventType;
use angarium_core::id::{DeliveryKey, EndpointNo, EventKey, Generation, JobId, TenantNo};
use angarium_core::job::{Job, JobStatus, Obstacle, Reach, Recovery};
use angarium_core::limits::Limits;
use angarium_core::replay::Replayed;
use angarium_core::subscription::TypePattern;
use std::sync::Arc;

/// The delivery that is made after this many others of its pair.
pub(super) fn again(event: EventKey, endpoint: EndpointNo, generation: u32) -> Replayed {
    let key = DeliveryKey { event, endpoint, generation: Generation::new(generation) };
    let repeats = Some(Generation::new(generation - 1));
    Replayed { key, sequence: 1, repeats, due: None }
}

fn everything() -> Recovery {
    Recovery {
        since: at(0),
        until: at(1_000_000),
        states: Recovery::STATES.into(),
        types: Vec::new(),
    }
}

fn of(endpoint: EndpointNo, recovery: Recovery) -> RecoverableQuery {
    let (cursor, limit, rows_read) = (EventKey::ZERO, 1_000, 10_000);
    RecoverableQuery { endpoint, recovery, ended_by: at(1_000_000), cursor, limit, rows_read }
}

impl World {
    /// Events that would be delivered anew, over all pages, each with its generation.
    async fn recoverable(&self, mut query: RecoverableQuery) -> Vec<(EventKey, u32)> {
        let mut all = Vec::new();
        loop {
            let page = self.store.recoverable(&query).await.expect("a page");
            assert!(page.items.len() <= query.limit);
            all.extend(page.items.iter().map(|made| (made.key.event, made.key.generation.get())));
            match page.next {
                Some(next) => assert!(next > query.cursor, "a page goes on"),
                None => return all,
            }
            query.cursor = page.next.unwrap_or_default();
        }
    }

    /// Publishes an event that is accepted at a time, and lets its delivery end.
    async fn ended(&self, to: EndpointNo, kind: &str, millis: i64, end: DeliveryState) -> EventKey {
        let tenant = self.tenants[0];
        let mut write = numbered(tenant, to, 1);
        write.accepted_at = at(millis);
        Arc::make_mut(&mut write.body).kind = EventType::from_stored(kind);
        if end == DeliveryState::Suppressed {
            return self.publish(begun(write, FanoutStart::Suppressed), at(millis)).await;
        }
        let key = self.publish(write, at(millis)).await;
        match end {
            DeliveryState::Delivered => self.record(tenant, delivered(key, to)).await,
            DeliveryState::Dead => {
                self.record(tenant, failed(key, to, at(900))).await;
                self.record(tenant, died(key, to)).await;
            }
            DeliveryState::Cancelled => {
                self.record(tenant, failed(key, to, at(900))).await;
                self.act(DeliveryKey::first(key, to), RowActionKind::Cancel).await;
            }
            DeliveryState::Queued
            | DeliveryState::Pending
            | DeliveryState::InFlight
            | DeliveryState::Suppressed => self.record(tenant, failed(key, to, at(900))).await,
        }
        key
    }

    async fn act(&self, key: DeliveryKey, kind: RowActionKind) {
        let mut batch = self.batch(self.tenants[0]);
        batch.actions.push(RowAction { key, kind, at: at(60), trace: Trace::default() });
        assert!(self.commit(batch, at(60)).await.actions[0].is_some());
    }

    /// A job that runs.
    pub(super) async fn job(&self, tenant: TenantNo, endpoint: EndpointNo, random: u8) -> Job {
        let job = self.new_job(tenant, endpoint, random).await;
        assert!(self.store.create_job(&job, 9, Trace::default(), at(70)).await.expect("written"));
        job
    }

    async fn new_job(&self, tenant: TenantNo, endpoint: EndpointNo, random: u8) -> Job {
        let ids = self.store.endpoint_ids(&[endpoint]).await.expect("ids");
        let pattern = |text| TypePattern::try_new(text, &Limits::default()).expect("a pattern");
        Job {
            id: JobId::from_parts(at(70 + i64::from(random)), [random; 10]),
            environment: self.environment,
            tenant,
            reach: Reach::Endpoint,
            endpoint,
            endpoint_id: ids[0].1,
            recovery: Recovery { types: vec![pattern("a.*"), pattern("b")], ..everything() },
            rate: 50,
            status: JobStatus::Running,
            obstacle: None,
            total: 3,
            done: 0,
            cursor: EventKey::ZERO,
            step: Vec::new(),
            created_at: at(70),
            updated_at: at(70),
            ended_at: None,
        }
    }
}

/// Every state, type, span and page size, against the list of what was made.
pub async fn what_ended_without_success_is_recoverable_page_by_page(harness: &dyn Harness) {
    use DeliveryState::{Cancelled, Dead, Delivered, Pending, Suppressed};
    let world = World::new(harness).await;
    let (mine, other) =
        (world.endpoint(world.tenants[0], 1).await, world.endpoint(world.tenants[0], 2).await);
    let ends = [Dead, Suppressed, Delivered, Cancelled, Pending, Dead, Suppressed];
    let mut made = Vec::new();
    for n in 0..42_u8 {
        let (state, kind) = (ends[usize::from(n % 7)], ["a.b", "a.b.c", "b"][usize::from(n % 3)]);
        let millis = i64::from(n) * 10;
        made.push((world.ended(mine, kind, millis, state).await, kind, millis, state));
        world.ended(other, kind, millis, Dead).await;
    }
    let pattern = |text| TypePattern::try_new(text, &Limits::default()).expect("a pattern");
    let recoveries = [
        everything(),
        Recovery { states: Recovery::USUAL_STATES.into(), ..everything() },
        Recovery { states: vec![Cancelled], ..everything() },
        Recovery { types: vec![pattern("a.b.*"), pattern("b")], ..everything() },
        Recovery { since: at(100), until: at(300), ..everything() },
        Recovery { since: at(500), ..everything() },
    ];
    for recovery in recoveries {
        let is_meant = |(_, kind, millis, state): &&(EventKey, &str, i64, DeliveryState)| {
            recovery.states.contains(state)
                && recovery.wants(&EventType::from_stored(kind), at(*millis))
        };
        let expected: Vec<_> = made.iter().filter(is_meant).map(|(key, ..)| (*key, 1)).collect();
        for (limit, rows_read) in [(1_000, 10_000), (1, 10_000), (3, 7), (50, 1), (20, 20)] {
            let query = RecoverableQuery { limit, rows_read, ..of(mine, recovery.clone()) };
            assert_eq!(
                world.recoverable(query).await,
                expected,
                "{limit} {rows_read} {recovery:?}"
            );
        }
    }
}

/// A pair is recovered by its newest delivery, once, and as it stood at a time.
pub async fn what_has_a_newer_delivery_is_not_recoverable(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let dead = |key: DeliveryKey| DeliveryWrite { key, ..died(key.event, no) };
    let event = world.ended(no, "a", 10, DeliveryState::Dead).await;
    let first = DeliveryKey::first(event, no);
    assert_eq!(world.recoverable(of(no, everything())).await, [(event, 1)]);
    let before = RecoverableQuery { ended_by: at(39), ..of(no, everything()) };
    assert_eq!(world.recoverable(before).await, [], "it had not ended by then");
    world.act(first, RowActionKind::Redeliver).await;
    assert_eq!(world.recoverable(of(no, everything())).await, [], "another waits");
    let second = DeliveryKey { generation: Generation::new(1), ..first };
    world.record(tenant, dead(second)).await;
    assert_eq!(world.recoverable(of(no, everything())).await, [(event, 2)]);
    world.act(second, RowActionKind::Redeliver).await;
    let third = DeliveryKey { generation: Generation::new(2), ..first };
    let arrived = DeliveryWrite { key: third, has_row: true, ..delivered(event, no) };
    world.record(tenant, arrived).await;
    assert_eq!(world.recoverable(of(no, everything())).await, [], "it has arrived");
}

/// Whoever comes after its end, a step or a second cancel, changes nothing.
pub async fn a_job_reads_back_as_it_stands_and_never_moves_once_it_has_ended(
    harness: &dyn Harness,
) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let no = world.endpoint(tenant, 1).await;
    let read = async |id| world.store.job(id).await.expect("read");
    let mut job = world.job(tenant, no, 1).await;
    assert_eq!(read(job.id).await, Some(job.clone()));
    assert_eq!(read(JobId::from_bytes([9; 16])).await, None);
    job.begin(vec![again(EventKey::new(5), no, 1)], Some(EventKey::new(5)), at(80));
    job.meet(Obstacle::EndpointDisabled, at(81));
    assert!(world.store.advance_job(&job, Trace::default(), at(81)).await.expect("written"));
    assert_eq!(read(job.id).await, Some(job.clone()));
    job.settle(at(82));
    job.end(JobStatus::Cancelled, at(83));
    let guard = |scope: u8| Guard {
        scope: [scope; 32],
        fingerprint: [2; 32],
        expires_at: at(900),
        answer: GuardAnswer::Given { status: 202, body: b"{}".to_vec() },
    };
    assert!(world.store.advance_job(&job, guarded(guard(1)), at(83)).await.expect("written"));
    let late = Job { status: JobStatus::Running, done: 9, ended_at: None, ..job.clone() };
    assert!(!world.store.advance_job(&late, guarded(guard(2)), at(84)).await.expect("read"));
    assert_eq!(read(job.id).await, Some(job));
    assert!(world.store.guarded_answer(&[1; 32], at(84)).await.expect("read").is_some());
    assert!(world.store.guarded_answer(&[2; 32], at(84)).await.expect("read").is_none());
    assert_eq!(world.store.running_jobs().await.expect("jobs"), []);
}

/// The endpoint that it is at is not the one that it is about.
pub async fn a_job_of_a_tenant_reads_back_at_the_endpoint_that_it_is_at(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let tenant = world.tenants[0];
    let (one, two) = (world.endpoint(tenant, 1).await, world.endpoint(tenant, 2).await);
    let new = world.new_job(tenant, one, 1).await;
    let mut job = Job { reach: Reach::Tenant { left_out: Vec::new() }, ..new };
    assert!(world.store.create_job(&job, 9, Trace::default(), at(70)).await.expect("written"));
    assert_eq!(world.store.running_jobs().await.expect("jobs"), [job.clone()]);
    job.meet(Obstacle::EndpointDisabled, at(80));
    let second = world.store.endpoint_ids(&[two]).await.expect("ids")[0].1;
    job.turn_to(Some((two, second)), at(81));
    assert!(world.store.advance_job(&job, Trace::default(), at(81)).await.expect("written"));
    assert_eq!(world.store.job(job.id).await.expect("read"), Some(job));
    let environment = world.environment;
    for endpoint in [one, two] {
        let (tenant, endpoint) = (None, Some(endpoint));
        let query = JobQuery { environment, tenant, endpoint, before: None, limit: 2 };
        assert_eq!(world.store.jobs(query).await.expect("a page").items, []);
    }
}

/// By environment, tenant and endpoint; jobs that have ended make room.
pub async fn no_more_jobs_run_than_may_and_each_list_has_its_own(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let [acme, globex] = world.tenants;
    let (one, two) = (world.endpoint(acme, 1).await, world.endpoint(acme, 2).await);
    let elsewhere = world.endpoint(globex, 3).await;
    let first = world.job(acme, one, 1).await;
    let second = world.job(acme, two, 2).await;
    let third = world.job(globex, elsewhere, 3).await;
    let most = |job| {
        let store = &world.store;
        async move { store.create_job(&job, 2, Trace::default(), at(90)).await.expect("written") }
    };
    let fourth = world.new_job(acme, one, 4).await;
    assert!(!most(fourth.clone()).await);
    let mut ended = second.clone();
    ended.end(JobStatus::Done, at(91));
    assert!(world.store.advance_job(&ended, Trace::default(), at(91)).await.expect("written"));
    assert!(most(fourth.clone()).await);
    let ids = async |tenant, endpoint| {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let query =
                JobQuery { environment: world.environment, tenant, endpoint, before, limit: 2 };
            let Page { items, next } = world.store.jobs(query).await.expect("a page");
            assert!(items.len() <= 2);
            found.extend(items.iter().map(|job| job.id));
            before = next;
            if before.is_none() {
                return found;
            }
        }
    };
    assert_eq!(ids(None, None).await, [fourth.id, third.id, second.id, first.id]);
    assert_eq!(ids(Some(acme), None).await, [fourth.id, second.id, first.id]);
    assert_eq!(ids(Some(acme), Some(one)).await, [fourth.id, first.id]);
    let running = world.store.running_jobs().await.expect("jobs");
    assert_eq!(running.len(), 3);
}
