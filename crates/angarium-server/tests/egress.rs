//! What one attempt brings back from receivers of every kind.

#[expect(dead_code, reason = "these tests use a part of the receiver")]
mod egress_receiver;

use angarium_core::id::EndpointNo;
use angarium_core::outcome::{Class, Outcome, Phase, RetryAfter};
use angarium_server::egress::{Egress, EgressConfig, EgressLimits, NameServers, Transport};
use bytes::Bytes;
use egress_receiver::{
    ENDPOINT, OK, Receiver, TIMEOUT, Turn, egress, egress_with, request, request_of, send, way,
};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(80);

#[tokio::test]
async fn a_request_arrives_as_built_and_its_answer_is_kept() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nset-cookie: a=b\r\n\
                  content-type: text/plain\r\nx-internal: no\r\n\r\nhello";
    let receiver = Receiver::plain(vec![Turn::say(answer)]).await;
    let exchange = send(&egress(), &receiver.url()).await;
    assert_eq!(exchange.outcome.class(), Class::Success);
    assert_eq!(&*exchange.body, b"hello");
    assert_eq!(&*exchange.response, "content-length: 5\ncontent-type: text/plain\n");
    let request = receiver.requests().remove(0);
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", receiver.address)));
    assert!(request.contains("accept-encoding: identity\r\n"));
    assert!(request.contains("content-length: 7\r\n") && request.ends_with("\r\n\r\n{\"a\":1}"));
}

#[tokio::test]
async fn every_answer_has_its_class_and_only_one_request_is_made() {
    let rows = [
        ("HTTP/1.1 204 No Content\r\n\r\n", Class::Success),
        ("HTTP/1.1 200 OK\r\n\r\n", Class::Success),
        ("HTTP/1.0 200 OK\r\n\r\nold", Class::Success),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Class::Success),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", Class::Success),
        ("HTTP/1.1 301 Moved\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n", Class::Redirect),
        ("HTTP/1.1 308 Moved\r\nlocation: http://169.254.169.254/\r\n\r\n", Class::Redirect),
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Class::ServerError),
        ("HTTP/1.1 400 Bad\r\n\r\n", Class::ClientError),
        ("HTTP/1.1 410 Gone\r\n\r\n", Class::Gone),
        ("HTTP/1.1 429 Many\r\n\r\n", Class::Throttled),
        ("HTTP/1.1 500 Error\r\n\r\n", Class::ServerError),
        ("HTTP/1.1 999 What\r\n\r\n", Class::ServerError),
        ("", Class::Protocol),
        ("HTTP/1.1 200", Class::Protocol),
        ("HTTP/9.9 200 OK\r\n\r\n", Class::Protocol),
        ("HTTP/1.1 99 Low\r\n\r\n", Class::Protocol),
        ("HTTP/1.1 2000 High\r\n\r\n", Class::Protocol),
        ("SSH-2.0-OpenSSH_9.2\r\n", Class::Protocol),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx", Class::Protocol),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Class::Protocol),
        ("HTTP/1.1 200 OK\r\nbad header\r\n\r\n", Class::Protocol),
    ];
    for (answer, class) in rows {
        let receiver = Receiver::plain(vec![Turn::say_and_close(answer)]).await;
        let exchange = send(&egress(), &receiver.url()).await;
        assert_eq!(exchange.outcome.class(), class, "{answer:?}: {:?}", exchange.outcome);
        assert_eq!(receiver.requests().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn retry_after_is_read() {
    let answer = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::plain(vec![Turn::say(answer)]).await;
    let exchange = send(&egress(), &receiver.url()).await;
    let retry_after = Some(RetryAfter::Span(Duration::from_secs(7)));
    let expected = Outcome::Response { status: 503, retry_after };
    assert_eq!(exchange.outcome, expected);
}

#[tokio::test]
async fn a_name_without_address_and_a_closed_port_have_their_own_outcomes() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        listener.local_addr().expect("bound")
    };
    let exchange = send(&egress(), &format!("http://{closed}/")).await;
    assert!(matches!(exchange.outcome, Outcome::NotConnected(_)), "{exchange:?}");
    let exchange = send(&egress(), "http://192.168.0.1/").await;
    assert!(matches!(exchange.outcome, Outcome::ForbiddenAddress(_)), "{exchange:?}");
}

