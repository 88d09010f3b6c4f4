//! Recoveries: counted, made once, at a rate, cancelled, taken up again, and seen by their own.

use super::stage::{Answer, Stage};
use angarium_core::batch::Trace;
use angarium_core::id::EventKey;
use angarium_core::job::Job;
use angarium_core::shard::Replay;
use angarium_server::recovery_jobs::{Driver, drive_for_ever};
use angarium_store::read::RecoverableQuery;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

const SINCE: &str = "2020-01-01T00:00:00Z";

impl Stage {
    /// An endpoint of `acme` that was disabled while so many events of three types came.
    async fn missed(&self, each: usize) -> String {
        let id = self.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
        self.act(&id, "disable").await;
        for n in 0..each {
            for kind in ["a.b", "a.c", "b"] {
                let event = json!({"tenant": "acme", "type": kind, "data": n});
                let accepted = self.post("/v1/events").json(event).send().await;
                assert_eq!(accepted.status, 202, "{}", accepted.text);
            }
        }
        self.act(&id, "enable").await;
        id
    }

    async fn act(&self, endpoint: &str, verb: &str) {
        let done = self.post(&format!("/v1/endpoints/{endpoint}/{verb}")).send().await;
        assert_eq!(done.status, 200, "{}", done.text);
    }

    async fn recover(&self, endpoint: &str, body: Value) -> Answer {
        self.post(&format!("/v1/endpoints/{endpoint}/recover")).json(body).send().await
    }

    /// Begins a job and returns its path.
    async fn begin(&self, endpoint: &str, body: Value) -> String {
        let begun = self.recover(endpoint, body).await;
        assert_eq!(begun.status, 202, "{}", begun.text);
        format!("/v1/jobs/{}", begun.json()["id"].as_str().expect("an id"))
    }

    /// The task that a server has for jobs.
    fn drive(&self) -> AbortHandle {
        tokio::spawn(drive_for_ever(Arc::new(Driver::of(&self.app)))).abort_handle()
    }

    async fn rows(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/deliveries?limit=250&{query}")).send().await;
        answer.json()["data"].as_array().expect("a list").clone()
    }

    /// Waits until so many are delivered, and shows that each event is once.
    async fn delivered(&self, endpoint: &str, count: usize) -> Vec<Value> {
        let query = format!("endpoint={endpoint}&state=delivered");
        let has_all = |list: &Value| list["data"].as_array().map(Vec::len) == Some(count);
        self.until(&format!("/v1/deliveries?limit=250&{query}"), has_all).await;
        let rows = self.rows(&query).await;
        let events: BTreeSet<_> = rows.iter().map(|row| row["event"]["id"].to_string()).collect();
        assert_eq!(events.len(), count, "an event was delivered twice");
        rows
    }

    async fn stored(&self, path: &str) -> Job {
        let id = path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("an id");
        self.app.store.job(id).await.expect("read").expect("a job")
    }
}

fn is(status: &'static str) -> impl Fn(&Value) -> bool {
    move |job| job["status"] == status
}

#[tokio::test]
async fn a_dry_run_counts_what_the_job_then_delivers_once() {
    let stage = Stage::ready().await;
    let id = stage.missed(6).await;
    let wanted = json!({"since": SINCE, "types": ["a.*"], "rate": 1000});
    let tried = json!({"since": SINCE, "types": ["a.*"], "dry_run": true});
    let counted = stage.recover(&id, tried).await;
    assert_eq!((counted.status, counted.json()), (200, json!({"dry_run": true, "total": 12})));
    assert_eq!(stage.get("/v1/jobs").send().await.json()["data"], json!([]));

    let path = stage.begin(&id, wanted).await;
    let begun = stage.get(&path).send().await.json();
    assert_eq!((&begun["total"], &begun["done"]), (&json!(12), &json!(0)));
    assert_eq!(begun["states"], json!(["dead", "suppressed"]));
    assert_eq!((&begun["types"], &begun["endpoint"]), (&json!(["a.*"]), &json!(id)));
    stage.drive();
    let done = stage.until(&path, is("done")).await;
    assert_eq!((&done["done"], &done["waits_for"]), (&json!(12), &Value::Null));
    assert!(done["ended_at"].is_string());
    let rows = stage.delivered(&id, 12).await;
    assert!(rows.iter().all(|row| row["event"]["type"] != "b" && row["redelivery_of"].is_string()));

    let again = stage.recover(&id, json!({"since": SINCE, "dry_run": true})).await;
    assert_eq!(again.json()["total"], 6, "what has arrived is not recovered again");
    let none = json!({"since": SINCE, "states": ["cancelled"], "dry_run": true});
    assert_eq!(stage.recover(&id, none).await.json()["total"], 0);
    let list = stage.get(&format!("/v1/jobs?endpoint={id}")).send().await.json();
    assert_eq!(list["data"], json!([done]));
}

