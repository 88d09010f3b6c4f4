//! Verifying a request: the signature first, over the bytes as they came, then its time, then what
//! it is called.

use super::incoming::{Facts, Incoming};
use super::origin::Origin;
use super::{Cause, Evidence, Scheme, SchemeSignature, TimestampRule, Verified};
use crate::secret::SecretText;
use crate::signature::{Content, ContentPart, KeyUse, Material, Message, jwk};
use crate::time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// A scheme with the keys of one source, made ready.
pub struct Verifier {
    pub(super) scheme: Arc<Scheme>,
    pub(super) keys: Vec<PreparedKey>,
    pub(super) possession: Possession,
}

/// Whether the source was given a key, of whatever form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Possession {
    Keyless,
    Keyed,
}

pub(super) struct PreparedKey {
    /// Which of the scheme's signatures it verifies.
    signature: usize,
    pub(super) secret: SecretText,
    /// By which a JWT names it.
    id: Option<Box<str>>,
    /// None where what verifies is in a certificate that the request names.
    pub(super) material: Option<Material>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({}, {} keys)", self.scheme.name(), self.keys.len())
    }
}

impl Verifier {
    /// Decodes the keys of a source; those that have not the form of the scheme verify nothing.
    pub fn prepare(scheme: Arc<Scheme>, keys: &[SecretText]) -> Self {
        let keys: Vec<_> = keys.iter().filter(|key| !key.expose().trim().is_empty()).collect();
        let mut prepared = Vec::with_capacity(keys.len());
        for key in &keys {
            for (number, signature) in scheme.signatures.iter().enumerate() {
                let materials = scheme.materials(signature, key.expose());
                prepared.extend(materials.into_iter().map(|(id, material)| PreparedKey {
                    signature: number,
                    secret: SecretText::clone(key),
                    id,
                    material,
                }));
            }
        }
        let possession = match keys.is_empty() {
            true => Possession::Keyless,
            false => Possession::Keyed,
        };
        Self { scheme, keys: prepared, possession }
    }

    /// The scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether any key verifies anything.
    pub fn has_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Verifies a request that is no challenge.
    ///
    /// # Errors
    /// Why it is not believed; [`Cause::Needs`] where a certificate is needed.
    pub fn verify(&self, incoming: Incoming<'_>, now: Timestamp) -> Result<Verified, Cause> {
        self.verify_with(incoming, None, now)
    }

    /// Verifies a request that is no challenge, with the certificate that was needed, if it was.
    ///
    /// # Errors
    /// Why it is not believed; [`Cause::Needs`] where the evidence is another certificate.
    pub fn verify_with(
        &self,
        incoming: Incoming<'_>,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Result<Verified, Cause> {
        self.judge(Facts::new(incoming), evidence, now)
    }

