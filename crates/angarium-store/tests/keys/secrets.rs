//! A store with a secret of every kind, for two tenants, and what is done to them in its file.

use angarium_core::account::{Environment, Tenant};
use angarium_core::batch::{BatchResult, EndpointWrite, Guard, GuardAnswer, ShardBatch, Trace};
use angarium_core::egress::{EgressSettings, WrittenProxy, WrittenSettings};
use angarium_core::endpoint::{EndpointAuth, EndpointConfig, EndpointSecrets, TlsSettings};
use angarium_core::id::{
    EndpointId, EndpointNo, EnvironmentNo, Epoch, ShardId, SigningKeyId, SourceId, TenantNo,
};
use angarium_core::limits::Limits;
use angarium_core::oauth2::{ClientAuth, OAuth2Settings};
use angarium_core::secret::{SecretText, SigningKey};
use angarium_core::source::SourceConfig;
use angarium_core::subscription::Subscription;
use angarium_core::time::Timestamp;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{AccountChange, AccountChanged, Answered, Store as _, StoreResult};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub(crate) const ACME: TenantNo = TenantNo::new(1);
const GLOBEX: TenantNo = TenantNo::new(2);
/// Of each kind, acme has the first two secrets, globex the third.
const OWNERS: [TenantNo; 3] = [ACME, ACME, GLOBEX];
const CONTRACTS: [&str; 3] = ["aleta", "standard", "aleta"];

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_776_686_400_000 + millis)
}

pub(crate) fn config(directory: &Path) -> SqliteConfig {
    SqliteConfig {
        path: Some(directory.to_owned()),
        master_key: MasterKey::from_bytes([1; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    }
}

/// A new store with everything in it.
pub(crate) async fn furnished(directory: &Path) -> SqliteStore {
    let store = SqliteStore::open(config(directory)).expect("a new store");
    for slug in ["prod", "staging", "trial"] {
        change(&store, AccountChange::CreateEnvironment(environment(slug)), None).await;
    }
    for id in ["acme", "globex"] {
        change(&store, AccountChange::PutTenant(tenant(id)), None).await;
    }
    let epochs = store.claim(&ShardId::all().collect::<Vec<_>>(), at(1)).await.expect("claimed");
    for (n, owner) in (0..).zip(OWNERS) {
        let config = Box::new(endpoint(n, owner));
        commit(&store, &epochs, owner, EndpointWrite::Create { config, trace: Trace::default() })
            .await;
        change(&store, AccountChange::CreateSource(source(n, owner), 9), None).await;
        let contract = CONTRACTS[usize::from(n)].to_owned();
        let keys = AccountChange::PutTenantKeys(owner, contract, vec![key(n, "tenant")]);
        change(&store, keys, Some(guard(n))).await;
    }
    store
}

/// More tenants, each with a signing key.
pub(crate) async fn add_tenants(store: &Arc<SqliteStore>, count: usize) {
    /// What one commit may take together.
    const AT_ONCE: usize = 500;
    for first in (0..count).step_by(AT_ONCE) {
        let add = |n: usize| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let put = AccountChange::PutTenant(tenant(&format!("tenant-{n}")));
                let made = store.change_account(put, Trace::default(), at(1)).await.expect("made");
                let AccountChanged::Created(no) = made else { panic!("{made:?}") };
                let keys = vec![key(1, "tenant")];
                let keys = AccountChange::PutTenantKeys(TenantNo::new(no), "aleta".into(), keys);
                change(&store, keys, None).await;
            })
        };
        let added: Vec<_> = (first..count.min(first + AT_ONCE)).map(add).collect();
        for added in added {
            added.await.expect("added");
        }
    }
}

async fn change(store: &SqliteStore, change: AccountChange, guard: Option<Guard>) {
    store.change_account(change, Trace { guard, deed: None }, at(1)).await.expect("changed");
}

