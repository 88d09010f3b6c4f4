//! A small world for cases: an environment, two tenants in different shards, short ways to write.

use super::Harness;
use crate::read::{DeliveryQuery, DeliveryRow, DeliveryWithAttempts, EventQuery};
use crate::{AccountChange, AccountChanged, ShardState, SharedStore};
use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::{
    AttemptRecord, BatchResult, Committed, DeliveryWrite, EndpointWrite, EventWrite, Fanout,
    FanoutStart, Guard, NextState, ShardBatch, Trace,
};
use angarium_core::delivery::{DeliveryState, EndReason};
use angarium_core::egress::EgressSettings;
use angarium_core::endpoint::{EndpointAuth, EndpointConfig, EndpointSecrets, TlsSettings};
use angarium_core::event::{DataKind, EventType, NewEvent};
use angarium_core::id::{
    DeliveryKey, EndpointId, EndpointNo, EnvironmentNo, Epoch, EventKey, ShardId, SigningKeyId,
    TenantNo,
};
use angarium_core::lane::Lane;
use angarium_core::limits::Limits;
use angarium_core::oauth2::{ClientAuth, OAuth2Settings};
use angarium_core::outcome::Class;
use angarium_core::rate::{RateLimit, RateSpec};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::subscription::Subscription;
use angarium_core::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The secret of every endpoint here.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// When cases take place.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_776_686_400_000 + millis)
}

/// A store with something in it.
pub(super) struct World {
    pub(super) store: SharedStore,
    pub(super) environment: EnvironmentNo,
    pub(super) tenants: [TenantNo; 2],
    pub(super) epochs: HashMap<ShardId, Epoch>,
}

impl World {
    pub(super) async fn new(harness: &dyn Harness) -> Self {
        Self::around(harness.store().await).await
    }

    /// Makes the accounts and claims every shard.
    pub(super) async fn around(store: SharedStore) -> Self {
        let environment = EnvironmentNo::new(made(&store, environment("prod")).await);
        let mut tenants = [TenantNo::default(); 2];
        for (no, id) in tenants.iter_mut().zip(["acme", "globex"]) {
            *no = TenantNo::new(made(&store, tenant(environment, id)).await);
        }
        assert_ne!(ShardId::of(tenants[0]), ShardId::of(tenants[1]));
        let mut world = Self { store, environment, tenants, epochs: HashMap::new() };
        world.claim_all().await;
        world
    }

    pub(super) async fn claim_all(&mut self) {
        let shards: Vec<_> = ShardId::all().collect();
        let claimed = self.store.claim(&shards, at(0)).await.expect("claimed");
        self.epochs = claimed.into_iter().collect();
    }

    pub(super) fn batch(&self, tenant: TenantNo) -> ShardBatch {
        let shard = ShardId::of(tenant);
        ShardBatch { shard, epoch: self.epochs[&shard], ..ShardBatch::default() }
    }

    pub(super) async fn commit(&self, batch: ShardBatch, now: Timestamp) -> Committed {
        let mut results = self.store.commit(Arc::new(vec![batch]), now).await.expect("committed");
        match results.pop() {
            Some(BatchResult::Committed(done)) => done,
            other => panic!("not committed: {other:?}"),
        }
    }

    pub(super) async fn endpoint(&self, tenant: TenantNo, random: u8) -> EndpointNo {
        let mut batch = self.batch(tenant);
        batch.endpoints.push(EndpointWrite::Create {
            config: Box::new(endpoint(tenant, random)),
            trace: Trace::default(),
        });
        self.commit(batch, at(0)).await.endpoints[0].no
    }

    pub(super) async fn publish(&self, write: EventWrite, now: Timestamp) -> EventKey {
        let mut batch = self.batch(write.tenant);
        batch.events.push(write);
        self.commit(batch, now).await.events[0]
    }

    pub(super) async fn record(&self, tenant: TenantNo, write: DeliveryWrite) {
        let mut batch = self.batch(tenant);
        batch.deliveries.push(write);
        self.commit(batch, at(50)).await;
    }

