//! A JWT that is a signature (RFC 7515, RFC 7519): read, not yet believed.

use super::{Cause, TimeUnit, json};
use crate::signature::Algorithm;
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The parts of a JWT in its compact form.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Head and claims as they are written: what is signed.
    pub(super) signed: String,
    pub(super) signature: Vec<u8>,
    /// Which key its head says that signed.
    pub(super) key: Option<String>,
    claims: Value,
}

impl Token {
    /// Reads a JWT. The algorithm is the scheme's: a head that names another, or has extensions
    /// that must be understood, makes it none.
    pub(super) fn read(text: &str, algorithm: Algorithm) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let object = |part: &str| {
            let json = json::read(&URL_SAFE_NO_PAD.decode(part).ok()?)?;
            json.is_object().then_some(json)
        };
        let head = object(head)?;
        let named = head.get("alg").and_then(Value::as_str)?;
        if Some(named) != algorithm.jose_name() || head.get("crit").is_some() {
            return None;
        }
        Some(Self {
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            key: head.get("kid").and_then(Value::as_str).map(str::to_owned),
            claims: object(claims)?,
        })
    }

    /// Whether it is in force, by the claims that say so, if it has them.
    pub(super) fn check_life(&self, now: Timestamp) -> Result<(), Cause> {
        let time = |name: &str| {
            let Some(claim) = self.claim(name) else { return Ok(None) };
            let time = TimeUnit::Seconds.read(&claim.to_string());
            time.map(Some).ok_or_else(|| Cause::NoTimestamp(format!("the claim {name}")))
        };
        if let Some(end) = time("exp")?.filter(|end| now >= *end) {
            return Err(Cause::TooOld(now.since(end)));
        }
        if let Some(begin) = time("nbf")?.filter(|begin| now < *begin) {
            return Err(Cause::TooNew(begin.since(now)));
        }
        Ok(())
    }

    /// A claim.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }
}
