//! What we say when we refuse: one value with a stable code, the field at fault and a sentence for
//! people.
//!
//! Everything that judges input from outside answers with a [`Refusal`]; the HTTP edge prints it as
//! RFC 9457.

use std::fmt;
use std::time::Duration;

/// A refusal of input from outside. Nothing was stored or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule refused.
    pub code: Code,
    /// The member, parameter or header at fault, as the caller wrote it (`data`, `types[2]`,
    /// `delivery.timeout`).
    pub field: Option<String>,
    /// What is wrong and what is allowed, for a person.
    pub message: String,
    /// How long until it is worth coming again, where that is known better than "in a second".
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that concerns one field.
    pub fn field(code: Code, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, field: Some(field.into()), message: message.into(), retry_after: None }
    }

    /// A refusal that concerns the request as a whole.
    pub fn whole(code: Code, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into(), retry_after: None }
    }

    /// The same refusal, with the time after which it is worth coming again.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// In how many seconds it is worth coming again, for `Retry-After`: where the refusal is one
    /// of load, and 1 unless it says more.
    pub fn seconds_to_wait(&self) -> Option<u64> {
        let wait = self.retry_after.unwrap_or(Duration::from_secs(1));
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        matches!(self.code.status(), 429 | 503).then_some(seconds.max(1))
    }

    /// The same refusal, its field standing below `parent` (`headers` → `endpoint.headers`).
    #[must_use]
    pub fn below(mut self, parent: &str) -> Self {
        self.field = Some(match self.field {
            Some(field) if field.starts_with('[') => format!("{parent}{field}"),
            Some(field) => format!("{parent}.{field}"),
            None => parent.to_owned(),
        });
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {} ({})", self.message, self.code.as_str()),
            None => write!(f, "{} ({})", self.message, self.code.as_str()),
        }
    }
}

