//! Weak choices: a contract that may be served as it is, and would be better otherwise.
//!
//! A page that a platform has published may force such a choice; then the warning says what its
//! customers live with. Each has a name that never changes.

use super::Contract;
use super::api::Operation;
use super::signature::SignatureRule;
use crate::declared::place;
use crate::destination::Scheme;
use crate::endpoint::DeliveryMethod;
use crate::retry::RetryPolicy;
use crate::signature::{ContentPart, ValuePart};
use crate::time::print_span;
use crate::verification::unverifiable;
use std::fmt;
use std::time::Duration;

/// Keys shorter than this are weak: Standard Webhooks demands 24 bytes.
const KEY_BYTES: usize = 24;
/// A receiver that is down for a deployment or a night is not back sooner.
const RETRY_WINDOW: Duration = Duration::from_secs(3600);

macro_rules! weaknesses {
    ($($(#[$doc:meta])* $name:ident => $text:literal, $advice:literal;)*) => {
        /// A kind of weak choice.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Weakness { $($(#[$doc])* $name,)* }

        impl Weakness {
            /// All of them.
            pub const ALL: &[Weakness] = &[$(Weakness::$name,)*];

            /// Its stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Weakness::$name => $text,)* }
            }

            /// What to do instead.
            pub const fn advice(self) -> &'static str {
                match self { $(Weakness::$name => $advice,)* }
            }
        }
    };
}

weaknesses! {
    /// Deliveries are not signed.
    NotSigned => "not-signed", "add a [[request.signature]]";
    /// No receiver can verify the signature.
    Unverifiable => "unverifiable", "sign what stands in the request";
    /// A signature that does not cover what carries the event.
    BodyNotSigned => "body-not-signed", "sign `{body}`, or `{payload}` where there is GET";
    /// No time of the attempt is sent.
    NoTimestamp => "no-timestamp",
        "send `{timestamp}` in a header, and sign it: content = \"{timestamp}.{body}\"";
    /// A time of the attempt is sent, and not signed.
    TimestampNotSigned => "timestamp-not-signed", "sign it: content = \"{timestamp}.{body}\"";
    /// Keys that are shorter than they should be.
    ShortKey => "short-key", "write bytes = 32";
    /// A rotated key stops signing before its receivers know the new one.
    NoOverlap => "no-overlap", "give the signatures `join` and write overlap = \"24h\"";
    /// A failed delivery is lost.
    NoRetries => "no-retries", "write retries = { base = \"5s\", cap = \"1h\", window = \"24h\" }";
    /// Retries that end while a receiver is still being mended.
    ShortRetryWindow => "short-retry-window", "try again for a day";
    /// Retries that all come at once.
    RetriesWithoutJitter => "retries-without-jitter", "write jitter = 0.2";
    /// Events can be read, and changed, on their way.
    PlainHttp => "plain-http", "write schemes = [\"https\"]";
    /// One customer can have any number of endpoints.
    EndpointsUnlimited => "endpoints-unlimited", "write max_per_key = 20";
    /// Nobody knows what the data may be.
    NoSchema => "no-schema", "add a `schema`, so that data is checked and documented";
    /// A schema that is none.
    NotASchema => "not-a-schema", "write a JSON Schema";
    /// An example that its own schema refuses.
    ExampleBreaksSchema => "example-breaks-schema", "mend the example or the schema";
}

/// A weak choice, and where it stands. It prints as `x.toml:12:3: reason; advice (name)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractWarning {
    /// Which.
    pub weakness: Weakness,
    /// The file, as its reader named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What it means for those who deliver or receive.
    pub reason: String,
}

impl fmt::Display for ContractWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (advice, name) = (self.weakness.advice(), self.weakness.as_str());
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        write!(f, "{}; {advice} ({name})", self.reason)
    }
}

impl Contract {
    /// Its weak choices, in the order of the file. Those of schemas are judged where there is a
    /// validator.
    pub fn warnings(&self) -> Vec<ContractWarning> {
        let mut warnings = self.weak_signatures();
        warnings.extend(self.weak_keys());
        warnings.extend(self.weak_delivery());
        warnings.extend(self.weak_endpoints());
        warnings.extend(self.missing_schemas());
        warnings.sort_by_key(|warning| (warning.line, warning.column));
        warnings
    }

    /// A weak choice that stands at a path of the file; where the path ends early, at what is
    /// there.
    pub fn warning(
        &self,
        weakness: Weakness,
        path: &[&str],
        reason: impl Into<String>,
    ) -> ContractWarning {
        let (line, column) = place(&self.text, path);
        let file = self.file.to_string();
        ContractWarning { weakness, file, line, column, reason: reason.into() }
    }

    fn weak_signatures(&self) -> Vec<ContractWarning> {
        if self.signatures.is_empty() {
            let reason = "deliveries are not signed: a receiver cannot tell them from forged ones";
            return vec![self.warning(Weakness::NotSigned, &["request"], reason)];
        }
        let unverifiable = unverifiable(self)
            .map(|reason| self.warning(Weakness::Unverifiable, &["request", "signature"], reason));
        let mut warnings: Vec<_> = unverifiable.into_iter().collect();
        for (number, rule) in self.signatures.iter().enumerate() {
            let number = number.to_string();
            let mut warn = |weakness, reason: &str| {
                let path = ["request", "signature", &number, "content"];
                warnings.push(self.warning(weakness, &path, reason));
            };
            if !self.signs_payload(rule) {
                let reason = "what carries the event is not signed: it can be changed on its way";
                warn(Weakness::BodyNotSigned, reason);
            }
            if self.signs_time(rule) {
                continue;
            }
            if self.sends_time(rule) {
                let reason = "the timestamp is not signed: whoever has seen a delivery can send \
                              it again with a new one";
                warn(Weakness::TimestampNotSigned, reason);
            } else {
                let reason = "no time of the attempt is signed: whoever has seen a delivery can \
                              send it again at any time";
                warn(Weakness::NoTimestamp, reason);
            }
        }
        warnings
    }

