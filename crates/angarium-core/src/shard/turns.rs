//! Whose publishes are in the next commit: some of every tenant's, as many as one tenant may have
//! in it, in the tenant's own order.
//!
//! One that does not fit waits in its tenant's line, before anything is known or promised of it: it
//! has no number and matches no endpoint yet. So a tenant that publishes as fast as it can makes a
//! commit longer by its share and no more, and its own line is where it waits. So does one that
//! goes faster than its rate while others publish too: a commit follows upon the other, and who
//! fills each of them to its share would still have the whole machine.

use super::lanes::BatchNo;
use super::publish::Publish;
use super::publishers::Company;
use super::{Effects, Shard};
use crate::id::TenantNo;
use crate::limits::Limits;
use crate::rate::{Gcra, RateLimit, RateSpec};
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// The most that a rate may be, a second and at once.
const MOST: usize = 1_000_000;

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
    /// What has gone into commits of late.
    paced: Gcra,
}

/// The commit that is being filled, for one tenant.
struct Door<'a> {
    filling: BatchNo,
    limits: &'a Limits,
    rate: Option<&'a RateLimit>,
    company: Company,
    now: Timestamp,
}

/// How fast a tenant's publishes go into commits while others publish too.
pub(super) fn commit_rate(limits: &Limits) -> Option<RateLimit> {
    let within = |value: usize| u32::try_from(value.clamp(1, MOST)).unwrap_or(u32::MAX);
    if limits.tenant_commit_rate == 0 {
        return None;
    }
    let burst = Some(within(limits.tenant_commit_events));
    let per_second = within(limits.tenant_commit_rate).into();
    RateLimit::try_new(RateSpec { per_second, burst }).ok()
}

impl<T> Default for Turn<T> {
    fn default() -> Self {
        let (line, batch) = (VecDeque::new(), BatchNo::default());
        Self { line, line_bytes: 0, batch, events: 0, bytes: 0, paced: Gcra::default() }
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

    /// Whether one more may go into the batch that is being filled.
    fn admits(&self, weight: usize, door: &Door<'_>) -> bool {
        let is_within = |rate| self.paced.earliest(rate, door.now) <= door.now;
        self.fits(weight, door)
            && (door.company == Company::Alone || door.rate.is_none_or(is_within))
    }

    fn fits(&self, weight: usize, door: &Door<'_>) -> bool {
        let (events, bytes) = self.in_batch(door.filling);
        events == 0
            || (events < door.limits.tenant_commit_events
                && bytes + weight <= door.limits.tenant_commit_bytes)
    }

    /// When some of those in line may go on, if only the rate keeps them.
    fn paced_until(&self, door: &Door<'_>) -> Option<Timestamp> {
        let (_, first) = self.line.front()?;
        let rate = door.rate.filter(|_| self.fits(first.event.weight(), door))?;
        // Some at a time: a commit and a look at the clock for each would cost more than it.
        let some = self.line.len().min(usize::try_from(rate.burst().div_ceil(2)).unwrap_or(1));
        let some = u32::try_from(some).unwrap_or(1);
        Some({ self.paced }.admit_all(some, rate, door.now).err().unwrap_or(door.now))
    }

    /// Counts an event of the batch that is being filled, also where nobody else publishes: company
    /// may come at any moment.
    pub(super) fn count(
        &mut self,
        filling: BatchNo,
        weight: usize,
        rate: Option<&RateLimit>,
        now: Timestamp,
    ) {
        if let Some(rate) = rate {
            // Beyond the burst there is nothing left to count.
            let _ = self.paced.admit(rate, now);
        }
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

    fn next(&mut self, door: &Door<'_>) -> Option<(T, Publish)> {
        let weight = self.line.front()?.1.event.weight();
        if !self.admits(weight, door) {
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
        now: Timestamp,
        fx: &mut Effects<T>,
    ) -> Option<(T, Publish)> {
        let weight = call.event.weight();
        let company = fx.publishers.beside(call.tenant, now);
        let rate = self.commit_rate.as_ref();
        let door = Door { filling: self.filling, limits: &self.limits, rate, company, now };
        let turn = &mut self.tenants.entry(call.tenant).or_default().turn;
        let room = turn.check(door.filling, weight, &self.limits).and_then(|()| match fx.room {
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
        if turn.line.is_empty() && turn.admits(weight, &door) {
            return Some((ticket, call));
        }
        self.in_line.insert(call.tenant);
        turn.wait(ticket, call);
        self.line_moves_at = earlier(self.line_moves_at, turn.paced_until(&door));
        None
    }

    /// A commit has ended, or time has passed: everyone in line moves up, as far as there is room
    /// in the next.
    pub(super) fn move_up(&mut self, now: Timestamp, fx: &mut Effects<T>) {
        self.line_moves_at = None;
        for tenant in std::mem::take(&mut self.in_line) {
            let company = fx.publishers.beside(tenant, now);
            while let Some((ticket, call)) = self.next_in_line(tenant, company, now) {
                self.enter(ticket, call, now, fx);
            }
        }
    }

    /// Takes the tenant's next one out of the line; if it has to wait, notes for what.
    fn next_in_line(
        &mut self,
        tenant: TenantNo,
        company: Company,
        now: Timestamp,
    ) -> Option<(T, Publish)> {
        let rate = self.commit_rate.as_ref();
        let door = Door { filling: self.filling, limits: &self.limits, rate, company, now };
        let turn = &mut self.tenants.get_mut(&tenant)?.turn;
        let next = turn.next(&door);
        if next.is_none() && !turn.line.is_empty() {
            self.in_line.insert(tenant);
            self.line_moves_at = earlier(self.line_moves_at, turn.paced_until(&door));
        }
        next
    }
}

/// The earlier of two times, where there are two.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
