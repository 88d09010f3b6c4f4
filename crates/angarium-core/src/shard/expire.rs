//! An event's payload is of age: what still waits for it is given up before the payload goes
//! (design.md, rule 11).

use super::{DeliveryAction, Effects, Reply, Shard};
use crate::batch::{RowActionKind, Trace};
use crate::delivery::{DeadLetterPolicy, EndReason};
use crate::id::TenantNo;
use crate::notice::DeadLetter;
use crate::time::Timestamp;

/// A waiting delivery whose event is of age.
#[derive(Debug, Clone)]
pub struct Expiry {
    /// Whose delivery it is.
    pub tenant: TenantNo,
    /// The dead letter that it becomes.
    pub letter: Box<DeadLetter>,
}

impl<T> Shard<T> {
    /// Gives a waiting delivery up; of one in flight, no retry follows.
    pub fn expire(&mut self, ticket: T, expiry: Expiry, now: Timestamp, fx: &mut Effects<T>) {
        let Expiry { tenant, letter } = expiry;
        let key = letter.delivery;
        let queue = match self.alive(tenant, key.endpoint) {
            Ok(queue) => queue,
            Err(refusal) => return fx.refuse(ticket, refusal),
        };
        if let Some(sending) = queue.sending_mut(key) {
            sending.last_for.get_or_insert(EndReason::Expired);
            return fx.replies.push((ticket, Reply::Delivery(key)));
        }
        let policy = queue.endpoint.contract.after_dead_letter();
        let holds = policy == Some(DeadLetterPolicy::Hold);
        self.leave_to_row(key, now);
        let action = DeliveryAction { tenant, key, trace: Trace::default() };
        self.act(ticket, action, RowActionKind::Expire { letter, holds }, now);
    }
}
