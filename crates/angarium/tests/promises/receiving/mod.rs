//! Third parties' webhooks: verified, one event each, routed, forwarded; and nobody outside learns
//! why one is rejected.

mod load;
mod questions;
mod sources;

use crate::support::client::{Api, Connection};
use crate::support::receiver::{Receiver, Reply};
use crate::support::sender::{SECRET, Sender, hmac_sha256};
use crate::support::server::Server;
use crate::support::shop::{Shop, text};
use crate::support::turns;
use crate::support::{eventually, figure, rounds};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_genuine_request_is_an_event_with_its_exact_bytes_routed_and_forwarded_signed() {
    let (routed, forwarded) = (Receiver::kind(), Receiver::kind());
    let shop = Shop::open();
    shop.endpoint(&json!({"url": routed.url("/"), "types": ["issues.*"]}));
    let sender = Sender::to(&shop, &json!({"forward_url": forwarded.url("/github?a=1")}));
    let body = b"{ \"action\":\"opened\",  \"n\": 1.10 }\n";
    let caller = sender.signed("issues.opened", body, SECRET).with("x-github-delivery", "d-1");
    let path = format!("/in/{}", sender.id());
    assert_eq!(caller.call("POST", &path, Some(body)).status, 200);

    let forward = &forwarded.wait_for(1, SOON)[0];
    assert_eq!(forward.body, body);
    assert_eq!(forward.first_line, "POST /github?a=1 HTTP/1.1");
    let header = |name| forward.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("x-github-event"), "issues.opened");
    assert_eq!(header("x-github-delivery"), "d-1");
    assert_eq!(header("content-type"), "application/json");
    let theirs = format!("sha256={}", hmac_sha256(SECRET, body));
    assert_eq!(header("x-hub-signature-256"), theirs, "who verified it before still can");
    let secret = text(&sender.source, "forward_secret").strip_prefix("whsec_").expect("a prefix");
    let secret = STANDARD.decode(secret).expect("base64");
    let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let tag = aws_lc_rs::hmac::sign(&key, &[signed.as_bytes(), body].concat());
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));

    let delivery = &routed.wait_for(1, SOON)[0];
    let sent: serde_json::Value = serde_json::from_slice(&delivery.body).expect("JSON");
    assert_eq!((&sent["type"], &sent["data"]["n"]), (&json!("issues.opened"), &json!(1.1)));
    let events = sender.events(&shop);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["attributes"]["id"], "d-1");
}

#[test]
fn any_bytes_pass_through_and_what_is_not_json_is_none() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/")}));
    let bodies: [(&[u8], &str); 3] = [
        (b"a=1&b=%20", "application/x-www-form-urlencoded"),
        (b"\xff\x00\xfe", "image/x-odd"),
        (b"", ""),
    ];
    for (body, content_type) in bodies {
        let mut caller = sender.signed("push", body, SECRET);
        if !content_type.is_empty() {
            caller = caller.with("content-type", content_type);
        }
        let path = format!("/in/{}", sender.id());
        assert_eq!(caller.call("POST", &path, Some(body)).status, 200, "{content_type}");
        let (body, found) = (body.to_vec(), || receiver.seen());
        eventually("it is forwarded", SOON, || {
            found().iter().any(|seen| {
                seen.body == body
                    && (content_type.is_empty()
                        || seen.header("content-type") == Some(content_type))
            })
        });
    }
}

#[test]
fn headers_that_a_source_names_are_kept_and_forwarded_and_no_others() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let headers = json!(["X-Request-Id", "x-hub-signature-256"]);
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/"), "headers": headers}));
    let caller = sender.signed("push", b"{}", SECRET).with("x-request-id", "r-1");
    let caller = caller.with("x-other", "o").with("authorization", "Bearer canary-8");
    assert_eq!(caller.call("POST", &format!("/in/{}", sender.id()), Some(b"{}")).status, 200);
    let forward = &receiver.wait_for(1, SOON)[0];
    assert_eq!(forward.header("x-request-id"), Some("r-1"));
    let twice = forward.headers.iter().filter(|(name, _)| name == "x-hub-signature-256");
    assert_eq!(twice.count(), 1);
    assert_eq!((forward.header("x-other"), forward.header("authorization")), (None, None));
    let kept = &sender.requests(&shop)[0]["headers"];
    assert_eq!(kept["x-request-id"], "r-1");
    assert!(kept.get("authorization").is_none() && kept.get("x-other").is_none());
}

