//! K1: whatever happens on the way, and however much is logged, a client's secret, its tokens and a
//! private key are in no log, in no answer and not readable in any file.

use super::stage::{Authority, CLIENT_SECRET, TOKEN_END, TokenEndpoint};
use super::{endpoint, outcome};
use crate::canary::secret::{Canaries, Place, search};
use crate::support::figure;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use serde_json::json;
use std::path::Path;

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    let mut found = Vec::new();
    for path in entries {
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                found.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
            }
        }
    }
    found
}

#[test]
fn no_secret_of_it_is_in_a_log_an_answer_or_a_file() {
    let shop = Shop::open_with(|start| start.argument("--log=trace"));
    let (tokens, authority) = (TokenEndpoint::start(), Authority::new("ca"));
    let client = authority.signed("client", 2090);
    let guarded = authority.receiver(|_| Reply::Status(204));
    let refusing = authority.receiver(|_| Reply::Status(401));
    let stranger = Receiver::secured(|_| Reply::Status(204));
    let tls = json!({
        "client_certificate": client.certificate, "private_key": client.key, "ca": authority.pem,
    });
    let mut paths = vec!["/v1/endpoints".to_owned(), "/v1/audit".into(), "/metrics".into()];
    for (receiver, fails_with) in
        [(&guarded, 0), (&refusing, 0), (&stranger, 0), (&guarded, 503), (&guarded, 200)]
    {
        for client_auth in ["basic", "body"] {
            tokens.fail_with(fails_with);
            let both = json!({"auth": tokens.auth(client_auth), "tls": tls});
            let made = shop.endpoint(&endpoint(&receiver.secure_url("/"), &[], &both));
            let works = std::ptr::eq(receiver, &guarded) && fails_with == 0;
            let ended = outcome(&shop, if works { "delivered" } else { "dead" });
            let endpoint = format!("/v1/endpoints/{}", text(&made, "id"));
            shop.api.patch(&endpoint, &json!({"types": ["nothing"]})).expect(200);
            paths.extend([endpoint, format!("/v1/deliveries/{}", text(&ended, "id"))]);
            paths.push(format!("/v1/events/{}/explain", text(&ended["event"], "id")));
        }
    }
    let place = |name: String, bytes| Place { name, bytes, shows: vec![] };
    let answer = |path: String| place(path.clone(), shop.api.get(&path).message.body);
    let mut places: Vec<_> = paths.into_iter().map(answer).collect();
    let data = shop.data();
    assert!(shop.server.stop().success());
    places.extend(files(&data).into_iter().map(|(name, bytes)| place(name, bytes)));
    let log = std::fs::read(data.with_extension("log")).expect("a log");
    places.push(place("the log".to_owned(), log));
    let said = |needle: &str| {
        places.iter().any(|place| String::from_utf8_lossy(&place.bytes).contains(needle))
    };
    assert!(said("client:1") && said("draining"), "what is no secret is found");
    let key: Vec<_> = client.key.lines().collect();
    let mut canaries = Canaries::default();
    for (kind, secret) in [
        ("client's secret", CLIENT_SECRET),
        ("token", TOKEN_END),
        ("private key", key[1]),
        ("private key, further on", key[2]),
    ] {
        canaries.know(kind, secret);
    }
    let found = search(&canaries, &places);
    figure(format_args!(
        "{} secrets in {} forms: {} bytes of answers, files and log searched, {} hits",
        found.kinds,
        found.forms,
        found.bytes,
        found.hits.len()
    ));
    assert_eq!(found.hits, [] as [String; 0]);
}
