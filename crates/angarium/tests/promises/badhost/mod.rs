//! What bad receivers can do to a sender: nothing but fail their own attempt, once, in time, and
//! after few bytes (D4, D6, D10, S8, S9).
//!
//! The receivers are the program's own `badhost`; the oracle is what it saw, beside what the API
//! says. `BADHOST_EVENTS` is how many events each case gets at once in the crowded run.

mod alone;
pub(crate) mod host;
mod names;
mod proxies;

use crate::support::healthy::Healthy;
use crate::support::shop::Shop;
use crate::support::turns;
use crate::support::{eventually, figure, rounds};
use host::{BadHost, Case, Visit};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// An attempt's timeout.
const TIMEOUT_MS: u64 = 3_000;
/// What a busy machine may add to it.
const SLACK_MS: u64 = 1_500;
/// A failure that needs no waiting is recorded within this.
const AT_ONCE_MS: u64 = 2_000;
/// Most bytes that may have been sent when a sender hangs up: it reads 576 KiB at most (S9), and
/// the buffers of both systems hold the rest.
const ANSWER_BYTES: u64 = 4 * 1024 * 1024;
/// Nobody's memory grows beyond this, in bytes.
const MEMORY: u64 = 400 * 1024 * 1024;
/// A connection has ended this long after its attempt.
const ENDED: Duration = Duration::from_secs(5);
/// Longest run.
const SOON: Duration = Duration::from_secs(60);

/// A delivery to a case, as the API tells it when it has ended.
#[derive(Debug, Clone)]
struct Delivery {
    class: String,
    status: Option<u64>,
    attempts: u64,
    state: String,
    took_ms: u64,
}

/// A shop whose server trusts the bad host, and the bad host.
fn open() -> (Shop, BadHost, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("authority.pem");
    let host = BadHost::start(&authority);
    let trust = format!("--trust-ca={}", authority.display());
    (Shop::open_with(|start| start.argument(&trust)), host, folder)
}

/// An endpoint for each URL, which gets events of one type and one attempt for each; their ids.
fn endpoints<'a>(
    shop: &Shop,
    kind: &str,
    rows: impl IntoIterator<Item = (&'a str, String)>,
) -> HashMap<String, &'a str> {
    let delivery = json!({"timeout": format!("{TIMEOUT_MS}ms"), "retries": []});
    let endpoint = |(name, url): (&'a str, String)| {
        let endpoint = json!({"url": url, "types": [kind], "delivery": delivery});
        let made = shop.endpoint(&endpoint);
        (made["id"].as_str().expect("an id").to_owned(), name)
    };
    rows.into_iter().map(endpoint).collect()
}

/// Publishes, and waits until every delivery has ended; the deliveries by name.
fn deliver<'a>(
    shop: &Shop,
    kind: &str,
    data: &Value,
    endpoints: &HashMap<String, &'a str>,
) -> BTreeMap<&'a str, Delivery> {
    let event = shop.publish(kind, data);
    assert_eq!(event["endpoints"], endpoints.len(), "{kind}");
    let mut rows = Vec::new();
    eventually(&format!("all deliveries of {kind} ended"), SOON, || {
        std::thread::sleep(Duration::from_millis(200));
        rows = shop.deliveries(event["id"].as_str().expect("an id"));
        rows.len() == endpoints.len() && rows.iter().all(has_ended)
    });
    let by_name = |row: &Value| {
        let endpoint = row["endpoint"].as_str().expect("an endpoint");
        (endpoints[endpoint], delivery(row))
    };
    rows.iter().map(by_name).collect()
}

fn has_ended(row: &Value) -> bool {
    matches!(row["state"].as_str(), Some("delivered" | "dead" | "cancelled"))
}

fn delivery(row: &Value) -> Delivery {
    Delivery {
        class: row["last"]["class"].as_str().unwrap_or_default().to_owned(),
        status: row["last"]["status"].as_u64(),
        attempts: row["attempts"].as_u64().expect("attempts"),
        state: row["state"].as_str().expect("a state").to_owned(),
        took_ms: row["last"]["duration_ms"].as_u64().unwrap_or_default(),
    }
}

