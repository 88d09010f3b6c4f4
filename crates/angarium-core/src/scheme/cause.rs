//! Why a request is rejected.

use super::Document;
use std::fmt;
use std::time::Duration;

/// See the module. It is for those who own the source; the sender is never told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The source has no key that the scheme can use.
    NoKey,
    /// The request has no signature where one belongs.
    NoSignature(String),
    /// What stands there is no signature.
    Malformed(String),
    /// The signature is not that of the content by any of the keys.
    WrongSignature,
    /// The request names a key that the source has not.
    UnknownKey(String),
    /// Something that is signed is not in the request.
    Missing(String),
    /// Something is not what it has to be where this signature counts.
    Unfitting(String),
    /// A URL in the request is none that the scheme lets be fetched.
    ForeignUrl(String),
    /// The certificate that verifies the request was not given.
    Needs(Document),
    /// That certificate could not be fetched.
    Unfetched {
        /// From where.
        url: Box<str>,
        /// Why not.
        reason: String,
    },
    /// That certificate is not to be believed.
    BadCertificate {
        /// Where it comes from.
        url: Box<str>,
        /// Why not.
        reason: String,
    },
    /// There is no time where one belongs, or it cannot be read.
    NoTimestamp(String),
    /// It was sent too long ago.
    TooOld(Duration),
    /// Its time is too far ahead.
    TooNew(Duration),
}

impl Cause {
    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Cause::NoKey => "no_key",
            Cause::NoSignature(_) => "no_signature",
            Cause::Malformed(_) => "malformed_signature",
            Cause::WrongSignature => "wrong_signature",
            Cause::UnknownKey(_) => "unknown_key",
            Cause::Missing(_) => "missing_content",
            Cause::Unfitting(_) => "wrong_content",
            Cause::ForeignUrl(_) => "foreign_url",
            Cause::Needs(_) | Cause::Unfetched { .. } => "no_certificate",
            Cause::BadCertificate { .. } => "bad_certificate",
            Cause::NoTimestamp(_) => "no_timestamp",
            Cause::TooOld(_) => "too_old",
            Cause::TooNew(_) => "too_new",
        }
    }
}

impl Cause {
    /// Of two causes the one that says more: a wrong signature rather than none.
    #[must_use]
    pub(super) fn or_more_telling(self, other: Self) -> Self {
        let rank = |cause: &Cause| match cause {
            Cause::NoKey => 0,
            Cause::NoSignature(_) => 1,
            Cause::Malformed(_) => 2,
            Cause::NoTimestamp(_) | Cause::Missing(_) | Cause::Unfitting(_) => 3,
            Cause::UnknownKey(_) => 4,
            Cause::WrongSignature | Cause::TooOld(_) | Cause::TooNew(_) => 5,
            Cause::ForeignUrl(_) | Cause::Unfetched { .. } | Cause::BadCertificate { .. } => 6,
            Cause::Needs(_) => 7,
        };
        if rank(&other) < rank(&self) { self } else { other }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::NoKey => f.write_str("no secret of the source fits its scheme"),
            Cause::NoSignature(place) => write!(f, "there is no signature in {place}"),
            Cause::Malformed(place) => write!(f, "what stands in {place} is not a signature"),
            Cause::WrongSignature => f.write_str(
                "the signature is not that of this request by the secret: another secret signed, \
                 or the body was changed on its way",
            ),
            Cause::Missing(part) => write!(f, "the request lacks what is signed: {part}"),
            Cause::UnknownKey(key) => write!(f, "the source has no key {key:?}"),
            Cause::Unfitting(place) => write!(f, "{place} is not what belongs there"),
            Cause::ForeignUrl(place) => {
                write!(f, "{place} is none of the URLs that this third party has")
            }
            Cause::Needs(document) => {
                write!(f, "the certificate at {} is needed", document.url())
            }
            Cause::Unfetched { url, reason } => {
                write!(f, "the certificate at {url} could not be fetched: {reason}")
            }
            Cause::BadCertificate { url, reason } => {
                write!(f, "the certificate at {url} is not believed: {reason}")
            }
            Cause::NoTimestamp(place) => write!(f, "there is no time in {place}"),
            Cause::TooOld(by) => write!(f, "it was sent {} s ago", by.as_secs()),
            Cause::TooNew(by) => write!(f, "its time is {} s ahead", by.as_secs()),
        }
    }
}
