//! Sources over days: for how long a request is known, and for how long a secret is believed.

use super::stage::Stage;
use angarium_core::time::Timestamp;
use angarium_server::clock::{Clock, SystemClock};
use async_trait::async_trait;
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The system's clock, so many seconds ahead.
#[derive(Debug, Default)]
struct Ahead(AtomicU64);

impl Ahead {
    fn pass(&self, span: Duration) {
        self.0.fetch_add(span.as_secs(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A source, the server that it is of, and the server's clock.
struct Scene {
    clock: Arc<Ahead>,
    stage: Stage,
    source: Value,
}

impl Scene {
    async fn with(members: Value) -> Self {
        let clock = Arc::new(Ahead::default());
        let stage = Stage::ready_by(clock.clone()).await;
        let mut body = json!({"name": "n", "scheme": "github", "secret": "first"});
        body.as_object_mut().expect("an object").extend(members.as_object().expect("one").clone());
        let made =
            stage.post("/v1/tenants/acme/sources").json(body).header("host", "h").send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        Self { clock, stage, source: made.json() }
    }

    fn id(&self) -> &str {
        self.source["id"].as_str().expect("an id")
    }

    async fn send(&self, body: &str, secret: &str) -> u16 {
        let tag =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
        let call = self.stage.post(&format!("/in/{}", self.id())).text(body.to_owned());
        let signature = format!("sha256={}", hex::encode(tag));
        let call = call.header("host", "h").header("x-hub-signature-256", &signature);
        call.without("authorization").send().await.status
    }

    async fn events(&self) -> usize {
        let path = format!("/v1/events?tenant=acme&subject={}", self.id());
        self.stage.get(&path).send().await.json()["data"].as_array().map_or(0, Vec::len)
    }
}

#[tokio::test]
async fn a_request_is_known_for_as_long_as_its_source_says_and_then_it_is_another_event() {
    let scene = Scene::with(json!({"dedupe": "1d"})).await;
    let mut events = 0;
    // Hours after the first: whether it is an event then. One that is known does not prolong it.
    for (hour, is_new) in
        [(0, true), (1, false), (23, false), (25, true), (26, false), (48, false), (50, true)]
    {
        let passed = Duration::from_secs(scene.clock.0.load(Ordering::SeqCst));
        scene.clock.pass(HOUR * hour - passed);
        assert_eq!(scene.send("{}", "first").await, 200, "after {hour} hours");
        events += usize::from(is_new);
        assert_eq!(scene.events().await, events, "after {hour} hours");
    }
}

#[tokio::test]
async fn a_replaced_secret_is_believed_until_its_overlap_ends() {
    let scene = Scene::with(json!({})).await;
    let rotate = scene.stage.post(&format!("/v1/sources/{}/rotate-secret", scene.id()));
    let body = json!({"secret": "second", "overlap": "1d"});
    let rotated = rotate.json(body).header("host", "h").send().await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    assert_eq!((scene.send("1", "first").await, scene.send("2", "second").await), (200, 200));
    scene.clock.pass(DAY - HOUR);
    assert_eq!(scene.send("3", "first").await, 200);
    scene.clock.pass(HOUR);
    assert_eq!((scene.send("4", "first").await, scene.send("5", "second").await), (401, 200));
}

#[tokio::test]
async fn a_source_that_forwards_is_changed_without_waiting_for_itself() {
    let stage = Stage::ready().await;
    // Turns are shared by chance: with so many sources it would be one of them.
    for tenant in ["a", "b", "c", "d"] {
        stage.call("PUT", &format!("/v1/tenants/{tenant}")).json(json!({})).send().await;
        for n in 0..100 {
            let new = json!({"name": "n", "scheme": "github", "forward_url": "https://a.example/"});
            let path = format!("/v1/tenants/{tenant}/sources");
            let made = stage.post(&path).json(new).header("host", "h").send().await;
            assert_eq!(made.status, 201, "{}", made.text);
            let path = format!("/v1/sources/{}", made.json()["id"].as_str().expect("an id"));
            let change = stage.call("PATCH", &path).json(json!({"name": "another"}));
            let changing = change.header("host", "h").send();
            let changed = tokio::time::timeout(Duration::from_secs(5), changing).await;
            assert!(changed.is_ok_and(|answer| answer.status == 200), "source {n} of {tenant}");
        }
    }
}
