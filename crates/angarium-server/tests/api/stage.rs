//! A server in memory, and a client that speaks to its router.

use angarium_core::contract::ContractLibrary;
use angarium_core::egress::EgressPolicy;
use angarium_core::endpoint::PlainHttp;
use angarium_core::limits::Limits;
use angarium_core::outcome::Outcome;
use angarium_core::request::OutgoingRequest;
use angarium_core::scheme::SchemeLibrary;
use angarium_core::secret::SecretText;
use angarium_server::api::{App, admin_key, router};
use angarium_server::bodies::Bodies;
use angarium_server::call_rates::CallRates;
use angarium_server::clock::{Clock, SystemClock};
use angarium_server::directory::Directory;
use angarium_server::egress::{Exchange, Transport, Way};
use angarium_server::entropy::OsEntropy;
use angarium_server::metrics::Metrics;
use angarium_server::next_master_key::NextMasterKey;
use angarium_server::origin::Outside;
use angarium_server::quotas::Quotas;
use angarium_server::rates::Rates;
use angarium_server::receive::{Certificates, public_roots};
use angarium_server::runner::{Parts, Runner};
use angarium_store::SharedStore;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const ADMIN: &str = "the-admin-key";

/// Every attempt succeeds at once.
struct AlwaysOk;

#[async_trait]
impl Transport for AlwaysOk {
    async fn send(&self, _: &Way, _: OutgoingRequest, _: Duration) -> Exchange {
        Exchange {
            outcome: Outcome::Response { status: 200, retry_after: None },
            took: Duration::from_millis(3),
            response: "content-type: text/plain".into(),
            headers: HeaderMap::new(),
            body: (*b"thanks").into(),
        }
    }
}

/// A server without a listener.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) app: Arc<App>,
    pub(crate) router: axum::Router,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The refusal's status, code and field, as one text.
    pub(crate) fn refused(&self) -> String {
        let (status, code, field) = self.refusal();
        format!("{status} {code} {field}")
    }

    /// The refusal's status, code and field.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(body["status"], self.status, "{}", self.text);
        (self.status, text("code"), text("field"))
    }
}

/// An object with other members in the place of its own; null takes a member away.
pub(crate) fn with(object: &Value, members: &Value) -> Value {
    let mut object = object.as_object().expect("an object").clone();
    for (name, value) in members.as_object().expect("an object") {
        match value {
            Value::Null => object.remove(name),
            value => object.insert(name.clone(), value.clone()),
        };
    }
    Value::Object(object)
}

/// What a rotation puts in the place of the master key.
pub(crate) const NEXT_MASTER_KEY: MasterKey = MasterKey::from_bytes([8; 32]);

/// A call that is being put together.
pub(crate) struct Call {
    stage: Stage,
    request: http::request::Builder,
    body: Bytes,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::by(Arc::new(SystemClock)).await
    }

    /// With a clock of the API's own.
    pub(crate) async fn by(clock: Arc<dyn Clock>) -> Self {
        Self::with_clocks(Arc::new(SystemClock), clock).await
    }

    async fn with_clocks(of_runner: Arc<dyn Clock>, clock: Arc<dyn Clock>) -> Self {
        let store: SharedStore = Arc::new(
            SqliteStore::open(SqliteConfig {
                path: None,
                master_key: MasterKey::from_bytes([7; 32]),
                next_master_key: None,
                synchronous: Synchronous::Full,
                mode: Mode::InPlace,
            })
            .expect("a store"),
        );
        let limits = Limits::default();
        let contracts = Arc::new(ContractLibrary::built_in(&limits).expect("contracts"));
        let entropy = Arc::new(OsEntropy);
        let transport: Arc<dyn Transport> = Arc::new(AlwaysOk);
        let given = SecretText::new(ADMIN);
        let printed =
            admin_key::ensure_admin_key(&*store, Some(&given), &SystemClock, &OsEntropy).await;
        assert_eq!(printed.expect("an admin key"), None);
        let accounts = store.accounts().await.expect("accounts");
        let directory = Arc::new(Directory::new(accounts, EgressPolicy::default()));
        let runner = Runner::start(Parts {
            store: Arc::clone(&store),
            transport: Arc::clone(&transport),
            clock: of_runner,
            entropy: entropy.clone(),
            contracts: Arc::clone(&contracts),
            directory: Arc::clone(&directory),
            limits: limits.clone(),
            plain_http: PlainHttp::Allowed,
        });
        let rates = Rates::new(&limits, Arc::clone(&clock));
        let certificates = Certificates::new(transport, Arc::clone(&clock), public_roots());
        let bodies = Bodies::new(&limits);
        let quotas = Quotas::new(&limits);
        let call_rates = CallRates::new(&limits, Arc::clone(&clock));
        let app = Arc::new(App {
            bodies,
            call_rates,
            quotas,
            schemes: Arc::new(SchemeLibrary::built_in().expect("schemes")),
            rates,
            runner: runner.await.expect("a runner"),
            directory,
            store,
            contracts,
            limits,
            clock,
            entropy,
            plain_http: PlainHttp::Allowed,
            metrics: Arc::new(Metrics::default()),
            calls: Arc::default(),
            lanes: Default::default(),
            turns: Default::default(),
            jobs: Default::default(),
            erasing: Arc::default(),
            sweeping: Arc::default(),
            outside: Outside::default(),
            certificates,
            rejections: Arc::default(),
            next_master_key: NextMasterKey::Given(NEXT_MASTER_KEY, "the test"),
        });
        let router = router(Arc::clone(&app));
        Self { app, router }
    }

    /// With the environment `prod` of the standard contract and the tenant `acme`.
    pub(crate) async fn ready() -> Self {
        Self::ready_by(Arc::new(SystemClock)).await
    }

    /// The same, with another clock than the system's.
    pub(crate) async fn ready_by(clock: Arc<dyn Clock>) -> Self {
        let stage = Self::with_clocks(Arc::clone(&clock), clock).await;
        let environment = json!({"slug": "prod", "contracts": ["standard", "aleta"]});
        let made = stage.post("/v1/environments").json(environment).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        let tenant = stage.call("PUT", "/v1/tenants/acme").json(json!({})).send().await;
        assert_eq!(tenant.status, 201, "{}", tenant.text);
        stage
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("angarium-environment", "prod");
        Call { stage: self.clone(), request, body: Bytes::new() }
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// Makes a key and returns its text.
    pub(crate) async fn key(&self, body: Value) -> String {
        let made = self.post("/v1/keys").json(body).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["key"].as_str().expect("a key").to_owned()
    }

    /// Makes an endpoint of `acme` and returns its id.
    pub(crate) async fn endpoint(&self, body: Value) -> String {
        let made = self.post("/v1/tenants/acme/endpoints").json(body).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Asks until an answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..500 {
            let answer = self.get(path).send().await.json();
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} never became as wanted");
    }
}

impl Call {
    pub(crate) fn json(self, body: Value) -> Self {
        self.text(body.to_string())
    }

    pub(crate) fn text(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let headers = self.request.headers_mut().expect("a request");
        let name: http::HeaderName = name.parse().expect("a name");
        headers.insert(name, value.parse().expect("a value"));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.request.headers_mut().expect("a request").remove(name);
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}")).without("angarium-environment")
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(Full::new(self.body)).expect("a request");
        let service = TowerToHyperService::new(self.stage.router.clone());
        let response = match service.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).expect("text"),
        }
    }
}
