//! Environments, tenants, keys, event types.

use super::Harness;
use super::world::{World, at, endpoint, environment, signing_key, tenant};
use crate::AccountChange::{
    CreateKey, DeleteEnvironment, DeleteTenant, PutEventType, PutTenantKeys, ReplaceEnvironment,
    RevokeKey,
};
use crate::AccountChanged::{Created, Done, InUse, NotFound, Taken};
use angarium_core::account::{ApiKey, EventTypeConfig, Scope, Validation};
use angarium_core::batch::{EndpointWrite, Trace};
use angarium_core::egress::{EgressSettings, WrittenProxy, WrittenSettings};
use angarium_core::id::{ApiKeyId, EnvironmentNo, TenantNo};
use angarium_core::rate::{RateLimit, RateSpec};
use angarium_core::secret::SecretText;
use std::time::Duration;

fn key(random: u8, environment: EnvironmentNo, tenant: Option<TenantNo>) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_parts(at(1), [random; 10]),
        hash: [random; 32],
        name: "a key".into(),
        environment: Some(environment),
        tenant,
        scopes: vec![Scope::Publish, Scope::Read],
        rate: None,
        created_at: at(i64::from(random)),
        expires_at: Some(at(900)),
        last_used_at: None,
    }
}

fn egress() -> EgressSettings {
    EgressSettings::try_new(WrittenSettings {
        ports: Some(vec!["443".into(), "8000-9000".into()]),
        allow_cidrs: Some(Vec::new()),
        deny_cidrs: vec!["203.0.113.0/24".into()],
        proxy: Some(WrittenProxy {
            url: "http://proxy.example.com:3128".into(),
            username: Some("angarium".into()),
            password: Some(SecretText::new("secret")),
            resolve: None,
        }),
    })
    .expect("sound settings")
}

/// What was put in comes out whole.
pub async fn accounts_read_back_as_they_were_made(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let (store, env) = (&world.store, world.environment);
    let keys = [key(1, env, None), key(2, env, Some(world.tenants[0])), key(3, env, None)];
    for key in &keys {
        let made = store.change_account(CreateKey(key.clone()), Trace::default(), at(5)).await;
        assert_eq!(made.expect("made"), Created(0));
    }
    let revoked = store.change_account(RevokeKey(keys[2].id), Trace::default(), at(6)).await;
    assert_eq!(revoked.expect("revoked"), Done);
    let signing = PutTenantKeys(world.tenants[0], "aleta".into(), vec![signing_key()]);
    assert_eq!(store.change_account(signing, Trace::default(), at(8)).await.expect("put"), Done);
    let all = store.accounts().await.expect("read");
    assert_eq!(all.keys, keys[..2]);
    assert_eq!(all.tenants.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["acme", "globex"]);
    assert_eq!(all.environments[0].hosts, ["prod.example.com", "a.prod.example.com"]);
    assert_eq!(all.environments[0].contracts, ["standard", "aleta"]);
    let mut replaced = all.environments[0].clone();
    replaced.hosts = vec!["new.example.com".into()];
    replaced.egress = egress();
    let done =
        store.change_account(ReplaceEnvironment(replaced.clone()), Trace::default(), at(9)).await;
    assert_eq!(done.expect("replaced"), Done);
    assert_eq!(store.accounts().await.expect("read").environments, [replaced]);
    let shard = world.shard(world.tenants[0]).await;
    assert_eq!(shard.tenant_keys, [(world.tenants[0], "aleta".into(), vec![signing_key()])]);
}

/// An event type is made once and replaced after that.
pub async fn an_event_type_is_made_once_and_then_replaced(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let (store, env) = (&world.store, world.environment);
    let mut config = EventTypeConfig {
        name: "order.paid".into(),
        description: "An order was paid".into(),
        schema: Some(serde_json::json!({"type": "object"})),
        example: None,
        validate: Validation::Reject,
        updated_at: at(7),
    };
    for (description, expected) in [("first", Created(0)), ("second", Done)] {
        config.description = description.into();
        let put =
            store.change_account(PutEventType(env, config.clone()), Trace::default(), at(7)).await;
        assert_eq!(put.expect("put"), expected);
    }
    assert_eq!(store.accounts().await.expect("read").event_types, [(env, config)]);
}

/// The newest use stands; that of a key which is gone harms no other's.
pub async fn the_last_use_of_a_key_reads_back(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let (store, env) = (&world.store, world.environment);
    let keys = [key(1, env, None), key(2, env, Some(world.tenants[0])), key(3, env, None)];
    for key in &keys {
        store.change_account(CreateKey(key.clone()), Trace::default(), at(5)).await.expect("made");
    }
    let gone = key(9, env, None).id;
    for uses in [vec![(keys[0].id, at(100))], vec![(gone, at(200)), (keys[0].id, at(300))]] {
        store.note_key_uses(&uses).await.expect("noted");
    }
    store.note_key_uses(&[(keys[1].id, at(400))]).await.expect("noted");
    let used: Vec<_> =
        store.accounts().await.expect("read").keys.iter().map(|key| key.last_used_at).collect();
    assert_eq!(used, [Some(at(300)), Some(at(400)), None]);
}

