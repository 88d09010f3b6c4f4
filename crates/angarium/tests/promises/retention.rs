//! What is of age goes, from the files too; what people erase is gone at once; a clock that has
//! jumped is not believed.

use crate::support::client::Api;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, executable};
use crate::support::shop::{Shop, metric, text};
use crate::support::wall::Wall;
use crate::support::{eventually, figure, rounds};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
/// What nobody else writes.
const DATA: &str = "canary-of-the-data-7f3a";
const ANSWER: &str = "canary-of-the-answer-51c8";
const SUBJECT: &str = "canary-of-the-subject-e02d";

/// A platform on a clock that the test sets between two runs.
struct Stage {
    wall: Wall,
    server: Option<Server>,
    api: Api,
    data: PathBuf,
    off: i64,
    _folder: TempDir,
}

impl Stage {
    fn open(retention: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let wall = Wall::new(folder.path().join("clock"));
        let data = folder.path().join("data");
        let server = wall.start(&data).run();
        let api = server.admin().with("angarium-environment", "shop");
        let environment =
            json!({"slug": "shop", "contracts": ["standard"], "retention": retention});
        api.post("/v1/environments", &environment).expect(201);
        api.put("/v1/tenants/acme", &json!({})).expect(201);
        Self { wall, server: Some(server), api, data, off: 0, _folder: folder }
    }

    /// Ends the process, sets the clock forward, and starts another.
    fn later(&mut self, seconds: i64) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
        self.off += seconds;
        self.wall.jump_to(self.off);
        let server = self.wall.start(&self.data).run();
        self.api = server.admin().with("angarium-environment", "shop");
        self.server = Some(server);
    }

    fn event(&self, id: &str) -> Value {
        self.api.get(&format!("/v1/events/{id}?tenant=acme")).expect(200)
    }

    fn removed(&self, part: &str) -> u64 {
        metric(&self.api, &format!("angarium_removed_events_total{{part=\"{part}\"}}"))
    }
}

/// How often a text stands in the database and its log.
fn hits(data: &Path, text: &str) -> usize {
    let count = |file: &str| {
        let bytes = std::fs::read(data.join(file)).unwrap_or_default();
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    };
    count("angarium.db") + count("angarium.db-wal")
}

fn publish(api: &Api, id: &str, kind: &str) -> Value {
    let data = json!({"note": DATA, "more": "x".repeat(20_000)});
    let event = json!({"tenant": "acme", "id": id, "type": kind, "subject": SUBJECT, "data": data});
    api.post("/v1/events", &event).expect(202)
}

fn deliveries(api: &Api, id: &str) -> Vec<Value> {
    api.list(&format!("/v1/deliveries?tenant=acme&event={id}"))
}

fn state(api: &Api, id: &str) -> String {
    let all = deliveries(api, id);
    all.first().map(|delivery| text(delivery, "state").to_owned()).unwrap_or_default()
}