    pub(super) async fn shard(&self, tenant: TenantNo) -> ShardState {
        let mut states = self.store.load_shards(&[ShardId::of(tenant)]).await.expect("loaded");
        states.pop().expect("one shard")
    }

    pub(super) async fn delivery(&self, key: DeliveryKey) -> DeliveryWithAttempts {
        self.store.delivery(key).await.expect("read").expect("a delivery")
    }

    pub(super) async fn pending(&self) -> u64 {
        self.store.depth(at(0)).await.expect("a depth").pending
    }

    pub(super) async fn index_all(&self) {
        while self.store.upkeep(at(0)).await.expect("upkeep").more {}
    }

    pub(super) fn events(&self) -> EventQuery {
        EventQuery {
            environment: self.environment,
            tenant: None,
            kind: None,
            subject: None,
            ordering_key: None,
            after: None,
            before: None,
            cursor: None,
            limit: 1_000,
            rows_read: 10_000,
        }
    }

    pub(super) fn deliveries(&self) -> DeliveryQuery {
        DeliveryQuery {
            environment: self.environment,
            tenant: None,
            endpoint: None,
            event: None,
            state: None,
            class: None,
            kind: None,
            after: None,
            before: None,
            cursor: None,
            limit: 1_000,
            rows_read: 10_000,
        }
    }

    /// All pages of a list.
    pub(super) async fn all(&self, mut query: DeliveryQuery) -> Vec<DeliveryRow> {
        let mut all = Vec::new();
        loop {
            let page = self.store.deliveries(&query).await.expect("a page");
            assert!(page.items.len() <= query.limit);
            all.extend(page.items);
            assert!(page.next.is_none() || page.next != query.cursor, "a page goes on");
            query.cursor = page.next;
            if query.cursor.is_none() {
                return all;
            }
        }
    }
}

/// What is committed with a guarded change.
pub(super) fn guarded(guard: Guard) -> Trace {
    Trace { guard: Some(guard), deed: None }
}

async fn made(store: &SharedStore, change: AccountChange) -> i64 {
    match store.change_account(change, Trace::default(), at(0)).await {
        Ok(AccountChanged::Created(no)) => no,
        other => panic!("not made: {other:?}"),
    }
}

pub(super) fn environment(slug: &str) -> AccountChange {
    AccountChange::CreateEnvironment(Environment {
        no: EnvironmentNo::default(),
        slug: slug.into(),
        title: "Production".into(),
        contracts: vec!["standard".into(), "aleta".into()],
        hosts: vec![format!("{slug}.example.com"), format!("a.{slug}.example.com")],
        egress: EgressSettings::default(),
        retention: Default::default(),
        created_at: at(1),
    })
}

pub(super) fn tenant(environment: EnvironmentNo, id: &str) -> AccountChange {
    AccountChange::PutTenant(Tenant {
        no: TenantNo::default(),
        environment,
        id: id.into(),
        name: Some("A name".into()),
        plan: None,
        metadata: serde_json::Map::new(),
        rate: RateLimit::try_new(RateSpec { per_second: 2.5, burst: Some(7) }).ok(),
        created_at: at(2),
    })
}

pub(super) fn signing_key() -> SigningKey {
    SigningKey {
        id: SigningKeyId::from_bytes([3; 16]),
        secret: SecretText::new(SECRET),
        created_at: at(5),
        retired_at: None,
        signs_until: None,
    }
}

