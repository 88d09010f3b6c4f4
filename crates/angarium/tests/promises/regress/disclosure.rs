//! Secrets and other people's objects that were shown.

use crate::canary::secret::{Canaries, Place, search};
use crate::support::client::Api;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn place(name: &str, bytes: Vec<u8>) -> Place {
    Place { name: name.to_owned(), bytes, shows: vec![] }
}

/// All of a message.
fn bytes_of(message: &Message) -> Vec<u8> {
    let headers = message.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    let head = format!("{}\n{}", message.first_line, headers.collect::<String>());
    [head.as_bytes(), &message.body].concat()
}

/// A key of the tenant `acme`, or of its people.
fn key(shop: &Shop, scopes: &[&str]) -> Api {
    let body = json!({"name": "k", "tenant": "acme", "scopes": scopes});
    let made = shop.api.post("/v1/keys", &body).expect(201);
    Api::new(&shop.server.address, text(&made, "key"))
}

#[test]
fn regress_r40_no_request_carries_the_secret_that_signs_it() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let mut canaries = Canaries::default();
    let secret = format!("whsec_{}", canaries.key("secret"));
    let endpoint = json!({"url": receiver.url("/"), "types": ["*"], "secret": secret});
    let endpoint = shop.endpoint(&endpoint);
    shop.publish("a", &json!({"text": "x"}));
    let test = format!("/v1/endpoints/{}/test", text(&endpoint, "id"));
    shop.api.post(&test, &json!({})).expect(202);
    let requests = receiver.wait_for(2, SOON);
    let places: Vec<_> = requests.iter().map(|r| place("a request", bytes_of(r))).collect();
    let found = search(&canaries, &places);
    assert!(found.hits.is_empty(), "{:#?}", found.hits);
}

#[test]
fn regress_r41_an_attempt_shows_no_cookie_and_what_is_deleted_is_gone() {
    let receiver = Receiver::scripted(|_| {
        Reply::Headed(500, "set-cookie: session=their-cookie\r\nserver: theirs\r\n".into())
    });
    let shop = Shop::open();
    let endpoint = shop.endpoint_for_all(&receiver.url("/"), &[]);
    let event = shop.publish("a", &json!(1));
    let delivery = shop.wait_for_state(text(&event, "id"), "dead");
    let shown = delivery.to_string();
    assert!(shown.contains("theirs") && !shown.contains("their-cookie"), "{shown}");
    let id = text(&endpoint, "id");
    assert_eq!(shop.api.delete(&format!("/v1/endpoints/{id}")).status, 204);
    let portal = key(&shop, &["portal"]);
    assert!(portal.list("/v1/endpoints").is_empty());
    assert_eq!(portal.get(&format!("/v1/endpoints/{id}")).status, 404);
    let again = shop.try_publish(&json!({"tenant": "acme", "type": "a", "data": 2})).expect(202);
    assert_eq!(again["endpoints"], 0);
}

#[test]
fn regress_r42_what_fails_does_not_print_the_url_with_its_token() {
    let shop = Shop::open_with(|start| start.argument("--log=trace"));
    let mut canaries = Canaries::default();
    let token = canaries.word("token");
    let delivery = json!({"timeout": "1s", "retries": []});
    let urls =
        ["http://127.0.0.1:1027/hook", "http://nowhere.invalid/hook", "https://127.0.0.1:1027/"];
    for url in urls {
        let url = format!("{url}?token={token}");
        shop.endpoint(&json!({"url": url, "types": ["*"], "delivery": delivery}));
    }
    let event = shop.publish("a", &json!(1));
    let mut rows = Vec::new();
    crate::support::eventually("all ended", SOON, || {
        rows = shop.deliveries(text(&event, "id"));
        rows.len() == urls.len() && rows.iter().all(|row| row["state"] == "dead")
    });
    let told = rows.iter().map(|row| {
        let shown = shop.api.get(&format!("/v1/deliveries/{}", text(row, "id"))).expect(200);
        let detail = &shown["attempts"][0]["detail"];
        assert!(detail.is_string(), "{shown}");
        place("why it failed", detail.to_string().into_bytes())
    });
    let log = place("the log", shop.server.log().into_bytes());
    let found = search(&canaries, &told.chain([log]).collect::<Vec<_>>());
    assert!(found.hits.is_empty(), "{:#?}", found.hits);
}

#[test]
fn regress_r43_a_tenants_key_reaches_nothing_of_another_and_a_portals_makes_no_key() {
    let shop = Shop::open();
    shop.tenant("other");
    let others = json!({"name": "theirs", "tenant": "other", "scopes": ["read"]});
    shop.api.post("/v1/keys", &others).expect(201);
    let endpoint = json!({"url": "https://example.com/", "types": ["*"]});
    let theirs = shop.api.post("/v1/tenants/other/endpoints", &endpoint).expect(201);
    let own = key(&shop, &["publish", "manage", "read"]);
    let listed = own.list("/v1/keys");
    assert!(listed.iter().all(|key| key["tenant"] == "acme"), "{listed:?}");
    let test = format!("/v1/endpoints/{}/test", text(&theirs, "id"));
    assert_eq!(own.post(&test, &json!({})).status, 404);
    let event = json!({"tenant": "other", "type": "a", "data": 1});
    assert!(matches!(own.post("/v1/events", &event).status, 403 | 404));
    let portal = key(&shop, &["portal"]);
    for scopes in [json!(["portal"]), json!(["read"])] {
        let wanted = json!({"name": "again", "tenant": "acme", "scopes": scopes});
        assert_eq!(portal.post("/v1/keys", &wanted).status, 403);
    }
}

#[test]
fn regress_r44_a_schema_reads_neither_the_network_nor_a_file() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let file = format!("file://{}", shop.data().join("angarium.db").display());
    for reference in [receiver.url("/schema"), "file:///etc/hostname".to_owned(), file] {
        let schemas: [Value; 2] = [
            json!({"$ref": reference}),
            json!({"type": "object", "properties": {"a": {"$ref": format!("{reference}#/a")}}}),
        ];
        for schema in schemas {
            let answer = shop.api.put("/v1/event-types/order.paid", &json!({"schema": schema}));
            assert_eq!(answer.status, 422, "{}", answer.body);
        }
    }
    assert_eq!(receiver.count(), 0, "nothing was fetched");
}