#[tokio::test]
async fn localhost_works_where_loopback_is_opened() {
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    let exchange = send(&egress(), &url).await;
    assert_eq!(exchange.outcome.class(), Class::Success, "{exchange:?}");
}

#[tokio::test]
async fn the_time_that_is_up_is_named() {
    let hanging = Receiver::plain(vec![Turn::Hang]).await;
    let exchange = egress().send(&way(ENDPOINT), request(&hanging.url()), SHORT).await;
    assert_eq!(exchange.outcome, Outcome::TimedOut(Phase::Head));

    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/", deaf.local_addr().expect("bound"));
    let large = request_of(&url, vec![b'x'; 16 * 1024 * 1024].into());
    let exchange = egress().send(&way(ENDPOINT), large, SHORT).await;
    assert_eq!(exchange.outcome, Outcome::TimedOut(Phase::Write));

    let silent_tls = egress_with(EgressLimits { tls: SHORT, ..EgressLimits::default() }, vec![]);
    let exchange = send(&silent_tls, &url.replace("http:", "https:")).await;
    assert_eq!(exchange.outcome, Outcome::TimedOut(Phase::Tls));
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_is_named_as_such() {
    #[expect(clippy::disallowed_methods, reason = "a name server of the test")]
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let egress = Egress::new(EgressConfig {
        name_servers: NameServers::At(vec![silent.local_addr().expect("bound")]),
        limits: EgressLimits { resolve: SHORT, ..EgressLimits::default() },
        ..EgressConfig::default()
    })
    .expect("the egress starts");
    let exchange = send(&egress, "http://example.com/").await;
    assert_eq!(exchange.outcome, Outcome::TimedOut(Phase::Resolve));
}

#[tokio::test]
async fn a_2xx_head_in_time_is_a_success_even_if_its_body_never_ends() {
    let limits = EgressLimits { body: SHORT, ..EgressLimits::default() };
    let dripping = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin";
    let receiver = Receiver::plain(vec![Turn::say(dripping), Turn::Hang]).await;
    let egress = egress_with(limits, vec![]);
    let exchange = send(&egress, &receiver.url()).await;
    assert_eq!(exchange.outcome.class(), Class::Success);
    assert_eq!(&*exchange.body, b"begin");
    send(&egress, &receiver.url()).await;
    assert_eq!(receiver.connections(), 2, "a connection with half an answer is not used again");
}

#[tokio::test]
async fn an_answer_is_read_to_its_limits_and_not_beyond() {
    let many = "x: y\r\n".repeat(101);
    let long = format!("x: {}\r\n", "y".repeat(40 * 1024));
    let hints = "HTTP/1.1 103 Hints\r\n\r\n".repeat(9);
    let rows = [
        (vec![format!("HTTP/1.1 200 OK\r\n{many}\r\n")], Class::Protocol),
        (vec![format!("HTTP/1.1 200 OK\r\n{long}\r\n")], Class::Protocol),
        (vec![format!("{hints}")], Class::Protocol),
    ];
    for (answers, class) in rows {
        let turns = answers.iter().map(|answer| Turn::say(answer)).collect();
        let receiver = Receiver::plain(turns).await;
        let exchange = send(&egress(), &receiver.url()).await;
        assert_eq!(exchange.outcome.class(), class, "{:?}", exchange.outcome);
    }
}

#[tokio::test]
async fn what_never_ends_is_cut() {
    let rows: [(&[u8], Class); 4] = [
        (b"HTTP/1.1 103 Hints\r\n\r\n", Class::Protocol),
        (b"HTTP/1.1 200 OK\r\nx: ", Class::Protocol),
        (b"yyyyyyyyyyyyyyyyyyyyyyyyyyy", Class::Protocol),
        (b"HTTP/1.1 200 OK\r\n\r\nbody without end ", Class::Success),
    ];
    for (endless, class) in rows {
        let receiver = Receiver::plain(vec![Turn::Repeat(Bytes::from_static(endless))]).await;
        let exchange = send(&egress(), &receiver.url()).await;
        assert_eq!(exchange.outcome.class(), class, "{:?}", exchange.outcome);
        assert!(exchange.body.len() <= 16 * 1024);
        assert!(exchange.took < TIMEOUT, "cut by size, not by time");
    }
}

#[tokio::test]
async fn talk_that_no_limit_of_its_own_counts_is_cut_by_its_bytes() {
    // The size of a chunk may have any number of zeros before it.
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let zeros = Turn::Repeat(Bytes::from(vec![b'0'; 64 * 1024]));
    let turns = vec![Turn::SayThen(Bytes::from_static(chunked.as_bytes()), Box::new(zeros))];
    let receiver = Receiver::plain(turns).await;
    let exchange = send(&egress(), &receiver.url()).await;
    assert_eq!(exchange.outcome.class(), Class::Success);
    assert!(exchange.took < Duration::from_secs(1), "cut by size, not by time");
    assert!(receiver.written() < 8 * 1024 * 1024, "{} bytes", receiver.written());
}

#[tokio::test]
async fn a_compressed_body_is_kept_as_it_came() {
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\u{1f}bomb";
    let receiver = Receiver::plain(vec![Turn::say_and_close(gzip)]).await;
    let exchange = send(&egress(), &receiver.url()).await;
    assert_eq!(&*exchange.body, b"\x1fbom");
}

#[tokio::test]
async fn attempts_in_turn_share_one_connection_but_two_endpoints_never_do() {
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    let egress = egress();
    for _ in 0..50 {
        assert_eq!(send(&egress, &receiver.url()).await.outcome.class(), Class::Success);
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (1, 50));
    let other = EndpointNo::new(2);
    egress.send(&way(other), request(&receiver.url()), TIMEOUT).await;
    assert_eq!(receiver.connections(), 2);
    let none_yet = EndpointNo::new(0);
    for _ in 0..2 {
        egress.send(&way(none_yet), request(&receiver.url()), TIMEOUT).await;
    }
    assert_eq!(receiver.connections(), 4, "an attempt without endpoint leaves nothing behind");
}

#[tokio::test]
async fn a_pooled_connection_that_the_peer_closed_costs_no_attempt() {
    let receiver = Receiver::plain(vec![Turn::say_and_close(OK)]).await;
    let egress = egress();
    for _ in 0..20 {
        let exchange = send(&egress, &receiver.url()).await;
        assert_eq!(exchange.outcome.class(), Class::Success, "{exchange:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(receiver.requests().len(), 20);
}

#[tokio::test]
async fn a_pooled_connection_that_breaks_after_the_request_is_one_failed_attempt() {
    let receiver = Receiver::plain(vec![Turn::say(OK), Turn::say_and_close("")]).await;
    let egress = egress();
    assert_eq!(send(&egress, &receiver.url()).await.outcome.class(), Class::Success);
    assert_eq!(send(&egress, &receiver.url()).await.outcome.class(), Class::Protocol);
    assert_eq!(receiver.requests().len(), 2, "nothing was sent twice");
}

#[tokio::test]
async fn an_unsolicited_second_answer_ends_the_connection() {
    let twice = format!("{OK}{OK}");
    let receiver = Receiver::plain(vec![Turn::say(&twice)]).await;
    let egress = egress();
    for _ in 0..3 {
        let exchange = send(&egress, &receiver.url()).await;
        assert_eq!(exchange.outcome.class(), Class::Success);
    }
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let limits = EgressLimits { idle: SHORT, ..EgressLimits::default() };
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    let egress = egress_with(limits, vec![]);
    send(&egress, &receiver.url()).await;
    tokio::time::sleep(SHORT * 3).await;
    send(&egress, &receiver.url()).await;
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn all_endpoints_together_keep_so_many_connections_those_that_were_used_last() {
    let limits = EgressLimits { idle_in_all: 2, ..EgressLimits::default() };
    let receiver = Receiver::plain(vec![Turn::say(OK)]).await;
    let egress = egress_with(limits, vec![]);
    for (endpoint, connections) in [(1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (3, 3), (2, 4)] {
        egress.send(&way(EndpointNo::new(endpoint)), request(&receiver.url()), TIMEOUT).await;
        assert_eq!(receiver.connections(), connections, "after endpoint {endpoint}");
    }
}
