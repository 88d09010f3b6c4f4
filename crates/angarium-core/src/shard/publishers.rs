//! Who publishes beside whom: a tenant has the whole machine while nobody else wants it.

use crate::id::TenantNo;
use crate::time::Timestamp;
use std::time::Duration;

/// Who has published within this time is still there.
const STAYS: Duration = Duration::from_secs(1);

/// Whether a tenant is alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// Nobody else has published of late.
    Alone,
    /// Somebody has.
    Others,
}

/// The two tenants that published last. Two are enough to know of each whether it is alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Publishers {
    last: Option<(TenantNo, Timestamp)>,
    before: Option<(TenantNo, Timestamp)>,
}

impl Publishers {
    /// A tenant publishes.
    pub fn note(&mut self, tenant: TenantNo, now: Timestamp) {
        if self.last.is_some_and(|(last, _)| last != tenant) {
            self.before = self.last;
        }
        self.last = Some((tenant, now));
    }

    /// Whether anybody but this tenant has published of late.
    pub(super) fn beside(&self, tenant: TenantNo, now: Timestamp) -> Company {
        let is_other = |publisher: &(TenantNo, Timestamp)| {
            publisher.0 != tenant && now.since(publisher.1) < STAYS
        };
        match [self.last, self.before].iter().flatten().any(is_other) {
            true => Company::Others,
            false => Company::Alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_alone_until_another_publishes_and_again_a_second_after_it() {
        let [one, other] = [1, 2].map(TenantNo::new);
        let at = Timestamp::from_millis;
        let mut publishers = Publishers::default();
        publishers.note(one, at(0));
        assert_eq!(publishers.beside(one, at(0)), Company::Alone);
        assert_eq!(publishers.beside(other, at(0)), Company::Others);
        publishers.note(other, at(10));
        for millis in 20..1_009 {
            publishers.note(one, at(millis));
            assert_eq!(publishers.beside(one, at(millis)), Company::Others, "{millis}");
        }
        publishers.note(one, at(1_010));
        assert_eq!(publishers.beside(one, at(1_010)), Company::Alone);
    }
}
