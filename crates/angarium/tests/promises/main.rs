//! The promises, shown from outside: the real executable on loopback, HTTP on both sides, and
//! oracles that do not trust the product's own word.
//!
//! `CRASH_KILLS`, `POWER_CUT_IMAGES`, `BACKLOG_EVENTS`, `BADHOST_EVENTS` and the variables that
//! `faults` names make long runs; `SEED` repeats one.

mod access;
mod backlog;
mod badhost;
mod contract_api;
mod contracts;
mod crash;
mod delivering;
mod faults;
mod gates;
mod look;
mod notices;
mod openapi;
mod power_cut;
mod publishing;
mod recover;
mod refusals;
mod rules;
mod ssrf;
mod support;
mod verdicts;
mod verification;
