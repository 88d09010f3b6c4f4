//! Ingest, shard runner, egress and API. Knows the store by its trait.

pub mod clock;
pub mod entropy;

pub mod http;
pub mod directory;
pub mod ingest;
pub mod api;

pub mod runner;
pub mod egress;

pub mod metrics;

mod in_order;
mod panics;
