//! What a request has if a signature or a challenge is meant for it.

use super::incoming::Facts;
use super::origin::Origin;
use crate::declared::Fault;
use crate::signature::{Content, ContentPart, Direction, Message};
use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Something that stands at a place of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) origin: Origin,
    pub(super) wanted: Wanted,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Anything.
    Anything,
    /// This text, made of facts.
    Text(Box<[ContentPart]>),
}

impl Condition {
    /// Reads a place and what stands there: `*`, or a text with placeholders.
    pub(super) fn parse(origin: &str, wanted: &str) -> Result<Self, Fault> {
        let origin = Origin::parse(origin)?;
        let wanted = match wanted {
            "*" => Wanted::Anything,
            text => Wanted::Text(Content::parse("", text, Direction::Received)?.parts),
        };
        Ok(Self { origin, wanted })
    }

    /// Whether it stands there; what cannot be read or computed does not.
    pub(super) fn is_met(&self, facts: &Facts<'_>) -> bool {
        let Some(found) = facts.text(&self.origin) else { return false };
        match &self.wanted {
            Wanted::Anything => true,
            Wanted::Text(parts) => {
                let parts = parts.iter().map(|part| facts.part(part));
                let wanted = parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat());
                // The secret may be wanted.
                let is_it = |wanted: Vec<u8>| verify_slices_are_equal(&wanted, found.as_bytes());
                wanted.is_some_and(|wanted| is_it(wanted).is_ok())
            }
        }
    }

    /// Whether the secret is wanted there.
    pub(super) fn has_secret(&self) -> bool {
        match &self.wanted {
            Wanted::Anything => false,
            Wanted::Text(parts) => parts.contains(&ContentPart::Secret),
        }
    }

    /// Whether a signature that vouches for the place vouches for the body too.
    pub(super) fn covers_body(&self) -> bool {
        match &self.wanted {
            Wanted::Anything => false,
            Wanted::Text(parts) => parts.iter().any(ContentPart::is_body),
        }
    }
}
