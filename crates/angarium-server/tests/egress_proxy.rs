//! Through a proxy or not at all (S7), and under no other policy than the one of now (S3).

#[expect(dead_code, reason = "these tests use a part of the receiver")]
mod egress_receiver;
mod test_proxy;

use angarium_core::egress::{EgressPolicy, EgressSettings, WrittenProxy, WrittenSettings};
use angarium_core::outcome::{Class, Outcome};
use angarium_core::secret::SecretText;
use angarium_server::egress::{EgressLimits, Exchange, Transport, Way};
use egress_receiver::{
    ENDPOINT, OK, Receiver, TIMEOUT, Turn, egress, egress_with, loopback, request,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_proxy::{Kind, Proxy, USERNAME};

const KINDS: [Kind; 2] = [Kind::Connect, Kind::Socks5];

fn written(url: &str, password: Option<&str>, resolve: Option<&str>) -> WrittenSettings {
    let proxy = WrittenProxy {
        url: url.to_owned(),
        username: password.map(|_| USERNAME.into()),
        password: password.map(SecretText::new),
        resolve: resolve.map(str::to_owned),
    };
    WrittenSettings { proxy: Some(proxy), ..WrittenSettings::default() }
}

fn way(written: WrittenSettings) -> Way {
    let settings = EgressSettings::try_new(written).expect("sound settings");
    Way { endpoint: ENDPOINT, policy: Arc::new(loopback().narrowed(&settings)), tls: None }
}

async fn send(way: &Way, url: &str) -> Exchange {
    egress().send(way, request(url), TIMEOUT).await
}

fn named(receiver: &Receiver, name: &str) -> String {
    format!("http://{name}:{}/hook", receiver.address.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_given_the_address_that_was_judged_and_its_tunnel_is_used_again() {
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    for kind in KINDS {
        for password in [None, Some("p:w"), Some("ü")] {
            let proxy = Proxy::start(kind, password);
            let (way, egress) = (way(written(&proxy.url, password, None)), egress());
            for _ in 0..3 {
                let sent = egress.send(&way, request(&named(&receiver, "localhost")), TIMEOUT);
                assert_eq!(sent.await.outcome.class(), Class::Success, "{kind:?} {password:?}");
            }
            let mapped = named(&receiver, "[::ffff:7f00:1]");
            let sent = egress.send(&way, request(&mapped), TIMEOUT).await;
            assert_eq!(sent.outcome.class(), Class::Success, "{kind:?} {password:?}");
            let judged = receiver.address.to_string();
            assert_eq!(proxy.take_asked(), [judged.clone(), judged], "{kind:?}");
        }
    }
    let seen = receiver.requests();
    assert!(seen.iter().all(|seen| seen.starts_with("POST /hook HTTP/1.1\r\n")), "{seen:?}");
    assert!(!seen.iter().any(|seen| seen.to_lowercase().contains("proxy-")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_resolves_is_given_the_name_and_an_address_is_judged_all_the_same() {
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    for kind in KINDS {
        let proxy = Proxy::start(kind, None);
        let way = way(written(&proxy.url, None, Some("proxy")));
        let sent = send(&way, &named(&receiver, "only.the.proxy.knows.test")).await;
        assert_eq!(sent.outcome.class(), Class::Success, "{kind:?}: {:?}", sent.outcome);
        let port = receiver.address.port();
        assert_eq!(proxy.take_asked(), [format!("only.the.proxy.knows.test:{port}")]);
        for forbidden in ["http://10.0.0.1:9000/", "http://metadata.onion/", "http://[fd00::1]/"] {
            let sent = send(&way, forbidden).await;
            assert!(matches!(sent.outcome, Outcome::ForbiddenAddress(_)), "{forbidden}");
        }
        assert_eq!(proxy.take_asked(), [] as [String; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_around_a_proxy_that_does_not_let_through() {
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound")
    };
    for kind in KINDS {
        let proxy = Proxy::start(kind, Some("right"));
        let gone = format!("{}://{closed}", scheme(kind));
        let rows = [(&proxy.url, None), (&proxy.url, Some("wrong")), (&gone, None)];
        for (url, password) in rows {
            let sent = send(&way(written(url, password, None)), &receiver.url()).await;
            assert_eq!(sent.outcome.class(), Class::Unreachable, "{kind:?}: {:?}", sent.outcome);
            let detail = sent.outcome.detail();
            assert_eq!(detail.as_deref(), Some("the address cannot be reached"));
            assert!(sent.body.is_empty() && sent.response.is_empty(), "{sent:?}");
        }
        let proxy = Proxy::start(kind, None);
        let sent = send(&way(written(&proxy.url, None, None)), &format!("http://{closed}/")).await;
        assert_eq!(sent.outcome.class(), Class::Unreachable, "the proxy cannot reach it either");
    }
    assert_eq!(receiver.connections(), 0);
}

fn scheme(kind: Kind) -> &'static str {
    if kind == Kind::Connect { "http" } else { "socks5" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_used_under_its_own_policy_only() {
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    let egress = egress();
    let open = Way { endpoint: ENDPOINT, policy: Arc::new(loopback()), tls: None };
    let same = Way { endpoint: ENDPOINT, policy: Arc::new(loopback()), tls: None };
    let url = receiver.url();
    for way in [&open, &same] {
        let sent = egress.send(way, request(&url), TIMEOUT).await;
        assert_eq!(sent.outcome.class(), Class::Success);
    }
    assert_eq!(receiver.connections(), 1, "a policy that says the same is the same");
    let port = receiver.address.port();
    let deny = |range: &str| WrittenSettings {
        deny_cidrs: vec![range.into()],
        ..WrittenSettings::default()
    };
    let ports = |ports: String| WrittenSettings { ports: Some(vec![ports]), ..deny("10.0.0.0/8") };
    let nothing = WrittenSettings { allow_cidrs: Some(vec![]), ..WrittenSettings::default() };
    for closed in [deny("127.0.0.1/32"), nothing, ports("443".into())] {
        let way = way(closed);
        let sent = egress.send(&way, request(&url), TIMEOUT).await;
        assert!(matches!(sent.outcome, Outcome::ForbiddenAddress(_)), "{:?}", sent.outcome);
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (1, 2));
    let sent = egress.send(&way(ports(port.to_string())), request(&url), TIMEOUT).await;
    assert_eq!(sent.outcome.class(), Class::Success);
    assert_eq!(receiver.connections(), 2, "under another policy on another connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_says_nothing_is_given_up_at_the_limit_for_connecting() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound");
    for kind in KINDS {
        let way = way(written(&format!("{}://{address}", scheme(kind)), None, None));
        let limits = EgressLimits { connect: Duration::from_millis(80), ..EgressLimits::default() };
        let started = Instant::now();
        let egress = egress_with(limits, Vec::new());
        let sent = egress.send(&way, request("http://127.0.0.1:9000/"), TIMEOUT).await;
        assert_eq!(sent.outcome.class(), Class::Timeout, "{kind:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}

#[test]
fn a_policy_without_settings_is_the_servers() {
    let server = loopback();
    assert_eq!(server.narrowed(&EgressSettings::default()), server);
    assert_ne!(server, EgressPolicy::default());
}