/// What is wrong with a delivery to a case, and with what the case saw of it.
fn faults(case: &Case, delivery: &Delivery, visits: &[Visit], connections: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            faults.push(format!("{}: {what}", case.name));
        }
    };
    claim(case.classes.contains(&delivery.class), format!("not {:?}: {delivery:?}", case.classes));
    let state = if delivery.class == "success" { "delivered" } else { "dead" };
    claim(delivery.state == state, format!("not {state}: {delivery:?}"));
    claim(delivery.attempts == 1, format!("not one attempt: {delivery:?}"));
    let limit = if case.limit == "none" { AT_ONCE_MS } else { TIMEOUT_MS + SLACK_MS };
    claim(delivery.took_ms <= limit, format!("took more than {limit} ms: {delivery:?}"));
    // A connection that can be used again is kept, and tells of itself later.
    let kept = usize::from(case.stage != "h2" && case.name != "ok" || delivery.class == "timeout");
    let as_expected = visits.len() <= connections && visits.len() >= connections.min(kept);
    claim(as_expected, format!("not {connections} connections: {visits:?}"));
    for visit in visits {
        claim(visit.written <= ANSWER_BYTES, format!("took too many bytes: {visit:?}"));
        claim(visit.requests <= 1, format!("not one request: {visit:?}"));
        let held = visit.held_ms <= delivery.took_ms + SLACK_MS || visit.end == "closed by us";
        claim(held, format!("was held on to after the attempt: {visit:?} {delivery:?}"));
    }
    faults
}

/// Whether an endpoint can be pointed at a case: the server asks no name server of ours, and a
/// proxy is no receiver.
fn is_sent_to(case: &&Case) -> bool {
    !matches!(&*case.stage, "dns" | "proxy")
}

/// Whether a case tells of its caller soon: some are never connected to, and where the request is
/// larger than what a shut window takes, the end of the connection waits behind it.
fn is_met(case: &Case, data: &Value) -> bool {
    match &*case.name {
        "connect-refused" | "connect-swallowed" => false,
        "connect-deaf" | "connect-zero-window" => !data.is_string(),
        _ => true,
    }
}

/// The visits by case; all that came with one run, once each case has one that has ended.
fn visits(host: &BadHost, seen_before: usize, cases: &[&Case]) -> BTreeMap<String, Vec<Visit>> {
    let started = Instant::now();
    let mut by_case = BTreeMap::<String, Vec<Visit>>::new();
    while started.elapsed() < ENDED && cases.iter().any(|case| !by_case.contains_key(&case.name)) {
        std::thread::sleep(Duration::from_millis(300));
        by_case.clear();
        for visit in host.visits().split_off(seen_before) {
            by_case.entry(visit.case.clone()).or_default().push(visit);
        }
    }
    by_case
}

fn assert_unharmed(shop: &Shop) {
    let metrics = shop.api.get("/metrics").message;
    let metrics = String::from_utf8(metrics.body).expect("metrics are text");
    assert!(metrics.contains("angarium_panics_total 0\n"), "{metrics}");
    let (_, most) = shop.server.memory();
    figure(format_args!("memory at most {} MiB", most / 1024 / 1024));
    assert!(most < MEMORY, "{most} bytes");
}

