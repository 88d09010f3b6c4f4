//! Deliveries of every contract that signs, and of invented ones, as a receiver gets them.

use crate::support::client::Api;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::Start;
use angarium_core::contract::{Contract, ContractLibrary, KeyScope};
use angarium_core::limits::Limits;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// What a new URL must send back under Anduin's contract.
const VALIDATION: &str = "x-anduin-webhook-validation-key";

const INVENTED: &[(&str, &str)] = &[
    ("telegraph", include_str!("contracts/telegraph.toml")),
    ("pigeon", include_str!("contracts/pigeon.toml")),
    ("semaphore", include_str!("contracts/semaphore.toml")),
    ("lighthouse", include_str!("contracts/lighthouse.toml")),
];

/// The receiver of the tests speaks plain http, so AIOKA's contract is copied without its https.
/// That both have the same code is shown in core.
fn aioka_over_http() -> String {
    let text = include_str!("../../../../../contracts/aioka.toml");
    text.replacen("\"aioka\"", "\"aiokacopy\"", 1).replacen(
        "schemes = [\"https\"]",
        "schemes = [\"https\", \"http\"]",
        1,
    )
}

/// What is known of a contract that the contract's code should find out by itself.
struct Row {
    contract: &'static str,
    method: &'static str,
    /// The header with the time of the attempt, and what stands before it.
    timestamp: Option<(&'static str, &'static str)>,
    /// Every header that is needed, the signature's first.
    headers: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        contract: "standard",
        method: "POST",
        timestamp: Some(("webhook-timestamp", "")),
        headers: &["webhook-signature", "webhook-id", "webhook-timestamp"],
    },
    Row {
        contract: "anduin",
        method: "POST",
        timestamp: Some(("webhook-timestamp", "")),
        headers: &["webhook-signature", "webhook-id", "webhook-timestamp"],
    },
    Row {
        contract: "aleta",
        method: "POST",
        timestamp: Some(("aleta-signature", "t=")),
        headers: &["aleta-signature"],
    },
    Row { contract: "aiokacopy", method: "POST", timestamp: None, headers: &["x-aioka-signature"] },
    Row { contract: "alumia", method: "POST", timestamp: None, headers: &["x-alumia-signature"] },
    Row {
        contract: "quantfolio",
        method: "POST",
        timestamp: None,
        headers: &["x-quantfolio-signature-256"],
    },
    Row {
        contract: "quantfolio",
        method: "GET",
        timestamp: None,
        headers: &["x-quantfolio-signature-256"],
    },
    Row {
        contract: "telegraph",
        method: "POST",
        timestamp: Some(("x-telegraph-time", "")),
        headers: &["x-telegraph-signature", "x-telegraph-id", "x-telegraph-time"],
    },
    Row {
        contract: "pigeon",
        method: "POST",
        timestamp: Some(("x-pigeon", "p:")),
        headers: &["x-pigeon"],
    },
    Row {
        contract: "semaphore",
        method: "POST",
        timestamp: Some(("x-semaphore", "time=")),
        headers: &["x-semaphore"],
    },
    Row {
        contract: "semaphore",
        method: "GET",
        timestamp: Some(("x-semaphore", "time=")),
        headers: &["x-semaphore"],
    },
    Row {
        contract: "lighthouse",
        method: "POST",
        timestamp: Some(("x-lighthouse-time", "")),
        headers: &["x-lighthouse", "x-lighthouse-time"],
    },
];

/// A delivery as it arrived.
pub(crate) struct Delivery {
    /// Contract and method, for people.
    pub(crate) what: String,
    pub(crate) contract: &'static str,
    pub(crate) method: &'static str,
    pub(crate) message: Message,
    /// The query string as it was sent.
    pub(crate) query: String,
    /// The secrets that signed it, each good by itself.
    pub(crate) secrets: Vec<String>,
    /// The time that it says it has, in unix seconds.
    pub(crate) timestamp: Option<i64>,
    /// Every header that is needed, the signature's first.
    pub(crate) headers: &'static [&'static str],
}

/// A server whose contracts are the built-in ones and those of the test.
pub(crate) struct Platforms {
    library: ContractLibrary,
    written: Vec<(String, String)>,
}

impl Platforms {
    pub(crate) fn of_the_test() -> Self {
        let limits = Limits::default();
        let mut library = ContractLibrary::built_in(&limits).expect("built-in contracts");
        let invented =
            INVENTED.iter().map(|(name, text)| (format!("{name}.toml"), text.to_string()));
        let mut written: Vec<_> = invented.collect();
        written.push(("aiokacopy.toml".to_owned(), aioka_over_http()));
        for (file, text) in &written {
            library.add(file, text, &limits).unwrap_or_else(|error| panic!("{error}"));
        }
        Self { library, written }
    }

    /// The contracts whose deliveries are taken, each once.
    pub(crate) fn contracts(&self) -> impl Iterator<Item = &Arc<Contract>> {
        let taken =
            |contract: &&Arc<Contract>| ROWS.iter().any(|row| row.contract == contract.name());
        self.library.iter().filter(taken)
    }

    pub(crate) fn contract(&self, name: &str) -> &Contract {
        self.library.get(name).expect("a contract of the test")
    }

