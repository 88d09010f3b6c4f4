//! What went wrong elsewhere, each case by the number that it has in the study of published
//! vulnerabilities and incidents, none of which may happen here. Where a case is what a larger test
//! shows anyway, the table of promises names that (`promises.toml`).

mod delivery;
mod disclosure;
mod sending;
mod signatures;
