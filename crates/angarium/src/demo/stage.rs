//! The demo's server with its environments, tenants and endpoints, and the events to publish.

use super::board::Board;
use super::receiver::Receivers;
use super::scene::{Conduct, KeyScope, SCENES, Scene, TENANT, contracts};
use crate::client::{Client, Connection};
use crate::machine;
use angarium_core::address::AddressPolicy;
use angarium_core::contract::ContractLibrary;
use angarium_core::endpoint::PlainHttp;
use angarium_core::limits::Limits;
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use angarium_server::clock::{Clock, SteadyClock, SystemClock};
use angarium_server::entropy::{OsEntropy, random};
use angarium_server::next_master_key::NextMasterKey;
use angarium_server::origin::Outside;
use angarium_server::server::{RunningServer, Server, ServerConfig};
use angarium_store::seal::MasterKey;
use anyhow::Context;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A retry schedule that can be watched.
const RETRIES: [&str; 3] = ["1s", "1s", "2s"];
/// How long the server's end waits for what is in flight.
const GRACE: Duration = Duration::from_secs(5);

/// A running server on which everybody has their place.
pub(super) struct Stage {
    server: RunningServer,
    admin_key: SecretText,
    clients: Vec<Client>,
    programme: Vec<Sample>,
    published: usize,
    last_time: Timestamp,
    _data: TempDir,
}

/// An example event of a contract.
struct Sample {
    contract: &'static str,
    /// Which client speaks for the contract's environment.
    client: usize,
    kind: String,
    data: Value,
}

impl Stage {
    /// Starts the server and makes everybody's place.
    ///
    /// # Errors
    /// The server's, or a call's.
    pub(super) async fn set(receivers: &Receivers) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("no temporary directory can be made")?;
        let mut server = Server::start(config(&data, receivers.ca.clone())).await?;
        let admin_key = server.new_admin_key.take();
        let admin_key = admin_key.context("a new store has no admin key yet")?;
        let mut clients = Vec::new();
        for contract in contracts() {
            let connection = Connection {
                url: format!("http://{}", server.address),
                key: Some(admin_key.expose().to_owned()),
                environment: Some(contract.to_owned()),
            };
            clients.push(furnish(&connection, contract, receivers).await?);
        }
        Ok(Self {
            server,
            admin_key,
            clients,
            programme: programme()?,
            published: 0,
            last_time: Timestamp::default(),
            _data: data,
        })
    }

    /// The server's address.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// A key that may do everything here.
    pub(super) fn admin_key(&self) -> &str {
        self.admin_key.expose()
    }

    /// Publishes the next sample, noted on the board before it can arrive.
    ///
    /// # Errors
    /// The server refused it.
    pub(super) async fn publish_next(&mut self, board: &mut Board) -> anyhow::Result<()> {
        let sample = &self.programme[self.published % self.programme.len()];
        self.published += 1;
        let id = format!("demo-{}", self.published);
        let after_last = self.last_time + Duration::from_millis(1);
        self.last_time = SystemClock.now().max(after_last);
        let time = self.last_time.to_string();
        board.publish(sample.contract, &id, &time, &sample.kind);
        let event = json!({
            "tenant": TENANT,
            "type": sample.kind,
            "id": id,
            "time": time,
            "subject": "demo-subject",
            "key": "demo-entity",
            "attributes": {"object_owner_id": "demo-owner", "owner_id": "demo-advisor"},
            "data": sample.data,
        });
        self.clients[sample.client].post("/v1/events", &event).await?;
        Ok(())
    }

    /// Stops the server as SIGTERM would.
    pub(super) async fn strike(self) {
        self.server.shutdown().await;
    }
}

fn config(data: &TempDir, ca: String) -> ServerConfig {
    let mut limits = Limits::default();
    limits.node_window = machine::node_window(machine::raise_file_limit(), limits.node_window);
    let loopback = "127.0.0.0/8".parse().expect("it is a range");
    ServerConfig {
        data: data.path().to_owned(),
        master_key: MasterKey::from_bytes(random(&OsEntropy)),
        next_master_key: NextMasterKey::Nowhere,
        admin_key: None,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        contracts: None,
        plain_http: PlainHttp::Allowed,
        addresses: AddressPolicy::allowing(vec![loopback]),
        extra_roots: vec![ca],
        outside: Outside::default(),
        limits,
        grace: GRACE,
        clock: Arc::new(SteadyClock::start()),
        entropy: Arc::new(OsEntropy),
    }
}