#[tokio::test]
async fn one_job_recovers_all_endpoints_of_a_tenant_but_one_that_is_disabled() {
    let stage = Stage::ready().await;
    let path = "/v1/tenants/acme/recover";
    let nobody = stage.post(path).json(json!({"since": SINCE})).send().await;
    assert_eq!(nobody.refused(), "409 invalid_state ");
    // Each was disabled while events came, and active while the next ones' came.
    let ids = [stage.missed(2).await, stage.missed(1).await, stage.missed(3).await];
    stage.act(&ids[1], "disable").await;
    let dry = json!({"since": SINCE, "dry_run": true});
    let counted = stage.post(path).json(dry.clone()).send().await;
    assert_eq!((counted.status, counted.json()), (200, json!({"dry_run": true, "total": 18})));
    let begun = stage.post(path).json(json!({"since": SINCE, "rate": 1000})).send().await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_eq!((&begun.json()["endpoint"], &begun.json()["total"]), (&Value::Null, &json!(18)));
    let job = format!("/v1/jobs/{}", begun.json()["id"].as_str().expect("an id"));
    stage.drive();
    let done = stage.until(&job, is("done")).await;
    assert_eq!((&done["done"], &done["left_out"]), (&json!(15), &json!([ids[1]])));
    // The first was active when the others missed theirs.
    for (id, missed, live) in [(&ids[0], 6, 3 + 9), (&ids[2], 9, 0)] {
        let rows = stage.delivered(id, missed + live).await;
        let anew = rows.iter().filter(|row| row["redelivery_of"].is_string()).count();
        assert_eq!(anew, missed);
    }
    stage.act(&ids[1], "enable").await;
    assert_eq!(stage.post(path).json(dry).send().await.json()["total"], 3, "what was left out");
    let list = stage.get(&format!("/v1/jobs?endpoint={}", ids[0])).send().await.json();
    assert_eq!(list["data"], json!([]));
    assert_eq!(stage.get("/v1/jobs?tenant=acme").send().await.json()["data"], json!([done]));
}

#[tokio::test]
async fn a_recovery_is_refused_by_the_member_at_fault() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let rows = [
        (json!({}), "422 missing_field since"),
        (json!({"since": "yesterday"}), "422 invalid_field since"),
        (json!({"since": "2999-01-01T00:00:00Z"}), "422 invalid_field since"),
        (json!({"since": SINCE, "until": SINCE}), "422 invalid_field until"),
        (json!({"since": SINCE, "until": "x"}), "422 invalid_field until"),
        (json!({"since": SINCE, "states": []}), "422 invalid_field states"),
        (json!({"since": SINCE, "states": ["dead", "pending"]}), "422 invalid_field states[1]"),
        (json!({"since": SINCE, "types": []}), "422 invalid_subscription types"),
        (json!({"since": SINCE, "types": ["a*"]}), "422 invalid_subscription types[0]"),
        (json!({"since": SINCE, "rate": 0}), "422 invalid_field rate"),
        (json!({"since": SINCE, "rate": 1001}), "422 invalid_field rate"),
        (json!({"since": SINCE, "speed": 1}), "422 unknown_field speed"),
    ];
    for (body, refused) in rows {
        assert_eq!(stage.recover(&id, body.clone()).await.refused(), refused, "{body}");
    }
    stage.begin(&id, json!({"since": SINCE, "rate": 1000})).await;
    let nowhere = stage.recover("ep_x", json!({"since": SINCE})).await;
    assert_eq!(nowhere.refused(), "404 not_found ");
    stage.act(&id, "disable").await;
    let disabled = stage.recover(&id, json!({"since": SINCE})).await;
    assert_eq!(disabled.refused(), "409 invalid_state ");
    assert!(disabled.text.contains("enable it first"), "{}", disabled.text);
}

