//! The contract language: one declarative file says everything that a platform published.

use crate::retry::RetryPolicy;
use std::time::Duration;

/// A contract, compiled once at load.
#[derive(Debug)]
pub struct Contract {
    name: String,
    timeout: Duration,
    retry: RetryPolicy,
}

impl Contract {
    /// Its name, unique on a server.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Time limit of one attempt.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
    /// The retry schedule.
    pub fn retry(&self) -> &RetryPolicy {
        &self.retry
    }
}
