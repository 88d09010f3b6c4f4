//! The native API from outside: a real store, a real runner, a transport that always succeeds.

mod accounts;
mod contracts;
mod docs;
mod encryption;
mod endpoints;
mod events;
mod idempotency;
mod listener;
mod look;
mod rates;
mod recover;
mod sources;
mod stage;
