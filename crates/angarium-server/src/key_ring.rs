//! API keys in memory: found by the hash of their text, and when they were used last.
//!
//! A use costs the hot path one atomic store a minute and key; writing it down is another task's
//! (`key_uses.rs`).

use angarium_core::account::ApiKey;
use angarium_core::id::ApiKeyId;
use angarium_core::time::Timestamp;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A use is noted this long after the one before it, and not sooner.
const GRAIN: Duration = Duration::from_secs(60);
/// Stands for a key that was never used.
const NEVER: i64 = i64::MIN;

/// SHA-256 of a key's text; two are compared in constant time.
#[derive(Debug, Clone, Copy)]
struct TextHash([u8; 32]);

impl PartialEq for TextHash {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TextHash {}

impl Hash for TextHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A key that is not revoked, and its last use.
#[derive(Debug)]
pub struct KnownKey {
    /// The key as it was made.
    pub key: Arc<ApiKey>,
    used_at: AtomicI64,
    written_at: AtomicI64,
}

impl KnownKey {
    fn new(key: ApiKey) -> Self {
        let used_at = key.last_used_at.map_or(NEVER, Timestamp::as_millis);
        let (used_at, written_at) = (AtomicI64::new(used_at), AtomicI64::new(used_at));
        Self { key: Arc::new(key), used_at, written_at }
    }

    /// When it was used last, true to a minute.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        let millis = self.used_at.load(Ordering::Relaxed);
        (millis != NEVER).then(|| Timestamp::from_millis(millis))
    }

    /// Notes a use; says whether it is the first since the last one that counts.
    fn note_use(&self, now: Timestamp) -> bool {
        // A clock that was set back begins anew, so that its uses are not passed over.
        let counts = self.last_used_at().is_none_or(|last| last > now || last + GRAIN <= now);
        if counts {
            self.used_at.store(now.as_millis(), Ordering::Relaxed);
        }
        counts
    }

    /// The use that is not written down yet.
    fn unwritten_use(&self) -> Option<(ApiKeyId, Timestamp)> {
        let used_at = self.last_used_at()?;
        let is_written = self.written_at.load(Ordering::Relaxed) == used_at.as_millis();
        (!is_written).then_some((self.key.id, used_at))
    }
}

/// All keys that are not revoked.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    by_id: BTreeMap<ApiKeyId, Arc<KnownKey>>,
    by_hash: HashMap<TextHash, Arc<KnownKey>>,
}

impl KeyRing {
    pub(crate) fn put(&mut self, key: ApiKey) {
        let (id, hash) = (key.id, TextHash(key.hash));
        let known = Arc::new(KnownKey::new(key));
        self.by_hash.insert(hash, Arc::clone(&known));
        self.by_id.insert(id, known);
    }

    pub(crate) fn remove(&mut self, id: ApiKeyId) {
        if let Some(known) = self.by_id.remove(&id) {
            self.by_hash.remove(&TextHash(known.key.hash));
        }
    }

    pub(crate) fn drop_those(&mut self, dropped: impl Fn(&ApiKey) -> bool) {
        self.by_id.retain(|_, known| !dropped(&known.key));
        self.by_hash.retain(|_, known| !dropped(&known.key));
    }

    pub(crate) fn get(&self, id: ApiKeyId) -> Option<&Arc<KnownKey>> {
        self.by_id.get(&id)
    }

    /// The key whose text has this hash, unless it has ended; it counts as used. The flag says
    /// that there is a use to write down which was not there before.
    ///
    /// The time that a look-up takes says nothing about texts that are nearly right: it depends on
    /// their SHA-256, of which a caller cannot choose a part without trying for it, in a table that
    /// is keyed at random, and the whole hash is compared in constant time.
    pub(crate) fn open(&self, hash: &[u8; 32], now: Timestamp) -> Option<(Arc<ApiKey>, bool)> {
        let known = self.by_hash.get(&TextHash(*hash))?;
        if known.key.has_ended(now) {
            return None;
        }
        Some((Arc::clone(&known.key), known.note_use(now)))
    }

