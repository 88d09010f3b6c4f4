//! The signatures of a contract's deliveries.

use crate::signature::SignatureForm;
use http::HeaderName;

/// A signature as the contract describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignatureRule {
    pub(crate) header: HeaderName,
    /// The header as the file writes it.
    pub(crate) written_header: Box<str>,
    pub(crate) form: SignatureForm,
}
