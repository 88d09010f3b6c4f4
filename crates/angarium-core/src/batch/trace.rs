//! What a change leaves behind beside itself, in the same commit or not at all.

use super::Guard;
use crate::audit::Deed;

/// What a change leaves behind; nothing by default.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The record that answers its call when that is repeated.
    pub guard: Option<Guard>,
    /// Who did what, for the audit log.
    pub deed: Option<Box<Deed>>,
}

impl Trace {
    /// Of something that nobody repeats.
    pub fn of(deed: Deed) -> Self {
        Self { guard: None, deed: Some(Box::new(deed)) }
    }
}