async fn commit(
    store: &SqliteStore,
    epochs: &[(ShardId, Epoch)],
    owner: TenantNo,
    write: EndpointWrite,
) {
    let shard = ShardId::of(owner);
    let epoch = epochs.iter().find(|(known, _)| *known == shard).expect("claimed").1;
    let batch = ShardBatch { shard, epoch, endpoints: vec![write], ..ShardBatch::default() };
    let done = store.commit(Arc::new(vec![batch]), at(2)).await.expect("committed");
    assert!(matches!(done[..], [BatchResult::Committed(_)]));
}

fn environment(slug: &str) -> Environment {
    let proxy = WrittenProxy {
        url: "http://proxy.example.com:3128".into(),
        username: Some("angarium".into()),
        password: Some(SecretText::new(format!("whsec_proxy_{slug}"))),
        resolve: None,
    };
    let egress = WrittenSettings { proxy: Some(proxy), ..WrittenSettings::default() };
    Environment {
        no: EnvironmentNo::default(),
        slug: slug.into(),
        title: String::new(),
        contracts: Vec::new(),
        hosts: Vec::new(),
        egress: EgressSettings::try_new(egress).expect("sound settings"),
        retention: Default::default(),
        created_at: at(1),
    }
}

fn tenant(id: &str) -> Tenant {
    Tenant {
        no: TenantNo::default(),
        environment: EnvironmentNo::new(1),
        id: id.into(),
        name: None,
        plan: None,
        metadata: serde_json::Map::new(),
        rate: None,
        created_at: at(1),
    }
}

fn key(n: u8, of: &str) -> SigningKey {
    SigningKey {
        id: SigningKeyId::from_bytes([n; 16]),
        secret: SecretText::new(format!("whsec_{of}_{n}")),
        created_at: at(1),
        retired_at: None,
        signs_until: None,
    }
}

fn endpoint(n: u8, owner: TenantNo) -> EndpointConfig {
    let all = Subscription::try_new(&["*".into()], None, Vec::new(), &Limits::default());
    let (id, all) = (EndpointId::from_bytes([n; 16]), all.expect("every type"));
    let url = "https://hooks.example.com/".into();
    let headers = vec![("x-token".into(), SecretText::new("whsec_header"))];
    let auth = EndpointAuth::OAuth2(OAuth2Settings {
        token_url: "https://login.example.com/token".into(),
        client_id: "client".into(),
        client_secret: SecretText::new("whsec_client"),
        scopes: Vec::new(),
        audience: None,
        client_auth: ClientAuth::Basic,
    });
    let tls = TlsSettings {
        client_certificate: Some("a chain".into()),
        private_key: Some(SecretText::new("whsec_private_key")),
        ca: None,
    };
    let keys = vec![key(n, "endpoint")];
    EndpointConfig {
        secrets: EndpointSecrets { keys, auth: Some(auth), headers, tls: Some(tls) },
        ..EndpointConfig::new(id, owner, "standard".into(), url, all, at(1))
    }
}

fn source(n: u8, owner: TenantNo) -> SourceConfig {
    let config: SourceConfig = serde_json::from_value(json!({
        "name": "A source",
        "scheme": "github",
        "forward": { "endpoint": EndpointId::from_bytes([n; 16]) },
        "dedupe_seconds": 60,
        "status": "active",
        "created_at": 1,
        "updated_at": 1,
    }))
    .expect("a source");
    let (id, keys) = (SourceId::from_bytes([n; 16]), vec![key(n, "source")]);
    SourceConfig { id, tenant: owner, keys, ..config }
}

fn guard(n: u8) -> Guard {
    Guard {
        scope: [n; 32],
        fingerprint: [2; 32],
        expires_at: at(900_000),
        answer: GuardAnswer::Given { status: 200, body: answer(n) },
    }
}

fn answer(n: u8) -> Vec<u8> {
    format!("whsec_answer_{n}").into_bytes()
}

/// Upkeep, until there is nothing left to do.
pub(crate) async fn settle(store: &SqliteStore) {
    while store.upkeep(at(5)).await.expect("upkeep").more {}
}

