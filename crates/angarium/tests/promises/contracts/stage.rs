//! A server under a clock that stands still, one environment, and a receiver over http and https.
//! It is spoken to by HTTP only.

use super::case::{Case, Setting, Tenant, root};
use super::pattern::Bindings;
use crate::support::client::Api;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::ADMIN_KEY;
use crate::support::tls;
use angarium_core::address::AddressPolicy;
use angarium_core::endpoint::PlainHttp;
use angarium_core::limits::Limits;
use angarium_core::secret::SecretText;
use angarium_core::time::{Jitter, Timestamp};
use angarium_server::clock::Clock;
use angarium_server::entropy::{Entropy, OsEntropy};
use angarium_server::next_master_key::NextMasterKey;
use angarium_server::origin::Outside;
use angarium_server::server::{RunningServer, Server, ServerConfig};
use angarium_store::seal::MasterKey;
use async_trait::async_trait;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The slug of the environment.
const SLUG: &str = "platform";
/// When the clock stands still, where a setting does not say.
const NOON: &str = "2026-04-20T12:00:00Z";

/// A clock that goes when it is told to.
#[derive(Debug)]
pub(super) struct StandingClock(watch::Sender<Timestamp>);

impl StandingClock {
    fn at(text: &str) -> Self {
        Self(watch::Sender::new(Timestamp::parse(text).expect("a time")))
    }

    /// Goes forward, and wakes who waits.
    pub(super) fn pass(&self, span: Duration) {
        self.0.send_modify(|now| *now = *now + span);
    }
}

#[async_trait]
impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep(&self, span: Duration) {
        let mut passed = self.0.subscribe();
        tokio::select! {
            biased;
            _ = passed.changed() => {}
            () = tokio::time::sleep(span) => {}
        }
    }
}

/// Random bytes, and a jitter that is always the middle: a schedule is exact to the millisecond.
#[derive(Debug)]
struct EvenDice;

impl Entropy for EvenDice {
    fn fill(&self, bytes: &mut [u8]) {
        OsEntropy.fill(bytes);
    }

    fn jitter(&self) -> Jitter {
        Jitter::HALF
    }
}

/// How the receiver answers the next requests, by path.
type Script = Arc<Mutex<BTreeMap<String, VecDeque<Reply>>>>;

/// Where a case plays.
pub(super) struct Stage {
    pub(super) clock: Arc<StandingClock>,
    pub(super) receiver: Receiver,
    script: Script,
    /// The platform's own caller, with the environment's header.
    pub(super) platform: Api,
    /// A caller without a key.
    pub(super) customer: Api,
    /// Keys, and the receiver's addresses.
    pub(super) bindings: Bindings,
    // The order matters: the server ends before its runtime and its data.
    server: Option<RunningServer>,
    runtime: Runtime,
    _data: TempDir,
}

