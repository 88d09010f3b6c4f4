//! Ingest, shard runner, egress and API. Knows the store by its trait.

pub mod clock;
pub mod entropy;

pub mod api;
pub mod bodies;
pub mod call_rates;
mod contract_api;
pub mod directory;
pub mod docs;
pub mod http;
pub mod ingest;
mod key_ring;
pub mod origin;
pub mod quotas;
pub mod rates;
pub mod receive;

pub mod egress;
pub mod runner;
mod tokens;

pub mod metrics;
pub mod next_master_key;

pub mod erasures;
mod in_order;
pub mod key_uses;
mod notices;
mod panics;
pub mod recovery_jobs;
mod rotation;
pub mod schema;
pub mod sweeper;

pub mod server;
