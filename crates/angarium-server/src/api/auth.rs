//! Bearer keys: who calls, and what they may do and see.
//!
//! A key is found by the SHA-256 of its text (`key_ring.rs` says why that gives nothing away); what
//! a call needs of it stands in [`access`]. What a key may not see is answered exactly as what does
//! not exist (reliability-security.md, P1 and P2).

use super::{App, access, problem::Problem, problem::not_found, quota};
use crate::entropy::{Entropy, random};
use crate::origin::client_address;
use angarium_core::account::{ApiKey, Environment, Tenant};
use angarium_core::audit::{Action, Actor, Author, Deed, Place};
use angarium_core::permission::Need;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::secret::SecretText;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{FromRequestParts, MatchedPath};
use http::request::Parts;
use http::{HeaderMap, header};
use std::net::IpAddr;
use std::sync::Arc;

/// Names the environment that an admin key means.
pub const ENVIRONMENT_HEADER: &str = "angarium-environment";

/// What a request calls itself.
const REQUEST_ID: &str = "x-request-id";

/// The longest name of a request that is kept.
const REQUEST_ID_CHARS: usize = 128;

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key.
    pub key: Arc<ApiKey>,
    /// Refused only where it counts: an environment is made by a call that may name it already.
    environment: Result<Option<Arc<Environment>>, Refusal>,
    tenant: Option<Arc<Tenant>>,
    address: Option<IpAddr>,
    request: Option<Box<str>>,
}

impl Caller {
    /// Finds out who makes the call that these parts describe, and whether they may.
    ///
    /// # Errors
    /// `unauthorized` for no key or one that is wrong, expired or revoked; `rate_limited`;
    /// `forbidden` for one that may not make the call.
    pub fn allowed(app: &App, parts: &Parts) -> Result<Self, Refusal> {
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        Self::allowed_on(app, parts, route.unwrap_or_default())
    }

    /// The same, where nobody has looked for the route, which is the path itself.
    ///
    /// # Errors
    /// Those of [`Self::allowed`].
    pub fn allowed_on(app: &App, parts: &Parts, route: &str) -> Result<Self, Refusal> {
        let caller = Self::identify(app, &parts.headers);
        let caller = caller.map_err(|refusal| wrong_key(app, parts, refusal))?;
        quota::count_call(app, &parts.extensions, &caller.key)?;
        caller.check(access::need(&parts.method, route)?)?;
        Ok(caller)
    }

    fn identify(app: &App, headers: &HeaderMap) -> Result<Self, Refusal> {
        let key = bearer(headers).and_then(|text| valid_key(app, text)).ok_or_else(unauthorized)?;
        let tenant = match key.tenant {
            Some(no) => Some(app.directory.tenant_by_no(no).ok_or_else(unauthorized)?),
            None => None,
        };
        let own = match key.environment {
            Some(no) => Some(app.directory.environment(no).ok_or_else(unauthorized)?),
            None => None,
        };
        let environment = Self::meant_environment(app, own, headers);
        Ok(Self { key, environment, tenant, address: None, request: None })
    }

    /// Finds out which tenant of an environment makes a call with this key's text.
    ///
    /// # Errors
    /// `rate_limited`; `unauthorized` for no key or one that is wrong, expired, revoked, of another
    /// environment or of no tenant; the caller learns not which.
    pub fn of_tenant(
        app: &App,
        environment: &Arc<Environment>,
        parts: &Parts,
        text: Option<&str>,
    ) -> Result<Self, Refusal> {
        let of_environment = |key: &Arc<ApiKey>| key.environment == Some(environment.no);
        let key = text.and_then(|text| valid_key(app, text)).filter(of_environment);
        let tenant = key.as_ref().and_then(|key| app.directory.tenant_by_no(key.tenant?));
        let (Some(key), Some(tenant)) = (key, tenant) else {
            let message = "send a key of yours that is valid now";
            return Err(wrong_key(app, parts, Refusal::whole(Code::Unauthorized, message)));
        };
        quota::count_call(app, &parts.extensions, &key)?;
        let environment = Ok(Some(Arc::clone(environment)));
        Ok(Self { key, environment, tenant: Some(tenant), address: None, request: None })
    }

    /// As the head of the call tells: from where, and what it calls itself.
    pub fn coming_from(mut self, app: &App, head: &Parts) -> Self {
        self.address = client_address(&app.outside, head);
        self.request = request_id(&head.headers);
        self
    }

    /// The caller in the words of the audit log.
    pub fn author(&self) -> Author {
        let actor = Actor::Key { id: self.key.id, name: self.key.name.clone() };
        Author { actor, address: self.address, request: self.request.clone() }
    }

    /// Something that the caller does.
    pub fn does(&self, action: Action, place: Place, object: &impl ToString) -> Deed {
        Deed::new(self.author(), action, place, object)
    }

    fn meant_environment(
        app: &App,
        own: Option<Arc<Environment>>,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<Environment>>, Refusal> {
        let Some(named) = headers.get(ENVIRONMENT_HEADER) else {
            return Ok(own);
        };
        let named = named.to_str().unwrap_or_default();
        match own {
            Some(own) if own.slug == named => Ok(Some(own)),
            Some(_) => Err(no_environment(named)),
            None => {
                let found = app.directory.environment_by_slug(named);
                found.map(Some).ok_or_else(|| no_environment(named))
            }
        }
    }

    /// Whether the key meets a need.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check(&self, need: Need) -> Result<(), Refusal> {
        need.check(&self.key)
    }