#[tokio::test]
async fn a_job_waits_for_a_disabled_endpoint_and_fails_with_a_deleted_one() {
    let stage = Stage::ready().await;
    let id = stage.missed(5).await;
    let path = stage.begin(&id, json!({"since": SINCE, "rate": 10})).await;
    stage.drive();
    stage.until(&path, |job| job["done"].as_u64() > Some(2)).await;
    stage.act(&id, "disable").await;
    let waits = stage.until(&path, |job| job["waits_for"] == "endpoint_disabled").await;
    assert_eq!((&waits["status"], &waits["reason"]), (&json!("running"), &Value::Null));
    stage.act(&id, "enable").await;
    let done = stage.until(&path, is("done")).await;
    assert_eq!((&done["done"], &done["waits_for"]), (&json!(15), &Value::Null));
    stage.delivered(&id, 15).await;

    let other = stage.missed(5).await;
    let path = stage.begin(&other, json!({"since": SINCE, "rate": 5})).await;
    stage.until(&path, |job| job["done"].as_u64() > Some(0)).await;
    let gone = stage.call("DELETE", &format!("/v1/endpoints/{other}")).send().await;
    assert_eq!(gone.status, 204);
    let failed = stage.until(&path, is("failed")).await;
    assert_eq!(failed["reason"], "endpoint_deleted");
}

#[tokio::test]
async fn nothing_is_made_after_a_cancel_was_answered() {
    let stage = Stage::ready().await;
    let id = stage.missed(10).await;
    let path = stage.begin(&id, json!({"since": SINCE, "rate": 20})).await;
    stage.drive();
    stage.until(&path, |job| job["done"].as_u64() > Some(3)).await;
    let cancelled = stage.post(&format!("{path}/cancel")).send().await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (202, &json!("cancelled")));
    let done = cancelled.json()["done"].as_u64().expect("a count");
    assert!((3..30).contains(&done));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage.get(&path).send().await.json(), cancelled.json());
    stage.delivered(&id, usize::try_from(done).expect("few")).await;
    let late = stage.post(&format!("{path}/cancel")).send().await;
    assert_eq!(late.refused(), "409 invalid_state ");
}

/// The server dies after a step was begun, in each place: before it made anything, with a part of
/// the deliveries made, and with all of them made but not counted.
#[tokio::test]
async fn a_step_that_was_broken_off_makes_what_is_missing_and_nothing_twice() {
    for made in [0, 2, 5] {
        let stage = Stage::ready().await;
        let id = stage.missed(4).await;
        let path = stage.begin(&id, json!({"since": SINCE, "rate": 100})).await;
        let mut job = stage.stored(&path).await;
        let query = RecoverableQuery {
            endpoint: job.endpoint,
            recovery: job.recovery.clone(),
            ended_by: job.created_at,
            cursor: EventKey::ZERO,
            limit: 5,
            rows_read: 10_000,
        };
        let page = stage.app.store.recoverable(&query).await.expect("a page");
        job.begin(page.items, page.next, stage.app.now());
        let written = stage.app.store.advance_job(&job, Trace::default(), stage.app.now()).await;
        assert!(written.expect("written"));
        for delivery in &job.step[..made] {
            let (tenant, event) = (job.tenant, delivery.key.event);
            let replay =
                Replay { tenant, event, deliveries: vec![*delivery], trace: Trace::default() };
            stage.app.runner.replay(replay).await.expect("made");
        }
        stage.delivered(&id, made).await;
        stage.drive();
        assert_eq!(stage.until(&path, is("done")).await["done"], 12, "{made}");
        let rows = stage.delivered(&id, 12).await;
        assert!(rows.iter().all(|row| row["attempts"] == 1), "{made}");
        assert_eq!(stage.rows(&format!("endpoint={id}")).await.len(), 24, "each once anew");
    }
}

#[tokio::test]
async fn what_a_person_was_faster_with_is_left_alone() {
    let stage = Stage::ready().await;
    let id = stage.missed(2).await;
    let path = stage.begin(&id, json!({"since": SINCE, "rate": 1000})).await;
    let rows = stage.rows(&format!("endpoint={id}&state=suppressed")).await;
    let retry = format!("/v1/deliveries/{}/retry", rows[0]["id"].as_str().expect("an id"));
    assert_eq!(stage.post(&retry).send().await.status, 202);
    stage.delivered(&id, 1).await;
    stage.drive();
    let done = stage.until(&path, is("done")).await;
    assert_eq!((&done["total"], &done["done"]), (&json!(6), &json!(5)));
    stage.delivered(&id, 6).await;
}

