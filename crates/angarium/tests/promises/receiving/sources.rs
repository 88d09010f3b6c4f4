//! Sources and what can be done with them.

use super::SOON;
use crate::support::client::{Api, Connection};
use crate::support::dice::Dice;
use crate::support::receiver::{Receiver, Reply};
use crate::support::sender::{SECRET, Sender};
use crate::support::server::Server;
use crate::support::shop::{Shop, text};
use crate::support::{eventually, rounds};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

fn path(sender: &Sender) -> String {
    format!("/v1/sources/{}", sender.id())
}

#[test]
fn a_mistake_is_told_by_the_member_at_fault_and_nothing_is_made() {
    let shop = Shop::open();
    let good = json!({"name": "n", "scheme": "github", "secret": SECRET});
    let cases = [
        ("name", json!("")),
        ("scheme", json!("githup")),
        ("scheme", json!({"signature": []})),
        ("secret", json!("")),
        ("types", json!(["a b"])),
        ("forward_url", json!("ftp://a")),
        ("forward_url", json!("http://169.254.1.1/")),
        ("reply", json!({"status": 500})),
        ("reply", json!({"status": 200, "body": "x".repeat(5_000)})),
        ("headers", json!(["a b"])),
        ("headers", json!(["Authorization"])),
        ("headers", json!(vec!["x"; 33])),
        ("dedupe", json!("1s")),
        ("dedupe", json!("soon")),
        ("status", json!("on")),
        ("colour", json!("red")),
    ];
    for (member, value) in cases {
        let mut body = good.clone();
        body[member] = value.clone();
        let answer = shop.api.post("/v1/tenants/acme/sources", &body);
        assert_eq!(answer.status / 100, 4, "{member} {value}: {}", answer.body);
        let field = answer.field().unwrap_or_default();
        assert!(field.starts_with(member), "{member} {value}: {}", answer.body);
    }
    let key = json!({"name": "n", "scheme": "discord"});
    let answer = shop.api.post("/v1/tenants/acme/sources", &key);
    assert_eq!(answer.field(), Some("secret"), "Discord has a key pair: {}", answer.body);
    assert!(shop.api.list("/v1/sources").is_empty());
    assert!(shop.api.list("/v1/endpoints").is_empty(), "nor what would forward");
}

#[test]
fn a_secret_is_shown_once_and_changes_at_once_or_with_an_overlap() {
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    assert_eq!(text(&sender.source, "secret"), SECRET);
    let shown = shop.api.get(&path(&sender)).expect(200);
    assert!(!shown.to_string().contains(SECRET) && shown.get("secret").is_none());
    let send = |secret: &str, body: &[u8]| {
        let caller = sender.signed("push", body, secret);
        caller.call("POST", &format!("/in/{}", sender.id()), Some(body)).status
    };
    let rotate = |body: &Value| {
        let made = shop.api.post(&format!("{}/rotate-secret", path(&sender)), body).expect(200);
        text(&made, "secret").to_owned()
    };
    let second = rotate(&json!({"overlap": "1h"}));
    assert_eq!((send(SECRET, b"1"), send(&second, b"2")), (200, 200));
    let third = rotate(&json!({"secret": "the third one's own"}));
    assert_eq!(third, "the third one's own");
    assert_eq!((send(&third, b"3"), send(&second, b"4")), (200, 401), "no overlap was asked for");
    shop.api.patch(&path(&sender), &json!({"secret": "the fourth"})).expect(200);
    assert_eq!((send("the fourth", b"5"), send(&third, b"6")), (200, 401));
    let shop = shop.restarted(Server::kill);
    let sender = Sender::of(&shop, sender.source);
    let caller = sender.signed("push", b"7", "the fourth");
    assert_eq!(caller.call("POST", &format!("/in/{}", sender.id()), Some(b"7")).status, 200);
}

