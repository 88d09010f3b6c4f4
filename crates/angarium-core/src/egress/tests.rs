//! What an environment may set, what is left of the server's rule, and what proxies are told.

use super::connect::{self, Answer, HEAD_BYTES};
use super::socks5::{self, Wants};
use super::*;
use crate::destination::Host;
use crate::limits::Limits;
use crate::secret::SecretText;
use proptest::prelude::*;

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn ports(ports: &[&str]) -> WrittenSettings {
    WrittenSettings { ports: Some(texts(ports)), ..WrittenSettings::default() }
}

fn proxy(url: &str) -> WrittenProxy {
    WrittenProxy { url: url.into(), ..WrittenProxy::default() }
}

fn behind(proxy: WrittenProxy) -> WrittenSettings {
    WrittenSettings { proxy: Some(proxy), ..WrittenSettings::default() }
}

fn with_password(url: &str) -> WrittenProxy {
    WrittenProxy {
        username: Some("angarium".into()),
        password: Some(SecretText::new("p:ss\"wörd")),
        ..proxy(url)
    }
}

fn operator(ranges: &[&str]) -> AddressPolicy {
    AddressPolicy::allowing(ranges.iter().map(|range| range.parse().expect(range)).collect())
}

fn settled(written: WrittenSettings) -> EgressSettings {
    EgressSettings::try_new(written).expect("sound settings")
}

fn judge(policy: &EgressPolicy, url: &str) -> Result<(), Refusal> {
    policy.judge(&Destination::parse(url, &Limits::default()).expect(url))
}

#[test]
fn what_is_wrong_is_said_at_its_member() {
    let deny = |range: &str| WrittenSettings {
        deny_cidrs: texts(&["10.0.0.0/8", range]),
        ..WrittenSettings::default()
    };
    let of = |proxy: WrittenProxy| behind(proxy);
    let sound = || with_password("http://proxy.example:3128");
    let long = Some("x".repeat(256));
    let rows = [
        (ports(&[]), "ports"),
        (ports(&["443", "22"]), "ports[1]"),
        (ports(&["6667"]), "ports[0]"),
        (ports(&["0443"]), "ports[0]"),
        (ports(&["+443"]), "ports[0]"),
        (ports(&["2000-1000"]), "ports[0]"),
        (ports(&["1024-65536"]), "ports[0]"),
        (ports(&["https"]), "ports[0]"),
        (ports(&["443"; MOST_PORTS + 1]), "ports"),
        (deny("10.0.0.1/8"), "deny_cidrs[1]"),
        (deny("10.0.0.1"), "deny_cidrs[1]"),
        (deny("everything"), "deny_cidrs[1]"),
        (of(proxy("proxy.example:3128")), "proxy.url"),
        (of(proxy("https://proxy.example:3128")), "proxy.url"),
        (of(proxy("http://proxy.example")), "proxy.url"),
        (of(proxy("socks5://proxy.example")), "proxy.url"),
        (of(proxy("http://proxy.example:3128/path")), "proxy.url"),
        (of(proxy("http://proxy.example:3128?x")), "proxy.url"),
        (of(proxy("http://u:p@proxy.example:3128")), "proxy.url"),
        (of(proxy("http://0x7f.1:3128")), "proxy.url"),
        (of(WrittenProxy { password: None, ..sound() }), "proxy.password"),
        (of(WrittenProxy { username: None, ..sound() }), "proxy.username"),
        (of(WrittenProxy { username: Some("a:b".into()), ..sound() }), "proxy.username"),
        (of(WrittenProxy { username: Some("a\r\nb".into()), ..sound() }), "proxy.username"),
        (of(WrittenProxy { username: long, ..sound() }), "proxy.username"),
        (of(WrittenProxy { password: Some(SecretText::new("")), ..sound() }), "proxy.password"),
        (of(WrittenProxy { resolve: Some("there".into()), ..sound() }), "proxy.resolve"),
    ];
    for (written, field) in rows {
        let refusal = EgressSettings::try_new(written.clone()).expect_err(field);
        assert_eq!(refusal.field.as_deref(), Some(field), "{written:?}");
    }
}