    /// Has every platform deliver for real: with one key, and after a rotation.
    pub(crate) fn deliver(&self) -> Vec<Delivery> {
        let folder = tempfile::tempdir().expect("a folder");
        let contracts = folder.path().join("contracts");
        std::fs::create_dir(&contracts).expect("a folder");
        for (file, text) in &self.written {
            std::fs::write(contracts.join(file), text).expect("a contract's file");
        }
        let directory = contracts.display().to_string();
        let start = Start::local(&folder.path().join("data"));
        let server = start.argument(&format!("--contracts={directory}")).run();
        let mut deliveries = Vec::new();
        for (number, row) in ROWS.iter().enumerate() {
            let scope = self.contract(row.contract).key_rule().expect("it signs").scope;
            let platform = Platform::open(&server.admin(), number, row, scope);
            deliveries.push(platform.deliver("as it begins"));
            let platform = platform.rotated();
            deliveries.push(platform.deliver("after a rotation"));
        }
        deliveries
    }
}

/// One contract in an environment of its own, with one endpoint.
struct Platform {
    api: Api,
    row: &'static Row,
    scope: KeyScope,
    receiver: Receiver,
    endpoint: String,
    /// The secrets that there were, the newest first.
    secrets: Vec<String>,
}

impl Platform {
    fn open(admin: &Api, number: usize, row: &'static Row, scope: KeyScope) -> Self {
        let slug = format!("{}-{number}", row.contract);
        let environment = json!({"slug": slug, "title": slug, "contracts": [row.contract]});
        admin.post("/v1/environments", &environment).expect(201);
        let api = admin.with("angarium-environment", &slug);
        let plan = if row.contract == "aiokacopy" { json!("basic") } else { Value::Null };
        let tenant = api.put("/v1/tenants/acme", &json!({"plan": plan}));
        assert!(matches!(tenant.status, 200 | 201), "{}", tenant.body);
        let receiver = Receiver::scripted(|request| match request.header(VALIDATION) {
            Some(_) => Reply::Echo(VALIDATION.to_owned()),
            None => Reply::Status(200),
        });
        let mut endpoint = json!({
            "url": receiver.url("/in?tenant=a%20b"), "types": ["*"], "method": row.method,
            "name": "Verified",
        });
        if row.contract == "quantfolio" {
            endpoint["secret"] = json!("a secret that someone else has made: 0123456789");
        }
        let made = api.post("/v1/tenants/acme/endpoints", &endpoint).expect(201);
        let secrets = made["secret"].as_str().map(str::to_owned).into_iter().collect();
        let endpoint = made["id"].as_str().expect("an id").to_owned();
        let mut platform = Self { api, row, scope, receiver, endpoint, secrets };
        if scope == KeyScope::Tenant {
            platform.secrets.push(platform.tenant_secret());
        }
        platform
    }

    fn tenant_secret(&self) -> String {
        let keys = self.api.get("/v1/tenants/acme/signing-keys").expect(200);
        keys["data"][0]["secret"].as_str().expect("the tenant's secret").to_owned()
    }

    fn rotated(mut self) -> Self {
        let secret = match self.scope {
            KeyScope::Endpoint => {
                let path = format!("/v1/endpoints/{}/rotate-secret", self.endpoint);
                let made = self.api.post(&path, &json!({})).expect(200);
                made["secret"].as_str().expect("the new secret").to_owned()
            }
            KeyScope::Tenant => {
                self.api.post("/v1/tenants/acme/signing-keys/rotate", &json!({})).expect(200);
                self.tenant_secret()
            }
        };
        self.secrets.insert(0, secret);
        self
    }

    fn deliver(&self, when: &str) -> Delivery {
        let before = self.receiver.count();
        let kind = match self.row.contract {
            "aiokacopy" => "verdict.new",
            "quantfolio" => "qap.investor.created",
            _ => "message.sent",
        };
        let event = json!({
            "tenant": "acme", "type": kind, "subject": "s/1 é",
            "data": {"text": "Zürich \u{2028} \"quoted\" <&> 1.10", "list": [1, 2.50, null]},
        });
        self.api.post("/v1/events", &event).expect(202);
        let message = self.receiver.wait_for(before + 1, SOON).pop().expect("a delivery");
        let target = message.first_line.split(' ').nth(1).unwrap_or_default();
        let query = target.split_once('?').map(|(_, query)| query.to_owned());
        let timestamp = self.row.timestamp.map(|(header, before)| {
            let value = message.header(header).unwrap_or_else(|| panic!("no {header}"));
            let (_, rest) = value.split_once(before).expect("a timestamp");
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().expect("unix seconds")
        });
        let join = message.header(self.row.headers[0]).is_some_and(|value| {
            value.split([' ', '&']).filter(|part| part.len() > 20).count() > 1
        });
        let signing = if join { self.secrets.len() } else { 1 };
        Delivery {
            what: format!("{} {} {when}", self.row.contract, self.row.method),
            contract: self.row.contract,
            method: self.row.method,
            query: query.unwrap_or_default(),
            secrets: self.secrets[..signing].to_vec(),
            timestamp,
            headers: self.row.headers,
            message,
        }
    }
}
