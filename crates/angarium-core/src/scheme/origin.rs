//! Where a fact of a request stands.

use crate::declared::Fault;
use crate::signature::{ContentPart, Direction};
use http::HeaderName;
use std::fmt;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the text that has the signature.
    Value,
    Header(HeaderName),
    /// A parameter of the query.
    Parameter(Box<str>),
    /// At a JSON Pointer of the body.
    Member(Box<str>),
    /// A claim of the JWT that is the signature.
    Claim(Box<str>),
}

impl Origin {
    /// Reads `header.NAME`, `query.NAME`, `json:/POINTER` or `claim.NAME`.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let part = ContentPart::parse(text, Direction::Received).ok();
        match part {
            Some(ContentPart::Header(name)) => Ok(Origin::Header(name)),
            Some(ContentPart::Parameter(name)) => Ok(Origin::Parameter(name)),
            Some(ContentPart::Member(pointer)) => Ok(Origin::Member(pointer)),
            Some(ContentPart::Claim(name)) => Ok(Origin::Claim(name)),
            Some(_) | None => {
                let fault = Fault::from(format!("{text:?} is not a place in a request"));
                Err(fault.cured_by(
                    "write \"header.X-Id\", \"query.id\" or \"json:/id\", a JSON Pointer",
                ))
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Value => f.write_str("the signature"),
            Origin::Header(name) => write!(f, "the header {name}"),
            Origin::Parameter(name) => write!(f, "the query's {name}"),
            Origin::Member(pointer) => write!(f, "{pointer} of the body"),
            Origin::Claim(name) => write!(f, "the claim {name}"),
        }
    }
}