#[test]
fn each_part_goes_at_its_age_from_the_files_too_and_not_before() {
    let mut stage = Stage::open(&json!({"payload": "1h", "attempts": "2h", "metadata": "1d"}));
    let answers = |_: &_| Reply::Headed(200, format!("webhook-answer: {ANSWER}\r\n"));
    let receiver = Receiver::scripted(answers);
    let endpoints = "/v1/tenants/acme/endpoints";
    let body = json!({"url": receiver.url("/"), "types": ["paid"]});
    stage.api.post(endpoints, &body).expect(201);
    let body = json!({"url": receiver.url("/"), "types": ["waits"], "status": "paused"});
    stage.api.post(endpoints, &body).expect(201);
    publish(&stage.api, "paid-1", "paid");
    publish(&stage.api, "waits-1", "waits");
    eventually("it is delivered", SOON, || state(&stage.api, "paid-1") == "delivered");

    stage.later(59 * MINUTE);
    std::thread::sleep(Duration::from_millis(300));
    assert!(stage.event("paid-1")["data"].is_object(), "not before its age");

    stage.later(59 * MINUTE);
    eventually("the payloads go", SOON, || stage.event("waits-1")["expired_at"].is_string());
    for id in ["paid-1", "waits-1"] {
        let event = stage.event(id);
        assert!(event["data"].is_null() && event["subject"] == SUBJECT, "{event}");
        let refused = stage.api.post(&format!("/v1/events/{id}/replay?tenant=acme"), &json!({}));
        assert_eq!((refused.status, refused.code()), (410, "payload_expired"));
    }
    let dead = deliveries(&stage.api, "waits-1");
    assert_eq!((&dead[0]["state"], &dead[0]["reason"]), (&json!("dead"), &json!("expired")));
    let path = format!("/v1/deliveries/{}/retry", text(&dead[0], "id"));
    assert_eq!(stage.api.post(&path, &json!({})).code(), "payload_expired");
    eventually("it is told", SOON, || {
        let told = stage.api.list("/v1/notices?type=angarium.delivery.dead_lettered");
        told.iter().any(|notice| notice["data"]["reason"] == "expired")
    });
    assert_eq!(publish(&stage.api, "paid-1", "paid")["duplicate"], true, "it is still known");
    eventually("the data leaves the files", SOON, || hits(&stage.data, DATA) == 0);
    assert!(hits(&stage.data, ANSWER) > 0, "attempts have an age of their own");

    stage.later(59 * MINUTE);
    eventually("the attempts go", SOON, || stage.removed("attempts") >= 1);
    eventually("the answers leave the files", SOON, || hits(&stage.data, ANSWER) == 0);
    let delivered = deliveries(&stage.api, "paid-1");
    assert_eq!(delivered[0]["last"]["status"], 200, "how it ended stays");

    // A day at once: the clock is not believed before another day has gone by.
    stage.later(25 * HOUR);
    eventually("the clock is doubted", SOON, || {
        metric(&stage.api, "angarium_retention_clock_doubted") == 1
    });
    assert_eq!(stage.event("paid-1")["id"], "paid-1", "nothing goes meanwhile");
    stage.later(24 * HOUR);
    eventually("the rest goes", SOON, || {
        stage.api.get("/v1/events/paid-1?tenant=acme").status == 404
    });
    eventually("the subject leaves the files", SOON, || hits(&stage.data, SUBJECT) == 0);
    assert_eq!(publish(&stage.api, "paid-1", "paid")["duplicate"], false, "it is a new one");
}

#[test]
fn a_sweep_that_is_broken_off_goes_on_after_a_restart() {
    let events = rounds("SWEPT_EVENTS", 6_000);
    let mut stage = Stage::open(&json!({"payload": "1h", "attempts": "1h", "metadata": "1d"}));
    for batch in 0..events / 1_000 {
        let event = |n: u64| {
            let id = format!("e-{batch}-{n}");
            json!({"tenant": "acme", "id": id, "type": "t", "data": {"note": DATA}})
        };
        let events: Vec<_> = (0..1_000).map(event).collect();
        stage.api.post("/v1/events/batch", &json!({"events": events})).expect(202);
    }
    eventually("they are indexed", SOON, || metric(&stage.api, "angarium_stored_events") >= events);
    std::thread::sleep(Duration::from_secs(4));
    stage.later(59 * MINUTE);
    stage.later(59 * MINUTE);
    let begun = Instant::now();
    eventually("some are removed", SOON, || stage.removed("payload") > 0);
    let before = stage.removed("payload");
    stage.later(1);
    eventually("the data leaves the files", SOON, || hits(&stage.data, DATA) == 0);
    let took = begun.elapsed();
    let steps = metric(&stage.api, "angarium_sweep_seconds_total");
    assert!(before < events, "it was broken off: {before} of {events}");
    assert_eq!(stage.event("e-0-0")["data"], Value::Null);
    figure(format_args!(
        "retention: {events} payloads removed across a kill in {took:.1?} (steps of {steps} s); \
         hits of the canary in the files 0"
    ));
}