#[test]
fn forwarding_follows_its_source_also_over_a_kill() {
    let (first, second) = (Receiver::kind(), Receiver::kind());
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": first.url("/a")}));
    sender.send("push", b"1");
    first.wait_for(1, SOON);
    let change = |shop: &Shop, url: Option<String>| {
        shop.api.patch(&path(&sender), &json!({"forward_url": url})).expect(200)
    };
    let changed = change(&shop, Some(second.url("/b")));
    assert!(changed.get("forward_secret").is_none(), "the secret stays");
    let shop = shop.restarted(Server::kill);
    let at = |shop: &Shop| Sender::of(shop, sender.source.clone());
    at(&shop).send("push", b"2");
    second.wait_for(1, SOON);
    let ended = change(&shop, None);
    assert_eq!((&ended["forward_url"], &ended["forward_endpoint"]), (&json!(null), &json!(null)));
    assert!(shop.api.list("/v1/endpoints").is_empty());
    at(&shop).send("push", b"3");
    let again = change(&shop, Some(first.url("/c")));
    assert!(text(&again, "forward_secret").starts_with("whsec_"), "a new endpoint, a new secret");
    at(&shop).send("push", b"4");
    first.wait_for(2, SOON);
    assert_eq!((first.count(), second.count()), (2, 1));
    assert_eq!(first.seen()[1].body, b"4");
}

#[test]
fn a_kill_at_any_moment_leaves_a_source_and_what_forwards_for_it_in_step() {
    let (mut dice, _) = Dice::from_environment("receiving");
    let receiver = Receiver::kind();
    let mut shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    let url = receiver.url("/");
    for round in 0..rounds("RECEIVING_KILLS", 6) {
        // What changes it goes on until the server is gone.
        let (api, path, wanted) = (shop.api.clone(), path(&sender), url.clone());
        let changes = std::thread::spawn(move || {
            let Ok(mut connection) = Connection::open(&api.address) else { return };
            for turn in 0_u64.. {
                let body = json!({"forward_url": (turn % 2 == 0).then_some(&wanted)}).to_string();
                if connection.exchange(&api, "PATCH", &path, Some(body.as_bytes())).is_err() {
                    return;
                }
            }
        });
        std::thread::sleep(Duration::from_millis(20 + dice.below(40)));
        shop = shop.restarted(Server::kill);
        changes.join().expect("no panic");
        let shown = shop.api.get(&self::path(&sender)).expect(200);
        let endpoints: Vec<_> =
            shop.api.list("/v1/endpoints").iter().map(|row| row["id"].clone()).collect();
        match shown["forward_endpoint"].as_str() {
            Some(id) => assert_eq!(endpoints, [json!(id)], "round {round}: {shown}"),
            None => assert!(endpoints.is_empty(), "round {round}: {shown}"),
        }
        // Whatever it was, it can be changed, and forwards.
        shop.api.patch(&self::path(&sender), &json!({"forward_url": url})).expect(200);
        let body = format!("{{\"round\":{round}}}");
        let sent = Sender::of(&shop, sender.source.clone()).send("push", body.as_bytes());
        assert_eq!(sent.status, 200);
        let is_it = |seen: &crate::support::message::Message| seen.body == body.as_bytes();
        eventually("it is forwarded", SOON, || receiver.seen().iter().any(is_it));
    }
}

#[test]
fn what_forwards_for_a_source_is_moved_and_deleted_by_its_source_alone() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/")}));
    let endpoint = format!("/v1/endpoints/{}", text(&sender.source, "forward_endpoint"));
    for change in
        [json!({"url": receiver.url("/b")}), json!({"types": ["a"]}), json!({"subjects": null})]
    {
        let answer = shop.api.patch(&endpoint, &change);
        assert_eq!(answer.code(), "invalid_state", "{change}: {}", answer.body);
        assert!(answer.body.to_string().contains(sender.id()), "it says whose it is");
    }
    assert_eq!(shop.api.delete(&endpoint).code(), "invalid_state");
    shop.api.patch(&endpoint, &json!({"concurrency": 2})).expect(200);
    shop.api.post(&format!("{endpoint}/pause"), &json!({})).expect(200);
    shop.api.patch(&path(&sender), &json!({"name": "Another"})).expect(200);
    let shown = shop.api.get(&endpoint).expect(200);
    assert_eq!((&shown["status"], &shown["concurrency"]), (&json!("paused"), &json!(2)));
    shop.api.delete(&path(&sender)).expect(204);
    assert_eq!(shop.api.get(&endpoint).status, 404);
}

#[test]
fn a_deleted_source_takes_nothing_in_and_forwards_nothing_and_its_events_stay() {
    let shop = Shop::open();
    let receiver = Receiver::scripted(|_| Reply::Status(503));
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/")}));
    assert_eq!(sender.send("push", b"1").status, 200);
    assert_eq!(shop.api.delete("/v1/tenants/acme").code(), "in_use");
    shop.api.delete(&path(&sender)).expect(204);
    assert_eq!(shop.api.get(&path(&sender)).status, 404);
    assert_eq!(sender.send("push", b"2").status, 401);
    assert_eq!(sender.events(&shop).len(), 1);
    assert!(shop.api.list("/v1/endpoints").is_empty());
    let shop = shop.restarted(Server::kill);
    assert_eq!(shop.api.get(&path(&sender)).status, 404);
    eventually("what waited is cancelled", SOON, || {
        shop.api.list("/v1/deliveries").iter().all(|row| row["state"] == "cancelled")
    });
    shop.api.delete("/v1/tenants/acme").expect(204);
}