#[tokio::test]
async fn a_recovery_is_repeated_by_its_key_and_not_begun_twice() {
    let stage = Stage::ready().await;
    let id = stage.missed(1).await;
    let path = format!("/v1/endpoints/{id}/recover");
    let call = || {
        let call = stage.post(&path).json(json!({"since": SINCE}));
        call.header("idempotency-key", "once").send()
    };
    let (first, second) = (call().await, call().await);
    assert_eq!((first.status, &first.text), (second.status, &second.text));
    assert_eq!(second.headers["idempotency-replayed"], "true");
    let jobs = stage.get("/v1/jobs").send().await.json();
    assert_eq!(jobs["data"].as_array().map(Vec::len), Some(1));
    let path = format!("/v1/jobs/{}/cancel", first.json()["id"].as_str().expect("an id"));
    let cancel = || stage.post(&path).header("idempotency-key", "end").send();
    let (first, second) = (cancel().await, cancel().await);
    assert_eq!((first.status, &first.text), (202, &second.text));
}

#[tokio::test]
async fn a_tenants_key_sees_and_ends_jobs_of_its_own_only() {
    let stage = Stage::ready().await;
    let made = stage.call("PUT", "/v1/tenants/globex").json(json!({})).send().await;
    assert_eq!(made.status, 201);
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let path = stage.begin(&id, json!({"since": SINCE})).await;
    let key = async |tenant: &str| {
        let scopes = json!(["manage"]);
        let body = json!({"name": "k", "environment": "prod", "tenant": tenant, "scopes": scopes});
        stage.key(body).await
    };
    let (acme, globex) = (key("acme").await, key("globex").await);
    let count = async |key: &str, query: &str| {
        let list = stage.get(&format!("/v1/jobs{query}")).key(key).send().await;
        assert_eq!(list.status, 200, "{}", list.text);
        list.json()["data"].as_array().map(Vec::len)
    };
    let of_endpoint = format!("?endpoint={id}");
    assert_eq!(count(&acme, "").await, Some(1));
    assert_eq!(count(&acme, &of_endpoint).await, Some(1));
    assert_eq!(count(&globex, "").await, Some(0));
    assert_eq!(count(&globex, &of_endpoint).await, Some(0));
    let cancel = format!("{path}/cancel");
    let recover = format!("/v1/endpoints/{id}/recover");
    for (method, path) in [("GET", &path), ("POST", &cancel), ("POST", &recover)] {
        let body = if path.ends_with("recover") { json!({"since": SINCE}) } else { json!({}) };
        let call = stage.call(method, path);
        let call = if method == "POST" { call.json(body) } else { call };
        assert_eq!(call.key(&globex).send().await.refused(), "404 not_found ", "{method} {path}");
    }
    let reader = json!({"name": "r", "environment": "prod", "tenant": "acme", "scopes": ["read"]});
    let reader = stage.key(reader).await;
    assert_eq!(stage.get(&path).key(&reader).send().await.status, 200);
    assert_eq!(stage.post(&cancel).key(&reader).send().await.status, 403);
    assert_eq!(stage.post(&cancel).key(&acme).send().await.status, 202);
}

#[tokio::test]
async fn jobs_hold_at_the_limit_of_their_tenant_and_make_room_as_they_end() {
    let stage = Stage::ready().await;
    let id = stage.endpoint(json!({"url": "https://a.example/h", "types": ["*"]})).await;
    let mut paths = Vec::new();
    for _ in 0..stage.app.limits.jobs_per_tenant {
        paths.push(stage.begin(&id, json!({"since": SINCE})).await);
    }
    let refused = stage.recover(&id, json!({"since": SINCE})).await;
    assert_eq!(refused.refused(), "409 too_many_jobs ");
    assert_eq!(stage.post(&format!("{}/cancel", paths[0])).send().await.status, 202);
    stage.begin(&id, json!({"since": SINCE})).await;
    let page = stage.get("/v1/jobs?limit=15").send().await.json();
    let next = page["next"].as_str().expect("a cursor");
    let rest = stage.get(&format!("/v1/jobs?limit=15&cursor={next}")).send().await.json();
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["next"]), (Some(6), &Value::Null));
}
