//! Whose publishes are in the next commit: some of every tenant's, as many as one tenant may have
//! in it, in the tenant's own order.
//!
//! One that does not fit waits in its tenant's line, before anything is known or promised of it: it
//! has no number and matches no endpoint yet. So a tenant that publishes as fast as it can makes a
//! commit longer by its share and no more, and its own line is where it waits.

use super::lanes::BatchNo;
use super::publish::Publish;
use super::{Effects, Shard};
use crate::id::TenantNo;
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Whether there is room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Free,
    /// There is none.
    Full,
}

/// What waits for a commit of one tenant.
#[derive(Debug)]
pub(super) struct Turn<T> {
    line: VecDeque<(T, Publish)>,
    line_bytes: usize,
    /// The batch that `events` and `bytes` are in.
    batch: BatchNo,
    events: usize,
    bytes: usize,
}

impl<T> Default for Turn<T> {
    fn default() -> Self {
        let (line, batch) = (VecDeque::new(), BatchNo::default());
        Self { line, line_bytes: 0, batch, events: 0, bytes: 0 }
    }
}

impl<T> Turn<T> {
    /// Refuses one more where the tenant has as much waiting as it may.
    fn check(&self, filling: BatchNo, weight: usize, limits: &Limits) -> Result<(), Refusal> {
        let (events, bytes) = self.in_batch(filling);
        let events = events + self.line.len();
        let has_room = events == 0
            || (events < limits.tenant_uncommitted
                && bytes + self.line_bytes + weight <= limits.tenant_uncommitted_bytes);
        let message = "too many events of this tenant wait to be stored; come back in a second";
        has_room.then_some(()).ok_or_else(|| Refusal::whole(Code::Overloaded, message))
    }

    /// Whether one more goes into the batch that is being filled.
    fn fits(&self, filling: BatchNo, weight: usize, limits: &Limits) -> bool {
        let (events, bytes) = self.in_batch(filling);
        events == 0
            || (events < limits.tenant_commit_events
                && bytes + weight <= limits.tenant_commit_bytes)
    }

    /// Counts an event of the batch that is being filled.
    pub(super) fn count(&mut self, filling: BatchNo, weight: usize) {
        let (events, bytes) = self.in_batch(filling);
        (self.batch, self.events, self.bytes) = (filling, events + 1, bytes + weight);
    }

    fn in_batch(&self, filling: BatchNo) -> (usize, usize) {
        if self.batch == filling { (self.events, self.bytes) } else { (0, 0) }
    }

    fn wait(&mut self, ticket: T, call: Publish) {
        self.line_bytes += call.event.weight();
        self.line.push_back((ticket, call));
    }

    fn next(&mut self, filling: BatchNo, limits: &Limits) -> Option<(T, Publish)> {
        let (_, first) = self.line.front()?;
        if !self.fits(filling, first.event.weight(), limits) {
            return None;
        }
        let next = self.line.pop_front()?;
        self.line_bytes = self.line_bytes.saturating_sub(next.1.event.weight());
        Some(next)
    }

    /// Everyone who waits.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = T> {
        self.line.into_iter().map(|(ticket, _)| ticket)
    }
}

impl<T> Shard<T> {
    /// Gives the call back if its turn is now; else it is kept, or refused where too much waits: by
    /// the tenant's own bound first, then by the node's.
    pub(super) fn take_turn(
        &mut self,
        ticket: T,
        call: Publish,
        fx: &mut Effects<T>,
    ) -> Option<(T, Publish)> {
        let (filling, weight) = (self.filling, call.event.weight());
        let turn = &mut self.tenants.entry(call.tenant).or_default().turn;
        let room = turn.check(filling, weight, &self.limits).and_then(|()| match fx.room {
            Room::Free => Ok(()),
            Room::Full => {
                let message = "too many events of all tenants wait to be stored; come back \
                               in a second";
                Err(Refusal::whole(Code::NodeOverloaded, message))
            }
        });
        if let Err(refusal) = room {
            fx.refuse(ticket, refusal);
            return None;
        }
        if turn.line.is_empty() && turn.fits(filling, weight, &self.limits) {
            return Some((ticket, call));
        }
        self.in_line.insert(call.tenant);
        turn.wait(ticket, call);
        None
    }

    /// A commit has ended: everyone in line moves up, as far as there is room in the next.
    pub(super) fn move_up(&mut self, now: Timestamp, fx: &mut Effects<T>) {
        for tenant in std::mem::take(&mut self.in_line) {
            while let Some((ticket, call)) = self.next_in_line(tenant) {
                self.enter(ticket, call, now, fx);
            }
            if self.tenants.get(&tenant).is_some_and(|state| !state.turn.line.is_empty()) {
                self.in_line.insert(tenant);
            }
        }
    }

    fn next_in_line(&mut self, tenant: TenantNo) -> Option<(T, Publish)> {
        self.tenants.get_mut(&tenant)?.turn.next(self.filling, &self.limits)
    }
}