#[test]
fn a_tenant_sees_its_own_sources_and_has_a_hundred_at_most() {
    let shop = Shop::open();
    shop.tenant("other");
    let key = json!({"name": "k", "tenant": "other", "environment": "shop", "scopes": ["manage"]});
    let key = shop.api.post("/v1/keys", &key).expect(201);
    let other = Api::new(&shop.server.address, text(&key, "key"));
    let sender = Sender::to(&shop, &json!({}));
    for (method, path) in [("GET", path(&sender)), ("DELETE", path(&sender))] {
        assert_eq!(other.call(method, &path, None).status, 404);
    }
    assert_eq!(
        other.post("/v1/tenants/acme/sources", &json!({"name": "n", "scheme": "github"})).status,
        404
    );
    let new = json!({"name": "n", "scheme": "github"});
    for _ in 0..100 {
        other.post("/v1/tenants/other/sources", &new).expect(201);
    }
    assert_eq!(other.post("/v1/tenants/other/sources", &new).code(), "too_many_sources");
    assert_eq!(other.list("/v1/sources").len(), 100);
    assert_eq!(shop.api.list("/v1/sources").len(), 101);
    assert_eq!(shop.api.list("/v1/tenants/acme/sources").len(), 1);
}

#[test]
fn a_call_that_is_repeated_makes_one_source() {
    let shop = Shop::open();
    let guarded = shop.api.with("idempotency-key", "once");
    let new = json!({"name": "n", "scheme": "github", "forward_url": "https://example.com/"});
    let made = guarded.post("/v1/tenants/acme/sources", &new).expect(201);
    assert_eq!(guarded.post("/v1/tenants/acme/sources", &new).expect(201), made);
    assert_eq!(shop.api.list("/v1/sources").len(), 1);
    assert_eq!(shop.api.list("/v1/endpoints").len(), 1);
}

#[test]
fn a_request_is_verified_by_a_source_without_being_taken_in() {
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    let caller = sender.signed("push", b"{}", SECRET);
    let headers: serde_json::Map<_, _> =
        caller.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let ask = |body: &str| {
        let asked = json!({"source": sender.id(), "headers": headers, "body": body});
        shop.api.post("/v1/verify", &asked).expect(200)
    };
    assert_eq!((&ask("{}")["valid"], &ask("{}")["type"]), (&json!(true), &json!("push")));
    let wrong = ask("{} ");
    assert_eq!((&wrong["valid"], &wrong["cause"]), (&json!(false), &json!("wrong_signature")));
    assert!(sender.events(&shop).is_empty());
}

#[test]
fn the_command_makes_shows_and_deletes_sources() {
    let shop = Shop::open();
    let angarium = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_angarium"))
            .args(["source"])
            .args(arguments)
            .arg("--json")
            .env("ANGARIUM_URL", format!("http://{}", shop.server.address))
            .env("ANGARIUM_KEY", crate::support::server::ADMIN_KEY)
            .env("ANGARIUM_ENVIRONMENT", "shop")
            .output()
            .expect("the program runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let made = angarium(&["create", "--tenant", "acme", "--scheme", "github", "--secret", SECRET]);
    let id = text(&made, "id").to_owned();
    assert_eq!(text(&made, "name"), "github");
    let sender = Sender::of(&shop, made);
    assert_eq!(sender.send("push", b"{}").status, 200);
    let listed = angarium(&["list", "--tenant", "acme"]);
    assert_eq!(listed["data"][0]["id"], id);
    let requests = angarium(&["requests", &id]);
    assert_eq!(requests["data"][0]["outcome"], "accepted");
    let changed = angarium(&["update", &id, "--types", "a,b.*", "--set", "dedupe=\"1d\""]);
    assert_eq!((&changed["types"], &changed["dedupe"]), (&json!(["a", "b.*"]), &json!("1d")));
    let rotated = angarium(&["rotate-secret", &id]);
    assert_ne!(text(&rotated, "secret"), SECRET);
    angarium(&["delete", &id]);
    assert!(shop.api.list("/v1/sources").is_empty());
}
