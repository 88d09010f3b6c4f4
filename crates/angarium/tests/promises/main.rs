//! The promises, shown from outside: the real executable on loopback, HTTP on both sides, and
//! oracles that do not trust the product's own word.
//!
//! `CRASH_KILLS`, `POWER_CUT_IMAGES`, `BACKLOG_EVENTS`, `BADHOST_EVENTS`, `ROTATIONS`,
//! `ROTATION_KILLS`, `ROTATION_ENDPOINTS` and those that `faults`,
//! `isolation`, `herd` and `million` name make long runs; `SEED` repeats one. `ANGARIUM_BIN` names
//! another executable than the one that was built with the tests.

mod abuse;
mod access;
mod audit;
mod backlog;
mod badhost;
pub(crate) mod canary;
mod contract_api;
mod contracts;
mod crash;
mod delivering;
mod egress;
mod endpoint_auth;
mod faults;
mod gates;
mod herd;
mod isolation;
mod isolation_tenants;
mod libraries;
mod limits;
mod look;
mod matrix;
mod million;
mod notices;
mod openapi;
mod power_cut;
mod publishing;
mod receiving;
mod recover;
mod refusals;
mod regress;
mod retention;
mod rules;
mod secrets;
mod ssrf;
mod support;
mod verdicts;
mod verification;
