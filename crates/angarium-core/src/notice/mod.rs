//! Notices: what people should learn without having asked (design.md section 1).
//!
//! A notice is decided by the machine that knows, once what it tells is durable, and is then
//! published as an event of the environment's operator ([`OPERATOR`]), on the path of every event.
//! Its event id follows from what it tells: told again, it is a duplicate and no second notice. So
//! what can still be seen in the store after a restart is told again then, and no crash between the
//! fact and its notice keeps it from people.

mod growth;
mod incident;
mod kind;
mod letters;
mod print;
mod sample;

pub use growth::Growth;
pub use incident::Turn;
pub use kind::Kind;
pub use letters::Letters;

use crate::endpoint::{EndpointConfig, EndpointHealth, EndpointStatus};
use crate::id::{DeliveryKey, EndpointId, EndpointNo, EventId, SigningKeyId, TenantNo};
use crate::outcome::Class;
use crate::secret::SigningKey;
use crate::time::Timestamp;
use std::time::Duration;

/// The id of the tenant that every environment has for its operator. It is made with the
/// environment; nobody may change, delete or publish to it.
pub const OPERATOR: &str = "angarium";

/// The contract that the operator's endpoints follow, whatever the environment's contracts are.
pub const OPERATOR_CONTRACT: &str = "standard";

/// Something people should learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When it came to be.
    pub at: Timestamp,
    /// Whom it concerns.
    pub about: About,
    /// What happened.
    pub fact: Fact,
}

/// Whom a notice concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// One endpoint.
    Endpoint(Box<EndpointNow>),
    /// A tenant, under one of its contracts.
    Tenant {
        /// Which.
        tenant: TenantNo,
        /// The contract.
        contract: Box<str>,
    },
    /// The node that says it, and so every environment.
    Node,
}

/// An endpoint as it stood when a notice was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointNow {
    /// The store's number.
    pub no: EndpointNo,
    /// The public id.
    pub id: EndpointId,
    /// Whose it is.
    pub tenant: TenantNo,
    /// Its name, for people.
    pub name: Option<Box<str>>,
    /// Host and port of its URL. The rest may hold secrets of its owner.
    pub host: Box<str>,
    /// The contract it follows.
    pub contract: Box<str>,
    /// Whether deliveries start.
    pub status: EndpointStatus,
    /// What its recent attempts say.
    pub health: EndpointHealth,
}

impl EndpointNow {
    /// What stands in a configuration.
    pub fn of(no: EndpointNo, config: &EndpointConfig, health: EndpointHealth) -> Self {
        let after_scheme = config.url.split_once("://").map_or(&*config.url, |(_, rest)| rest);
        let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        Self {
            no,
            id: config.id,
            tenant: config.tenant,
            name: config.name.as_deref().map(Into::into),
            host: host.into(),
            contract: config.contract.as_str().into(),
            status: config.status,
            health,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An endpoint was switched off, by its contract's rule or by a call.
    Disabled {
        /// Why, for people.
        reason: Box<str>,
        /// When.
        since: Timestamp,
    },
    /// An endpoint's attempts fail, one after the other.
    Failing {
        /// When the first of them ended.
        since: Timestamp,
    },
    /// The first attempt succeeded after the endpoint was said to be failing or disabled.
    Recovered {
        /// When the incident began.
        since: Timestamp,
    },
    /// A delivery was given up.
    DeadLetter(Box<DeadLetter>),
    /// A signing key has another in its place.
    KeyRotated(KeyRotation),
    /// What is due waits, longer and longer.
    BacklogGrowing {
        /// Since when the oldest delivery is due.
        oldest_due: Timestamp,
    },
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which.
    pub delivery: DeliveryKey,
    /// Of which event.
    pub event: EventId,
    /// The event's type.
    pub event_type: Box<str>,
    /// Attempts made.
    pub attempts: u16,
    /// Why it ended.
    pub reason: &'static str,
    /// Its last attempt; none if it was given up before the first.
    pub last: Option<LastAttempt>,
    /// How many other dead letters of the endpoint, since the notice before, have none.
    pub left_out: u64,
}

/// The last attempt of a delivery that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAttempt {
    /// When it began.
    pub at: Timestamp,
    /// What it meant.
    pub class: Class,
    /// The status of its answer, if there was one.
    pub status: Option<u16>,
}

/// A signing key that took the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRotation {
    /// The new key.
    pub key: SigningKeyId,
    /// Since when it signs.
    pub since: Timestamp,
    /// The one before.
    pub retired: SigningKeyId,
    /// Until when that signs too.
    pub signs_until: Option<Timestamp>,
}

impl KeyRotation {
    /// The last rotation of these keys, the current one first; none if there was none.
    pub fn last(keys: &[SigningKey]) -> Option<Self> {
        let [current, retired, ..] = keys else {
            return None;
        };
        let (key, since) = (current.id, current.created_at);
        Some(Self { key, since, retired: retired.id, signs_until: retired.signs_until })
    }
}

/// What began longer ago is not told again after a restart: it was told, or nobody waits for it.
const TOLD_AGAIN: Duration = Duration::from_secs(7 * 86_400);

impl Notice {
    /// Whether it may be told again after a restart.
    pub fn is_recent(&self) -> bool {
        let since = match &self.fact {
            Fact::Disabled { since, .. } | Fact::Failing { since } | Fact::Recovered { since } => {
                *since
            }
            Fact::KeyRotated(rotation) => rotation.since,
            Fact::BacklogGrowing { oldest_due } => *oldest_due,
            Fact::DeadLetter(letter) => letter.last.map_or(self.at, |last| last.at),
        };
        self.at.since(since) < TOLD_AGAIN
    }

    /// Whose notice it is; none if it concerns all environments of a node.
    pub fn tenant(&self) -> Option<TenantNo> {
        match &self.about {
            About::Endpoint(endpoint) => Some(endpoint.tenant),
            About::Tenant { tenant, .. } => Some(*tenant),
            About::Node => None,
        }
    }

    /// The endpoint that it concerns, if it concerns one.
    pub fn endpoint(&self) -> Option<&EndpointNow> {
        match &self.about {
            About::Endpoint(endpoint) => Some(endpoint),
            About::Tenant { .. } | About::Node => None,
        }
    }
}

#[cfg(test)]
mod tests;
