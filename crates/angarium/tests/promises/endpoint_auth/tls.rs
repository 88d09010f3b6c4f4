//! Client certificates, and authorities of an endpoint's own.

use super::stage::{Authority, TokenEndpoint};
use super::{endpoint, outcome};
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{ADMIN_KEY, executable};
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::process::Command;

fn always(_: &crate::support::message::Message) -> Reply {
    Reply::Status(204)
}

#[test]
fn a_receiver_that_asks_for_a_certificate_gets_it_and_nobody_is_shown_the_key() {
    let (shop, authority) = (Shop::open(), Authority::new("A private authority"));
    let receiver = authority.receiver(always);
    let client = authority.signed("angarium at acme", 2090);
    let ca = json!({"tls": {"ca": authority.pem}});
    let made = shop.endpoint(&endpoint(&receiver.secure_url("/"), &[], &ca));
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    let attempt = outcome(&shop, "dead")["attempts"][0].take();
    assert_eq!(attempt["class"], "tls");
    assert_eq!(attempt["detail"], "the receiver wants a client certificate, and got none");

    let auth =
        json!({"type": "mtls", "certificate": client.certificate, "private_key": client.key});
    let changed = shop.api.patch(&path, &json!({"auth": auth})).expect(200);
    outcome(&shop, "delivered");
    let shown = &changed["auth"]["certificate"][0];
    assert!(text(shown, "subject").contains("CN=angarium at acme"), "{shown}");
    assert!(text(shown, "issuer").contains("CN=A private authority"), "{shown}");
    assert_eq!(shown["expires_at"], "2090-01-01T00:00:00.000Z");
    assert_eq!(text(shown, "sha256").len(), 64);
    assert_eq!(changed["auth"]["private_key"], "***");
    assert_eq!(changed["tls"]["private_key"], Value::Null);

    let whole = json!({
        "client_certificate": client.certificate, "private_key": client.key, "ca": authority.pem,
    });
    let changed = shop.api.patch(&path, &json!({"auth": null, "tls": whole})).expect(200);
    assert_eq!(changed["auth"], Value::Null);
    assert_eq!(&changed["tls"]["client_certificate"][0], shown);
    assert_eq!(changed["tls"]["private_key"], "***");
    let delivered = outcome(&shop, "delivered");
    let explained = format!("/v1/events/{}/explain", text(&delivered["event"], "id"));
    let explained = shop.api.get(&explained).expect(200);
    let tls = &explained["data"][0]["settings"]["tls"];
    assert_eq!(tls["origin"], "endpoint");
    assert_eq!(&tls["value"]["client_certificate"], shown);
    let shop = shop.restarted(|server| assert!(server.stop().success()));
    outcome(&shop, "delivered");
    shop.api.patch(&path, &json!({"tls": null})).expect(200);
    let attempt = outcome(&shop, "dead")["attempts"][0].take();
    assert_eq!(attempt["detail"], "the certificate's issuer is not trusted");
    assert_eq!(receiver.count(), 3);
}

#[test]
fn a_certificate_and_a_token_go_together() {
    let (shop, authority) = (Shop::open(), Authority::new("ca"));
    let tokens = TokenEndpoint::start();
    let receiver = authority.receiver(|request| {
        let token = request.header("authorization").unwrap_or_default();
        Reply::Status(if token.starts_with("Bearer token-") { 204 } else { 401 })
    });
    let client = authority.signed("client", 2090);
    let both = json!({
        "auth": tokens.auth("basic"),
        "tls": {
            "client_certificate": client.certificate,
            "private_key": client.key,
            "ca": authority.pem,
        },
    });
    shop.endpoint(&endpoint(&receiver.secure_url("/"), &[], &both));
    outcome(&shop, "delivered");
    assert_eq!((receiver.count(), tokens.given()), (1, 1));
}

#[test]
fn what_a_source_forwards_goes_by_its_endpoints_certificate() {
    let (shop, authority) = (Shop::open(), Authority::new("ca"));
    let receiver = authority.receiver(always);
    let client = authority.signed("client", 2090);
    let source = json!({
        "name": "n", "scheme": "github", "secret": "a secret of the third party",
        "forward_url": receiver.secure_url("/in"),
    });
    shop.api.post("/v1/tenants/acme/sources", &source).expect(201);
    let forwarding = shop.api.list("/v1/endpoints?tenant=acme").remove(0);
    let path = format!("/v1/endpoints/{}", text(&forwarding, "id"));
    let tls = json!({
        "client_certificate": client.certificate, "private_key": client.key, "ca": authority.pem,
    });
    shop.api.patch(&path, &json!({"tls": tls})).expect(200);
    let tested = shop.api.post(&format!("{path}/test"), &json!({"type": "push", "data": {}}));
    shop.wait_for_state(text(&tested.expect(202), "id"), "delivered");
    assert_eq!(receiver.count(), 1);
}

