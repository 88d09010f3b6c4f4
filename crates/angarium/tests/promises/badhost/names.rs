//! Names that lead astray, asked of the bad host's name server. The server has no setting for the
//! name server that it asks, so these attempts are made with its egress itself.

use super::host::BadHost;
use angarium_core::address::AddressPolicy;
use angarium_core::destination::Destination;
use angarium_core::egress::EgressPolicy;
use angarium_core::limits::Limits;
use angarium_core::request::OutgoingRequest;
use angarium_server::egress::{
    Egress, EgressConfig, EgressLimits, Exchange, NO_ENDPOINT, NameServers, Transport, Way,
};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);
/// The limit for names.
const RESOLVE: Duration = Duration::from_secs(1);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(1);

#[test]
fn a_name_that_leads_astray_leads_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = BadHost::start(&folder.path().join("authority.pem"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let egress = Arc::new(egress(&host));
        let mut attempts = Vec::new();
        for case in host.cases.iter().filter(|case| case.stage == "dns") {
            // The port of the cases with a path: whoever comes there is seen.
            let url = format!("http://{}.badhost.test:{}/ok", case.name, port(&host));
            let (egress, limit) = (Arc::clone(&egress), case.limit.clone());
            attempts.push((case, limit, tokio::spawn(async move { send(&egress, &url).await })));
        }
        let count = attempts.len();
        for (case, limit, attempt) in attempts {
            let exchange = attempt.await.expect("no panic");
            let class = exchange.outcome.class().as_str();
            println!("{:20} {class:12} {:>5} ms", case.name, exchange.took.as_millis());
            // Every second question is answered with loopback, which is open here.
            let is_right = match &*case.name {
                "dns-rebinding" => class == "success",
                _ => case.classes.iter().any(|right| right == class),
            };
            assert!(is_right, "{}: not {:?}: {:?}", case.name, case.classes, exchange.outcome);
            let limit = if limit == "none" { SLACK } else { RESOLVE + SLACK };
            assert!(exchange.took < limit, "{}: {:?}", case.name, exchange.took);
        }
        println!("{count} names");
    });
    // Only the first answer to the rebinding name led here.
    let visits: u64 = host.visits().iter().map(|visit| visit.requests).sum();
    assert!(visits <= 1, "{:?}", host.visits());
}

#[test]
fn a_name_that_changes_is_judged_at_every_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = BadHost::start(&folder.path().join("authority.pem"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let url = format!("http://dns-rebinding.badhost.test:{}/landing", port(&host));
    let classes: Vec<&str> = runtime.block_on(async {
        let egress = egress(&host);
        let mut classes = Vec::new();
        for _ in 0..20 {
            classes.push(send(&egress, &url).await.outcome.class().as_str());
        }
        classes
    });
    let expected = ["success", "unreachable"].repeat(10);
    assert_eq!(classes, expected);
}

fn egress(host: &BadHost) -> Egress {
    Egress::new(EgressConfig {
        name_servers: NameServers::At(vec![host.name_server.parse().expect("an address")]),
        limits: EgressLimits { resolve: RESOLVE, ..EgressLimits::default() },
        ..EgressConfig::default()
    })
    .expect("the egress starts")
}

async fn send(egress: &Egress, url: &str) -> Exchange {
    let destination = Destination::parse(url, &Limits::default()).expect(url);
    let message = http::Request::post(destination.path_and_query.as_str())
        .header("content-length", "2")
        .body(Bytes::from_static(b"{}"))
        .expect("a request");
    let request =
        OutgoingRequest { destination: Arc::new(destination), message, masked_target: None };
    // Every attempt on a connection of its own.
    let loopback = vec!["127.0.0.0/8".parse().expect("a range")];
    let policy = EgressPolicy::of_server(AddressPolicy::allowing(loopback));
    let way = Way { endpoint: NO_ENDPOINT, policy: Arc::new(policy), tls: None };
    egress.send(&way, request, TIMEOUT).await
}

fn port(host: &BadHost) -> &str {
    host.http.rsplit(':').next().expect("a port")
}