impl std::error::Error for Refusal {}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $text:literal, $status:literal;)*) => {
        /// Every error code of the product, stable for ever: programs match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code as programs see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The HTTP status that carries it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not of the shape that the call takes.
    InvalidJson => "invalid_json", 400;
    /// A member has the wrong type or a value that is not allowed.
    InvalidField => "invalid_field", 422;
    /// A member that the call needs is absent.
    MissingField => "missing_field", 422;
    /// A member that the call does not know.
    UnknownField => "unknown_field", 422;
    /// A query parameter is unknown or malformed.
    InvalidParameter => "invalid_parameter", 400;
    /// A cursor that this list did not give out.
    InvalidCursor => "invalid_cursor", 400;
    /// The body is longer than the limit.
    BodyTooLarge => "body_too_large", 413;
    /// The content type is not `application/json`.
    UnsupportedMediaType => "unsupported_media_type", 415;
    /// JSON nested deeper than the limit.
    JsonTooDeep => "json_too_deep", 422;
    /// More events in one batch than the limit.
    BatchTooLarge => "batch_too_large", 422;
    /// An event type with a character or a length that is not allowed.
    InvalidEventType => "invalid_event_type", 422;
    /// An event id with a character, a prefix or a length that is not allowed.
    InvalidEventId => "invalid_event_id", 422;
    /// A tenant id with a character or a length that is not allowed.
    InvalidTenantId => "invalid_tenant_id", 422;
    /// The same event id was published with another type, key or data.
    EventIdConflict => "event_id_conflict", 409;
    /// One event matches more endpoints than the limit.
    TooManyMatches => "too_many_matches", 422;
    /// The tenant has as many endpoints as the limit allows.
    TooManyEndpoints => "too_many_endpoints", 409;
    /// The tenant has as many sources as it may.
    TooManySources => "too_many_sources", 409;
    /// The tenant has as many keys that are valid as it may.
    TooManyKeys => "too_many_keys", 409;
    /// As many deliveries of the tenant wait as may; nothing was accepted.
    TooManyPending => "too_many_pending", 429;
    /// As many bytes of the tenant's payload are stored as may; nothing was accepted.
    TooManyBytes => "too_many_bytes", 429;
    /// As many jobs of the tenant run as the limit allows.
    TooManyJobs => "too_many_jobs", 409;
    /// The tenant's plan is below the one that the contract asks for.
    PlanRequired => "plan_required", 403;
    /// A URL that is not canonical, not allowed or points at a forbidden address.
    InvalidUrl => "invalid_url", 422;
    /// A literal address or special name that the egress policy forbids.
    ForbiddenAddress => "forbidden_address", 422;
    /// A URL scheme that the contract or the server does not allow.
    SchemeNotAllowed => "scheme_not_allowed", 422;
    /// The URL did not answer the contract's validation call as it must.
    ValidationFailed => "validation_failed", 422;
    /// A header name or value that is not allowed.
    InvalidHeader => "invalid_header", 422;
    /// More or longer headers than the limit.
    TooManyHeaders => "too_many_headers", 422;
    /// A subscription that is not a list of types and patterns.
    InvalidSubscription => "invalid_subscription", 422;
    /// A secret of the wrong form or length.
    InvalidSecret => "invalid_secret", 422;
    /// A certificate, a chain or a private key that cannot be used.
    InvalidCertificate => "invalid_certificate", 422;
    /// A delivery override that is not a schedule.
    InvalidSchedule => "invalid_schedule", 422;
    /// The event's data does not match the event type's schema.
    SchemaViolation => "schema_violation", 422;
    /// The event type's schema is not a JSON Schema.
    InvalidSchema => "invalid_schema", 422;
    /// A contract that is not known to this server.
    UnknownContract => "unknown_contract", 422;
    /// An environment slug that is not allowed or already used.
    InvalidEnvironment => "invalid_environment", 422;
    /// No key, or one that is wrong, expired or revoked.
    Unauthorized => "unauthorized", 401;
    /// The key may not do this.
    Forbidden => "forbidden", 403;
    /// An admin key that does not say which environment it means.
    EnvironmentRequired => "environment_required", 400;
    /// Nothing here, or nothing that this key may see.
    NotFound => "not_found", 404;
    /// No such tenant in the environment.
    TenantNotFound => "tenant_not_found", 404;
    /// No such environment.
    EnvironmentNotFound => "environment_not_found", 404;
    /// The method is not one of this path's.
    MethodNotAllowed => "method_not_allowed", 405;
    /// The object exists already.
    AlreadyExists => "already_exists", 409;
    /// The object is in use and cannot be removed.
    InUse => "in_use", 409;
    /// The object is in a state that does not allow this.
    InvalidState => "invalid_state", 409;
    /// The event's payload came of age and was removed: nothing can be sent again.
    PayloadExpired => "payload_expired", 410;
    /// The event was erased: nothing can be sent again.
    EventErased => "event_erased", 410;
    /// The object changed while the call was under way.
    Conflict => "conflict", 409;
    /// An `Idempotency-Key` that is not allowed.
    InvalidIdempotencyKey => "invalid_idempotency_key", 400;
    /// The same `Idempotency-Key` was used with another body.
    IdempotencyMismatch => "idempotency_mismatch", 422;
    /// A call with this `Idempotency-Key` is still under way.
    IdempotencyInFlight => "idempotency_in_flight", 409;
    /// More events a second than the tenant's rate allows; nothing was accepted.
    RateLimited => "rate_limited", 429;
    /// Too much of the tenant is waiting already; nothing was accepted.
    Overloaded => "overloaded", 429;
    /// Too much of everybody is waiting already; nothing was accepted.
    NodeOverloaded => "node_overloaded", 503;
    /// The store cannot take it now; nothing is promised, send it again.
    Unavailable => "unavailable", 503;
    /// The head of the request took too long or was malformed.
    BadRequest => "bad_request", 400;
    /// We failed.
    Internal => "internal", 500;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_carry_an_error_status() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn a_refusal_of_load_says_when_to_come_again_in_whole_seconds_rounded_up() {
        let seconds = |code, millis: Option<u64>| {
            let refusal = Refusal::whole(code, "no");
            let wait = millis.map(Duration::from_millis);
            Refusal { retry_after: wait, ..refusal }.seconds_to_wait()
        };
        assert_eq!(seconds(Code::Unavailable, None), Some(1));
        assert_eq!(seconds(Code::RateLimited, Some(0)), Some(1));
        assert_eq!(seconds(Code::RateLimited, Some(2_001)), Some(3));
        assert_eq!(seconds(Code::NotFound, Some(2_000)), None);
    }

    #[test]
    fn a_field_below_another_reads_as_a_path() {
        let refusal = Refusal::field(Code::InvalidField, "[2]", "no").below("types");
        assert_eq!(refusal.field.as_deref(), Some("types[2]"));
        let refusal = Refusal::field(Code::InvalidField, "timeout", "no").below("delivery");
        assert_eq!(refusal.field.as_deref(), Some("delivery.timeout"));
    }
}
