//! No writing of a forbidden address, and no name that leads to one, opens a connection.
//!
//! The judge is not the product's own word: inside a network namespace in which *every* address is
//! local, a listener counts what arrives. So it is without a proxy, and through either kind of
//! proxy. Needs root and `unshare`; nothing leaves the namespace. `SSRF_REBINDING` is how many
//! attempts are made at a name that changes.

#[expect(dead_code, reason = "these tests use a part of the receiver")]
mod egress_receiver;
mod ssrf_names;
mod ssrf_table;
mod test_proxy;

use angarium_core::address::AddressPolicy;
use angarium_core::destination::Destination;
use angarium_core::egress::{EgressPolicy, EgressSettings, WrittenProxy, WrittenSettings};
use angarium_core::limits::Limits;
use angarium_core::outcome::{Class, Outcome};
use angarium_server::egress::{Egress, EgressConfig, NO_ENDPOINT, NameServers, Transport, Way};
use egress_receiver::request;
use ssrf_names::{Answers, start_name_server};
use ssrf_table::{canonical_host, edges, writings};
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_proxy::{Kind, Proxy};

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
    let egress = Arc::new(
        Egress::new(EgressConfig {
            name_servers: NameServers::At(vec![name_server.address]),
            ..EgressConfig::default()
        })
        .expect("the egress starts"),
    );
    let proxies = [Kind::Connect, Kind::Socks5].map(|kind| Proxy::start(kind, None));
    let ways = [("direct", None), ("CONNECT", Some(&proxies[0])), ("SOCKS5", Some(&proxies[1]))];
    for (name, proxy) in ways {
        println!("{name}:");
        let policy = Arc::new(policy(proxy));
        let way = Way { endpoint: NO_ENDPOINT, policy, tls: None };
        let world = World { egress: Arc::clone(&egress), way, arrived: arrived.clone() };
        world.try_every_writing().await;
        world.try_names(&name_server.answers).await;
        world.try_redirects().await;
        world.try_rebinding(&name_server.answers).await;
        let asked = proxy.map(Proxy::take_asked).unwrap_or_default();
        assert_eq!(asked.is_empty(), proxy.is_none(), "the proxy was used");
        for target in asked {
            let address: SocketAddr = target.parse().expect("a proxy is given an address");
            assert_eq!(AddressPolicy::default().judge(address.ip()), Ok(()), "asked for {target}");
        }
    }
}

/// The default policy, by this proxy.
fn policy(proxy: Option<&Proxy>) -> EgressPolicy {
    let proxy =
        proxy.map(|proxy| WrittenProxy { url: proxy.url.clone(), ..WrittenProxy::default() });
    let written = WrittenSettings { proxy, ..WrittenSettings::default() };
    EgressPolicy::default().narrowed(&EgressSettings::try_new(written).expect("sound settings"))
}

/// Where connections arrived, by the address that was dialled.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Vec<IpAddr>>>);

impl Arrived {
    /// Listens on every address; answers a request for `/CODE/LOCATION` with that redirect, and any
    /// other with one to a forbidden address.
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
                    let mut request = [0; 4096];
                    // The peer may be gone already; the connection is counted.
                    let read = stream.read(&mut request).unwrap_or_default();
                    let request = String::from_utf8_lossy(&request[..read]);
                    stream.write_all(redirect(&request).as_bytes()).ok();
                }
            });
        }
        arrived
    }

    fn take(&self) -> Vec<IpAddr> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

fn redirect(request: &str) -> String {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let wanted = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    let (code, location) = wanted.unwrap_or(("302", "http://169.254.169.254/"));
    format!(
        "HTTP/1.1 {code} Moved\r\nlocation: {location}\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n"
    )
}

/// Where redirects lead: to places that are forbidden, to one that is open, and to itself.
const LOCATIONS: [&str; 12] = [
    "http://127.0.0.1/",
    "http://127.0.0.1:9900/",
    "http://[::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://[fd00:ec2::254]/",
    "http://localhost/",
    "http://2130706433/",
    "//127.0.0.1/",
    "/302/elsewhere",
    "http://8.8.8.8/",
    "http://93.184.215.14/",
];

struct World {
    egress: Arc<Egress>,
    way: Way,
    arrived: Arrived,
}

impl World {
    /// Sends on a connection of its own, if the URL is accepted at all.
    async fn send(&self, url: &str) -> Option<Outcome> {
        Destination::parse(url, &Limits::default()).ok()?;
        let exchange = self.egress.send(&self.way, request(url), TIMEOUT);
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

    /// Each redirect is the answer, and its location is asked for nothing.
    async fn try_redirects(&self) {
        for code in ["301", "302", "303", "307", "308"] {
            for location in LOCATIONS {
                let url = format!("http://93.184.215.14/{code}/{location}");
                let outcome = self.send(&url).await.expect(&url);
                assert_eq!(outcome.class(), Class::Redirect, "{url}: {outcome:?}");
                assert_eq!(self.arrived.take(), [IpAddr::from([93, 184, 215, 14])], "{url}");
            }
        }
        println!("redirects: codes=5 targets={} second_requests=0", LOCATIONS.len());
    }

    async fn try_rebinding(&self, answers: &Answers) {
        const AT_ONCE: usize = 16;
        let wanted = std::env::var("SSRF_REBINDING").ok().and_then(|text| text.parse().ok());
        let attempts = wanted.unwrap_or(10_000_usize).div_ceil(AT_ONCE);
        answers.in_turn("rebinding.test", &[&["8.8.8.8"], &["127.0.0.1"]]);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE {
            let (egress, way) = (Arc::clone(&self.egress), self.way.clone());
            tasks.spawn(async move {
                for _ in 0..attempts {
                    egress.send(&way, request("http://rebinding.test/"), TIMEOUT).await;
                }
            });
        }
        tasks.join_all().await;
        let (arrived, attempts) = (self.arrived.take(), attempts * AT_ONCE);
        let distinct: HashSet<IpAddr> = arrived.iter().copied().collect();
        assert_eq!(distinct, HashSet::from([IpAddr::from([8, 8, 8, 8])]));
        assert!(arrived.len() >= AT_ONCE, "the name did lead to an open address");
        println!("rebinding: attempts={attempts} open={} forbidden=0", arrived.len());
    }
}