    /// Keys, newest first, from below `before`.
    pub(crate) fn below(&self, before: ApiKeyId) -> impl Iterator<Item = &Arc<KnownKey>> {
        self.by_id.range(..before).rev().map(|(_, known)| known)
    }

    pub(crate) fn any(&self, is_one: impl Fn(&ApiKey) -> bool) -> bool {
        self.by_id.values().any(|known| is_one(&known.key))
    }

    pub(crate) fn count(&self, is_one: impl Fn(&ApiKey) -> bool) -> usize {
        self.by_id.values().filter(|known| is_one(&known.key)).count()
    }

    /// The uses that are not written down yet.
    pub(crate) fn unwritten_uses(&self) -> Vec<(ApiKeyId, Timestamp)> {
        self.by_id.values().filter_map(|known| known.unwritten_use()).collect()
    }

    /// Follows uses that were written down.
    pub(crate) fn written(&self, uses: &[(ApiKeyId, Timestamp)]) {
        for (id, at) in uses {
            if let Some(known) = self.by_id.get(id) {
                known.written_at.store(at.as_millis(), Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use angarium_core::account::Scope;

    const NOW: Timestamp = Timestamp::from_millis(1_776_686_400_000);

    fn key(byte: u8) -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_bytes([byte; 16]),
            hash: [byte; 32],
            name: "k".into(),
            environment: None,
            tenant: None,
            scopes: vec![Scope::Read],
            rate: None,
            created_at: NOW,
            expires_at: (byte == 9).then(|| NOW + GRAIN),
            last_used_at: None,
        }
    }

    fn ring(bytes: &[u8]) -> KeyRing {
        let mut ring = KeyRing::default();
        for byte in bytes {
            ring.put(key(*byte));
        }
        ring
    }

    #[test]
    fn a_key_is_found_by_the_whole_hash_of_its_text_until_it_ends() {
        let ring = ring(&[1, 9]);
        assert!(ring.open(&[1; 32], NOW).is_some_and(|(found, _)| found.id == key(1).id));
        for place in 0..32 {
            let mut nearly = [1; 32];
            nearly[place] ^= 1;
            assert!(ring.open(&nearly, NOW).is_none(), "byte {place}");
        }
        let end = NOW + GRAIN;
        assert!(ring.open(&[9; 32], end - Duration::from_millis(1)).is_some());
        assert!(ring.open(&[9; 32], end).is_none(), "it ends at its end, not after it");
    }

    #[test]
    fn a_use_is_noted_once_a_minute_and_written_once() {
        let ring = ring(&[1, 2]);
        let used = || ring.get(key(1).id).and_then(|known| known.last_used_at());
        let rows = [
            (NOW, true, NOW),
            (NOW + GRAIN / 2, false, NOW),
            (NOW + GRAIN, true, NOW + GRAIN),
            // The clock was set back.
            (NOW, true, NOW),
        ];
        assert_eq!(used(), None);
        for (now, is_noted, last) in rows {
            let (_, noted) = ring.open(&[1; 32], now).expect("the key");
            assert_eq!((noted, used()), (is_noted, Some(last)));
        }
        assert_eq!(ring.unwritten_uses(), [(key(1).id, NOW)]);
        ring.written(&[(key(1).id, NOW), (key(7).id, NOW)]);
        assert!(ring.unwritten_uses().is_empty());
        ring.open(&[1; 32], NOW + GRAIN * 2);
        assert_eq!(ring.unwritten_uses(), [(key(1).id, NOW + GRAIN * 2)]);
    }

    #[test]
    fn a_key_that_has_ended_is_not_used_any_more() {
        let ring = ring(&[9]);
        assert!(ring.open(&[9; 32], NOW + GRAIN).is_none());
        assert!(ring.unwritten_uses().is_empty());
    }
}