    /// The environment that the call is about.
    ///
    /// # Errors
    /// `environment_required` when an admin key does not name one; `environment_not_found` when the
    /// header names none that the key may use.
    pub fn environment(&self) -> Result<&Arc<Environment>, Refusal> {
        self.named_environment()?.ok_or_else(|| {
            let message = "a key of the instance names the environment in this header";
            Refusal::field(Code::EnvironmentRequired, "Angarium-Environment", message)
        })
    }

    /// The environment that the call is about, where one is named.
    ///
    /// # Errors
    /// `environment_not_found` when the header names none that the key may use.
    pub fn named_environment(&self) -> Result<Option<&Arc<Environment>>, Refusal> {
        match &self.environment {
            Ok(named) => Ok(named.as_ref()),
            Err(refusal) => Err(refusal.clone()),
        }
    }

    /// The tenant that the key is bound to.
    pub fn own_tenant(&self) -> Option<&Arc<Tenant>> {
        self.tenant.as_ref()
    }

    /// The tenant of this id, if the key may see it.
    ///
    /// # Errors
    /// `tenant_not_found`; `environment_required`.
    pub fn tenant(&self, app: &App, id: &str) -> Result<Arc<Tenant>, Refusal> {
        let found = match &self.tenant {
            Some(own) => (own.id == id).then(|| Arc::clone(own)),
            None => app.directory.tenant(self.environment()?.no, id),
        };
        found.ok_or_else(|| {
            Refusal::field(Code::TenantNotFound, "tenant", "there is no such tenant")
        })
    }

    /// The tenant that a call is about: the one named, or the one the key is bound to.
    ///
    /// # Errors
    /// `tenant_not_found`; `environment_required`.
    pub fn tenant_meant(
        &self,
        app: &App,
        id: Option<&str>,
    ) -> Result<Option<Arc<Tenant>>, Refusal> {
        match id {
            Some(id) => self.tenant(app, id).map(Some),
            None => Ok(self.tenant.clone()),
        }
    }

    /// The tenant of this number, if the key may see it; else `what` does not exist for it.
    ///
    /// # Errors
    /// `not_found`; `environment_required`.
    pub fn owner(
        &self,
        app: &App,
        no: angarium_core::id::TenantNo,
        what: &str,
    ) -> Result<Arc<Tenant>, Refusal> {
        let environment = self.environment()?.no;
        app.directory
            .tenant_by_no(no)
            .filter(|tenant| tenant.environment == environment)
            .filter(|tenant| self.tenant.as_ref().is_none_or(|own| own.no == tenant.no))
            .ok_or_else(|| not_found(what))
    }
}

/// Who makes a call that changes nothing; they may.
#[derive(Debug)]
pub struct Reader(pub Caller);

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Self(Caller::allowed(app, parts)?))
    }
}

/// A new key's text: `ang_`, 32 random bytes and their checksum, so that a scanner can tell a key
/// from other text.
pub fn make_key(entropy: &dyn Entropy) -> SecretText {
    let bytes: [u8; 32] = random(entropy);
    let check = digest(&SHA256, &bytes);
    let text = format!("ang_{}{}", hex::encode(bytes), hex::encode(&check.as_ref()[..4]));
    SecretText::new(text)
}

/// What is stored of a key.
pub fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// What the caller, or a proxy before us, calls the request; only what is short and can be read.
fn request_id(headers: &HeaderMap) -> Option<Box<str>> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=REQUEST_ID_CHARS).contains(&text.len()).then(|| text.into())
}

fn valid_key(app: &App, text: &str) -> Option<Arc<ApiKey>> {
    app.directory.open_with(&hash(text), app.clock.wall())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// What a caller without a valid key is told: to wait, once too many have come from its address.
fn wrong_key(app: &App, parts: &Parts, refusal: Refusal) -> Refusal {
    if refusal.code != Code::Unauthorized {
        return refusal;
    }
    let admitted = app.call_rates.admit_wrong_key(client_address(&app.outside, parts));
    admitted.err().unwrap_or(refusal)
}

fn unauthorized() -> Refusal {
    let message = "send a key that is valid now as `Authorization: Bearer KEY`";
    Refusal::whole(Code::Unauthorized, message)
}

fn no_environment(slug: &str) -> Refusal {
    let message = format!("there is no environment {slug:?}");
    Refusal::field(Code::EnvironmentNotFound, "Angarium-Environment", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use http::HeaderValue;

    #[test]
    fn a_made_key_has_a_prefix_a_checksum_and_never_repeats() {
        let (one, two) = (make_key(&OsEntropy), make_key(&OsEntropy));
        assert_ne!(one, two);
        let digits = one.expose().strip_prefix("ang_").expect("the prefix");
        let bytes = hex::decode(digits).expect("hex");
        assert_eq!(bytes.len(), 36);
        assert_eq!(digest(&SHA256, &bytes[..32]).as_ref()[..4], bytes[32..]);
    }

    #[test]
    fn a_key_comes_as_bearer_in_any_case_and_in_no_other_way() {
        let sent = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(sent("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(sent("bearer abc").as_deref(), Some("abc"));
        for bad in ["abc", "Basic abc", "Bearerabc", ""] {
            assert_eq!(sent(bad), None, "{bad}");
        }
    }
}
