//! S2, S4, S5, S7 through the API's entrances: whatever URL a tenant names, and however it leaves,
//! no connection reaches an address that is not public.
//!
//! The oracle is not the product's word. The test runs in a network namespace of its own in which
//! *every* address is this machine's, with listeners on all of them that see which address was
//! dialled, and with a name server that answers every name with a private address.
//! `SSRF_EVERY=1` tries every URL at every entrance by every way; the default is a share of them,
//! each time another, so that each URL is tried somewhere.

mod entrances;
mod oracle;
#[path = "../../../../angarium-server/tests/ssrf_table/mod.rs"]
mod table;

use crate::support::client::Api;
use crate::support::proxy::{Kind, Proxy};
use crate::support::server::{Server, Start};
use crate::support::shop::{self, text};
use crate::support::{eventually, figure, rounds};
use entrances::{ENTRANCES, Platform};
use oracle::Oracle;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// Hosts that are none of the table's writings, but lead to the same places.
const HOSTS: [&str; 9] = [
    "localhost",
    "LOCALHOST",
    "metadata.google.internal",
    "printer.local",
    "any.name.example",
    "rebound.example.com",
    "xn--nxasmq6b.example",
    "169.254.169.254.nip.io",
    "a.home.arpa",
];

/// Every writing of every address of the table, and the hosts, with each scheme.
fn urls() -> Vec<String> {
    let written = table::edges().into_iter().flat_map(table::writings);
    let hosts = HOSTS.map(str::to_owned).into_iter().chain(written);
    hosts.flat_map(|host| [format!("http://{host}:9999/"), format!("https://{host}/")]).collect()
}

