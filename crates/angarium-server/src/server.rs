//! Puts the parts together: store, contracts, egress, runner, API; and takes them apart in the
//! order that loses nothing.

use crate::api::App;
use crate::api::admin_key::{AdminKeyError, ensure_admin_key};
use crate::bodies::Bodies;
use crate::call_rates::CallRates;
use crate::clock::Clock;
use crate::contract_api::{Collision, first_collision};
use crate::directory::Directory;
use crate::egress::{Egress, EgressConfig, EgressError, EgressLimits, NameServers, Transport};
use crate::entropy::Entropy;
use crate::erasures::{self, Eraser};
use crate::http::listener::{self, ApiListener};
use crate::key_uses;
use crate::next_master_key::NextMasterKey;
use crate::notices;
use crate::origin::Outside;
use crate::quotas::Quotas;
use crate::rates::Rates;
use crate::receive::{self, Certificates, public_roots};
use crate::recovery_jobs;
use crate::rotation;
use crate::runner::{self, Parts, Runner};
use crate::sweeper::{self, Sweeper};
use angarium_core::address::AddressPolicy;
use angarium_core::contract::ContractLibrary;
use angarium_core::declared::Mistakes;
use angarium_core::egress::EgressPolicy;
use angarium_core::endpoint::PlainHttp;
use angarium_core::limits::Limits;
use angarium_core::retention::Looked;
use angarium_core::scheme::SchemeLibrary;
use angarium_core::secret::SecretText;
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{Accounts, SharedStore, Store, StoreError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// What a server is started with; every value is checked.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Directory of the embedded store.
    pub data: PathBuf,
    /// What data keys are encrypted with.
    pub master_key: MasterKey,
    /// Where the next master key is found: one that is there opens the store too.
    pub next_master_key: NextMasterKey,
    /// The instance's admin key; without one the first start makes one.
    pub admin_key: Option<SecretText>,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Directory of contracts beside the built-in ones.
    pub contracts: Option<PathBuf>,
    /// Whether deliveries may go to `http://`.
    pub plain_http: PlainHttp,
    /// Which addresses deliveries may go to.
    pub addresses: AddressPolicy,
    /// Root certificates beside the public ones, as PEM.
    pub extra_roots: Vec<String>,
    /// How the server is seen from outside.
    pub outside: Outside,
    /// The limits in force.
    pub limits: Limits,
    /// How long a stop waits for what is in flight.
    pub grace: Duration,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What draws random numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no admin key.
    #[error(transparent)]
    AdminKey(#[from] AdminKeyError),
    /// A contract file is wrong.
    #[error(transparent)]
    Contract(#[from] Mistakes),
    /// The directory of contracts, or a file in it, cannot be read.
    #[error("contracts cannot be read from {path}")]
    ContractFile {
        /// What cannot be read.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An environment follows a contract that is not loaded.
    #[error("environment {environment} follows the contract {contract}, which is not loaded")]
    MissingContract {
        /// The environment's slug.
        environment: String,
        /// The contract's name.
        contract: String,
    },
    /// Two contracts of an environment have the same call.
    #[error("environment {environment}: the contracts {one} and {other} both have the call {call}")]
    Collision {
        /// The environment's slug.
        environment: String,
        /// The contract that comes first.
        one: String,
        /// The other.
        other: String,
        /// The call.
        call: String,
    },
    /// The shards cannot be recovered.
    #[error(transparent)]
    Recovery(#[from] runner::StartError),
    /// Deliveries cannot leave.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that serves.
pub struct RunningServer {
    /// Where the API listens.
    pub address: SocketAddr,
    /// The admin key that this first start made, to be shown once.
    pub new_admin_key: Option<SecretText>,
    api: ApiListener,
    /// What goes on beside the calls, for ever.
    tasks: Vec<JoinHandle<()>>,
    app: Arc<App>,
    runner: Arc<Runner>,
    store: SharedStore,
    grace: Duration,
}

impl Server {
    /// Opens the store, reads the contracts, recovers what was under way, and serves.
    ///
    /// # Errors
    /// [`StartError`]; the store is closed again.
    pub async fn start(config: ServerConfig) -> Result<RunningServer, StartError> {
        let contracts = Arc::new(load_contracts(config.contracts.as_deref(), &config.limits)?);
        let store: SharedStore = Arc::new(open_store(&config)?);
        let started = start_on(&store, config, contracts).await;
        if started.is_err() {
            store.close().await;
        }
        started
    }
}

impl RunningServer {
    /// Stops cleanly: no new call is taken, calls under way are answered, attempts in flight have
    /// the grace time to end and are recorded, the store is closed. What outlasts the grace is
    /// sent again after the next start.
    pub async fn shutdown(self) {
        let until = Instant::now() + self.grace;
        self.api.close().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Err(error) = key_uses::keep(&self.app).await {
            tracing::warn!(%error, "the last uses of keys could not be written");
        }
        let left = until.saturating_duration_since(Instant::now());
        self.runner.stop(left).await;
        self.store.close().await;
    }
}

async fn start_on(
    store: &SharedStore,
    config: ServerConfig,
    contracts: Arc<ContractLibrary>,
) -> Result<RunningServer, StartError> {
    tell_master_key(&**store, &config).await?;
    let (clock, entropy) = (Arc::clone(&config.clock), Arc::clone(&config.entropy));
    let clock_before = sweeper::look_before(&**store, clock.now()).await?;
    let refused = |source| StartError::Listen { address: config.listen, source };
    let listener = listener::bind(config.listen).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let given = config.admin_key.as_ref();
    let new_admin_key = ensure_admin_key(&**store, given, &*clock, &*entropy).await?;
    let mut accounts = accounts_with_operators(&**store, &*clock).await?;
    check_contracts(&accounts, &contracts)?;
    let sources = std::mem::take(&mut accounts.sources);
    let transport: Arc<dyn Transport> = Arc::new(egress(&config)?);
    let server_egress = EgressPolicy::of_server(config.addresses);
    let directory = Arc::new(Directory::new(accounts, server_egress));
    let runner = Runner::start(Parts {
        store: Arc::clone(store),
        transport: Arc::clone(&transport),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        contracts: Arc::clone(&contracts),
        directory: Arc::clone(&directory),
        limits: config.limits.clone(),
        plain_http: config.plain_http,
    })
    .await?;
    let app = Arc::new(App {
        schemes: Arc::new(SchemeLibrary::built_in()?),
        runner: Arc::clone(&runner),
        store: Arc::clone(store),
        directory,
        contracts: Arc::clone(&contracts),
        rates: Rates::new(&config.limits, Arc::clone(&clock)),
        bodies: Bodies::new(&config.limits),
        quotas: Quotas::new(&config.limits),
        call_rates: CallRates::new(&config.limits, Arc::clone(&clock)),
        limits: config.limits,
        clock,
        entropy,
        plain_http: config.plain_http,
        metrics: Arc::default(),
        calls: Arc::default(),
        lanes: Default::default(),
        turns: Default::default(),
        jobs: Arc::default(),
        erasing: Arc::default(),
        sweeping: Arc::default(),
        outside: config.outside,
        certificates: Certificates::new(transport, Arc::clone(&config.clock), public_roots()),
        rejections: Arc::default(),
        next_master_key: config.next_master_key,
    });
    receive::make_ready(&app, sources).await;
    Ok(RunningServer {
        address,
        new_admin_key,
        tasks: begin_tasks(&app, clock_before),
        api: ApiListener::open(listener, Arc::clone(&app), config.grace),
        app,
        runner,
        store: Arc::clone(store),
        grace: config.grace,
    })
}

async fn accounts_with_operators(
    store: &dyn Store,
    clock: &dyn Clock,
) -> Result<Accounts, StoreError> {
    let accounts = store.accounts().await?;
    match notices::ensure_operators(store, &accounts, clock).await? {
        true => store.accounts().await,
        false => Ok(accounts),
    }
}

fn begin_tasks(app: &Arc<App>, clock_before: Looked) -> Vec<JoinHandle<()>> {
    let driver = Arc::new(recovery_jobs::Driver::of(app));
    let sweeper = Arc::new(Sweeper::of(app, clock_before));
    vec![
        tokio::spawn(rotation::rotate_for_ever(Arc::clone(app))),
        tokio::spawn(recovery_jobs::drive_for_ever(driver)),
        tokio::spawn(notices::publish_for_ever(Arc::clone(app))),
        tokio::spawn(receive::keep_rejections_for_ever(Arc::clone(app))),
        tokio::spawn(key_uses::keep_for_ever(Arc::clone(app))),
        tokio::spawn(sweeper::sweep_for_ever(sweeper)),
        tokio::spawn(erasures::erase_for_ever(Arc::new(Eraser::of(app)))),
    ]
}

fn open_store(config: &ServerConfig) -> Result<SqliteStore, StoreError> {
    // The store may well open without it; a rotation says what is wrong.
    let next_master_key = config.next_master_key.find().unwrap_or_else(|error| {
        tracing::warn!(%error, "the next master key is left aside");
        None
    });
    SqliteStore::open(SqliteConfig {
        path: Some(config.data.clone()),
        master_key: config.master_key.clone(),
        next_master_key,
        synchronous: Synchronous::Full,
        mode: Mode::Threads,
    })
}

/// Says so where a rotation was not followed by its last step.
async fn tell_master_key(store: &dyn Store, config: &ServerConfig) -> Result<(), StoreError> {
    let used = store.encryption().await?.master_key;
    if used != config.master_key.id() {
        let from = config.next_master_key.place().unwrap_or_default();
        tracing::warn!(
            master_key = %used, %from,
            "the store is under the next master key: put it in the place of the one before"
        );
    }
    Ok(())
}

fn egress(config: &ServerConfig) -> Result<Egress, EgressError> {
    Egress::new(EgressConfig {
        extra_roots: config.extra_roots.clone(),
        name_servers: NameServers::System,
        limits: EgressLimits::new(&config.limits),
    })
}

/// The built-in contracts, and those of a directory: its `*.toml` files in the order of their
/// names. A contract of the same name takes the place of a built-in one.
///
/// # Errors
/// A file cannot be read, or is not a contract.
pub fn load_contracts(
    directory: Option<&Path>,
    limits: &Limits,
) -> Result<ContractLibrary, StartError> {
    let mut library = ContractLibrary::built_in(limits)?;
    let Some(directory) = directory else {
        return Ok(library);
    };
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| StartError::ContractFile { path, source }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable(directory))? {
        files.push(entry.map_err(unreadable(directory))?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(unreadable(&file))?;
        library.add(&file.display().to_string(), &text, limits)?;
    }
    Ok(library)
}

/// Every contract that an environment follows is loaded, and no two of them have the same call.
fn check_contracts(accounts: &Accounts, library: &ContractLibrary) -> Result<(), StartError> {
    for environment in &accounts.environments {
        let missing = |name: &&String| library.get(name).is_none();
        if let Some(contract) = environment.contracts.iter().find(missing) {
            return Err(StartError::MissingContract {
                environment: environment.slug.clone(),
                contract: contract.clone(),
            });
        }
        if let Some(Collision { one, other, call }) =
            first_collision(&environment.contracts, library)
        {
            let environment = environment.slug.clone();
            return Err(StartError::Collision { environment, one, other, call });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_adds_contracts_and_a_wrong_file_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let limits = Limits::default();
        let load = || load_contracts(Some(directory.path()), &limits);
        std::fs::write(directory.path().join("notes.txt"), "not a contract").expect("written");
        assert_eq!(
            load().expect("the built-in ones are sound").iter().count(),
            load_contracts(None, &limits).expect("as before").iter().count(),
        );
        std::fs::write(directory.path().join("mine.toml"), "contract = 7").expect("written");
        let error = load().expect_err("it is no contract").to_string();
        assert!(error.contains("mine.toml:1"), "{error}");
        let nowhere = directory.path().join("nowhere");
        let error = load_contracts(Some(&nowhere), &limits).expect_err("it is not there");
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