/// Deletes endpoints and sources of acme, so that it can be deleted itself.
pub(crate) async fn delete_all_of_acme(store: &SqliteStore) {
    let epochs = store.claim(&ShardId::all().collect::<Vec<_>>(), at(3)).await.expect("claimed");
    for n in 0..2 {
        let no = EndpointNo::new(1 + i64::from(n));
        let delete = EndpointWrite::Delete { no, at: at(3), trace: Trace::default() };
        commit(store, &epochs, ACME, delete).await;
        change(store, AccountChange::DeleteSource(source(n, ACME).id), None).await;
    }
}

/// Everything secret, by kind.
#[derive(Debug, PartialEq)]
pub(crate) struct Secrets {
    endpoints: Vec<(EndpointId, EndpointSecrets)>,
    sources: Vec<SourceConfig>,
    tenant_keys: Vec<(TenantNo, String, Vec<SigningKey>)>,
    answers: Vec<Option<Answered>>,
    egress: Vec<(String, EgressSettings)>,
}

impl Secrets {
    pub(crate) async fn of(store: &SqliteStore) -> Self {
        let shards = store.load_shards(&ShardId::all().collect::<Vec<_>>()).await.expect("read");
        let endpoints = shards.into_iter().flat_map(|shard| shard.endpoints);
        let accounts = store.accounts().await.expect("read");
        let mut answers = Vec::new();
        for n in 0..3 {
            let kept = store.guarded_answer(&guard(n).scope, at(2)).await.expect("read");
            answers.push(kept.map(|kept| kept.answer));
        }
        Self {
            endpoints: endpoints.map(|it| (it.config.id, it.config.secrets)).collect(),
            sources: accounts.sources,
            tenant_keys: accounts.tenant_keys,
            answers,
            egress: accounts.environments.into_iter().map(|it| (it.slug, it.egress)).collect(),
        }
    }

    /// Acme's first of each kind that was sealed with the master key itself once.
    pub(crate) fn first(mut self) -> Self {
        self.endpoints.retain(|(id, _)| *id == endpoint(0, ACME).id);
        self.sources.retain(|it| it.id == source(0, ACME).id);
        self.tenant_keys.retain(|(owner, contract, _)| *owner == ACME && contract == CONTRACTS[0]);
        self.answers.truncate(1);
        self.egress.clear();
        self
    }
}

/// A column with sealed values.
pub(crate) struct Column {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// Where acme's first value stands, its second, and globex'; of environments, those of three.
    places: [&'static str; 3],
}

const BY_ID: [&str; 3] =
    ["id = zeroblob(16)", "substr(id, 1, 1) = x'01'", "substr(id, 1, 1) = x'02'"];

/// Those that were sealed with the master key itself once, before what a proxy wants to know.
pub(crate) const EARLIER: std::ops::Range<usize> = 0..4;

pub(crate) const COLUMNS: [Column; 5] = [
    Column { table: "endpoint", column: "secrets", places: BY_ID },
    Column {
        table: "tenant_key",
        column: "keys",
        places: [
            "tenant = 1 AND contract = 'aleta'",
            "tenant = 1 AND contract = 'standard'",
            "tenant = 2",
        ],
    },
    Column { table: "source", column: "keys", places: BY_ID },
    Column {
        table: "idempotency",
        column: "body",
        places: [
            "scope = zeroblob(32)",
            "substr(scope, 1, 1) = x'01'",
            "substr(scope, 1, 1) = x'02'",
        ],
    },
    Column {
        table: "environment",
        column: "egress",
        places: ["slug = 'prod'", "slug = 'staging'", "slug = 'trial'"],
    },
];

impl Column {
    fn select(&self, place: usize) -> String {
        format!("(SELECT {} FROM {} WHERE {})", self.column, self.table, self.places[place])
    }

    /// Acme's first value, as it is stored.
    pub(crate) fn value(&self, file: &Connection) -> Vec<u8> {
        let select = format!("SELECT {}", self.select(0));
        file.query_row(&select, [], |row| row.get(0)).expect("a value")
    }