    pub(super) fn judge<'a>(
        &'a self,
        mut facts: Facts<'a>,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Result<Verified, Cause> {
        facts.id = self.scheme.ids.iter().find_map(|origin| text(&facts, origin));
        // The most telling of the causes, if no key verifies any signature.
        let mut cause = Cause::NoKey;
        for key in &self.keys {
            let signature = &self.scheme.signatures[key.signature];
            match self.verify_items(key, &mut facts, evidence, now) {
                Ok(()) => return self.verified(&mut facts, signature, now),
                Err(found) => cause = cause.or_more_telling(found),
            }
        }
        Err(cause)
    }

    /// Verifies by one key: the request, or every item of it.
    fn verify_items<'a>(
        &'a self,
        key: &'a PreparedKey,
        facts: &mut Facts<'a>,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Result<(), Cause> {
        facts.secret = key.secret.expose();
        let signature = &self.scheme.signatures[key.signature];
        let mut verdict = Err(Cause::NoSignature(signature.place.to_string()));
        for item in signature.items(facts) {
            facts.item = item;
            verdict = self.verify_by(key, signature, facts, evidence, now);
            if verdict.is_err() {
                break;
            }
        }
        facts.item.clear();
        verdict
    }

    fn verify_by<'a>(
        &'a self,
        key: &PreparedKey,
        signature: &'a SchemeSignature,
        facts: &mut Facts<'a>,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Result<(), Cause> {
        let texts = signature.place.texts(facts);
        if texts.is_empty() {
            return Err(Cause::NoSignature(signature.place.to_string()));
        }
        let mut cause = Cause::Malformed(signature.place.to_string());
        let mut certified = None;
        for text in texts {
            let Some(read) = signature.read(&text) else { continue };
            if let (Some(named), Some(id)) = (read.key(), &key.id)
                && named != &**id
            {
                cause = Cause::UnknownKey(named.to_owned());
                continue;
            }
            facts.token = read.token;
            facts.timestamp = match self.scheme.timestamp_of(signature) {
                Some(TimestampRule { from: Origin::Value, .. }) | None => read.timestamp,
                Some(rule) => self::text(facts, &rule.from),
            };
            signature.check_conditions(facts)?;
            if let (None, None) = (&key.material, &certified) {
                certified = Some(self.certified(signature, facts, evidence, now)?);
            }
            let Some(material) = key.material.as_ref().or(certified.as_ref()) else { continue };
            let content = &signature.form.contents[signature.content];
            for candidate in read.signatures {
                match material.verify(&content.parts, facts, &candidate) {
                    Some(true) => return Ok(()),
                    Some(false) => cause = Cause::WrongSignature,
                    None => {
                        let rule = self.scheme.timestamp_of(signature);
                        return Err(missing(content, facts, rule));
                    }
                }
            }
        }
        Err(cause)
    }

    /// What verifies by the certificate that the request names.
    fn certified(
        &self,
        signature: &SchemeSignature,
        facts: &Facts<'_>,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Result<Material, Cause> {
        let rule = self.scheme.certificate.as_ref().ok_or(Cause::NoKey)?;
        let key = rule.key(facts, evidence, now)?;
        Material::of_public_key(&signature.form, key).ok_or(Cause::NoKey)
    }

    /// The signature is right: is it of now, and what is it called?
    fn verified(
        &self,
        facts: &mut Facts<'_>,
        signature: &SchemeSignature,
        now: Timestamp,
    ) -> Result<Verified, Cause> {
        if let Some(rule) = self.scheme.timestamp_of(signature) {
            rule.check(facts, now)?;
        }
        if let Some(token) = &facts.token {
            token.check_life(now)?;
        }
        Ok(Verified::of(facts, signature, &self.scheme.ids, &self.scheme.types))
    }
}

impl Scheme {
    /// What verifies a signature by a secret, with the id by which a JWT names it.
    fn materials(
        &self,
        signature: &SchemeSignature,
        secret: &str,
    ) -> Vec<(Option<Box<str>>, Option<Material>)> {
        let form = &signature.form;
        if self.certificate.is_some() {
            return form.key.material(secret).map(|_| (None, None)).into_iter().collect();
        }
        if form.key.usage == KeyUse::Jwk {
            let keys = jwk::read(secret, form.algorithm).into_iter();
            return keys.map(|key| (key.id, Material::of_public_key(form, key.bytes))).collect();
        }
        let material = match signature.has_seed {
            true => Material::to_sign(form, secret),
            false => Material::to_verify(form, secret),
        };
        material.map(|material| (None, Some(material))).into_iter().collect()
    }
}

impl SchemeSignature {
    /// Whether it counts for a request like this.
    fn check_conditions(&self, facts: &Facts<'_>) -> Result<(), Cause> {
        let unmet = self.conditions.iter().find(|condition| !condition.is_met(facts));
        unmet.map_or(Ok(()), |unmet| Err(Cause::Unfitting(unmet.origin.to_string())))
    }
}

fn text(facts: &Facts<'_>, origin: &Origin) -> Option<String> {
    facts.text(origin).map(std::borrow::Cow::into_owned)
}

/// Which part of the content the request lacks.
fn missing(content: &Content, facts: &Facts<'_>, rule: Option<&TimestampRule>) -> Cause {
    let lacks = content.parts.iter().find(|part| facts.part(part).is_none());
    match (lacks, rule) {
        (Some(ContentPart::Timestamp), Some(rule)) => Cause::NoTimestamp(rule.from.to_string()),
        (Some(part), _) => Cause::Missing(part.described()),
        (None, _) => Cause::WrongSignature,
    }
}