#[test]
fn every_bad_receiver_costs_its_own_attempt_and_nothing_else() {
    let (shop, host, _folder) = open();
    let healthy = Healthy::beside(&shop);
    let alone = healthy.for_a_while(Duration::from_secs(2));
    let has_path = |case: &&Case| case.url.starts_with(&format!("{}/", host.http));
    let cases: Vec<&Case> =
        host.cases.iter().filter(is_sent_to).filter(|case| case.name != "status").collect();
    let secure: Vec<&Case> = cases.iter().copied().filter(has_path).collect();
    let over_tls = |case: &&'_ Case| case.url.replace(&host.http, &host.https);
    let small = json!({"a": 1});
    // Larger than any window that is shut; less than the largest event.
    let large = json!("x".repeat(200 * 1024));
    let (mut wrong, mut table) = (Vec::new(), String::new());
    for (kind, data, cases, url) in [
        ("plain", &small, &cases, None),
        ("large", &large, &cases, None),
        ("secure", &small, &secure, Some(&over_tls)),
    ] {
        let rows = cases
            .iter()
            .map(|case| (&*case.name, url.map_or_else(|| case.url.clone(), |url| url(case))));
        let endpoints = endpoints(&shop, kind, rows);
        let before = host.visits().len();
        let run = healthy.begin();
        let deliveries = deliver(&shop, kind, data, &endpoints);
        let beside = healthy.end(run);
        let met: Vec<&Case> = cases.iter().copied().filter(|case| is_met(case, data)).collect();
        let mut visits = visits(&host, before, &met);
        for case in cases {
            let (delivery, visits) =
                (&deliveries[&*case.name], visits.remove(&case.name).unwrap_or_default());
            let taken: u64 = visits.iter().map(|visit| visit.written).sum();
            table += &format!(
                "{kind:7} {:8} {:30} {:28} {:>5} ms {taken:>8} bytes\n",
                case.stage, case.name, delivery.class, delivery.took_ms
            );
            let connections = usize::from(is_met(case, data));
            wrong.extend(faults(case, delivery, &visits, connections));
        }
        wrong.extend(visits.into_values().flatten().map(|visit| format!("nobody's: {visit:?}")));
        figure(format_args!(
            "{kind}: {} cases; healthy beside: {beside}; alone: {alone}",
            cases.len()
        ));
        assert!(beside.is_served(), "{beside}");
    }
    println!("{table}");
    assert_unharmed(&shop);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_status_means_what_it_says() {
    let (shop, host, _folder) = open();
    let names: Vec<String> = (200..600).map(|status: u16| status.to_string()).collect();
    let rows = names.iter().map(|status| (&**status, format!("{}/status/{status}", host.http)));
    let endpoints = endpoints(&shop, "status", rows);
    let deliveries = deliver(&shop, "status", &json!({}), &endpoints);
    for (name, delivery) in deliveries {
        let status: u64 = name.parse().expect("a status");
        let class = match status {
            410 => "gone",
            429 | 503 => "throttled",
            200..300 => "success",
            300..400 => "redirect",
            400..500 => "client_error",
            _ => "server_error",
        };
        let expected = (class, Some(status), 1);
        assert_eq!((&*delivery.class, delivery.status, delivery.attempts), expected, "{name}");
    }
    eventually("400 connections have ended", SOON, || host.visits().len() == 400);
    assert_eq!(host.visits().iter().map(|visit| visit.requests).sum::<u64>(), 400);
    assert_unharmed(&shop);
}

#[test]
fn nine_hundred_receivers_that_hang_delay_no_healthy_one() {
    let _alone = turns::alone();
    let (shop, host, _folder) = open();
    let healthy = Healthy::beside(&shop);
    let url = format!("{}/head-none", host.http);
    let endpoints = endpoints(&shop, "hang", (0..900).map(|_| ("head-none", url.clone())));
    let alone = healthy.for_a_while(Duration::from_millis(TIMEOUT_MS));
    let run = healthy.begin();
    let started = Instant::now();
    shop.publish("hang", &json!({}));
    eventually("all of them hang", SOON, || {
        shop.api.list("/v1/deliveries?tenant=acme&type=hang&state=dead").len() == endpoints.len()
    });
    let beside = healthy.end(run);
    figure(format_args!(
        "900 hanging for {:?}; beside: {beside}; alone: {alone}",
        started.elapsed()
    ));
    assert!(beside.is_served(), "{beside}");
    assert_unharmed(&shop);
}

#[test]
fn a_crowd_at_every_bad_receiver_delays_no_healthy_one() {
    let _alone = turns::alone();
    let (shop, host, _folder) = open();
    let events = rounds("BADHOST_EVENTS", 3);
    let healthy = Healthy::beside(&shop);
    let alone = healthy.for_a_while(Duration::from_secs(2));
    // A receiver that says it is gone is asked no more.
    let cases: Vec<&Case> =
        host.cases.iter().filter(is_sent_to).filter(|case| case.name != "status-410").collect();
    let rows = cases.iter().map(|case| (&*case.name, case.url.clone()));
    let endpoints = endpoints(&shop, "crowd", rows);
    let run = healthy.begin();
    for n in 0..events {
        assert_eq!(shop.publish("crowd", &json!(n))["endpoints"], endpoints.len());
    }
    let mut rows = Vec::new();
    let expected = endpoints.len() * usize::try_from(events).expect("few");
    eventually("all deliveries ended", SOON, || {
        std::thread::sleep(Duration::from_millis(500));
        rows = shop.api.list("/v1/deliveries?tenant=acme&type=crowd");
        rows.len() == expected && rows.iter().all(has_ended)
    });
    let beside = healthy.end(run);
    figure(format_args!(
        "{expected} deliveries to {} cases; beside: {beside}; alone: {alone}",
        cases.len()
    ));
    assert!(beside.is_served(), "{beside}");
    assert!(rows.iter().all(|row| row["attempts"] == 1), "an attempt too many");
    let by_name: HashMap<&str, &Case> = cases.iter().map(|case| (&*case.name, *case)).collect();
    let (mut wrong, mut lost) = (Vec::new(), 0);
    for row in &rows {
        let case = by_name[endpoints[row["endpoint"].as_str().expect("an endpoint")]];
        let delivery = delivery(row);
        // A connection that its case closes without a word may be written to once more, and nobody
        // knows whether that was read (RFC 9112, section 9.3.1): it is not sent again by itself.
        if delivery.class == "protocol" && !case.classes.contains(&delivery.class) {
            lost += 1;
            continue;
        }
        // On a connection of HTTP/2 that several attempts share, one case plays for all of them.
        let is_right = case.stage == "h2" || case.classes.contains(&delivery.class);
        if !is_right && case.name != "status" {
            wrong.push(format!("{}: {delivery:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lost * 50 <= rows.len(), "{lost} were lost on connections that had been closed");
    assert_unharmed(&shop);
}
