//! Builds the outgoing request of one attempt: method, URL, headers, body, signatures.

use crate::destination::Destination;
use bytes::Bytes;
use std::sync::Arc;

/// One attempt's request, ready to be written.
///
/// `message` has an origin-form URI and every header but `host` and `content-length`. Header values
/// that must not be kept (static authentication, custom headers) are marked sensitive: the record
/// shows them masked.
#[derive(Debug)]
pub struct OutgoingRequest {
    /// Where to.
    pub destination: Arc<Destination>,
    /// What.
    pub message: http::Request<Bytes>,
}
