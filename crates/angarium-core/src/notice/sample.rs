//! One notice of each kind, for the documents.

use super::{About, DeadLetter, EndpointNow, Fact, KeyRotation, Kind, LastAttempt, Notice};
use crate::delivery::EndReason;
use crate::endpoint::{EndpointHealth, EndpointStatus};
use crate::event::NewEvent;
use crate::id::{
    DeliveryKey, EndpointId, EndpointNo, EventId, EventKey, Generation, SigningKeyId, TenantNo,
};
use crate::outcome::Class;
use crate::time::Timestamp;
use std::time::Duration;

const AT: Timestamp = Timestamp::from_millis(1_776_686_400_000);
const BEFORE: Timestamp = Timestamp::from_millis(1_776_686_065_000);
const SINCE: Timestamp = Timestamp::from_millis(1_776_686_070_000);

const FAILING: EndpointHealth = EndpointHealth {
    consecutive_failures: 10,
    dead_in_a_row: 10,
    last_success_at: Some(BEFORE),
    last_failure_at: Some(AT),
    last_failure_class: Some(Class::ServerError),
    last_failure_status: Some(503),
    failing_since: Some(SINCE),
    incident: None,
};

const WELL: EndpointHealth = EndpointHealth {
    consecutive_failures: 0,
    dead_in_a_row: 0,
    last_success_at: Some(AT),
    failing_since: None,
    ..FAILING
};

impl Kind {
    /// An event that tells a notice of this kind.
    pub fn sample(self) -> NewEvent {
        let about = About::Endpoint(Box::new(match self {
            Kind::EndpointDisabled => endpoint(EndpointStatus::Disabled, FAILING),
            Kind::DeliveryDeadLettered | Kind::EndpointFailing => {
                endpoint(EndpointStatus::Active, FAILING)
            }
            Kind::BacklogGrowing | Kind::EndpointRecovered | Kind::KeyRotated => {
                endpoint(EndpointStatus::Active, WELL)
            }
        }));
        let waiting = self.tells_waiting().then_some(1_250);
        Notice { at: AT, about, fact: self.fact() }.event(Some("acme"), waiting)
    }

    fn fact(self) -> Fact {
        match self {
            Kind::EndpointDisabled => {
                Fact::Disabled { reason: "10 deliveries in a row failed".into(), since: AT }
            }
            Kind::EndpointFailing => Fact::Failing { since: SINCE },
            Kind::EndpointRecovered => Fact::Recovered { since: SINCE },
            Kind::BacklogGrowing => Fact::BacklogGrowing { oldest_due: SINCE },
            Kind::DeliveryDeadLettered => Fact::DeadLetter(Box::new(letter())),
            Kind::KeyRotated => Fact::KeyRotated(KeyRotation {
                key: SigningKeyId::from_parts(AT, [2; 10]),
                since: AT,
                retired: SigningKeyId::from_parts(SINCE, [1; 10]),
                signs_until: Some(AT + Duration::from_secs(86_400)),
            }),
        }
    }
}

fn endpoint(status: EndpointStatus, health: EndpointHealth) -> EndpointNow {
    EndpointNow {
        no: EndpointNo::new(7),
        id: EndpointId::from_parts(SINCE, [7; 10]),
        tenant: TenantNo::new(1),
        name: Some("Orders".into()),
        host: "hooks.example.com".into(),
        contract: "standard".into(),
        status,
        health,
    }
}

fn letter() -> DeadLetter {
    let event = EventKey::first_at(SINCE);
    let (endpoint, generation) = (EndpointNo::new(7), Generation::default());
    DeadLetter {
        delivery: DeliveryKey { event, endpoint, generation },
        event: EventId::Made(event),
        event_type: "order.paid".into(),
        attempts: 4,
        reason: EndReason::Exhausted.as_str(),
        last: Some(LastAttempt { at: SINCE, class: Class::Timeout, status: None }),
        left_out: 0,
    }
}
