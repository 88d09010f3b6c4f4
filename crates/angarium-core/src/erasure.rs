//! Erasures: what a tenant has of one subject is removed, a step at a time, through restarts.

use crate::id::{ErasureId, TenantNo};
use crate::time::Timestamp;

/// Where an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErasureStatus {
    /// It goes on.
    Running,
    /// Everything is erased that was accepted before it began.
    Done,
}

impl ErasureStatus {
    /// All of them.
    pub const ALL: &[ErasureStatus] = &[Self::Running, Self::Done];

    /// The text in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErasureStatus::Running => "running",
            ErasureStatus::Done => "done",
        }
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == text)
    }
}

/// An erasure. Whom it is about is known to the store alone, and only while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Whose events.
    pub tenant: TenantNo,
    /// Where it stands.
    pub status: ErasureStatus,
    /// Events that it has erased.
    pub erased: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last got on.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}