#[test]
fn settings_read_back_from_what_is_sealed() {
    let whole = WrittenSettings {
        ports: Some(texts(&["443", "1024-65535"])),
        allow_cidrs: Some(texts(&["10.1.0.0/16"])),
        deny_cidrs: texts(&["203.0.113.0/24", "2001:db8::/32"]),
        proxy: Some(with_password("socks5://[fd00::1]:1080")),
    };
    let embedded = behind(proxy("http://[::ffff:a00:5]:3128"));
    for settings in [EgressSettings::default(), settled(whole), settled(embedded)] {
        let form = settings.to_sealed_form();
        assert_eq!(EgressSettings::from_sealed_form(&form), Ok(settings));
    }
    for broken in ["", "{}x", r#"{"ports":["22"]}"#, r#"{"proxy":{"url":"secret"}}"#] {
        let error = EgressSettings::from_sealed_form(broken.as_bytes()).expect_err(broken);
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn only_the_ports_that_are_named_are_open() {
    let policy = EgressPolicy::default().narrowed(&settled(ports(&["443", "8000-9000"])));
    let rows = [
        ("https://example.com/", true),
        ("https://example.com:8000/", true),
        ("https://example.com:9000/", true),
        ("https://example.com:7999/", false),
        ("https://example.com:9001/", false),
        ("http://example.com/", false),
    ];
    for (url, open) in rows {
        assert_eq!(judge(&policy, url).is_ok(), open, "{url}");
        assert!(judge(&EgressPolicy::default(), url).is_ok(), "{url} without settings");
    }
    let refusal = judge(&policy, "http://example.com/").expect_err("closed");
    assert_eq!(refusal.code, Code::ForbiddenAddress);
    assert!(refusal.message.contains("443, 8000-9000"), "{}", refusal.message);
}

#[test]
fn settings_narrow_what_the_operator_allows_and_never_widen_it() {
    let server = EgressPolicy::of_server(operator(&["10.0.0.0/8", "fd00::/8"]));
    let allow = |ranges: &[&str]| {
        settled(WrittenSettings { allow_cidrs: Some(texts(ranges)), ..WrittenSettings::default() })
    };
    let within = |ranges: &[&str]| allow(ranges).check_within(&server.addresses);
    assert_eq!(within(&["10.1.0.0/16", "fd00:1::/32", "10.0.0.0/8"]), Ok(()));
    for beyond in ["10.0.0.0/7", "192.168.0.0/16", "::/0", "0.0.0.0/0", "fc00::/7"] {
        let refusal = within(&["10.1.0.0/16", beyond]).expect_err(beyond);
        assert_eq!(refusal.field.as_deref(), Some("allow_cidrs[1]"), "{beyond}");
    }
    let open = |policy: &EgressPolicy, address: &str| {
        policy.addresses.judge(address.parse().expect(address)).is_ok()
    };
    let narrow = server.narrowed(&allow(&["10.1.0.0/16", "192.168.0.0/16"]));
    assert!(open(&narrow, "10.1.2.3") && open(&server, "10.2.2.3"));
    for closed in ["10.2.2.3", "fd00::1", "192.168.0.1", "127.0.0.1"] {
        assert!(!open(&narrow, closed), "{closed}");
    }
    let none = server.narrowed(&allow(&[]));
    assert!(!open(&none, "10.1.2.3") && open(&none, "8.8.8.8"));
    assert!(open(&server.narrowed(&EgressSettings::default()), "10.2.2.3"));
}

#[test]
fn what_is_denied_is_closed_in_every_disguise() {
    let deny = texts(&["10.1.0.0/16", "8.8.8.0/24", "2606:4700::/32", "64:ff9b::/96"]);
    let settings = settled(WrittenSettings { deny_cidrs: deny, ..WrittenSettings::default() });
    let policy = EgressPolicy::of_server(operator(&["10.0.0.0/8"])).narrowed(&settings);
    for closed in [
        "10.1.2.3",
        "8.8.8.8",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b::9.9.9.9",
        "2606:4700::1111",
    ] {
        assert!(policy.addresses.judge(closed.parse().expect(closed)).is_err(), "{closed}");
    }
    for open in ["10.2.2.3", "8.8.9.8", "2606:4701::1", "::ffff:9.9.9.9"] {
        assert!(policy.addresses.judge(open.parse().expect(open)).is_ok(), "{open}");
    }
    assert!(judge(&policy, "https://8.8.8.8/").is_err());
}

fn target(host: &str) -> Target {
    let host = match host.parse() {
        Ok(address) => Host::Address(address),
        Err(_) => Host::Name(host.into()),
    };
    Target { host, port: 443 }
}

fn credentials(password: &str) -> Credentials {
    let password = SecretText::new(password);
    Credentials { username: "angarium".into(), password }
}

#[test]
fn a_tunnel_is_asked_for_by_connect() {
    for (host, authority) in
        [("192.0.2.1", "192.0.2.1:443"), ("2001:db8::1", "[2001:db8::1]:443"), ("a.b", "a.b:443")]
    {
        let plain = connect::request(&target(host), None);
        assert_eq!(*plain, format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"));
    }
    // The pair of RFC 7617, section 2.
    let aladdin = Credentials { username: "Aladdin".into(), ..credentials("open sesame") };
    let asked = connect::request(&target("a.b"), Some(&aladdin));
    let line = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
    assert!(asked.ends_with(line), "{}", *asked);
}

#[test]
fn only_a_head_of_success_opens_a_tunnel() {
    let rows: [(&[u8], _); 10] = [
        (b"", Ok(Answer::Unfinished)),
        (b"HTTP/1.1 200 OK\r\n", Ok(Answer::Unfinished)),
        (b"HTTP/1.1 200 OK\r\n\r\n", Ok(Answer::Open(19))),
        (b"HTTP/1.0 299\r\nvia: x\r\n\r\nmore", Ok(Answer::Open(24))),
        (b"HTTP/1.1 407 No\r\n\r\n", Err("the proxy answered CONNECT with 407")),
        (b"HTTP/1.1 101 No\r\n\r\n", Err("the proxy answered CONNECT with 101")),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Err("the proxy does not speak HTTP/1.1")),
        (b"HTTP/1.1 +20 OK\r\n\r\n", Err("the proxy does not speak HTTP/1.1")),
        (b"HTTP/2 200\r\n\r\n", Err("the proxy does not speak HTTP/1.1")),
        (b"SSH-2.0-x\r\n\r\n", Err("the proxy does not speak HTTP/1.1")),
    ];
    for (answer, expected) in rows {
        let read = connect::read(answer).map_err(|fault| fault.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{}", answer.escape_ascii());
    }
    assert_eq!(connect::read(&[b'x'; HEAD_BYTES - 1]), Ok(Answer::Unfinished));
    assert!(connect::read(&[b'x'; HEAD_BYTES]).is_err());
}

#[test]
fn socks5_is_spoken_as_its_rfcs_say() {
    assert_eq!(socks5::greeting(false), [5, 1, 0]);
    assert_eq!(socks5::greeting(true), [5, 2, 0, 2]);
    assert_eq!(socks5::chosen([5, 0], true), Ok(Wants::Request));
    assert_eq!(socks5::chosen([5, 2], true), Ok(Wants::Password));
    for (reply, has_credentials) in
        [([5, 2], false), ([5, 0xff], true), ([5, 1], true), ([4, 0], false)]
    {
        assert!(socks5::chosen(reply, has_credentials).is_err(), "{reply:?}");
    }
    let message = socks5::password(&credentials("pw"));
    assert_eq!(&message[..], b"\x01\x08angarium\x02pw");
    assert_eq!(socks5::accepted([1, 0]), Ok(()));
    assert!(socks5::accepted([1, 1]).is_err() && socks5::accepted([5, 0]).is_err());
    assert_eq!(socks5::request(&target("192.0.2.1")), b"\x05\x01\0\x01\xc0\0\x02\x01\x01\xbb");
    assert_eq!(socks5::request(&target("a.b")), b"\x05\x01\0\x03\x03a.b\x01\xbb");
    assert_eq!(socks5::request(&target("::1")).len(), 4 + 16 + 2);
}

#[test]
fn a_socks5_reply_is_read_to_its_end_or_names_the_fault() {
    assert_eq!(socks5::rest_of_reply([5, 0, 0, 1, 9]), Ok(5));
    assert_eq!(socks5::rest_of_reply([5, 0, 0, 4, 9]), Ok(17));
    assert_eq!(socks5::rest_of_reply([5, 0, 0, 3, 9]), Ok(11));
    for code in 1..=255 {
        let fault = socks5::rest_of_reply([5, code, 0, 1, 0]).expect_err("no connection");
        assert!(fault.to_string().ends_with(&format!(" {code}")), "{fault}");
    }
    for other in [[4, 0, 0, 1, 0], [5, 0, 0, 2, 0], [5, 0, 1, 1, 0]] {
        assert!(socks5::rest_of_reply(other).is_err(), "{other:?}");
    }
}

#[test]
fn no_password_is_printed() {
    let settings = settled(behind(with_password("http://proxy.example:3128")));
    assert!(!format!("{settings:?}").contains("ss\\\"w"));
}

proptest! {
    #[test]
    fn whatever_a_proxy_says_is_read_without_panic(
        answer in proptest::collection::vec(any::<u8>(), 0..64)
    ) {
        let opened = connect::read(&answer);
        if let Ok(Answer::Open(used)) = opened {
            prop_assert!(answer[..used].ends_with(b"\r\n\r\n"));
        }
    }
}