/// Runs one of the tests below in a namespace in which every address is local.
fn in_a_namespace(test: &str) {
    let script = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo \
                  && ip -6 route add local ::/0 dev lo && exec \"$0\" \"$@\"";
    let possible = Command::new("unshare").args(["-rn", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        println!("skipped: no network namespaces here (unshare -rn)");
        return;
    }
    let inside = Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .arg(std::env::current_exe().expect("this executable"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SSRF_INSIDE", "1")
        .output()
        .expect("the namespace starts");
    print!("{}", String::from_utf8_lossy(&inside.stdout));
    let told = String::from_utf8_lossy(&inside.stderr);
    assert!(inside.status.success(), "inside the namespace: {told}");
}

fn is_inside() -> bool {
    std::env::var_os("SSRF_INSIDE").is_some()
}

#[test]
fn no_url_leads_to_an_address_that_is_not_public_at_any_entrance_by_any_way() {
    in_a_namespace("ssrf::inside");
}

#[test]
fn what_is_forbidden_reads_like_what_cannot_be_reached() {
    in_a_namespace("ssrf::inside_as_an_oracle");
}

/// Not a test on its own: runs where every address leads to the listeners.
#[test]
#[ignore = "started in a network namespace by a test above"]
fn inside() {
    if !is_inside() {
        return;
    }
    let oracle = Oracle::listen();
    oracle::serve_names();
    oracle::prove_itself();
    let folder = tempfile::tempdir().expect("a folder");
    the_listeners_see_what_is_allowed(&folder.path().join("control"), &oracle);
    let server = start_closed(&folder.path().join("data"));
    let proxies = [Kind::Connect, Kind::Socks5].map(|kind| Proxy::start(kind, None));
    let ways = [("direct", None), ("connect", Some(&proxies[0])), ("socks5", Some(&proxies[1]))];
    let (urls, every) = (urls(), rounds("SSRF_EVERY", 20));
    let every = usize::try_from(every).expect("few");
    let (mut tried, mut accepted, mut attempted) = (0, 0, 0);
    let mut seen_urls = HashSet::new();
    for (nth_way, (way, proxy)) in ways.iter().enumerate() {
        for (nth, entrance) in ENTRANCES.iter().enumerate() {
            let platform = Platform::open(&server, entrance.contract, way, *proxy);
            let offset = (nth_way * ENTRANCES.len() + nth) % every;
            for (place, url) in urls.iter().enumerate().skip(offset).step_by(every) {
                seen_urls.insert(place);
                tried += 1;
                accepted += usize::from(entrance.take(&platform, url));
            }
            attempted += platform.deliver_in_every_way();
        }
        let platform = Platform::open(&server, "standard", way, *proxy);
        attempted += platform.name_certificates(&table::edges());
    }
    let forbidden = oracle.forbidden();
    figure(format_args!(
        "{} URLs, {} entrances and {} ways: {tried} tried, {accepted} accepted, {attempted} \
         attempts made; {} connections to addresses that are open, {} to others",
        urls.len(),
        ENTRANCES.len() + 1,
        ways.len(),
        oracle.open(),
        forbidden.len()
    ));
    assert_eq!(forbidden, [] as [std::net::IpAddr; 0]);
    for asked in proxies.iter().flat_map(Proxy::take_asked) {
        let address: std::net::SocketAddr = asked.parse().expect("a proxy is given an address");
        assert!(!oracle::is_forbidden(address.ip()), "a proxy was asked for {asked}");
    }
    assert!(seen_urls.len() * 2 > urls.len() || every > 20, "most URLs are tried somewhere");
}

/// The control: the listeners see who comes.
fn the_listeners_see_what_is_allowed(data: &Path, oracle: &Oracle) {
    let start = Start::closed(data).argument("--allow-http").argument("--allow-cidr=10.0.0.0/8");
    let server = start.run();
    let platform = Platform::open(&server, "standard", "direct", None);
    for url in ["http://10.1.2.3:9999/", "http://any.name.example:9999/"] {
        assert!(ENTRANCES[0].take(&platform, url), "{url} is allowed");
    }
    platform.deliver_in_every_way();
    eventually("the listeners see what is allowed", SOON, || oracle.forbidden().len() >= 2);
    drop(server);
    oracle.forget();
}

/// Plain http is allowed, so that only the address stands between the URL and the listener.
fn start_closed(data: &Path) -> Server {
    // With every URL, more are made of some names than a tenant has otherwise.
    let many = ["sources_per_tenant", "endpoints_per_tenant", "endpoints_per_event"];
    let start = Start::closed(data).argument("--allow-http");
    let start =
        many.iter().fold(start, |start, name| start.argument(&format!("--limit={name}=5000")));
    start.run()
}

/// Not a test on its own: what a tenant sees of receivers that are refused, unreachable, and
/// forbidden (S10).
#[test]
#[ignore = "started in a network namespace by a test above"]
fn inside_as_an_oracle() {
    if !is_inside() {
        return;
    }
    oracle::serve_names();
    let unreachable = Command::new("sh")
        .args(["-c", "ip route add unreachable 93.184.215.0/24 && ip route flush cache"])
        .status();
    assert!(unreachable.expect("ip runs").success(), "a place without a way to it");
    let folder = tempfile::tempdir().expect("a folder");
    let server = start_closed(&folder.path().join("data"));
    let platform = Platform::open(&server, "standard", "direct", None);
    // Nobody listens here; the namespace refuses on every address, and one network has no way.
    let rows = [
        ("refused", "http://8.8.8.8:9999/"),
        ("unreachable", "http://93.184.215.14:9999/"),
        ("forbidden", "http://any.name.example:9999/"),
        ("forbidden with a listener", "http://listening.example:8443/"),
    ];
    let _listener = std::net::TcpListener::bind("10.9.8.7:8443").expect("every address is ours");
    for (what, url) in rows {
        assert!(ENTRANCES[0].take(&platform, url), "{what}");
    }
    platform.publish();
    let api = &platform.api;
    eventually("every attempt has ended", SOON, || shop::waiting(api) == 0);
    let seen: Vec<Value> = api.list("/v1/deliveries?tenant=acme").iter().map(shown).collect();
    assert_eq!(seen.len(), rows.len());
    for other in &seen[1..] {
        assert_eq!(other, &seen[0]);
    }
    let first = api.list("/v1/deliveries?tenant=acme").remove(0);
    let whole = api.get(&format!("/v1/deliveries/{}", text(&first, "id"))).expect(200);
    assert_eq!(whole["attempts"][0]["detail"], "the address cannot be reached");
    let slowest = api.list("/v1/deliveries?tenant=acme");
    let slowest = slowest.iter().filter_map(|row| row["last"]["duration_ms"].as_u64()).max();
    figure(format_args!("{} kinds of unreachable read alike; slowest {slowest:?} ms", rows.len()));
    assert!(slowest.is_some_and(|ms| ms < 1_000), "each is answered at once: {slowest:?}");
    details_are_alike(api);
}

/// What a tenant sees of a delivery, but for what names it and for its times.
fn shown(row: &Value) -> Value {
    let last = &row["last"];
    json!([row["state"], row["attempts"], last["class"], last["status"], last["detail"]])
}

fn details_are_alike(api: &Api) {
    let whole = |row: &Value| {
        let whole = api.get(&format!("/v1/deliveries/{}", text(row, "id"))).expect(200);
        let attempt = &whole["attempts"][0];
        json!([attempt["class"], attempt["status"], attempt["detail"], attempt["response"]])
    };
    let seen: Vec<_> = api.list("/v1/deliveries?tenant=acme").iter().map(whole).collect();
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "{seen:#?}");
}