#[test]
fn what_cannot_work_is_refused_at_its_member_when_it_is_handed_in() {
    let (shop, authority) = (Shop::open(), Authority::new("ca"));
    let (client, other) = (authority.signed("client", 2090), authority.signed("other", 2090));
    let ended = authority.signed("ended", 2020);
    let tls = |certificate: &str, key: &str| {
        let both = json!({"client_certificate": certificate, "private_key": key});
        json!({ "tls": both })
    };
    let mtls = |certificate: &str, key: &str| {
        let both = json!({"type": "mtls", "certificate": certificate, "private_key": key});
        json!({ "auth": both })
    };
    let oauth2 = |member: &str, value: Value| {
        let mut auth = json!({
            "type": "oauth2", "token_url": "https://login.example/", "client_id": "c",
            "client_secret": "s",
        });
        auth[member] = value;
        json!({"auth": auth})
    };
    let mut headers = oauth2("scopes", json!([]));
    headers["headers"] = json!({"Authorization": "x"});
    let (http, https) = ("http://127.0.0.1:9999/", "https://hooks.example/");
    let unusable = "invalid_certificate";
    let forbidden = oauth2("token_url", json!("https://10.0.0.1/"));
    let with_user = oauth2("token_url", json!("https://a@b.example/"));
    let rows = [
        (https, tls(&client.certificate, &other.key), "tls.private_key", unusable),
        (https, mtls(&client.certificate, &other.key), "auth.private_key", unusable),
        (https, tls(&ended.certificate, &ended.key), "tls.client_certificate", unusable),
        (https, mtls(&ended.certificate, &ended.key), "auth.certificate", unusable),
        (https, json!({"tls": {"ca": "nonsense"}}), "tls.ca", unusable),
        (https, json!({"tls": {}}), "tls", "missing_field"),
        (https, json!({"tls": {"key": ""}}), "tls.key", "unknown_field"),
        (http, json!({"tls": {"ca": authority.pem}}), "tls", "scheme_not_allowed"),
        (https, forbidden, "auth.token_url", "forbidden_address"),
        (https, with_user, "auth.token_url", "invalid_url"),
        (https, oauth2("scopes", json!(["a b"])), "auth.scopes[0]", "invalid_field"),
        (https, oauth2("client_auth", json!("jwt")), "auth", "invalid_field"),
        (https, headers, "headers.Authorization", "invalid_header"),
    ];
    for (url, more, field, code) in rows {
        let body = endpoint(url, &[], &more);
        let refused = shop.api.post("/v1/tenants/acme/endpoints", &body);
        let found = (refused.status, refused.code(), refused.field());
        assert_eq!(found, (422, code, Some(field)), "{}", refused.body);
        assert!(!refused.body.to_string().contains("PRIVATE"), "{}", refused.body);
    }
}

#[test]
fn the_command_line_reads_secrets_from_files_and_from_standard_input() {
    let (shop, authority) = (Shop::open(), Authority::new("ca"));
    let tokens = TokenEndpoint::start();
    let receiver = authority.receiver(always);
    let client = authority.signed("client", 2090);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    };
    let certificate = file("client.pem", &client.certificate);
    let key = file("client.key", &client.key);
    let ca = file("ca.pem", &authority.pem);
    let secret = format!("@{}", file("secret", &format!("{}\n", super::stage::CLIENT_SECRET)));
    let (url, token_url) = (receiver.secure_url("/"), tokens.receiver.url("/token"));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(executable());
        command.env("ANGARIUM_URL", format!("http://{}", shop.server.address));
        command.env("ANGARIUM_KEY", ADMIN_KEY).env("ANGARIUM_ENVIRONMENT", "shop");
        command.args(["endpoint", "create", "--tenant=acme", "--to", &url, "--types=*"]);
        let output = command.args(arguments).output().expect("the command runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    let oauth2 = ["--oauth2-token-url", &token_url, "--oauth2-client-id=client:1"];
    let scope = ["--oauth2-scope=hooks.write", "--oauth2-audience=https://hooks.example/"];
    let tls = ["--client-cert", &certificate, "--client-key", &key, "--ca", &ca];
    let secret = ["--oauth2-client-secret", &secret];
    let (made, said) = run(&[&oauth2[..], &scope, &tls, &secret].concat());
    assert!(made, "{said}");
    outcome(&shop, "delivered");
    assert_eq!((receiver.count(), tokens.given()), (1, 1));
    let plain = ["--oauth2-client-secret", "in-the-command-line"];
    let (made, said) = run(&[&oauth2[..], &plain].concat());
    assert!(!made && said.contains("from a file (@FILE) or from standard input"), "{said}");
    let (made, said) = run(&["--client-cert", &certificate]);
    assert!(!made && said.contains("--client-key"), "{said}");
}

/// Whoever may change an endpoint learns from the audit log what was changed, not to what.
#[test]
fn the_audit_log_names_the_members_without_their_values() {
    let (shop, authority) = (Shop::open(), Authority::new("ca"));
    let receiver = Receiver::secured(always);
    let made = shop.endpoint(&endpoint(&receiver.secure_url("/"), &[], &json!({})));
    let client = authority.signed("client", 2090);
    let tls = json!({
        "client_certificate": client.certificate, "private_key": client.key, "ca": authority.pem,
    });
    let path = format!("/v1/endpoints/{}", text(&made, "id"));
    let auth = json!({
        "type": "oauth2", "token_url": "https://login.example/", "client_id": "c",
        "client_secret": "canary",
    });
    shop.api.patch(&path, &json!({"tls": tls, "auth": auth})).expect(200);
    let entry = shop.api.get("/v1/audit?limit=1").expect(200)["data"][0].take();
    let members = ["auth", "tls.ca", "tls.client_certificate", "tls.private_key"];
    let members: Vec<_> = members.iter().map(|member| json!({"member": member})).collect();
    assert_eq!(entry["changes"], json!(members), "{entry}");
}
