//! Notices: what stops is told, once, through a kill, and never by a flood.

use crate::support::client::Api;
use crate::support::eventually;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{ADMIN_KEY, Server};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
/// Longer than it takes until a notice is stored; what comes not in this time does not come.
const A_WHILE: Duration = Duration::from_secs(3);

const DISABLED: &str = "angarium.endpoint.disabled";
const FAILING: &str = "angarium.endpoint.failing";
const RECOVERED: &str = "angarium.endpoint.recovered";
const DEAD_LETTERED: &str = "angarium.delivery.dead_lettered";
const BACKLOG_GROWING: &str = "angarium.backlog.growing";
const KEY_ROTATED: &str = "angarium.key.rotated";

/// By this header `anduin-legacy` asks whether a URL is a receiver's.
const VALIDATION: &str = "x-anduin-webhook-validation-key";

/// A receiver whose answer can be changed while it runs.
struct Moody {
    receiver: Receiver,
    status: Arc<AtomicU16>,
}

impl Moody {
    fn answering(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let says = Arc::clone(&status);
        let receiver = Receiver::scripted(move |request| match request.header(VALIDATION) {
            Some(_) => Reply::Echo(VALIDATION.to_owned()),
            None => Reply::Status(says.load(Ordering::SeqCst)),
        });
        Self { receiver, status }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// The notices of a type, newest first.
fn notices(shop: &Shop, kind: &str) -> Vec<Value> {
    shop.api.list(&format!("/v1/notices?type={kind}"))
}

/// The only notice of a type, once it is there; after a while it is still the only one.
#[track_caller]
fn the_only(shop: &Shop, kind: &str) -> Value {
    eventually(kind, SOON, || !notices(shop, kind).is_empty());
    std::thread::sleep(A_WHILE);
    let mut all = notices(shop, kind);
    assert_eq!(all.len(), 1, "{kind}: {all:?}");
    all.remove(0)
}

/// An endpoint of the operator, for all notices.
fn operator_endpoint(shop: &Shop, url: &str) -> Value {
    let body = json!({"url": url, "types": ["angarium.*"]});
    shop.api.post("/v1/tenants/angarium/endpoints", &body).expect(201)
}

/// Publishes so many events; to a receiver that refuses each is a dead letter after one attempt.
fn publish_many(shop: &Shop, events: usize) {
    let event = json!({"tenant": "acme", "type": "order.paid", "data": 1});
    for _ in 0..events.div_ceil(1_000) {
        let batch = json!({"events": vec![event.clone(); events.min(1_000)]});
        shop.api.post("/v1/events/batch", &batch).expect(202);
    }
}

#[test]
fn an_endpoint_that_fails_is_told_once_and_once_that_it_works_again() {
    let shop = Shop::open();
    let (bad, ops) = (Moody::answering(500), Receiver::kind());
    operator_endpoint(&shop, &ops.url("/ops"));
    let endpoint = shop.endpoint_for_all(&bad.receiver.url("/"), &[]);
    publish_many(&shop, 20);
    let failing = the_only(&shop, FAILING);
    assert_eq!(failing["endpoint"], endpoint["id"]);
    assert_eq!(failing["tenant"], "acme");
    let now = &failing["data"]["endpoint"];
    assert_eq!((&now["last_failure_status"], &now["status"]), (&json!(500), &json!("active")));
    assert!(now["consecutive_failures"].as_u64() >= Some(10), "{failing}");
    assert!(failing["data"]["since"].is_string() && failing["data"]["waiting"].is_u64());
    assert!(notices(&shop, RECOVERED).is_empty());

    bad.answers(200);
    shop.publish("order.paid", &json!(2));
    let recovered = the_only(&shop, RECOVERED);
    assert_eq!(recovered["data"]["since"], failing["data"]["since"]);
    bad.answers(500);
    publish_many(&shop, 12);
    eventually("the next incident", SOON, || notices(&shop, FAILING).len() == 2);

    // The operator's endpoint got each of them once, signed, under the id that the list shows.
    let listed = shop.api.list("/v1/notices").len();
    let seen = ops.wait_for(listed, SOON);
    let mut ids: Vec<_> = seen.iter().filter_map(|m| m.header("webhook-id")).collect();
    assert!(seen.iter().all(|message| message.header("webhook-signature").is_some()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), seen.len(), "none came twice");
    assert!(ids.contains(&text(&failing, "id")));
}

#[test]
fn a_disabled_endpoint_is_told_once_through_kills_and_changes() {
    let mut shop = Shop::open();
    let contracts = json!({"contracts": ["anduin-legacy"]});
    shop.api.patch("/v1/environments/shop", &contracts).expect(200);
    let bad = Moody::answering(500);
    let (url, kind) = (bad.receiver.url("/"), "fundSubscription.signed");
    let body = json!({"url": url, "types": [kind], "delivery": {"retries": []}});
    let endpoint = shop.endpoint(&body);
    let path = format!("/v1/endpoints/{}", text(&endpoint, "id"));
    (0..5).for_each(|n| drop(shop.publish(kind, &json!(n))));
    eventually("it is disabled", SOON, || shop.api.get(&path).expect(200)["status"] == "disabled");
    // At once: the notice may have been published or not.
    shop = killed(shop);
    let told = the_only(&shop, DISABLED);
    assert_eq!(told["endpoint"], endpoint["id"]);
    assert_eq!(told["data"]["reason"], "3 deliveries in a row failed");
    shop.api.patch(&path, &json!({"description": "it is being moved"})).expect(200);
    shop = killed(shop);
    assert_eq!(the_only(&shop, DISABLED), told, "the same notice");

    bad.answers(200);
    shop.api.post(&format!("{path}/enable"), &json!({})).expect(200);
    shop.publish(kind, &json!(6));
    eventually("it works", SOON, || {
        shop.api.get(&path).expect(200)["health"]["consecutive_failures"] == 0
    });
    shop = killed(shop);
    the_only(&shop, RECOVERED);
    shop.api.post(&format!("{path}/disable"), &json!({})).expect(200);
    eventually("it is told by whom", SOON, || {
        notices(&shop, DISABLED).first().is_some_and(|n| n["data"]["reason"] == "by a call")
    });
}

/// After kill -9, on the same data.
fn killed(shop: Shop) -> Shop {
    shop.restarted(Server::kill)
}

#[test]
fn a_flood_of_dead_letters_is_told_by_few_notices_that_count_the_others() {
    const DEAD: usize = 2_000;
    let shop = Shop::open();
    let bad = Receiver::unrecorded(|_| Reply::Status(400));
    shop.endpoint_for_all(&bad.url("/"), &[]);
    publish_many(&shop, DEAD);
    let told = || notices(&shop, DEAD_LETTERED);
    let counted = || -> u64 {
        told().iter().map(|notice| 1 + notice["data"]["left_out"].as_u64().unwrap_or(0)).sum()
    };
    let all = u64::try_from(DEAD).expect("few");
    eventually("every dead letter is told or counted", Duration::from_secs(240), || {
        counted() == all
    });
    let told = told();
    println!("{DEAD} dead letters, {} notices", told.len());
    assert!(told.len() <= 40, "{} notices", told.len());
    let first = told.last().expect("a notice");
    let delivery = text(&first["data"], "delivery");
    let dead = shop.api.get(&format!("/v1/deliveries/{delivery}")).expect(200);
    assert_eq!(dead["state"], "dead");
}

#[test]
fn an_endpoint_that_falls_behind_is_told_once_and_a_paused_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("angarium.toml");
    std::fs::write(&config, "[limits]\nbacklog_seconds = 2\n").expect("a file");
    let shop = Shop::open_with(|start| start.argument(&format!("--config={}", config.display())));
    let slow = Receiver::scripted(|_| Reply::Late(Duration::from_millis(400), 200));
    let body = json!({"url": slow.url("/"), "types": ["*"], "concurrency": 1});
    let (behind, paused) = (shop.endpoint(&body), shop.endpoint(&body));
    let pause = format!("/v1/endpoints/{}/pause", text(&paused, "id"));
    shop.api.post(&pause, &json!({})).expect(200);
    publish_many(&shop, 20);
    let growing = the_only(&shop, BACKLOG_GROWING);
    assert_eq!((&growing["endpoint"], &growing["tenant"]), (&behind["id"], &json!("acme")));
    assert!(text(&growing["data"], "message").contains("falls behind"), "{growing}");
    assert!(growing["data"]["waited_seconds"].as_u64() >= Some(2), "{growing}");
    eventually("the backlog is gone", SOON, || slow.count() == 20);
    publish_many(&shop, 20);
    eventually("the next one", SOON, || notices(&shop, BACKLOG_GROWING).len() == 2);
}

#[test]
fn a_rotated_key_is_told_once_and_its_secret_is_not() {
    let mut shop = Shop::open();
    let endpoint = shop.endpoint_for_all(&Receiver::kind().url("/"), &[]);
    let path = format!("/v1/endpoints/{}/rotate-secret", text(&endpoint, "id"));
    let rotated = shop.api.post(&path, &json!({})).expect(200);
    shop = killed(shop);
    let told = the_only(&shop, KEY_ROTATED);
    assert_eq!(told["endpoint"], endpoint["id"]);
    let secret = text(&rotated, "secret");
    assert!(!told.to_string().contains(secret.trim_start_matches("whsec_")));
}

#[test]
fn nothing_is_told_of_what_notices_themselves_bring_about() {
    let shop = Shop::open();
    let (bad, deaf) = (Moody::answering(500), Moody::answering(400));
    let body = json!({"url": deaf.receiver.url("/"), "types": ["*"], "delivery": {"retries": []}});
    let operators = shop.api.post("/v1/tenants/angarium/endpoints", &body).expect(201);
    assert_eq!(operators["contract"], "standard");
    shop.endpoint_for_all(&bad.receiver.url("/"), &[]);
    publish_many(&shop, 25);
    eventually("notices are given up", SOON, || {
        shop.api.list("/v1/deliveries?tenant=angarium&state=dead").len() > 3
    });
    std::thread::sleep(A_WHILE);
    let about = shop.api.list("/v1/notices?tenant=angarium");
    assert!(about.is_empty(), "{about:?}");
    let path = format!("/v1/endpoints/{}/disable", text(&operators, "id"));
    shop.api.post(&path, &json!({})).expect(200);
    let told = the_only(&shop, DISABLED);
    assert_eq!((&told["tenant"], &told["endpoint"]), (&json!("angarium"), &operators["id"]));
}

#[test]
fn the_operator_is_built_in() {
    let shop = Shop::open();
    let operator = shop.api.get("/v1/tenants/angarium").expect(200);
    assert_eq!(operator["id"], "angarium");
    let listed = shop.api.list("/v1/tenants");
    assert!(listed.iter().all(|tenant| tenant["id"] != "angarium"), "it is no customer");
    let refused = [
        shop.api.delete("/v1/tenants/angarium"),
        shop.api.put("/v1/tenants/angarium", &json!({"name": "mine"})),
        shop.try_publish(&json!({"tenant": "angarium", "type": FAILING, "data": {}})),
    ];
    for answer in refused {
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{}", answer.body);
    }
    let key = json!({"name": "acme", "environment": "shop", "tenant": "acme",
        "scopes": ["read", "manage"]});
    let key = shop.api.post("/v1/keys", &key).expect(201);
    let acme = Api::new(&shop.server.address, text(&key, "key"));
    assert_eq!(acme.get("/v1/notices").status, 404, "another tenant's key");

    let printed = Command::new(env!("CARGO_BIN_EXE_angarium"))
        .args(["notice", "list", "--json"])
        .env("ANGARIUM_URL", format!("http://{}", shop.server.address))
        .env("ANGARIUM_KEY", ADMIN_KEY)
        .env("ANGARIUM_ENVIRONMENT", "shop")
        .output()
        .expect("the program runs");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));

    operator_endpoint(&shop, &Receiver::kind().url("/"));
    assert_eq!(shop.api.delete("/v1/environments/shop").code(), "in_use", "acme is there");
    shop.api.delete("/v1/tenants/acme").expect(204);
    shop.api.delete("/v1/environments/shop").expect(204);
}
