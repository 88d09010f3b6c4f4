//! S2, S4, S5 through the API's entrances: whatever URL a tenant names, no connection reaches an
//! address that is not public.
//!
//! The oracle is not the product's word. The test runs in a network namespace of its own in which
//! *every* address is this machine's, with listeners on all of them that count connections, and
//! with a name server that answers every name with a private address.

use crate::support::client::Api;
use crate::support::server::{Server, Start};
use crate::support::shop::{self, text};
use crate::support::{eventually, figure};
use serde_json::json;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PORTS: [u16; 4] = [80, 443, 8443, 9999];
const SOON: Duration = Duration::from_secs(30);

/// Every IPv4 range that is not public (reliability-security plan, S4).
const FORBIDDEN: [(Ipv4Addr, u32); 20] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 169, 254), 32),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Hosts that are none of the above writings, but lead to the same places.
const HOSTS: [&str; 26] = [
    "[::]",
    "[::1]",
    "[100::1]",
    "[100:0:0:1::1]",
    "[2001::1]",
    "[2001:2::1]",
    "[2001:db8::1]",
    "[2620:4f:8000::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fec0::1]",
    "[ff02::1]",
    "[64:ff9b:1:ffff:ffff:ffff:ffff:ffff]",
    "localhost",
    "LOCALHOST",
    "metadata.google.internal",
    "printer.local",
    "any.name.example",
    "rebound.example.com",
    "xn--nxasmq6b.example",
    "127.0.0.1.nip.io",
    "a.home.arpa",
];

/// All writings of an address that some parser takes for it.
fn writings(address: Ipv4Addr) -> Vec<String> {
    let number = u32::from(address);
    let [a, b, c, d] = address.octets();
    let (high, low) = (number >> 16, number & 0xffff);
    let wide: String = address
        .to_string()
        .chars()
        .map(|digit| match digit.to_digit(10) {
            Some(digit) => char::from_u32(0xff10 + digit).unwrap_or(' '),
            None => '。',
        })
        .collect();
    let percent: String = address.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        address.to_string(),
        format!("{address}."),
        number.to_string(),
        format!("0x{number:08x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("{a}.{}", number & 0x00ff_ffff),
        format!("{a}.{b}.{low}"),
        percent,
        wide,
        format!("[::ffff:{address}]"),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b:1::{address}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::]"),
        format!("user@{address}"),
        format!("{address}\\@example.com"),
    ]
}

/// First, middle and last address of each range in every writing, and the hosts, with each scheme.
fn urls() -> Vec<String> {
    let mut hosts: Vec<String> = HOSTS.iter().map(ToString::to_string).collect();
    for (first, length) in FORBIDDEN {
        let size = u32::MAX.checked_shr(length).unwrap_or_default();
        let first = u32::from(first);
        let mut addresses = vec![first, first + size / 2, first + size];
        addresses.dedup();
        hosts.extend(addresses.into_iter().flat_map(|one| writings(Ipv4Addr::from(one))));
    }
    let both = |host: &String| [format!("http://{host}:9999/"), format!("https://{host}/")];
    hosts.iter().flat_map(both).collect()
}

#[test]
fn no_url_leads_to_an_address_that_is_not_public() {
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
        .args(["--exact", "ssrf::inside", "--ignored", "--nocapture"])
        .env("SSRF_INSIDE", "1")
        .output()
        .expect("the namespace starts");
    print!("{}", String::from_utf8_lossy(&inside.stdout));
    let told = String::from_utf8_lossy(&inside.stderr);
    assert!(inside.status.success(), "inside the namespace: {told}");
}

