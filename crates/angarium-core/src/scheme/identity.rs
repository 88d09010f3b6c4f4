//! What a genuine request is called, and by what it is known when it comes again.

use super::SchemeSignature;
use super::condition::Condition;
use super::incoming::Facts;
use super::origin::Origin;
use crate::signature::{Algorithm, ContentPart, Message};
use aws_lc_rs::digest;

/// Characters of a third party's id that are kept.
const ID_CHARS: usize = 256;

/// What is known of a genuine request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The third party's id of the event.
    pub id: Option<String>,
    /// The third party's type of the event.
    pub kind: Option<String>,
    /// By which a repeated request is known: a hash of the signed id, and else of what is signed
    /// and the body (reliability-security.md, K5).
    pub known_by: [u8; 32],
}

impl Verified {
    pub(super) fn of(
        facts: &mut Facts<'_>,
        signature: &SchemeSignature,
        ids: &[Origin],
        types: &[Origin],
    ) -> Self {
        let known_by = match signature.signed_id(facts, ids) {
            Some(id) => hash(&[b"id", id.as_bytes()]),
            // What is not signed of a body with signed items may be anything the next time.
            None if signature.each.is_some() => hash(&[b"content", &signature.signed(facts)]),
            None => {
                let signed = signature.signed(facts);
                let payload = facts.part(&ContentPart::Payload).unwrap_or_default();
                hash(&[b"content", &signed, &payload])
            }
        };
        let id = facts.id.clone().filter(|id| is_id(id));
        let kind = types.iter().find_map(|origin| facts.text(origin));
        Self { id, kind: kind.map(std::borrow::Cow::into_owned), known_by }
    }
}

impl SchemeSignature {
    /// The first id that is a part of what is signed: a member of the signed body, or named in the
    /// content. What else is called an id may be another one each time that a request is repeated.
    fn signed_id(&self, facts: &Facts<'_>, ids: &[Origin]) -> Option<String> {
        let text = |origin: &Origin| facts.text(origin).map(std::borrow::Cow::into_owned);
        let named = ids.iter().find(|origin| text(origin).is_some());
        let is_named = |origin| named == Some(origin) && self.parts().contains(&ContentPart::Id);
        let mut signed = ids.iter().filter(|origin| is_named(origin) || self.signs(origin));
        signed.find_map(text).filter(|id| is_id(id))
    }

    /// Everything that is signed, item by item.
    fn signed(&self, facts: &mut Facts<'_>) -> Vec<u8> {
        let mut signed = Vec::new();
        for item in self.items(facts) {
            facts.item = item;
            let parts = self.form.contents[self.content].parts.iter();
            signed.extend(parts.filter_map(|part| facts.part(part)).flat_map(|p| p.into_owned()));
        }
        facts.item.clear();
        signed
    }

    /// The pointers to the items that are signed each for itself; one to the whole, where it is.
    pub(super) fn items(&self, facts: &Facts<'_>) -> Vec<String> {
        match &self.each {
            None => vec![String::new()],
            Some(list) => {
                let count = facts.items(list).unwrap_or_default();
                (0..count).map(|number| format!("{list}/{number}")).collect()
            }
        }
    }

    /// Whether it vouches for the body, whole.
    pub(super) fn covers_body(&self) -> bool {
        let vouches = |part: &ContentPart| part.is_body() && self.each.is_none();
        self.parts().iter().any(vouches)
            || self
                .conditions
                .iter()
                .any(|condition| condition.covers_body() && self.signs_directly(&condition.origin))
    }

    /// Whether only requests for the owner of the secret have it.
    pub(super) fn has_secret(&self) -> bool {
        self.parts().contains(&ContentPart::Secret)
            || self.conditions.iter().any(Condition::has_secret)
    }

    /// Whether it vouches for a fact: a part of the signed body, or named in the content.
    fn signs(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Member(_)) && self.covers_body() || self.signs_directly(origin)
    }

    fn signs_directly(&self, origin: &Origin) -> bool {
        let signs = |part: &ContentPart| self.parts().contains(part);
        match origin {
            Origin::Member(pointer) => {
                let is_line = |part: &ContentPart| match (part, pointer.strip_prefix('/')) {
                    (ContentPart::Lines(lines), Some(name)) => {
                        lines.iter().any(|line| *line.member == *name)
                    }
                    (_, _) => false,
                };
                self.each.is_none()
                    && (signs(&ContentPart::Member(pointer.clone()))
                        || signs(&ContentPart::MemberIfAny(pointer.clone()))
                        || self.parts().iter().any(is_line))
            }
            Origin::Header(name) => signs(&ContentPart::Header(name.clone())),
            Origin::Parameter(name) => {
                signs(&ContentPart::Url)
                    || signs(&ContentPart::DecodedUrl)
                    || signs(&ContentPart::Parameter(name.clone()))
            }
            Origin::Claim(_) => signs(&ContentPart::Jws),
            Origin::Value => false,
        }
    }

    fn parts(&self) -> &[ContentPart] {
        // A password signs nothing.
        match self.form.algorithm == Algorithm::Secret {
            true => &[],
            false => &self.form.contents[self.content].parts,
        }
    }
}

fn is_id(id: &str) -> bool {
    (1..=ID_CHARS).contains(&id.len())
}

/// A hash of parts that cannot run into each other.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