#[test]
fn from_outside_an_unknown_and_a_disabled_source_and_a_wrong_signature_are_the_same() {
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    let disabled = Sender::to(&shop, &json!({"status": "disabled"}));
    let body = b"{}";
    let unknown = "/in/src_01kcq0a3f7e8vb6k2m4n5p6q7r";
    let (path, off) = (format!("/in/{}", sender.id()), format!("/in/{}", disabled.id()));
    let right = sender.signed("push", body, SECRET);
    let wrong = sender.signed("push", body, "another secret");
    let rows: [(&str, &Api, &str); 7] = [
        ("unknown", &right, unknown),
        ("no id", &right, "/in/nothing"),
        ("disabled", &right, &off),
        ("wrong signature", &wrong, &path),
        ("no signature", &sender.caller, &path),
        ("disabled, wrong signature", &wrong, &off),
        ("unknown, no signature", &sender.caller, unknown),
    ];
    for (what, caller, path) in rows {
        let answer = caller.call("POST", path, Some(body)).message;
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "date");
        assert_eq!(answer.first_line, "HTTP/1.1 401 Unauthorized", "{what}");
        assert_eq!(headers, [("content-length".to_owned(), "0".to_owned())], "{what}");
    }
    assert!(sender.events(&shop).is_empty() && disabled.events(&shop).is_empty());
    assert_eq!(right.call("POST", &path, Some(body)).status, 200);
    for method in ["GET", "DELETE", "OPTIONS"] {
        assert_eq!(right.call(method, &path, Some(body)).status, 401, "{method}");
        assert_eq!(right.call(method, unknown, Some(body)).status, 401, "{method}");
    }
}

/// The medians of many requests, taken in turns, on one connection each.
#[test]
fn time_does_not_tell_them_apart_either() {
    let _alone = turns::alone();
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({}));
    let disabled = Sender::to(&shop, &json!({"status": "disabled"}));
    let body = vec![b'x'; 200_000];
    let (right, wrong) =
        (sender.signed("push", &body, SECRET), sender.signed("push", &body, "another secret"));
    let at = |id: &str| format!("/in/{id}");
    let rows = [
        ("wrong signature", &wrong, at(sender.id())),
        ("no signature", &sender.caller, at(sender.id())),
        ("disabled", &right, at(disabled.id())),
        ("unknown", &wrong, at("src_01kcq0a3f7e8vb6k2m4n5p6q7r")),
        ("unknown, no signature", &sender.caller, at("src_01kcq0a3f7e8vb6k2m4n5p6q7r")),
    ];
    let mut connection = Connection::open(&shop.server.address).expect("a connection");
    let mut times = rows.each_ref().map(|_| Vec::new());
    for _ in 0..rounds("RECEIVING_TIMES", 100) {
        for ((_, caller, path), times) in rows.iter().zip(&mut times) {
            let begun = Instant::now();
            let answer = connection.exchange(caller, "POST", path, Some(&body));
            assert_eq!(answer.expect("an answer").status, 401);
            times.push(begun.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    });
    let told =
        rows.iter().zip(medians).map(|((what, ..), median)| format!("{what} {median:.0} us"));
    figure(format_args!("medians: {}", told.collect::<Vec<_>>().join(", ")));
    let (least, most) = (
        medians.iter().copied().fold(f64::MAX, f64::min),
        medians.iter().copied().fold(0.0, f64::max),
    );
    assert!(most < 2.0 * least, "{medians:?}");
}