#[test]
fn an_erased_event_is_gone_at_the_answer_and_its_id_is_still_known() {
    let shop = Shop::open();
    let answers = |_: &_| Reply::Headed(500, format!("webhook-answer: {ANSWER}\r\n"));
    let receiver = Receiver::scripted(answers);
    shop.endpoint_for_all(&receiver.url("/"), &["1h"]);
    publish(&shop.api, "order-1", "paid");
    eventually("it is tried", SOON, || !receiver.seen().is_empty());
    let erased = shop.api.delete("/v1/events/order-1?tenant=acme");
    assert_eq!(erased.status, 204, "{}", erased.body);
    for canary in [DATA, ANSWER, SUBJECT] {
        assert_eq!(hits(&shop.data(), canary), 0, "{canary}");
    }
    let event = shop.api.get("/v1/events/order-1?tenant=acme").expect(200);
    assert!(event["erased_at"].is_string(), "{event}");
    for member in ["data", "subject", "key"] {
        assert!(event[member].is_null(), "{event}");
    }
    let ended = shop.deliveries("order-1");
    assert_eq!(ended[0]["state"], "cancelled");
    let refused = shop.api.post("/v1/events/order-1/replay?tenant=acme", &json!({}));
    assert_eq!((refused.status, refused.code()), (410, "event_erased"));
    assert_eq!(publish(&shop.api, "order-1", "paid")["duplicate"], true);
    let other = json!({"tenant": "acme", "id": "order-1", "type": "other", "data": 1});
    assert_eq!(shop.try_publish(&other).code(), "event_id_conflict");
    assert_eq!(shop.api.delete("/v1/events/order-1?tenant=acme").status, 204, "once more");
    assert_eq!(shop.api.delete("/v1/events/nothing?tenant=acme").code(), "not_found");
    let log = shop.api.list("/v1/audit?action=event.erase");
    assert_eq!(log[0]["object"], json!({"kind": "event", "id": "order-1"}));
    assert_eq!(hits(&shop.data(), SUBJECT), 0, "not in the log either");
}

#[test]
fn an_attempt_under_way_is_waited_for_and_leaves_nothing() {
    let shop = Shop::open();
    let receiver = Receiver::scripted(|_| Reply::Late(Duration::from_secs(1), 500));
    shop.endpoint_for_all(&receiver.url("/"), &["1s", "1s"]);
    publish(&shop.api, "order-1", "paid");
    eventually("it is under way", SOON, || !receiver.seen().is_empty());
    assert_eq!(shop.api.delete("/v1/events/order-1?tenant=acme").status, 204);
    assert_eq!(shop.deliveries("order-1")[0]["state"], "cancelled");
    let told = shop.api.list("/v1/audit?action=delivery.cancel");
    assert_eq!(told.len(), 1, "what erasing cancels is told: {told:?}");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(receiver.seen().len(), 1, "nothing follows");
    assert_eq!(hits(&shop.data(), DATA), 0);
}

#[test]
fn a_subjects_events_are_erased_through_a_restart_and_nobody_elses() {
    let shop = Shop::open();
    let receiver = Receiver::scripted(|_| Reply::Status(500));
    shop.endpoint_for_all(&receiver.url("/"), &["1h"]);
    for n in 0..30 {
        publish(&shop.api, &format!("hers-{n}"), "paid");
        let event = json!({"tenant": "acme", "id": format!("his-{n}"), "type": "paid",
                           "subject": "bert", "data": {"note": "kept"}});
        shop.try_publish(&event).expect(202);
    }
    let begun = shop.api.post("/v1/tenants/acme/erasures", &json!({"subject": SUBJECT}));
    let begun = begun.expect(202);
    let shop = shop.restarted(Server::kill);
    let path = format!("/v1/erasures/{}", text(&begun, "id"));
    eventually("everything is erased", SOON, || {
        shop.api.get(&path).expect(200)["status"] == "done"
    });
    let done = shop.api.get(&path).expect(200);
    assert_eq!(done["erased"], 30, "{done}");
    for n in 0..30 {
        let event =
            |name: &str| shop.api.get(&format!("/v1/events/{name}-{n}?tenant=acme")).expect(200);
        assert!(event("hers")["erased_at"].is_string());
        assert_eq!(event("his")["data"], json!({"note": "kept"}));
    }
    for canary in [DATA, SUBJECT] {
        eventually("it leaves the files", SOON, || hits(&shop.data(), canary) == 0);
    }
    assert_eq!(shop.api.list("/v1/tenants/acme/erasures"), [done]);
    assert_eq!(shop.api.list("/v1/audit?action=tenant.erase").len(), 1);
    assert_eq!(shop.api.list("/v1/audit?action=delivery.cancel").len(), 30);
    let bad = shop.api.post("/v1/tenants/acme/erasures", &json!({"subject": ""}));
    assert_eq!((bad.code(), bad.field()), ("invalid_field", Some("subject")));
}