/// Revoked ones too; those that never end stay.
pub async fn keys_are_forgotten_long_after_their_end_in_bounded_steps(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let (store, env) = (&world.store, world.environment);
    let listed = async || store.accounts().await.expect("read").keys.len();
    for n in 1..=150 {
        let ends = (n != 150).then(|| at(900 + i64::from(n)));
        let key = ApiKey { expires_at: ends, ..key(n, env, None) };
        store.change_account(CreateKey(key), Trace::default(), at(5)).await.expect("made");
    }
    store
        .change_account(RevokeKey(key(1, env, None).id), Trace::default(), at(6))
        .await
        .expect("revoked");
    let step = async |now| store.upkeep(now).await.expect("upkeep").more;
    assert!(!step(at(900) + ApiKey::LISTED_AFTER_END).await, "none ended so long ago");
    assert_eq!(listed().await, 149);
    let late = at(1_048) + ApiKey::LISTED_AFTER_END;
    assert!(step(late).await, "there is more");
    assert!((3..149).contains(&listed().await), "a step is bounded");
    while step(late).await {}
    assert_eq!(listed().await, 2, "one that ends a moment later, and one that never does");
    let rate = RateLimit::try_new(RateSpec { per_second: 2.0, burst: None }).expect("a rate");
    let portal = ApiKey {
        scopes: vec![Scope::Portal],
        expires_at: Some(late),
        rate: Some(rate),
        ..key(160, env, None)
    };
    store.change_account(CreateKey(portal.clone()), Trace::default(), at(7)).await.expect("made");
    let forgotten = late + ApiKey::PORTAL_LISTED_AFTER_END;
    step(forgotten - Duration::from_millis(1)).await;
    let kept = store.accounts().await.expect("read").keys;
    assert_eq!(kept.last(), Some(&portal), "it is as it was made");
    step(forgotten).await;
    assert!(store.accounts().await.expect("read").keys.iter().all(|kept| kept.id != portal.id));
    let again = ApiKey { expires_at: None, ..key(1, env, None) };
    let made = store.change_account(CreateKey(again), Trace::default(), at(7)).await;
    assert_eq!(made.expect("an answer"), Created(0), "nothing is left of what was revoked");
}

/// Each refusal has its name.
pub async fn what_is_taken_or_in_use_or_missing_is_said(harness: &dyn Harness) {
    let world = World::new(harness).await;
    let (env, nobody) = (world.environment, TenantNo::new(99));
    let nowhere = EnvironmentNo::new(99);
    let owner = world.tenants[0];
    let no = world.endpoint(owner, 1).await;
    let first = key(1, env, None);
    let same_hash = ApiKey { hash: first.hash, ..key(2, env, None) };
    let rows = [
        (environment("prod"), Taken),
        (tenant(nowhere, "x"), NotFound),
        (tenant(env, "acme"), Done),
        (CreateKey(first.clone()), Created(0)),
        (CreateKey(same_hash), Taken),
        (CreateKey(key(3, env, Some(nobody))), NotFound),
        (CreateKey(key(4, nowhere, None)), NotFound),
        (PutTenantKeys(nobody, "aleta".into(), vec![]), NotFound),
        (DeleteEnvironment(env), InUse),
        (DeleteTenant(owner), InUse),
        (DeleteTenant(world.tenants[1]), Done),
        (DeleteTenant(world.tenants[1]), NotFound),
        (RevokeKey(key(9, env, None).id), NotFound),
    ];
    for (change, expected) in rows {
        let name = format!("{change:?}");
        let changed = world.store.change_account(change, Trace::default(), at(10)).await;
        assert_eq!(changed.expect("an answer"), expected, "{name}");
    }
    let mut batch = world.batch(owner);
    batch.endpoints.push(EndpointWrite::Delete { no, at: at(20), trace: Trace::default() });
    world.commit(batch, at(20)).await;
    for change in [DeleteTenant(owner), DeleteEnvironment(env)] {
        let changed = world.store.change_account(change, Trace::default(), at(30)).await;
        assert_eq!(changed.expect("an answer"), Done);
    }
    let all = world.store.accounts().await.expect("read");
    assert!(all.environments.is_empty() && all.tenants.is_empty() && all.keys.is_empty());
    let named = world.store.endpoint_ids(&[no]).await.expect("read");
    assert_eq!(named, [(no, endpoint(owner, 1).id)], "the log still has its name");
}
