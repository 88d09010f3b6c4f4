//! Ingest, shard runner, egress and API. Knows the store by its trait.

pub mod clock;
pub mod egress;
pub mod entropy;
pub mod runner;
