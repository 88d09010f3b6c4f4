//! How often a token endpoint is asked, and who is told what came.

use super::*;
use crate::egress::Exchange;
use angarium_core::address::AddressPolicy;
use angarium_core::limits::Limits;
use angarium_core::oauth2::{ClientAuth, OAuth2Settings};
use angarium_core::outcome::Outcome;
use angarium_core::request::OutgoingRequest;
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use async_trait::async_trait;
use http::HeaderMap;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicUsize, Ordering};
use tokio::sync::Semaphore;

const ENDPOINT: EndpointNo = EndpointNo::new(7);

/// A token endpoint that numbers its tokens and answers when it is allowed to.
struct TokenEndpoint {
    asked: AtomicUsize,
    status: AtomicU16,
    answers: Semaphore,
}

#[async_trait]
impl Transport for TokenEndpoint {
    async fn send(&self, way: &Way, request: OutgoingRequest, timeout: Duration) -> Exchange {
        assert_eq!((way.endpoint, &way.tls, timeout), (NO_ENDPOINT, &None, TIMEOUT));
        assert_eq!(&*request.destination.text, "https://login.example/token");
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.expect("open").forget();
        let body = format!(r#"{{"access_token":"token-{number}","expires_in":600}}"#);
        let status = self.status.load(Ordering::SeqCst);
        Exchange {
            outcome: Outcome::Response { status, retry_after: None },
            took: Duration::ZERO,
            response: Box::default(),
            headers: HeaderMap::new(),
            body: body.into_bytes().into(),
        }
    }
}

#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    there: Arc<TokenEndpoint>,
    hands: Arc<Hands>,
    tokens: Arc<Tokens>,
    policy: Arc<EgressPolicy>,
}

impl Bench {
    fn new(answers: usize) -> Self {
        let there = Arc::new(TokenEndpoint {
            asked: AtomicUsize::new(0),
            status: AtomicU16::new(200),
            answers: Semaphore::new(answers),
        });
        let hands = Arc::new(Hands::default());
        let tokens =
            Tokens::new(Arc::clone(&there) as _, Arc::clone(&hands) as _, PlainHttp::Refused);
        let policy = Arc::new(EgressPolicy::of_server(AddressPolicy::default()));
        Self { there, hands, tokens: Arc::new(tokens), policy }
    }

    async fn of(&self, no: EndpointNo, client: &Arc<OAuth2Client>) -> Result<String, String> {
        let found = self.tokens.of(no, client, &self.policy).await;
        let text = |token: AccessToken| {
            let value = token.authorization();
            value.to_str().expect("ASCII").to_owned()
        };
        found.map(text).map_err(|fault| fault.to_string())
    }

    async fn is_asked(&self, times: usize) {
        while self.there.asked.load(Ordering::SeqCst) < times {
            tokio::task::yield_now().await;
        }
    }
}

fn client(secret: &str) -> Arc<OAuth2Client> {
    let settings = OAuth2Settings {
        token_url: "https://login.example/token".into(),
        client_id: "c".into(),
        client_secret: SecretText::new(secret),
        scopes: Vec::new(),
        audience: None,
        client_auth: ClientAuth::Basic,
    };
    let prepared = OAuth2Client::prepare(&settings, &Limits::default(), PlainHttp::Refused);
    Arc::new(prepared.expect("a sound client"))
}

#[tokio::test]
async fn who_needs_a_token_while_one_is_asked_for_waits_for_it() {
    let (bench, client) = (Arc::new(Bench::new(0)), client("s"));
    let ask = |_| {
        let (bench, client) = (Arc::clone(&bench), Arc::clone(&client));
        tokio::spawn(async move { bench.of(ENDPOINT, &client).await })
    };
    let waiting: Vec<_> = (0..64).map(ask).collect();
    bench.is_asked(1).await;
    // Would ask again if they were let.
    bench.there.answers.add_permits(64);
    for task in waiting {
        assert_eq!(task.await.expect("no panic"), Ok("Bearer token-0".to_owned()));
    }
    assert_eq!(bench.there.asked.load(Ordering::SeqCst), 1);
    let other = bench.of(EndpointNo::new(8), &client).await;
    assert_eq!(other, Ok("Bearer token-1".to_owned()), "another endpoint has a token of its own");
}

#[tokio::test]
async fn a_failure_is_everybodys_for_a_second_and_then_asked_about_again() {
    let (bench, client) = (Bench::new(64), client("s"));
    bench.there.status.store(503, Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(bench.of(ENDPOINT, &client).await, Err("it answered 503".to_owned()));
    }
    assert_eq!(bench.there.asked.load(Ordering::SeqCst), 1);
    bench.there.status.store(200, Ordering::SeqCst);
    bench.hands.0.store(1_000, Ordering::SeqCst);
    assert_eq!(bench.of(ENDPOINT, &client).await, Ok("Bearer token-1".to_owned()));
}

#[tokio::test]
async fn a_refused_token_and_another_secret_lead_to_another_token() {
    let (bench, old) = (Bench::new(64), client("old"));
    let first = bench.tokens.of(ENDPOINT, &old, &bench.policy).await.expect("a token");
    bench.tokens.refused(ENDPOINT, &first).await;
    assert_eq!(bench.of(ENDPOINT, &old).await, Ok("Bearer token-1".to_owned()));
    assert_eq!(bench.of(ENDPOINT, &client("old")).await, Ok("Bearer token-1".to_owned()));
    assert_eq!(bench.of(ENDPOINT, &client("new")).await, Ok("Bearer token-2".to_owned()));
}

#[tokio::test]
async fn what_nobody_uses_any_more_is_dropped() {
    let (bench, client) = (Bench::new(10_000), client("s"));
    for no in 1..=1_000 {
        bench.hands.0.fetch_add(60_000, Ordering::SeqCst);
        assert!(bench.of(EndpointNo::new(no), &client).await.is_ok());
    }
    let kept = bench.tokens.slots.lock().expect("no panic").of.len();
    assert!(kept <= FEW, "{kept} of 1000 are kept, of which nine hold");
}

#[tokio::test]
async fn plain_http_is_not_asked_where_the_server_sends_to_https_only() {
    let bench = Bench::new(1);
    let settings = OAuth2Settings {
        token_url: "http://login.example/token".into(),
        ..client("s").settings.clone()
    };
    let allowed = OAuth2Client::prepare(&settings, &Limits::default(), PlainHttp::Allowed);
    let client = Arc::new(allowed.expect("it was allowed then"));
    let refused = bench.of(ENDPOINT, &client).await.expect_err("it is not any more");
    assert!(refused.contains("--allow-http"), "{refused}");
    assert_eq!(bench.there.asked.load(Ordering::SeqCst), 0);
}