/// Not a test on its own: runs where every address leads to the listeners.
#[test]
#[ignore = "started in a network namespace by the test above"]
fn inside() {
    if std::env::var_os("SSRF_INSIDE").is_none() {
        return;
    }
    let connections = listen();
    serve_names(Ipv4Addr::new(10, 9, 8, 7));
    let folder = tempfile::tempdir().expect("a folder");

    let server = Start::closed(&folder.path().join("control"))
        .argument("--allow-http")
        .argument("--allow-cidr=10.0.0.0/8")
        .run();
    let api = set_up(&server);
    create(&api, "http://10.1.2.3:9999/").expect("allowed");
    create(&api, "http://any.name.example:9999/").expect("allowed");
    publish(&api);
    eventually("the listeners see what is allowed", SOON, || {
        connections.load(Ordering::SeqCst) >= 2
    });
    drop(server);
    connections.store(0, Ordering::SeqCst);

    let server = start_closed(&folder.path().join("data"));
    let api = set_up(&server);
    let urls = urls();
    let accepted = urls.iter().filter(|url| create(&api, url).is_some()).count();
    let patched = patch_all(&api, &urls);
    publish(&api);
    eventually("every attempt has ended", SOON, || shop::waiting(&api) == 0);
    let ended = api.list("/v1/deliveries?tenant=acme");
    let seen = connections.load(Ordering::SeqCst);
    figure(format_args!(
        "{} URLs at 2 entrances, {accepted} created, {patched} patched, {} deliveries \
         attempted, {seen} connections seen",
        urls.len(),
        ended.len()
    ));
    assert!(ended.iter().all(|row| row["state"] != "delivered"));
    assert_eq!(seen, 0, "connections to addresses that are not public");
}

/// Plain http is allowed, so that only the address stands between the URL and the listener.
fn start_closed(data: &Path) -> Server {
    Start::closed(data).argument("--allow-http").run()
}

fn set_up(server: &Server) -> Api {
    let api = server.admin().with("angarium-environment", "shop");
    let environment = json!({"slug": "shop", "title": "Shop", "contracts": ["standard"]});
    api.post("/v1/environments", &environment).expect(201);
    api.put("/v1/tenants/acme", &json!({}));
    api
}

/// Creates an endpoint; its id, or none if the URL was refused as what it is.
fn create(api: &Api, url: &str) -> Option<String> {
    let delivery = json!({"timeout": "5s", "retries": []});
    let body = json!({"url": url, "types": ["*"], "delivery": delivery});
    let answer = api.post("/v1/tenants/acme/endpoints", &body);
    if answer.status == 201 {
        return Some(text(&answer.body, "id").to_owned());
    }
    let codes = ["forbidden_address", "invalid_url"];
    assert!(answer.status == 422 && codes.contains(&answer.code()), "{url}: {}", answer.body);
    assert_eq!(answer.field(), Some("url"), "{url}");
    None
}

/// Gives one endpoint each URL in turn, and publishes to those that are taken.
fn patch_all(api: &Api, urls: &[String]) -> usize {
    let endpoint = create(api, "https://192.0.66.1/").expect("a public address");
    let path = format!("/v1/endpoints/{endpoint}");
    let mut taken = 0;
    for url in urls {
        if api.patch(&path, &json!({"url": url})).status == 200 {
            taken += 1;
            publish(api);
        }
    }
    // The public address would lead to the listeners as well, in here.
    assert_eq!(api.delete(&path).status, 204);
    taken
}

fn publish(api: &Api) {
    api.post("/v1/events", &json!({"tenant": "acme", "type": "a", "data": 1})).expect(202);
}

/// Listens on every address, and counts.
fn listen() -> Arc<AtomicUsize> {
    let connections = Arc::new(AtomicUsize::new(0));
    for port in PORTS {
        // On Linux this one takes IPv4 as well.
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).expect("a free port");
        let counter = connections.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counter.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
    }
    connections
}

/// Answers every question for an IPv4 address with this one, at the address of each name server
/// that this machine uses.
fn serve_names(answer: Ipv4Addr) {
    let configured = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = configured.lines().filter_map(|line| line.strip_prefix("nameserver "));
    for server in servers {
        let socket = UdpSocket::bind((server.trim(), 53)).expect("every address is ours");
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let _ = socket.send_to(&answer_to(&question[..length], answer), from);
            }
        });
    }
}

/// The question with one A record behind it; none where something else was asked.
fn answer_to(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let name_end = question[12..].iter().position(|byte| *byte == 0).map_or(12, |end| 12 + end);
    let end = (name_end + 5).min(question.len());
    let wants_a = question.get(name_end + 1..name_end + 3) == Some(&[0, 1]);
    let mut reply = question[..end].to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(wants_a), 0, 0, 0, 0]);
    if wants_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