    /// Puts another in the place of acme's first value.
    pub(crate) fn put(&self, file: &Connection, sealed: &[u8]) {
        let update =
            format!("UPDATE {} SET {} = ?1 WHERE {}", self.table, self.column, self.places[0]);
        assert_eq!(file.execute(&update, [sealed]).expect("put"), 1, "{}", self.table);
    }

    /// Deletes every row but that of acme's first value.
    pub(crate) fn leave_first(&self, file: &Connection) {
        let delete = format!("DELETE FROM {} WHERE NOT ({})", self.table, self.places[0]);
        assert_eq!(file.execute(&delete, []).expect("deleted"), 2, "{}", self.table);
    }

    /// What is sealed in acme's first value, and the row's name in its place.
    pub(crate) fn plain(&self) -> (String, Vec<u8>) {
        match self.table {
            "endpoint" => {
                let endpoint = endpoint(0, ACME);
                (endpoint.id.to_string(), endpoint.secrets.to_sealed_form().to_vec())
            }
            "tenant_key" => {
                let keys = SigningKey::to_sealed_form(&[key(0, "tenant")]);
                (CONTRACTS[0].to_owned(), keys.to_vec())
            }
            "source" => {
                let source = source(0, ACME);
                (source.id.to_string(), SigningKey::to_sealed_form(&source.keys).to_vec())
            }
            _ => ("00".repeat(32), answer(0)),
        }
    }

    /// Ways to move, change or cut acme's first value, as SQL.
    pub(crate) fn changes(&self) -> Vec<String> {
        let Self { table, column, places } = self;
        let key = |id: &str| format!("CAST(x'02' || {id} || substr({column}, 10) AS BLOB)");
        let mut values = vec![
            self.select(1),
            self.select(2),
            key("(SELECT id FROM data_key WHERE tenant = 2)"),
            key("randomblob(8)"),
            format!("CAST(x'01' || substr({column}, 2) AS BLOB)"),
            format!("CAST(x'03' || substr({column}, 2) AS BLOB)"),
            format!("substr({column}, 1, length({column}) - 1)"),
            format!("substr({column}, 1, 25)"),
            format!("substr({column}, 1, 9)"),
            "x''".to_owned(),
        ];
        let others = COLUMNS.iter().filter(|other| other.table != *table);
        values.extend(others.map(|other| other.select(0)));
        let update =
            |value: &String| format!("UPDATE {table} SET {column} = {value} WHERE {}", places[0]);
        let mut changes: Vec<String> = values.iter().map(update).collect();
        if *table == "environment" {
            let renamed = "UPDATE environment SET slug = 'staging'";
            changes.push(format!("DELETE FROM environment WHERE NOT ({}); {renamed}", places[0]));
            return changes;
        }
        // The key itself is moved, or the row with its value.
        let other = "(SELECT other.wrapped FROM data_key AS other WHERE other.tenant = 2)";
        changes.push(format!("UPDATE data_key SET wrapped = {other} WHERE tenant = 1"));
        changes.push(
            "UPDATE data_key SET retired = 1; UPDATE data_key SET tenant = 3 - tenant".to_owned(),
        );
        changes.push("DELETE FROM data_key WHERE tenant = 1".to_owned());
        changes.push(format!(
            "DELETE FROM {table} WHERE NOT ({}); UPDATE {table} SET tenant = 2",
            places[0]
        ));
        changes
    }

    /// Reads acme's first value.
    pub(crate) async fn read(&self, store: &SqliteStore) -> StoreResult<()> {
        match self.table {
            "endpoint" => {
                store.endpoint(endpoint(0, ACME).id).await?;
                store.load_shards(&ShardId::all().collect::<Vec<_>>()).await.map(drop)
            }
            "idempotency" => store.guarded_answer(&guard(0).scope, at(2)).await.map(drop),
            _ => store.accounts().await.map(drop),
        }
    }
}