pub(super) fn endpoint(tenant: TenantNo, random: u8) -> EndpointConfig {
    let types = ["*".to_owned()];
    let subscription = Subscription::try_new(&types, None, Vec::new(), &Limits::default());
    EndpointConfig {
        version: 1,
        updated_at: at(4),
        secrets: EndpointSecrets {
            keys: vec![signing_key()],
            auth: Some(EndpointAuth::OAuth2(OAuth2Settings {
                token_url: "https://login.example.com/token".into(),
                client_id: "client".into(),
                client_secret: SecretText::new("2"),
                scopes: vec!["hooks".into()],
                audience: None,
                client_auth: ClientAuth::Body,
            })),
            headers: vec![("x-a".into(), SecretText::new("1"))],
            tls: Some(TlsSettings {
                client_certificate: Some("a chain\n".into()),
                private_key: Some(SecretText::new("its key\n")),
                ca: None,
            }),
        },
        ..EndpointConfig::new(
            EndpointId::from_parts(at(3), [random; 10]),
            tenant,
            "standard".into(),
            "https://hooks.example.com/in".into(),
            subscription.expect("every type"),
            at(3),
        )
    }
}

/// A new event, to be held in memory for each of the endpoints.
pub(super) fn event(tenant: TenantNo, sequence: u64, endpoints: &[EndpointNo]) -> EventWrite {
    let held =
        |no: &EndpointNo| Fanout { endpoint: *no, sequence, lane: None, start: FanoutStart::Held };
    EventWrite {
        tenant,
        sequence,
        accepted_at: at(10),
        body: Arc::new(NewEvent {
            own_id: None,
            kind: EventType::from_stored("order.paid"),
            time: None,
            subject: None,
            ordering_key: None,
            attributes: Vec::new(),
            data: bytes::Bytes::from_static(b"{\"a\": 1}"),
            data_kind: DataKind::Json,
        }),
        fanout: endpoints.iter().map(held).collect(),
        guard: None,
    }
}

/// The same with its deliveries begun in another way.
pub(super) fn begun(mut write: EventWrite, start: FanoutStart) -> EventWrite {
    for fanout in &mut write.fanout {
        fanout.start = start;
    }
    write
}

/// The same in a lane.
pub(super) fn in_lane(mut write: EventWrite, lane: Lane) -> EventWrite {
    for fanout in &mut write.fanout {
        fanout.lane = Some(lane);
    }
    write
}

pub(super) fn with_own_id(mut write: EventWrite, own_id: &str) -> EventWrite {
    Arc::make_mut(&mut write.body).own_id = Some(own_id.into());
    write
}

pub(super) fn attempt(n: u16, class: Class) -> AttemptRecord {
    AttemptRecord {
        n,
        at: at(20 + i64::from(n)),
        took: Duration::from_micros(1_234),
        class,
        status: (class == Class::Success).then_some(204),
        detail: (class != Class::Success).then(|| "no answer in time".into()),
        request: "POST https://hooks.example.com/in\nwebhook-id: evt_1".into(),
        response: "date: today".into(),
        body: (*b"ok").into(),
    }
}

/// A first attempt that succeeded.
pub(super) fn delivered(event: EventKey, endpoint: EndpointNo) -> DeliveryWrite {
    DeliveryWrite {
        key: DeliveryKey::first(event, endpoint),
        sequence: 1,
        attempts: 1,
        lane: None,
        has_row: false,
        attempt: Some(Box::new(attempt(1, Class::Success))),
        next: NextState::Ended { state: DeliveryState::Delivered, reason: None, at: at(30) },
    }
}

/// A first attempt that failed.
pub(super) fn failed(event: EventKey, endpoint: EndpointNo, due: Timestamp) -> DeliveryWrite {
    DeliveryWrite {
        attempt: Some(Box::new(attempt(1, Class::Timeout))),
        next: NextState::Pending { due: Some(due) },
        ..delivered(event, endpoint)
    }
}

/// A second attempt that failed for the last time.
pub(super) fn died(event: EventKey, endpoint: EndpointNo) -> DeliveryWrite {
    DeliveryWrite {
        attempts: 2,
        has_row: true,
        attempt: Some(Box::new(attempt(2, Class::Gone))),
        next: NextState::Ended {
            state: DeliveryState::Dead,
            reason: Some(EndReason::Exhausted),
            at: at(40),
        },
        ..delivered(event, endpoint)
    }
}
