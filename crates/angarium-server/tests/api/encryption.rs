//! `/v1/encryption`: who may rotate keys, and what is said when it cannot be done.

use super::stage::{NEXT_MASTER_KEY, Stage};
use serde_json::json;

const MASTER: &str = "/v1/encryption/rotate-master-key";
const DATA: &str = "/v1/encryption/rotate-data-keys";

#[tokio::test]
async fn only_a_key_of_the_instance_sees_and_rotates_what_secrets_are_encrypted_with() {
    let stage = Stage::ready().await;
    let scopes = json!(["publish", "manage", "read"]);
    let of_environment = json!({"name": "k", "environment": "prod", "scopes": scopes});
    let of_tenant = json!({"name": "k", "environment": "prod", "tenant": "acme", "scopes": scopes});
    let reader = json!({"name": "k", "scopes": ["read"]});
    let reader = stage.post("/v1/keys").without("angarium-environment").json(reader).send().await;
    let reader = reader.json()["key"].as_str().expect("a key").to_owned();
    let others = [stage.key(of_environment).await, stage.key(of_tenant).await];
    for key in &others {
        assert_eq!(stage.get("/v1/encryption").key(key).send().await.status, 403);
    }
    assert_eq!(stage.get("/v1/encryption").key(&reader).send().await.status, 200);
    for key in others.iter().chain([&reader]) {
        for (path, body) in [(MASTER, json!({})), (DATA, json!({"all": true}))] {
            let refused = stage.post(path).key(key).json(body).send().await;
            assert_eq!(refused.refusal(), (403, "forbidden".into(), String::new()), "{path}");
        }
    }
}

#[tokio::test]
async fn the_master_key_is_rotated_once_and_named_but_never_shown() {
    let stage = Stage::ready().await;
    let before = stage.get("/v1/encryption").send().await.json();
    let id = NEXT_MASTER_KEY.id().to_string();
    assert_eq!(before["next_master_key"], id);
    let call = || stage.post(MASTER).header("idempotency-key", "once").json(json!({}));
    let first = call().send().await;
    let expected = json!({"master_key": id, "previous": before["master_key"], "from": "the test"});
    assert_eq!((first.status, first.json()), (200, expected.clone()));
    assert_eq!(call().send().await.json(), expected, "the first answer, repeated");
    let after = stage.get("/v1/encryption").send().await;
    assert!(!after.text.contains(&*NEXT_MASTER_KEY.to_base64()));
    assert_eq!(after.json()["master_key"], id);
    assert!(after.json()["next_master_key"].is_null(), "there is no other one yet");
    let again = stage.post(MASTER).json(json!({})).send().await;
    assert_eq!(again.refusal(), (409, "invalid_state".into(), String::new()));
    assert!(again.text.contains("already"), "{}", again.text);
}

#[tokio::test]
async fn data_keys_are_rotated_for_one_tenant_or_all_and_nothing_else() {
    let stage = Stage::ready().await;
    stage.endpoint(json!({"url": "https://example.com/", "types": ["*"]})).await;
    for (body, status, field) in [
        (json!({}), 422, "tenant"),
        (json!({"all": false}), 422, "tenant"),
        (json!({"tenant": "acme", "all": true}), 422, "all"),
        (json!({"tenant": "nobody"}), 404, "tenant"),
        (json!({"tenants": "acme"}), 422, "tenants"),
    ] {
        let refused = stage.post(DATA).json(body.clone()).send().await.refusal();
        assert_eq!((refused.0, refused.2.as_str()), (status, field), "{body}");
    }
    let one = stage.post(DATA).json(json!({"tenant": "acme"})).send().await;
    assert_eq!((one.status, one.json()), (202, json!({"tenant": "acme"})));
    stage.until("/v1/encryption", |now| now["retired_data_keys"] == 0).await;
    let all = stage.post(DATA).json(json!({"all": true})).send().await;
    assert_eq!((all.status, all.json()), (202, json!({"tenant": null})));
    let settled = stage.until("/v1/encryption", |now| now["retired_data_keys"] == 0).await;
    assert_eq!(settled["has_earlier_form"], false);
}
