//! Schemes: how third parties sign what they send to a source, and how they make sure of it.
//!
//! A scheme is a file like a contract, read once. It says where the signature stands, what is
//! signed and how, how old a request may be, what its id and type are, and how a third party is
//! answered that asks whether the receiver is there. Verifying is a pure function of the request's
//! bytes, the keys and the time, and it fails closed: what cannot be found, read or computed is a
//! rejection with its cause.

mod cause;
mod certificate;
mod challenge;
mod condition;
mod decoded_url;
mod file;
mod identity;
mod incoming;
mod json;
mod kept;
mod library;
mod of_contract;
mod origin;
mod reading;
mod received;
mod secret;
mod sign;
mod timing;
mod token;
mod url_pattern;
mod verifier;

#[cfg(test)]
mod tests;

pub use cause::Cause;
pub use certificate::{Document, Evidence};
pub use challenge::Answer;
pub use identity::Verified;
pub use incoming::Incoming;
pub use library::SchemeLibrary;
pub use received::Received;
pub use sign::{Draft, SignedPart};
pub use verifier::Verifier;

use crate::signature::{Candidate, SignatureForm, Value, ValuePart, take_apart};
use certificate::CertificateRule;
use challenge::Challenge;
use condition::Condition;
use http::HeaderName;
use origin::Origin;
use std::time::Duration;

/// A scheme, compiled once at load.
#[derive(Debug)]
pub struct Scheme {
    name: String,
    title: String,
    signatures: Vec<SchemeSignature>,
    timestamp: Option<TimestampRule>,
    /// Where the key is, if it is not the source's.
    certificate: Option<CertificateRule>,
    /// Where the third party's own id of an event may stand, the first that is there.
    ids: Vec<Origin>,
    /// Where its type may stand.
    types: Vec<Origin>,
    challenges: Vec<Challenge>,
    accepted: Answer,
    coverage: Coverage,
}

/// How much of a request its signature vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// The body, whole.
    Body,
    /// A part of it (SNS), a checksum that other bodies have too (PayPal), or something beside it
    /// (Mailgun); or it is a mere password.
    NotTheBody,
}

/// One signature that a request may have.
#[derive(Debug)]
struct SchemeSignature {
    place: Place,
    form: SignatureForm,
    /// The content that is verified, of those that the form has.
    content: usize,
    /// Whether the text is the hex, the base64 or the signature itself.
    writing: ValuePart,
    candidate: Candidate,
    value: Value,
    /// When what it signs was sent, where it is not what the scheme says.
    timestamp: Option<TimestampRule>,
    /// What a request has for which it counts.
    conditions: Vec<Condition>,
    /// A list in the body each of whose items has a signature of its own; facts of the body are
    /// the item's then.
    each: Option<Box<str>>,
    /// Whether a secret is the seed that signs rather than a public key.
    has_seed: bool,
}

impl SchemeSignature {
    /// # Errors
    /// Why the value cannot be taken apart.
    fn new(place: Place, form: SignatureForm, writing: ValuePart) -> Result<Self, String> {
        let content = match writing {
            ValuePart::Hex(content) | ValuePart::Base64(content) => content,
            ValuePart::Literal(_)
            | ValuePart::Timestamp
            | ValuePart::Enveloped(_)
            | ValuePart::Jwt
            | ValuePart::Secret => 0,
        };
        let (candidate, value) = take_apart(&form, |part| *part == writing)?;
        Ok(Self {
            place,
            form,
            content,
            writing,
            candidate,
            value,
            timestamp: None,
            conditions: Vec::new(),
            each: None,
            has_seed: false,
        })
    }
}

/// Where a signature stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In one fact of the request.
    One(Origin),
    /// In every header whose name begins so.
    HeadersLike(HeaderName),
}

/// When a request was sent, and how old it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TimestampRule {
    from: Origin,
    unit: TimeUnit,
    /// How far it may be off, either way.
    tolerance: Duration,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeUnit {
    Seconds,
    Milliseconds,
    Rfc3339,
}

impl Scheme {
    /// The name by which a source has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The third party, for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// How much of a request its signature vouches for.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// What an accepted request is answered, unless the source says otherwise.
    pub fn accepted(&self) -> &Answer {
        &self.accepted
    }

    /// The headers in which a signature may stand.
    pub fn signature_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.signatures.iter().filter_map(|signature| match &signature.place {
            Place::One(Origin::Header(name)) => Some(name),
            Place::One(
                Origin::Value | Origin::Parameter(_) | Origin::Member(_) | Origin::Claim(_),
            )
            | Place::HeadersLike(_) => None,
        })
    }

    /// When what a signature signs was sent.
    fn timestamp_of<'a>(&'a self, signature: &'a SchemeSignature) -> Option<&'a TimestampRule> {
        signature.timestamp.as_ref().or(self.timestamp.as_ref())
    }
}
