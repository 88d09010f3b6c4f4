//! No writing of a forbidden address, and no name that leads to one, opens a connection.
//!
//! The judge is not the product's own word: inside a network namespace in which *every* address is
//! local, a listener counts what arrives. Needs root and `unshare`; nothing leaves the namespace.

#[expect(dead_code, reason = "these tests use a part of the receiver")]
mod egress_receiver;
mod ssrf_names;

use angarium_core::address::{AddressPolicy, FORBIDDEN};
use angarium_core::destination::Destination;
use angarium_core::id::EndpointNo;
use angarium_core::limits::Limits;
use angarium_core::outcome::{Class, Outcome};
use angarium_server::egress::{Egress, EgressConfig, NameServers, Transport};
use egress_receiver::request;
use ipnet::IpNet;
use ssrf_names::{Answers, start_name_server};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const INSIDE: &str = "ANGARIUM_TEST_INSIDE_NAMESPACE";
const TIMEOUT: Duration = Duration::from_secs(2);
/// 80 for plain HTTP, 443 for what a parser might fall back to, and a free one.
const PORTS: [u16; 3] = [80, 443, 9900];
const SETUP: &str = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && \
                     ip -6 route add local ::/0 dev lo && exec \"$0\" \"$@\"";

#[test]
fn no_forbidden_address_is_reached_in_any_writing_or_by_any_name() {
    let test = std::env::current_exe().expect("the test's own path");
    let status = Command::new("unshare")
        .args(["--net", "sh", "-c", SETUP])
        .arg(test)
        .args(["--ignored", "--exact", "inside_the_namespace", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("this test needs `unshare` (util-linux)");
    assert!(
        status.success(),
        "failed inside the namespace, or could not make one (this test needs root)"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, inside a namespace where every address is local"]
async fn inside_the_namespace() {
    assert!(std::env::var(INSIDE).is_ok(), "only inside the namespace");
    let arrived = Arrived::listen();
    let name_server = start_name_server();
    let world = World {
        egress: Egress::new(EgressConfig {
            name_servers: NameServers::At(vec![name_server.address]),
            ..EgressConfig::default()
        })
        .expect("the egress starts"),
        arrived,
    };
    world.try_every_writing().await;
    world.try_names(&name_server.answers).await;
    world.try_rebinding(&name_server.answers).await;
}

/// Where connections arrived, by the address that was dialled.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Vec<IpAddr>>>);

impl Arrived {
    /// Listens on every address; answers with a redirect to a forbidden one.
    fn listen() -> Self {
        let arrived = Self::default();
        for port in PORTS {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).expect("bind");
            let arrived = arrived.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.expect("a connection");
                    let dialled = stream.local_addr().expect("connected").ip().to_canonical();
                    arrived.0.lock().expect("no panic").push(dialled);
                    let answer = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\
                                   connection: close\r\ncontent-length: 0\r\n\r\n";
                    // The peer may be gone already; the connection is counted.
                    let read = stream.read(&mut [0; 4096]);
                    read.and_then(|_| stream.write_all(answer)).ok();
                }
            });
        }
        arrived
    }

    fn take(&self) -> Vec<IpAddr> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

struct World {
    egress: Egress,
    arrived: Arrived,
}

impl World {
    /// Sends, if the URL is accepted at all; the endpoint's number keeps connections apart.
    async fn send(&self, url: &str) -> Option<Outcome> {
        Destination::parse(url, &Limits::default()).ok()?;
        let exchange = self.egress.send(EndpointNo::new(0), request(url), TIMEOUT);
        Some(exchange.await.outcome)
    }

    async fn try_every_writing(&self) {
        let policy = AddressPolicy::default();
        let (mut urls, mut accepted) = (0, 0);
        for address in edges() {
            for host in writings(address) {
                for url in [format!("http://{host}/"), format!("http://{host}:9900/")] {
                    urls += 1;
                    accepted += usize::from(self.send(&url).await.is_some());
                    for dialled in self.arrived.take() {
                        assert_eq!(policy.judge(dialled), Ok(()), "{url} reached {dialled}");
                    }
                }
            }
        }
        let reached = self.reach_what_is_open(&policy).await;
        println!("urls={urls} parsed={accepted} connections_to_forbidden=0 open_reached={reached}");
        assert!(urls > 6_000 && reached > 20, "the table has shrunk");
    }

    /// The control: addresses beside the ranges are dialled, so the listener can see.
    async fn reach_what_is_open(&self, policy: &AddressPolicy) -> usize {
        let mut reached = 0;
        for address in edges().into_iter().filter(|a| policy.judge(*a).is_ok()) {
            let url = format!("http://{}/", canonical_host(address));
            let outcome = self.send(&url).await.expect(&url);
            assert_eq!(outcome.class(), Class::Redirect, "{url}: {outcome:?}");
            assert_eq!(self.arrived.take().len(), 1, "{url}");
            reached += 1;
        }
        reached
    }

    async fn try_names(&self, answers: &Answers) {
        let forbidden = [
            vec!["10.0.0.1"],
            vec!["8.8.8.8", "10.0.0.1"],
            vec!["127.0.0.1"],
            vec!["0.0.0.0"],
            vec!["169.254.169.254"],
            vec!["168.63.129.16"],
            vec!["::1"],
            vec!["::ffff:127.0.0.1"],
            vec!["64:ff9b::a00:1"],
            vec!["64:ff9b:1::808:808"],
            vec!["2002:a00:1::"],
            vec!["2001:0:4136:e378::1"],
            vec!["fd00:ec2::254"],
            vec!["8.8.8.8", "fe80::1"],
        ];
        for (number, addresses) in forbidden.iter().enumerate() {
            let name = format!("forbidden{number}.test");
            answers.always(&name, addresses);
            let outcome = self.send(&format!("http://{name}/")).await.expect("a URL");
            assert!(matches!(outcome, Outcome::ForbiddenAddress(_)), "{addresses:?}: {outcome:?}");
            assert_eq!(self.arrived.take(), [] as [IpAddr; 0], "{addresses:?}");
        }
        for name in ["localhost", "a.localhost", "x.internal", "x.local", "x.onion"] {
            answers.always(name, &["8.8.8.8"]);
            let outcome = self.send(&format!("http://{name}/")).await.expect("a URL");
            assert!(matches!(outcome, Outcome::ForbiddenAddress(_)), "{name}: {outcome:?}");
        }
        let missing = self.send("http://missing.test/").await.expect("a URL");
        assert_eq!(missing.class(), Class::Dns, "{missing:?}");
        answers.always("open.test", &["93.184.215.14", "2606:4700::1111"]);
        let open = self.send("http://open.test/").await.expect("a URL");
        assert_eq!(open.class(), Class::Redirect, "{open:?}");
        assert_eq!(self.arrived.take().len(), 1);
        println!("names={} connections_to_forbidden=0", forbidden.len() + 5);
    }

    async fn try_rebinding(&self, answers: &Answers) {
        const DELIVERIES: usize = 1_000;
        answers.in_turn("rebinding.test", &[&["8.8.8.8"], &["127.0.0.1"]]);
        for _ in 0..DELIVERIES {
            self.send("http://rebinding.test/").await.expect("a URL");
        }
        let arrived = self.arrived.take();
        let distinct: HashSet<IpAddr> = arrived.iter().copied().collect();
        assert_eq!(distinct, HashSet::from([IpAddr::from([8, 8, 8, 8])]));
        assert!(arrived.len() >= DELIVERIES / 4, "the name did lead to an open address");
        println!("rebinding: deliveries={DELIVERIES} open={} forbidden=0", arrived.len());
    }
}

/// First, last and middle address of every range, and one beyond each edge.
fn edges() -> Vec<IpAddr> {
    let of = |range: IpNet| match range {
        IpNet::V4(range) => {
            let (first, last) = (range.network().to_bits(), range.broadcast().to_bits());
            let middle = first + (last - first) / 2;
            [first, last, middle, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)))
        }
        IpNet::V6(range) => {
            let (first, last) = (range.network().to_bits(), range.broadcast().to_bits());
            let middle = first + (last - first) / 2;
            [first, last, middle, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)))
        }
    };
    FORBIDDEN.iter().flat_map(|(text, _)| of(text.parse().expect("a range"))).collect()
}