impl Stage {
    /// Starts a server and furnishes it.
    pub(super) fn set(case: &Case) -> Self {
        let setting = &case.setting;
        let data = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(StandingClock::at(setting.clock.as_deref().unwrap_or(NOON)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let config = ServerConfig {
            data: data.path().join("data"),
            master_key: MasterKey::from_bytes([7; 32]),
            next_master_key: NextMasterKey::Nowhere,
            admin_key: Some(SecretText::new(ADMIN_KEY)),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            contracts: contracts(case, data.path()),
            plain_http: PlainHttp::Allowed,
            addresses: AddressPolicy::allowing(vec!["127.0.0.0/8".parse().expect("a range")]),
            extra_roots: vec![tls::of_the_run().authority.clone()],
            outside: outside(setting),
            limits: Limits::default(),
            grace: Duration::from_millis(500),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(EvenDice),
        };
        let server = runtime.block_on(Server::start(config)).expect("the server starts");
        let script = Script::default();
        let receiver = receiver(&script, setting.echo.clone());
        let address = server.address.to_string();
        let mut stage = Self {
            clock,
            platform: Api::new(&address, ADMIN_KEY).with("angarium-environment", SLUG),
            customer: Api { address: address.clone(), headers: Vec::new() },
            bindings: Bindings::from([
                ("http".to_owned(), receiver.url("")),
                ("https".to_owned(), receiver.secure_url("")),
                ("base".to_owned(), format!("http://{address}/e/{SLUG}")),
            ]),
            receiver,
            script,
            server: Some(server),
            runtime,
            _data: data,
        };
        stage.furnish(setting);
        stage
    }

    fn furnish(&mut self, setting: &Setting) {
        let environment = json!({
            "slug": SLUG,
            "title": "Platform",
            "contracts": setting.contracts,
            "hosts": setting.hosts,
        });
        let instance = self.platform.without("angarium-environment");
        instance.post("/v1/environments", &environment).expect(201);
        for (id, tenant) in &setting.tenants {
            self.tenant(id, tenant);
        }
    }

    fn tenant(&mut self, id: &str, tenant: &Tenant) {
        let answer = self.platform.put(&format!("/v1/tenants/{id}"), &json!({"plan": tenant.plan}));
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        for name in &tenant.keys {
            let key = json!({"name": name, "tenant": id, "scopes": ["manage", "read"]});
            let made = self.platform.post("/v1/keys", &key).expect(201);
            let text = made["key"].as_str().expect("a key's text").to_owned();
            self.bindings.insert(name.clone(), text);
            let id = made["id"].as_str().expect("a key's id").to_owned();
            self.bindings.insert(format!("{name}_id"), id);
        }
    }

    /// The path of a customer's call, as the server knows it.
    pub(super) fn path(path: &str) -> String {
        format!("/e/{SLUG}{path}")
    }

    /// How the next requests at a path are answered.
    pub(super) fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.entry(path.to_owned()).or_default().extend(replies);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.shutdown());
        }
    }
}

/// The folder's own contract; else those of the folder that `CONTRACTS` names, to see which promise
/// a change of a contract breaks; else the built-in ones alone.
fn contracts(case: &Case, data: &Path) -> Option<PathBuf> {
    let Some(file) = &case.setting.contract_file else {
        return std::env::var_os("CONTRACTS").map(PathBuf::from);
    };
    let folder = case.path.parent().unwrap_or(Path::new("."));
    let contracts = data.join("contracts");
    std::fs::create_dir(&contracts).expect("a folder");
    std::fs::copy(folder.join(file), contracts.join("contract.toml")).expect("a contract");
    Some(contracts)
}

/// How the server is seen from outside.
fn outside(setting: &Setting) -> Outside {
    let range = |range: &String| range.parse().expect("a range of addresses");
    let trusted_proxies = setting.trusted_proxies.iter().map(range).collect();
    Outside { trusted_proxies, ..Outside::default() }
}

fn receiver(script: &Script, echo: Option<String>) -> Receiver {
    let script = Arc::clone(script);
    Receiver::secured(move |request| {
        let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
        let next = script.get_mut(path_of(request)).and_then(VecDeque::pop_front);
        let validation = echo.as_ref().filter(|name| {
            request.first_line.starts_with("GET ") && request.header(name).is_some()
        });
        match (next, validation) {
            (Some(reply), _) => reply,
            (None, Some(name)) => Reply::Echo(name.clone()),
            (None, None) => Reply::Status(200),
        }
    })
}

/// The path of a request, without its query.
pub(super) fn path_of(request: &Message) -> &str {
    let target = request.first_line.split(' ').nth(1).unwrap_or_default();
    target.split('?').next().unwrap_or_default()
}

/// The folders of cases, by name.
pub(super) fn folders() -> Vec<String> {
    let entries = std::fs::read_dir(root()).expect("the folder of cases");
    let names = entries.map(|entry| entry.expect("readable"));
    let folders = names.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
