//! K1: whatever happens on the way, and however much is logged, a client's secret, its tokens and a
//! private key are in no log, in no answer and not readable in any file.

use super::stage::{Authority, CLIENT_SECRET, TOKEN_END, TokenEndpoint};
use super::{endpoint, outcome};
use crate::support::figure;
use crate::support::receiver::{Receiver, Reply};
use crate::support::shop::{Shop, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::path::Path;

/// Every writing of a secret that is searched for.
fn writings(secret: &str) -> Vec<Vec<u8>> {
    let form = secret.replace('&', "%26").replace(' ', "+").replace('/', "%2F");
    let json = json!(secret).to_string();
    let texts = [secret, &form, json.trim_matches('"'), &hex::encode(secret)];
    let mut writings: Vec<_> = texts.map(|text| text.as_bytes().to_vec()).into();
    // What stands before it moves base64 by up to two places; the ends depend on the neighbours.
    for moved in 0..3 {
        let text = STANDARD.encode([&b"..."[..moved], secret.as_bytes()].concat());
        writings.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    writings
}

fn is_in(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

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
    let answer = |path: String| (path.clone(), shop.api.get(&path).message.body);
    let mut searched: Vec<_> = paths.into_iter().map(answer).collect();
    let data = shop.data();
    assert!(shop.server.stop().success());
    searched.extend(files(&data));
    let log = std::fs::read(data.with_extension("log")).expect("a log");
    searched.push(("the log".to_owned(), log));
    let found = |needle: &str| searched.iter().any(|(_, place)| is_in(place, needle.as_bytes()));
    assert!(found("client:1") && found("draining"), "what is no secret is found");
    let key: Vec<_> = client.key.lines().collect();
    let secrets = [CLIENT_SECRET, TOKEN_END, key[1], key[2]];
    let mut hits = Vec::new();
    for (place, content) in &searched {
        for (secret, writing) in
            secrets.iter().flat_map(|s| writings(s).into_iter().map(move |w| (s, w)))
        {
            if is_in(content, &writing) {
                hits.push(format!("{secret} in {place}"));
            }
        }
    }
    let bytes: usize = searched.iter().map(|(_, content)| content.len()).sum();
    figure(format_args!(
        "{} secrets in {} writings: {bytes} bytes of answers, files and log searched, {} hits",
        secrets.len(),
        secrets.iter().map(|secret| writings(secret).len()).sum::<usize>(),
        hits.len()
    ));
    assert_eq!(hits, [] as [String; 0]);
}
