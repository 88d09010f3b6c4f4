//! Contracts' calls on a server that breaks: the contract's words hold even then.

use super::stage::Stage;
use angarium_core::account::{ApiKey, Environment, Scope, Tenant};
use angarium_core::egress::EgressSettings;
use angarium_core::id::{ApiKeyId, EnvironmentNo, TenantNo};
use angarium_core::time::Timestamp;
use angarium_server::api::auth;
use angarium_server::clock::Clock;
use angarium_server::metrics::Figures;
use angarium_store::{AccountChange, AccountChanged};
use serde_json::json;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_millis(1_776_686_400_000);

/// Breaks when it is asked.
#[derive(Debug)]
struct Broken;

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        panic!("on purpose")
    }
}

/// A server that panics whenever it looks whether a key has ended.
async fn broken() -> Stage {
    let stage = Stage::by(Arc::new(Broken)).await;
    let (environment, tenant) = (EnvironmentNo::new(1), TenantNo::new(1));
    let changes = [
        AccountChange::CreateEnvironment(Environment {
            no: environment,
            slug: "aioka".into(),
            title: "AIOKA".into(),
            contracts: vec!["aioka".into()],
            hosts: vec!["api.aioka.test".into()],
            egress: EgressSettings::default(),
            retention: Default::default(),
            created_at: NOW,
        }),
        AccountChange::PutTenant(Tenant {
            no: tenant,
            environment,
            id: "acme".into(),
            name: None,
            plan: None,
            metadata: serde_json::Map::new(),
            rate: None,
            created_at: NOW,
        }),
        AccountChange::CreateKey(ApiKey {
            id: ApiKeyId::from_bytes([1; 16]),
            hash: auth::hash("a-key"),
            name: "k".into(),
            environment: Some(environment),
            tenant: Some(tenant),
            scopes: vec![Scope::Manage],
            rate: None,
            created_at: NOW,
            expires_at: Some(NOW),
            last_used_at: None,
        }),
    ];
    for change in changes {
        stage.app.directory.apply(change, AccountChanged::Created(1));
    }
    stage
}

#[tokio::test]
async fn a_panic_is_answered_in_the_contracts_words_and_counted() {
    let stage = broken().await;
    let calls = [
        stage.get("/e/aioka/v1/webhooks"),
        stage.get("/v1/webhooks").header("host", "api.aioka.test"),
        stage.post("/e/aioka/v1/webhooks").header("idempotency-key", "k").json(json!({})),
    ];
    for call in calls {
        let answer = call.header("x-api-key", "a-key").send().await;
        assert_eq!(answer.status, 500, "{}", answer.text);
        assert_eq!(answer.json()["error"]["code"], "internal");
        assert!(!answer.text.contains("on purpose"), "{}", answer.text);
    }
    let figures = stage.app.metrics.print(&Figures::default(), NOW);
    assert!(figures.contains("angarium_panics_total 3"), "{figures}");
    let line = r#"{method="GET",route="/e/{environment}/v1/webhooks",status="500"} 2"#;
    assert!(figures.contains(line), "{figures}");
}
