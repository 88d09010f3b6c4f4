//! The decisions of Angarium.
//!
//! Pure: no I/O, no async, no clock, no randomness. `now`, jitter and random bytes come in as
//! arguments; the crates around this one move bytes. The modules stand in the order of an event's
//! path (ARCHITECTURE.md).

pub mod id;
pub mod limits;
pub mod refusal;
pub mod secret;
pub mod time;

pub mod account;
pub mod address;
pub mod buckets;
pub mod contract;
pub mod declared;
pub mod destination;
pub mod egress;
pub mod endpoint;
pub mod event;
pub mod lane;
pub mod oauth2;
pub mod pace;
pub mod permission;
pub mod rate;
pub mod repeated;
pub(crate) mod signature;
pub mod subscription;
pub mod visitor;

pub mod audit;
pub mod batch;
pub mod delivery;
pub mod erasure;
pub mod explain;
pub mod gate;
pub mod job;
pub mod notice;
pub mod outcome;
pub mod replay;
pub mod request;
pub mod retention;
pub mod retry;
pub mod scheme;
pub mod shard;
pub mod source;
pub mod verification;
pub mod waiting;