#[test]
fn of_a_deleted_tenant_nothing_is_left_in_the_files() {
    let shop = Shop::open();
    let answers = |_: &_| Reply::Headed(200, format!("webhook-answer: {ANSWER}\r\n"));
    let receiver = Receiver::scripted(answers);
    shop.endpoint_for_all(&receiver.url("/"), &["1h"]);
    for n in 0..20 {
        publish(&shop.api, &format!("order-{n}"), "paid");
    }
    shop.tenant("globex");
    let theirs = json!({"tenant": "globex", "id": "kept", "type": "t", "data": {"a": 1}});
    shop.try_publish(&theirs).expect(202);
    eventually("they arrive", SOON, || receiver.seen().len() == 20);
    assert_eq!(shop.api.delete("/v1/tenants/acme").status, 204);
    assert_eq!(shop.api.get("/v1/events/order-1?tenant=acme").status, 404, "at once");
    assert!(shop.api.list("/v1/events").iter().all(|event| event["tenant"] != "acme"));
    for canary in [DATA, ANSWER, SUBJECT] {
        eventually("it leaves the files", SOON, || hits(&shop.data(), canary) == 0);
    }
    assert_eq!(shop.api.get("/v1/events/kept?tenant=globex").expect(200)["data"], json!({"a": 1}));
}

#[test]
fn ages_are_checked_shown_changed_and_told() {
    let shop = Shop::open();
    let shown =
        |shop: &Shop| shop.api.get("/v1/environments/shop").expect(200)["retention"].clone();
    let usual = json!({"payload": "30d", "attempts": "30d", "metadata": "90d", "audit": null});
    assert_eq!(shown(&shop), usual);
    let change = |retention: Value| {
        shop.api.patch("/v1/environments/shop", &json!({"retention": retention}))
    };
    change(json!({"payload": "12h", "audit": "400d"})).expect(200);
    let set = json!({"payload": "12h", "attempts": "30d", "metadata": "90d", "audit": "400d"});
    assert_eq!(shown(&shop), set);
    for (bad, field) in [
        (json!({"payload": "30m"}), "retention.payload"),
        (json!({"metadata": "1h"}), "retention.metadata"),
        (json!({"payload": "9d", "metadata": "8d"}), "retention.metadata"),
        (json!({"audit": "9999999d"}), "retention.audit"),
        (json!({"payload": "a month"}), "retention.payload"),
        (json!({"payload": null, "metadata": "90d"}), "retention.metadata"),
    ] {
        let refused = change(bad);
        assert_eq!((refused.status, refused.field()), (422, Some(field)), "{}", refused.body);
    }
    assert_eq!(shown(&shop), set, "nothing of it");
    let log = shop.api.list("/v1/audit?action=environment.update");
    let told = json!({"member": "retention.payload", "old": null, "new": "12h"});
    assert!(log[0]["changes"].as_array().is_some_and(|all| all.contains(&told)), "{log:?}");
    change(json!({"payload": null, "attempts": "7d"})).expect(200);
    let for_ever = json!({"payload": null, "attempts": "7d", "metadata": null, "audit": null});
    assert_eq!(shown(&shop), for_ever, "what is left of an event stays as long as its payload");
    change(Value::Null).expect(200);
    assert_eq!(shown(&shop), usual);
}

#[test]
fn commands_erase_and_set_ages() {
    let shop = Shop::open();
    publish(&shop.api, "order-1", "paid");
    publish(&shop.api, "order-2", "paid");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(executable());
        command.args(arguments).env("ANGARIUM_URL", format!("http://{}", shop.server.address));
        command.env("ANGARIUM_ENVIRONMENT", "shop");
        command.env("ANGARIUM_KEY", crate::support::server::ADMIN_KEY);
        let output = command.output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        assert!(output.status.success(), "{}", text(output.stderr));
        text(output.stdout)
    };
    let ages = r#"{"payload":"7d"}"#;
    run(&["environment", "update", "shop", "--retention", ages]);
    assert_eq!(shop.api.get("/v1/environments/shop").expect(200)["retention"]["payload"], "7d");
    run(&["event", "erase", "order-1", "--tenant", "acme"]);
    assert!(shop.api.get("/v1/events/order-1?tenant=acme").expect(200)["erased_at"].is_string());
    let done = run(&["tenant", "erase", "acme", "--subject", SUBJECT, "--watch", "--json"]);
    assert!(done.contains("\"done\""), "{done}");
    assert!(shop.api.get("/v1/events/order-2?tenant=acme").expect(200)["erased_at"].is_string());
    assert!(run(&["tenant", "erasures", "acme"]).contains("ers_"));
}
