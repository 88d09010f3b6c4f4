//! An endpoint that fails as often as its contract allows, or says that it is gone, is switched off
//! (contracts.md, K6, N4 and G1).

use super::held::Existence;
use super::{EndpointTicket, Shard};
use crate::audit::{Action, Author, Deed, Place};
use crate::batch::{EndpointWrite, Trace};
use crate::contract::{DisableAfter, HealthPolicy};
use crate::delivery::{EndReason, Verdict};
use crate::endpoint::{EndpointHealth, EndpointStatus};
use crate::id::EndpointNo;
use crate::outcome::Class;
use crate::time::{Timestamp, print_span};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

impl EndpointHealth {
    /// Takes an attempt, the status of its answer and its verdict into account.
    pub(super) fn observe(
        &mut self,
        class: Class,
        status: Option<u16>,
        verdict: Verdict,
        now: Timestamp,
    ) {
        if class == Class::Success {
            self.consecutive_failures = 0;
            self.begin_anew();
            self.last_success_at = Some(now);
            return;
        }
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.last_failure_at = Some(now);
        self.last_failure_class = Some(class);
        self.last_failure_status = status;
        match verdict {
            Verdict::Die(EndReason::Exhausted | EndReason::Expired | EndReason::Gone) => {
                self.dead_in_a_row = self.dead_in_a_row.saturating_add(1);
            }
            // What a person ended says nothing about the receiver.
            Verdict::Die(
                EndReason::CancelledByCall
                | EndReason::EndpointDeleted
                | EndReason::EndpointDisabled,
            )
            | Verdict::Deliver
            | Verdict::Retry { .. } => {}
        }
    }

    /// What was counted towards switching the endpoint off counts no longer.
    pub(crate) fn begin_anew(&mut self) {
        self.dead_in_a_row = 0;
        self.failing_since = None;
    }
}

/// Why an endpoint is switched off; it prints for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// So many deliveries in a row were given up.
    FailedDeliveries(u32),
    /// Every attempt failed for so long, and so many deliveries were given up.
    FailingFor(Duration, u32),
    /// The receiver answered 410.
    Gone,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::FailedDeliveries(most) => write!(f, "{most} deliveries in a row failed"),
            Cause::FailingFor(span, deliveries) => {
                let span = print_span(*span);
                write!(f, "every attempt failed for {span}, and so did {deliveries} deliveries")
            }
            Cause::Gone => write!(f, "the receiver answered 410 Gone"),
        }
    }
}

impl HealthPolicy {
    /// Why an endpoint of this health is switched off, if it is.
    fn cause(self, health: &EndpointHealth, now: Timestamp) -> Option<Cause> {
        let dead = health.dead_in_a_row;
        match self.disable_after? {
            DisableAfter::FailedDeliveries(most) => {
                (dead >= most).then_some(Cause::FailedDeliveries(most))
            }
            DisableAfter::FailingFor { span, deliveries } => {
                let has_failed_for = now.since(health.failing_since?) >= span;
                let cause = Cause::FailingFor(span, dead);
                (has_failed_for && dead >= deliveries).then_some(cause)
            }
        }
    }
}

impl<T> Shard<T> {
    /// Switches an endpoint off if its contract says that it has failed often enough, or that the
    /// verdict on its last attempt is its end. Nothing happens while another change of it is under
    /// way: the next outcome asks again.
    pub(super) fn switch_off_failing(&mut self, no: EndpointNo, verdict: Verdict, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        let endpoint = &queue.endpoint;
        let cause = match verdict {
            Verdict::Die(EndReason::Gone) => Some(Cause::Gone),
            Verdict::Die(_) | Verdict::Deliver | Verdict::Retry { .. } => {
                endpoint.contract.health().cause(&queue.health, now)
            }
        };
        let is_changing = queue.version != endpoint.config.version;
        let is_on =
            endpoint.config.status == EndpointStatus::Active && queue.existence == Existence::Alive;
        let Some(cause) = cause.filter(|_| is_on && !is_changing) else {
            return;
        };
        let mut off = (**endpoint).clone();
        off.config.status = EndpointStatus::Disabled;
        off.config.disabled_reason = Some(cause.to_string());
        off.config.version += 1;
        off.config.disabled_at = Some(now);
        off.config.updated_at = now;
        queue.version = off.config.version;
        let place = Place::Tenant(off.config.tenant);
        let deed = Deed::new(Author::SERVER, Action::EndpointDisable, place, &off.config.id);
        let trace = Trace::of(deed.changing(&endpoint.config, &off.config));
        let config = Box::new(off.config.clone());
        let waiting = EndpointTicket { ticket: None, endpoint: Some(Arc::new(off)) };
        self.push_endpoint_write(EndpointWrite::Replace { no, config, trace }, waiting);
    }
}