#[test]
fn why_a_request_was_rejected_is_told_to_its_owner_and_to_nobody_else() {
    let shop = Shop::open();
    shop.tenant("other");
    let sender = Sender::to(&shop, &json!({}));
    let path = format!("/in/{}?a=1", sender.id());
    let long = vec![b'x'; 10_000];
    sender.signed("push", b"{}", "wrong").with("authorization", "Bearer canary-7").call(
        "POST",
        &path,
        Some(b"{}"),
    );
    sender.caller.call("POST", &path, Some(&long));
    assert_eq!(sender.send("push", b"{\"n\":1}").status, 200);
    let requests = sender.requests(&shop);
    let told: Vec<_> =
        requests.iter().map(|request| (&request["outcome"], &request["cause"])).collect();
    let (accepted, rejected) = (json!("accepted"), json!("rejected"));
    let (wrong, none, null) = (json!("wrong_signature"), json!("no_signature"), json!(null));
    assert_eq!(told, [(&accepted, &null), (&rejected, &none), (&rejected, &wrong)]);
    assert_eq!(requests[1]["body_bytes"], 10_000);
    assert!(requests[1]["body"].as_str().expect("a body").len() <= 4_096, "only its beginning");
    assert_eq!(requests[2]["target"], path);
    assert!(requests[2]["reason"].as_str().expect("a reason").contains("secret"));
    assert!(requests[2]["headers"]["x-hub-signature-256"].is_string());
    assert!(!json!(requests).to_string().contains("canary-7"), "no password is kept");
    let only = format!("/v1/sources/{}/requests?outcome=rejected", sender.id());
    assert_eq!(shop.api.list(&only).len(), 2);

    let key = json!({"name": "k", "tenant": "other", "environment": "shop", "scopes": ["read"]});
    let key = shop.api.post("/v1/keys", &key).expect(201);
    let other = Api::new(&shop.server.address, text(&key, "key"));
    assert_eq!(other.get(&only).status, 404);
    let shop = shop.restarted(|server| assert!(server.stop().success()));
    assert_eq!(sender.requests(&shop).len(), 3, "they outlive a restart");
}

#[test]
fn a_request_that_comes_again_is_one_event_also_at_the_same_time_and_over_a_kill() {
    let receiver = Receiver::kind();
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/")}));
    let body = b"{\"n\":1}";
    std::thread::scope(|scope| {
        let senders = [0; 32].map(|_| scope.spawn(|| sender.send("push", body).status));
        for sender in senders {
            assert_eq!(sender.join().expect("no panic"), 200);
        }
    });
    receiver.wait_for(1, SOON);
    let shop = shop.restarted(Server::kill);
    let again = Sender::of(&shop, sender.source.clone());
    assert_eq!(again.send("push", body).status, 200);
    assert_eq!(again.send("push", b"{\"n\":2}").status, 200);
    // The kill may have come between a delivery and its record; then it is sent again, as itself.
    let ids = || {
        let ids = receiver
            .seen()
            .into_iter()
            .filter_map(|seen| seen.header("webhook-id").map(str::to_owned));
        ids.collect::<BTreeSet<_>>()
    };
    eventually("the other one is forwarded", SOON, || ids().len() == 2);
    assert_eq!(again.events(&shop).len(), 2);
}

#[test]
fn only_wanted_types_become_events_and_the_others_are_acknowledged() {
    let shop = Shop::open();
    let reply = json!({"status": 202, "body": "taken"});
    let sender = Sender::to(&shop, &json!({"types": ["push", "issues.*"], "reply": reply}));
    for (kind, body) in [("push", b"1"), ("issues.opened", b"2"), ("star", b"3")] {
        let answer = sender.send(kind, body);
        assert_eq!((answer.status, &*answer.message.body), (202, &b"taken"[..]), "{kind}");
    }
    let kinds: Vec<_> =
        sender.events(&shop).iter().map(|event| text(event, "type").to_owned()).collect();
    assert_eq!(kinds, ["issues.opened", "push"]);
}

#[test]
fn what_cannot_be_forwarded_is_tried_again_and_told_like_any_delivery() {
    let calls = std::sync::atomic::AtomicU64::new(0);
    let receiver = Receiver::scripted(move |_| {
        match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::Status(503),
            _ => Reply::Status(200),
        }
    });
    let shop = Shop::open();
    let sender = Sender::to(&shop, &json!({"forward_url": receiver.url("/")}));
    let endpoint = text(&sender.source, "forward_endpoint");
    let faster = json!({"delivery": {"retries": ["100ms"]}});
    shop.api.patch(&format!("/v1/endpoints/{endpoint}"), &faster).expect(200);
    assert_eq!(sender.send("push", b"{}").status, 200);
    receiver.wait_for(2, SOON);
    eventually("it is delivered", SOON, || {
        let rows = shop.api.list(&format!("/v1/deliveries?endpoint={endpoint}"));
        rows.len() == 1 && rows[0]["state"] == "delivered" && rows[0]["attempts"] == 2
    });
}