/// Makes the environment, the tenant and the endpoints of a contract; answers a client for them.
async fn furnish(
    connection: &Connection,
    contract: &str,
    receivers: &Receivers,
) -> anyhow::Result<Client> {
    let environment = json!({"slug": contract, "title": contract, "contracts": [contract]});
    let mut instance = Client::new(&connection.to_instance())?;
    instance.post("/v1/environments", &environment).await?;
    let mut client = Client::new(connection)?;
    let tenant = json!({"name": "Acme, a customer", "plan": plan(contract)?}).to_string();
    let path = format!("/v1/tenants/{TENANT}");
    client.call(Method::PUT, &path, Some(Bytes::from(tenant))).await?;
    for scene in SCENES.iter().filter(|scene| scene.contract == contract) {
        let secret = place(&mut client, scene, &receivers.url(scene)).await?;
        receivers.learn(scene, &secret);
    }
    Ok(client)
}

/// The plan that a contract's endpoints need, if they need one.
fn plan(contract: &str) -> anyhow::Result<Option<String>> {
    let library = ContractLibrary::built_in(&Limits::default())?;
    let contract = library.get(contract).context("the contract is built in")?;
    Ok(contract.rules().plan.as_deref().map(str::to_owned))
}

/// Makes an endpoint, and answers the secret that its deliveries are signed with.
async fn place(client: &mut Client, scene: &Scene, url: &str) -> anyhow::Result<String> {
    let mut endpoint = json!({"url": url, "types": ["*"], "name": scene.endpoint});
    if scene.conduct == Conduct::FailsTwice {
        endpoint["delivery"] = json!({"retries": RETRIES});
    }
    let given = format!("demo-{}", hex::encode(random::<16>(&OsEntropy)));
    if scene.key == KeyScope::Given {
        endpoint["secret"] = json!(given);
    }
    let path = format!("/v1/tenants/{TENANT}/endpoints");
    let made = client.post(&path, &endpoint).await?;
    let secret = match scene.key {
        KeyScope::None => return Ok(String::new()),
        KeyScope::Given => return Ok(given),
        KeyScope::Endpoint => made["secret"].as_str().map(str::to_owned),
        KeyScope::Tenant => {
            let path = format!("/v1/tenants/{TENANT}/signing-keys");
            let keys = client.get(&path).await?;
            keys.pointer("/data/0/secret").and_then(Value::as_str).map(str::to_owned)
        }
    };
    secret.with_context(|| format!("{} has no signing secret", scene.endpoint))
}

/// Rounds in which every contract shows one of its examples, until each has shown all.
fn programme() -> anyhow::Result<Vec<Sample>> {
    let library = ContractLibrary::built_in(&Limits::default())?;
    let lengths = library.iter().map(|contract| contract.events().len());
    let rounds = lengths.max();
    let mut programme = Vec::new();
    for round in 0..rounds.unwrap_or(0) {
        for (client, name) in contracts().into_iter().enumerate() {
            let contract = library.get(name).context("the contract is built in")?;
            let events = contract.events();
            let event = &events[round % events.len()];
            programme.push(Sample {
                contract: name,
                client,
                kind: event.name.as_str().to_owned(),
                data: serde_json::from_str(&event.example)?,
            });
        }
    }
    Ok(programme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contract_shows_all_its_examples_and_one_in_every_round() {
        let programme = programme().expect("the built-in contracts are sound");
        let names: Vec<_> = programme.iter().map(|sample| sample.contract).collect();
        for round in names.chunks(contracts().len()) {
            assert_eq!(round, contracts());
        }
        let shown = programme.iter().filter(|sample| sample.contract == "quantfolio");
        let kinds: std::collections::BTreeSet<_> = shown.map(|sample| &sample.kind).collect();
        assert_eq!(kinds.len(), 9);
    }
}