fn canonical_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

fn writings(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V4(v4) => writings_of_v4(v4),
        IpAddr::V6(v6) => writings_of_v6(v6),
    }
}

fn writings_of_v4(address: Ipv4Addr) -> Vec<String> {
    let bits = address.to_bits();
    let [a, b, c, d] = address.octets();
    let (high, low) = (bits >> 16, bits & 0xffff);
    let dotted = address.to_string();
    let full_width = |digit: char| match digit.to_digit(10) {
        Some(value) => char::from_u32(0xff10 + value).expect("a full-width digit"),
        None => digit,
    };
    vec![
        dotted.clone(),
        format!("{bits}"),
        format!("0x{bits:x}"),
        format!("0{bits:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("{a}.{}", bits & 0xff_ffff),
        format!("{a}.{b}.{low}"),
        format!("{a:03}.{b:03}.{c:03}.{d:03}"),
        format!("{dotted}."),
        format!("[{dotted}]"),
        dotted.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        dotted.chars().map(full_width).collect(),
        dotted.replace('.', "。"),
        format!("example.com@{dotted}"),
        format!("{dotted}%00.example.com"),
        format!("[::ffff:{dotted}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[::{dotted}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[::ffff:0:{high:x}:{low:x}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::]"),
        format!("[2001:0:4136:e378:8000:63bf:{:x}:{:x}]", high ^ 0xffff, low ^ 0xffff),
        format!("[fe80::1%25lo]:80@{dotted}"),
    ]
}

fn writings_of_v6(address: Ipv6Addr) -> Vec<String> {
    let full: Vec<_> = address.segments().iter().map(|s| format!("{s:04x}")).collect();
    let short: Vec<_> = address.segments().iter().map(|s| format!("{s:x}")).collect();
    vec![
        format!("[{address}]"),
        format!("[{address}]").to_uppercase(),
        format!("[{}]", full.join(":")),
        format!("[{}]", short.join(":")),
        format!("[{address}%25lo]"),
        format!("[{address}%lo]"),
        format!("{address}"),
        format!("[{address}]."),
        format!("%5b{address}%5d"),
        format!("example.com@[{address}]"),
    ]
}
