//! When an endpoint is switched off, and what becomes of its events then.

use std::time::Duration;

/// A contract's `[health]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthPolicy {
    /// When an endpoint that fails is switched off; none where it never is.
    pub disable_after: Option<DisableAfter>,
    /// What becomes of events while it is off; none where the contract says nothing, which is
    /// [`WhileDisabled::Suppress`].
    pub while_disabled: Option<WhileDisabled>,
}

/// How an endpoint fails that is switched off. A success, and switching it on again, begin anew
/// what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisableAfter {
    /// So many deliveries in a row were given up.
    FailedDeliveries(u32),
    /// Every attempt failed for so long, and at least so many deliveries were given up.
    FailingFor {
        /// How long.
        span: Duration,
        /// How many.
        deliveries: u32,
    },
}

/// What becomes of an event that an endpoint asks for while it is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhileDisabled {
    /// It is recorded as suppressed, and not sent.
    #[default]
    Suppress,
    /// It waits until the endpoint is switched on again.
    Wait,
}

impl WhileDisabled {
    /// The names in contracts and in the API.
    pub const NAMES: &[(&str, WhileDisabled)] =
        &[("suppress", WhileDisabled::Suppress), ("wait", WhileDisabled::Wait)];

    /// The text in contracts and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            WhileDisabled::Suppress => "suppress",
            WhileDisabled::Wait => "wait",
        }
    }
}