    fn signs_payload(&self, rule: &SignatureRule) -> bool {
        let signs = |part| rule.form.contents.iter().any(|content| content.parts.contains(&part));
        self.methods().iter().all(|method| {
            signs(ContentPart::Payload)
                || match method {
                    DeliveryMethod::Post => signs(ContentPart::Body),
                    DeliveryMethod::Get => signs(ContentPart::Query),
                }
        })
    }

    fn signs_time(&self, rule: &SignatureRule) -> bool {
        let body = self.request.body.as_ref().is_some_and(|body| names_time(&body.to_string()));
        rule.form.contents.iter().flat_map(|content| &content.parts).any(|part| match part {
            ContentPart::Timestamp => true,
            ContentPart::Body | ContentPart::Payload => body,
            ContentPart::Literal(_)
            | ContentPart::Query
            | ContentPart::Id
            | ContentPart::Method
            | ContentPart::Url
            | ContentPart::DecodedUrl
            | ContentPart::Endpoint
            | ContentPart::Path
            | ContentPart::Header(_)
            | ContentPart::Parameter(_)
            | ContentPart::Member(_)
            | ContentPart::MemberIfAny(_)
            | ContentPart::Lines(_)
            | ContentPart::Claim(_)
            | ContentPart::Jws
            | ContentPart::SortedForm
            | ContentPart::BodySha256
            | ContentPart::BodyCrc32
            | ContentPart::Secret
            | ContentPart::SourceToken => false,
        })
    }

    fn sends_time(&self, rule: &SignatureRule) -> bool {
        let mut headers = self.request.headers.iter();
        rule.form.value.contains(&ValuePart::Timestamp)
            || headers.any(|(_, template)| names_time(&template.written))
    }

    fn weak_keys(&self) -> Vec<ContractWarning> {
        let mut warnings = Vec::new();
        for (number, rule) in self.signatures.iter().enumerate() {
            let least = *rule.form.key.accepts.start();
            if least < KEY_BYTES {
                let path = ["request", "signature", &number.to_string(), "key"];
                let reason = format!("a key may have {least} bytes, and should have {KEY_BYTES}");
                warnings.push(self.warning(Weakness::ShortKey, &path, reason));
            }
        }
        let listed = self.has_route(Operation::KeysList);
        if let Some(keys) = self.keys.as_ref().filter(|keys| keys.overlap.is_zero() && !listed) {
            let reason = match keys.priors {
                0 => "a rotated key is forgotten at once, before its receivers know the new one",
                _ => "a rotated key stops signing at once, before its receivers know the new one",
            };
            warnings.push(self.warning(Weakness::NoOverlap, &["keys"], reason));
        }
        warnings
    }

    fn weak_delivery(&self) -> Vec<ContractWarning> {
        let warn =
            |weakness, reason: String| self.warning(weakness, &["delivery", "retries"], reason);
        let short = |span: Duration| {
            let reason = format!("the last retry is after {}", print_span(span));
            (span < RETRY_WINDOW).then(|| warn(Weakness::ShortRetryWindow, reason))
        };
        match &self.retry {
            RetryPolicy::List { waits, .. } if waits.is_empty() => {
                vec![warn(Weakness::NoRetries, "a delivery that fails once is lost".into())]
            }
            RetryPolicy::List { waits, spread } => {
                let reason = "deliveries that failed together are tried again together";
                let even = *spread <= 0.0;
                let jitter = even.then(|| warn(Weakness::RetriesWithoutJitter, reason.into()));
                short(waits.iter().sum()).into_iter().chain(jitter).collect()
            }
            RetryPolicy::Growing { window, .. } => short(*window).into_iter().collect(),
        }
    }

    fn weak_endpoints(&self) -> Vec<ContractWarning> {
        let plain = self.rules.schemes.contains(&Scheme::Http).then(|| {
            let reason = "over http, events can be read and changed on their way";
            self.warning(Weakness::PlainHttp, &["endpoint", "schemes"], reason)
        });
        let made = self.has_route(Operation::EndpointCreate) && self.rules.max_per_key.is_none();
        let unlimited = made.then(|| {
            let reason = "one key can make as many endpoints as the server's limit allows";
            self.warning(Weakness::EndpointsUnlimited, &["endpoint"], reason)
        });
        plain.into_iter().chain(unlimited).collect()
    }

    fn missing_schemas(&self) -> Option<ContractWarning> {
        let without = self.events.iter().filter(|event| event.schema.is_none());
        let names: Vec<_> = without.map(|event| event.name.as_str()).collect();
        let first = names.first()?;
        let reason = match names.len() {
            1 => format!("`{first}` has no schema"),
            count => format!("`{first}` and {} more have no schema", count - 1),
        };
        Some(self.warning(Weakness::NoSchema, &["events", first], reason))
    }

    fn has_route(&self, operation: Operation) -> bool {
        let mut routes = self.api.iter().flat_map(|api| api.routes());
        routes.any(|route| route.operation == operation)
    }
}

/// Whether a template has the time of the attempt in it.
fn names_time(written: &str) -> bool {
    written.contains("{timestamp}")
}
