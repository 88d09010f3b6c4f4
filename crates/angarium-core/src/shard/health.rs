//! An endpoint that fails as often as its contract allows is switched off (contracts.md, K6 and
//! N4).

use super::held::Existence;
use super::{EndpointTicket, Shard};
use crate::batch::EndpointWrite;
use crate::delivery::{EndReason, Verdict};
use crate::endpoint::{EndpointHealth, EndpointStatus};
use crate::id::EndpointNo;
use crate::outcome::Class;
use crate::time::Timestamp;
use std::sync::Arc;

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
            self.dead_in_a_row = 0;
            self.last_success_at = Some(now);
            return;
        }
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        self.last_failure_at = Some(now);
        self.last_failure_class = Some(class);
        self.last_failure_status = status;
        match verdict {
            Verdict::Die(EndReason::Exhausted | EndReason::Expired) => {
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
}

impl<T> Shard<T> {
    /// Switches an endpoint off if its contract says that it has failed often enough. Nothing
    /// happens while another change of it is under way: the next outcome asks again.
    pub(super) fn switch_off_failing(&mut self, no: EndpointNo, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(&no) else {
            return;
        };
        let endpoint = &queue.endpoint;
        let Some(most) = endpoint.contract.health().disable_after_failed_deliveries else {
            return;
        };
        let is_changing = queue.version != endpoint.config.version;
        let is_on =
            endpoint.config.status == EndpointStatus::Active && queue.existence == Existence::Alive;
        if queue.health.dead_in_a_row < most || is_changing || !is_on {
            return;
        }
        let mut off = (**endpoint).clone();
        off.config.status = EndpointStatus::Disabled;
        off.config.disabled_reason = Some(format!("{most} deliveries in a row failed"));
        off.config.version += 1;
        off.config.updated_at = now;
        queue.version = off.config.version;
        let config = Box::new(off.config.clone());
        let waiting = EndpointTicket { ticket: None, endpoint: Some(Arc::new(off)) };
        self.push_endpoint_write(EndpointWrite::Replace { no, config, guard: None }, waiting);
    }
}
