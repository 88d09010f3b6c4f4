//! The kinds of notices, by the event types that carry them.

use super::{Fact, Notice};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident => $text:literal;)*) => {
        /// What a notice is of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[doc = $doc])* $name,)* }

        impl Kind {
            /// All kinds, by their event types.
            pub const ALL: &[Kind] = &[$(Kind::$name,)*];

            /// The event type.
            pub const fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $text,)* }
            }
        }
    };
}

kinds! {
    /// What is due waits for long, and longer and longer.
    BacklogGrowing => "angarium.backlog.growing";
    /// A delivery was given up: a dead letter.
    DeliveryDeadLettered => "angarium.delivery.dead_lettered";
    /// An endpoint was disabled, by its contract's rule or by a call.
    EndpointDisabled => "angarium.endpoint.disabled";
    /// The attempts at an endpoint fail, with no success between.
    EndpointFailing => "angarium.endpoint.failing";
    /// An attempt succeeded after the endpoint was said to be failing or disabled.
    EndpointRecovered => "angarium.endpoint.recovered";
    /// A signing key has another in its place.
    KeyRotated => "angarium.key.rotated";
}

impl Kind {
    /// Of a notice.
    pub const fn of(notice: &Notice) -> Self {
        match notice.fact {
            Fact::Disabled { .. } => Kind::EndpointDisabled,
            Fact::Failing { .. } => Kind::EndpointFailing,
            Fact::Recovered { .. } => Kind::EndpointRecovered,
            Fact::DeadLetter(_) => Kind::DeliveryDeadLettered,
            Fact::KeyRotated(_) => Kind::KeyRotated,
            Fact::BacklogGrowing { .. } => Kind::BacklogGrowing,
        }
    }

    /// Whether the operator is told it of an endpoint that gets notices itself. What a delivery
    /// brings about is not: the notice would be the next delivery.
    pub const fn is_told_of_operator(self) -> bool {
        match self {
            Kind::EndpointDisabled | Kind::KeyRotated => true,
            Kind::BacklogGrowing
            | Kind::DeliveryDeadLettered
            | Kind::EndpointFailing
            | Kind::EndpointRecovered => false,
        }
    }

    /// Whether it tells how many deliveries wait.
    pub const fn tells_waiting(self) -> bool {
        match self {
            Kind::EndpointDisabled | Kind::EndpointFailing | Kind::BacklogGrowing => true,
            Kind::DeliveryDeadLettered | Kind::EndpointRecovered | Kind::KeyRotated => false,
        }
    }
}
