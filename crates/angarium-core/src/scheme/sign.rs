//! Signing by a scheme: what a third party would send, for tests of a receiver.

use super::incoming::Facts;
use super::origin::Origin;
use super::{Incoming, Place, Scheme, SchemeSignature, TimeUnit};
use crate::secret::SecretText;
use crate::signature::{Encoding, Material, ValuePart};
use crate::time::Timestamp;
use http::{HeaderMap, HeaderValue, Method};

/// A request that is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole URL.
    pub url: &'a str,
    /// Headers that it has already.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// The id of its event, where the scheme has one in a header.
    pub id: &'a str,
    /// When it is sent.
    pub now: Timestamp,
}

/// Something that a signed request has beside what it had: where it belongs, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPart {
    /// A header's name.
    pub header: Option<http::HeaderName>,
    /// Where it belongs, for people: `the header x-hub-signature-256`.
    pub place: String,
    /// The text that belongs there.
    pub text: String,
}

impl Scheme {
    /// What makes the request genuine: id, time and signature, as far as the scheme has them and
    /// the draft has not.
    ///
    /// # Errors
    /// Why it cannot be signed, for people.
    pub fn sign(&self, secret: &SecretText, draft: Draft<'_>) -> Result<Vec<SignedPart>, String> {
        let fits = |signature: &&SchemeSignature| {
            Material::to_sign(&signature.form, secret.expose()).is_some()
        };
        let signature = self.signatures.iter().find(fits).ok_or_else(|| {
            let forms: Vec<_> = self.signatures.iter().map(|s| s.form.key.describe()).collect();
            format!(
                "nothing can be signed with this secret: {} wants {}",
                self.title,
                forms.join(", or ")
            )
        })?;
        let material = Material::to_sign(&signature.form, secret.expose());
        let material = material.ok_or("the secret has not the scheme's form")?;
        let mut added = Vec::new();
        let mut headers = draft.headers.clone();
        let mut give = |origin: &Origin, text: &str| {
            if let Origin::Header(name) = origin
                && !headers.contains_key(name)
                && let Ok(value) = HeaderValue::from_str(text)
            {
                headers.insert(name.clone(), value);
                added.push(SignedPart::at(origin, text.to_owned()));
            }
        };
        if let Some(origin) = self.ids.first() {
            give(origin, draft.id);
        }
        let rule = self.timestamp_of(signature);
        let time = rule.map_or(TimeUnit::Seconds, |rule| rule.unit).write(draft.now);
        if let Some(rule) = rule {
            give(&rule.from, &time);
        }
        let Draft { method, url, body, .. } = draft;
        let mut facts = Facts::new(Incoming { method, url, headers: &headers, body });
        facts.id = self.ids.iter().find_map(|origin| facts.text(origin)).map(|id| id.into_owned());
        facts.timestamp = match rule {
            Some(rule) if rule.from != Origin::Value => {
                facts.text(&rule.from).map(|time| time.into_owned())
            }
            Some(_) | None => Some(time),
        };
        facts.secret = secret.expose();
        let text = signature.write(&material, &facts, secret)?;
        let place = match &signature.place {
            Place::One(origin) => origin.clone(),
            Place::HeadersLike(begin) => {
                Origin::Header(format!("{begin}1").parse().map_err(|_| "no header's name")?)
            }
        };
        added.push(SignedPart::at(&place, text));
        Ok(added)
    }
}

impl SignedPart {
    fn at(origin: &Origin, text: String) -> Self {
        let header = match origin {
            Origin::Header(name) => Some(name.clone()),
            Origin::Value | Origin::Parameter(_) | Origin::Member(_) | Origin::Claim(_) => None,
        };
        Self { header, place: origin.to_string(), text }
    }
}

impl SchemeSignature {
    fn write(
        &self,
        material: &Material,
        facts: &Facts<'_>,
        secret: &SecretText,
    ) -> Result<String, String> {
        let signed = |content: usize, encoding: Encoding| {
            let content = &self.form.contents[content];
            let encode = |bytes: &[u8]| encoding.encode(bytes).to_string();
            material.sign(&content.parts, facts, encode).ok_or_else(|| {
                format!("the request lacks a part of what is signed: `{}`", content.written)
            })
        };
        let part = |part: &ValuePart| match part {
            ValuePart::Literal(text) => Ok(text.to_string()),
            ValuePart::Timestamp => Ok(facts.timestamp.clone().unwrap_or_default()),
            ValuePart::Hex(content) => signed(*content, Encoding::Hex),
            ValuePart::Base64(content) => signed(*content, Encoding::Base64),
            ValuePart::Secret => Ok(secret.expose().to_owned()),
            ValuePart::Jwt | ValuePart::Enveloped(_) => {
                Err("a signature in a token is verified here, and not made".to_owned())
            }
        };
        self.form.value.iter().map(part).collect()
    }
}
