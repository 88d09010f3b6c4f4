//! `regress_r13`: where a token comes from is judged, verified and limited like every other
//! destination. The test runs in a network namespace of its own in which every address is this
//! machine's; what tells is a listener that sees who dials it. (That no writing of a forbidden
//! address gets in as a token endpoint is shown in `ssrf`, of which it is an entrance.)

use super::{SOON, endpoint};
use crate::support::client::Api;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Start;
use crate::support::shop::text;
use crate::support::{eventually, figure, tls};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn regress_r13_a_token_endpoint_is_judged_verified_and_limited_like_any_destination() {
    let possible = Command::new("unshare").args(["-rn", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        println!("skipped: no network namespaces here (unshare -rn)");
        return;
    }
    let script = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && exec \"$0\" \"$@\"";
    let inside = Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .arg(std::env::current_exe().expect("this executable"))
        .args(["--exact", "endpoint_auth::forbidden::inside", "--ignored", "--nocapture"])
        .env("R13_INSIDE", "1")
        .output()
        .expect("the namespace starts");
    print!("{}", String::from_utf8_lossy(&inside.stdout));
    let told = String::from_utf8_lossy(&inside.stderr);
    assert!(inside.status.success(), "inside the namespace: {told}");
}

/// Not a test on its own: runs where every address leads to this machine.
#[test]
#[ignore = "started in a network namespace by the test above"]
fn inside() {
    if std::env::var_os("R13_INSIDE").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Start::local(&folder.path().join("data")).run();
    let instance = server.admin();
    instance
        .post("/v1/environments", &json!({"slug": "shop", "contracts": ["standard"]}))
        .expect(201);
    let api = instance.with("angarium-environment", "shop");
    api.put("/v1/tenants/acme", &json!({})).expect(201);
    let receiver = Receiver::kind();

    // Loopback is open when it is named, and closed for the environment afterwards.
    let dialled = count_connections("127.0.0.2:9998");
    let auth = |url: &str| {
        json!({"auth": {
            "type": "oauth2", "token_url": url, "client_id": "c", "client_secret": "s",
        }})
    };
    let make = |url: &str| {
        let made =
            api.post("/v1/tenants/acme/endpoints", &endpoint(&receiver.url("/"), &[], &auth(url)));
        format!("/v1/endpoints/{}", text(&made.expect(201), "id"))
    };
    let path = make("http://127.0.0.2:9998/token");
    assert_eq!(tried(&api)["class"], "token");
    assert_eq!(dialled.load(Ordering::SeqCst), 1, "the listener sees who is allowed");
    let egress = json!({"egress": {"allow_cidrs": ["127.0.0.1/32"]}});
    instance.patch("/v1/environments/shop", &egress).expect(200);
    let told = "no access token from the token endpoint: the address cannot be reached";
    // The failure before is told for a second.
    eventually("it is judged anew", SOON, || tried(&api)["detail"] == told);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2_500) {
        let attempt = tried(&api);
        assert_eq!((&attempt["class"], &attempt["detail"]), (&json!("token"), &json!(told)));
    }
    assert_eq!(dialled.load(Ordering::SeqCst), 1, "and nobody else dials");
    let refused = api.patch(&path, &auth("http://127.0.0.2:9998/other"));
    assert_eq!((refused.code(), refused.field()), ("forbidden_address", Some("auth.token_url")));
    api.patch(&path, &json!({"description": "can still be changed"})).expect(200);
    api.delete(&path).expect(204);

    // A redirect to it is an answer like any other.
    let elsewhere = "location: http://127.0.0.2:9998/token\r\n".to_owned();
    let moved = Receiver::scripted(move |_| Reply::Headed(302, elsewhere.clone()));
    let path = make(&moved.url("/"));
    assert!(text(&tried(&api), "detail").ends_with("it answered 302"));
    assert_eq!(dialled.load(Ordering::SeqCst), 1);
    api.delete(&path).expect(204);

    // Its certificate is verified whatever the endpoint says of its own receiver.
    let unknown = Receiver::secured(|_| Reply::Json(200, json!({"access_token": "t"}).to_string()));
    let path = make(&unknown.secure_url("/"));
    assert!(text(&tried(&api), "detail").ends_with("the certificate's issuer is not trusted"));
    let ca = json!({"ca": tls::of_the_run().authority});
    let secure = Receiver::secured(|_| Reply::Status(204)).secure_url("/");
    api.patch(&path, &json!({"url": secure, "tls": ca})).expect(200);
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(text(&tried(&api), "detail").ends_with("the certificate's issuer is not trusted"));
    assert_eq!(unknown.count(), 0);
    api.delete(&path).expect(204);

    // One that never answers costs an attempt five seconds.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let path = make(&format!("http://{}/", silent.local_addr().expect("bound")));
    let began = Instant::now();
    assert!(text(&tried(&api), "detail").ends_with("no answer in time"));
    let waited = began.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(8)).contains(&waited), "{waited:?}");
    api.delete(&path).expect(204);
    assert_eq!(receiver.count(), 0);
    figure(format_args!(
        "token endpoints at a closed address, behind a redirect, with an unknown issuer, silent: \
         0 connections to the closed one, 0 deliveries; a silent one given up after {waited:.1?}"
    ));
}

/// The only attempt at a new event.
fn tried(api: &Api) -> Value {
    let event = json!({"tenant": "acme", "type": "a", "data": 1});
    let event = api.post("/v1/events", &event).expect(202);
    let path = format!("/v1/deliveries?tenant=acme&event={}&state=dead", text(&event, "id"));
    let mut dead = Vec::new();
    eventually("it was tried", SOON, || {
        dead = api.list(&path);
        !dead.is_empty()
    });
    let delivery = api.get(&format!("/v1/deliveries/{}", text(&dead[0], "id"))).expect(200);
    delivery["attempts"][0].clone()
}

fn count_connections(address: &str) -> Arc<AtomicUsize> {
    let (listener, count) = (TcpListener::bind(address).expect("it is ours"), Arc::default());
    let counting = Arc::<AtomicUsize>::clone(&count);
    std::thread::spawn(move || {
        for _hung_up_on in listener.incoming().map_while(Result::ok) {
            counting.fetch_add(1, Ordering::SeqCst);
        }
    });
    count
}
