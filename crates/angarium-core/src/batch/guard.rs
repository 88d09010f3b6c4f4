//! What makes a call that is repeated do nothing twice.

use crate::time::Timestamp;

/// An idempotency record: committed with the change that it guards (contracts.md, G7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// SHA-256 over key, route and `Idempotency-Key`.
    pub scope: [u8; 32],
    /// SHA-256 over the request's body.
    pub fingerprint: [u8; 32],
    /// When it is forgotten.
    pub expires_at: Timestamp,
    /// What to answer to a repeated call.
    pub answer: GuardAnswer,
}

/// The answer to a repeated call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardAnswer {
    /// As it was given; stored encrypted, because it may hold a secret.
    Given {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// Derived from the event that is committed with it.
    Event,
    /// Derived from the delivery that the action made or changed.
    Delivery,
}
