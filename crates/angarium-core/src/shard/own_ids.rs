//! The publishers' own ids that are in memory: those of events that are being committed, and the
//! tail that the store's index does not have yet (design.md, rule 7).

use crate::id::{EventKey, TenantNo};
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long an id stays in memory although the index has it, so that a look-up that began before
/// the index had it is still caught.
const TAIL: Duration = Duration::from_secs(60);
/// How old the finding of a look-up may be; well below [`TAIL`].
const FRESH: Duration = Duration::from_secs(30);

/// What the caller knows of an own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing yet.
    NotYet,
    /// The store did not have it when it was asked.
    Absent {
        /// When it was asked.
        at: Timestamp,
    },
}

impl Lookup {
    fn holds(self, now: Timestamp) -> bool {
        match self {
            Lookup::NotYet => false,
            Lookup::Absent { at } => now.since(at) < FRESH,
        }
    }
}

/// What memory knows of an own id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding<T> {
    /// An event of this id was accepted.
    Known(EventKey, T),
    /// One is being committed; the ticket is kept until then.
    Waits,
    /// The store must be asked.
    LookUp(T),
    /// It is new.
    New(T),
}

#[derive(Debug)]
enum Entry<T> {
    Uncommitted(Vec<T>),
    Committed(EventKey),
}

/// See the module.
#[derive(Debug)]
pub(super) struct OwnIds<T> {
    entries: BTreeMap<(TenantNo, Box<str>), Entry<T>>,
    /// Committed ids in the order of their commits.
    order: VecDeque<(EventKey, TenantNo, Box<str>)>,
}

impl<T> Default for OwnIds<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<T> OwnIds<T> {
    /// Says what an id is; a new one is noted as being committed.
    pub(super) fn find(
        &mut self,
        tenant: TenantNo,
        own_id: &str,
        lookup: Lookup,
        ticket: T,
        now: Timestamp,
    ) -> Finding<T> {
        match self.entries.get_mut(&(tenant, own_id.into())) {
            Some(Entry::Committed(key)) => Finding::Known(*key, ticket),
            Some(Entry::Uncommitted(waiting)) => {
                waiting.push(ticket);
                Finding::Waits
            }
            None if lookup.holds(now) => Finding::New(ticket),
            None => Finding::LookUp(ticket),
        }
    }

    /// Notes that an event of this id is being committed.
    pub(super) fn begin(&mut self, tenant: TenantNo, own_id: &str) {
        self.entries.insert((tenant, own_id.into()), Entry::Uncommitted(Vec::new()));
    }

    /// Notes that the event is committed, and gives back who waited for that.
    pub(super) fn committed(&mut self, tenant: TenantNo, own_id: &str, key: EventKey) -> Vec<T> {
        self.order.push_back((key, tenant, own_id.into()));
        match self.entries.insert((tenant, own_id.into()), Entry::Committed(key)) {
            Some(Entry::Uncommitted(waiting)) => waiting,
            Some(Entry::Committed(_)) | None => Vec::new(),
        }
    }

    /// Forgets what the index has and no look-up under way can have missed.
    pub(super) fn forget(&mut self, indexed_upto: EventKey, now: Timestamp) {
        while let Some((key, ..)) = self.order.front() {
            if *key > indexed_upto || now.since(key.time()) < TAIL {
                return;
            }
            if let Some((_, tenant, own_id)) = self.order.pop_front() {
                self.entries.remove(&(tenant, own_id));
            }
        }
    }

    /// Everyone who waits.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = T> {
        self.entries.into_values().flat_map(|entry| match entry {
            Entry::Uncommitted(waiting) => waiting,
            Entry::Committed(_) => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantNo = TenantNo::new(1);
    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn a_duplicate_of_an_uncommitted_event_waits_for_it() {
        let mut ids = OwnIds::default();
        let absent = Lookup::Absent { at: NOW };
        assert_eq!(ids.find(TENANT, "a", Lookup::NotYet, 1, NOW), Finding::LookUp(1));
        assert_eq!(ids.find(TENANT, "a", absent, 1, NOW), Finding::New(1));
        ids.begin(TENANT, "a");
        assert_eq!(ids.find(TENANT, "a", absent, 2, NOW), Finding::Waits);
        let key = EventKey::ZERO.next(NOW);
        assert_eq!(ids.committed(TENANT, "a", key), [2]);
        assert_eq!(ids.find(TENANT, "a", absent, 3, NOW), Finding::Known(key, 3));
        assert_eq!(ids.find(TenantNo::new(2), "a", absent, 4, NOW), Finding::New(4));
    }

    #[test]
    fn an_id_leaves_memory_only_when_the_index_has_it_and_old_look_ups_are_refused() {
        let mut ids = OwnIds::<u32>::default();
        let key = EventKey::ZERO.next(NOW);
        ids.committed(TENANT, "a", key);
        ids.forget(EventKey::ZERO, NOW + TAIL);
        ids.forget(key, NOW);
        assert!(matches!(ids.find(TENANT, "a", Lookup::NotYet, 1, NOW), Finding::Known(..)));
        ids.forget(key, NOW + TAIL);
        let stale = Lookup::Absent { at: NOW };
        assert_eq!(ids.find(TENANT, "a", stale, 1, NOW + TAIL), Finding::LookUp(1));
    }
}
