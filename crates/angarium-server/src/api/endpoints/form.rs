//! What a caller says of an endpoint. Native calls parse these from JSON; a contract's routes fill
//! in what their members name.

use super::auth::{AuthBody, TlsBody};
use crate::api::json::{Pairs, Secret, present};
use angarium_core::endpoint::{DeliveryMethod, DeliveryOverride, EndpointStatus};
use angarium_core::lane::Ordering;
use angarium_core::rate::RateSpec;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A new endpoint.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEndpoint {
    /// Where deliveries go; without credentials and fragment.
    #[schema(max_length = 2048, example = "https://hooks.example.com/orders")]
    pub(crate) url: String,
    /// What it asks for: types, `a.b.*` for everything below `a.b`, or `*`.
    #[schema(min_items = 1, max_items = 256, example = json!(["order.*"]))]
    pub(crate) types: Vec<String>,
    /// Subjects, of which one must be the event's.
    #[schema(min_items = 1, max_items = 256)]
    pub(crate) subjects: Option<Vec<String>>,
    /// Attributes that the event must have.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(crate) attributes: Pairs,
    /// The contract that it follows; the environment's first if absent.
    pub(crate) contract: Option<String>,
    /// `POST` or `GET`, where the contract leaves a choice.
    #[schema(value_type = Option<String>, pattern = "^(POST|GET)$")]
    pub(crate) method: Option<DeliveryMethod>,
    /// Headers that are added to every delivery; never shown again.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(crate) headers: Pairs,
    /// Authentication at the receiver; never shown again.
    pub(crate) auth: Option<AuthBody>,
    /// A client certificate, and who vouches for the receiver; private keys are never shown again.
    pub(crate) tls: Option<TlsBody>,
    /// The signing secret, where it was made elsewhere; else one is made.
    #[schema(value_type = Option<String>, format = Password)]
    pub(crate) secret: Option<Secret>,
    /// What its deliveries are ordered by; the contract's order if absent.
    #[schema(value_type = Option<OrderingName>)]
    pub(crate) ordering: Option<Ordering>,
    /// Its own delivery settings, over the contract's.
    #[schema(value_type = Option<DeliverySettings>)]
    pub(crate) delivery: Option<DeliveryOverride>,
    /// Most attempts in flight.
    #[schema(minimum = 1, maximum = 64)]
    pub(crate) concurrency: Option<u16>,
    /// Most attempts a second.
    #[schema(value_type = Option<Rate>)]
    pub(crate) rate: Option<RateSpec>,
    /// What people call it.
    #[schema(max_length = 512, example = "Orders")]
    pub(crate) name: Option<String>,
    /// For people.
    #[schema(max_length = 2000)]
    pub(crate) description: Option<String>,
    /// The platform's own data.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({}))]
    pub(crate) metadata: Map<String, Value>,
    /// How it begins; `active` if absent.
    #[schema(value_type = Option<String>, pattern = "^(active|paused|disabled)$")]
    pub(crate) status: Option<EndpointStatus>,
}

/// A change of an endpoint; what is absent stays, null clears.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointChange {
    /// Where deliveries go.
    #[schema(max_length = 2048, example = "https://hooks.example.com/orders")]
    pub(crate) url: Option<String>,
    /// What it asks for.
    #[schema(min_items = 1, max_items = 256, example = json!(["order.*"]))]
    pub(crate) types: Option<Vec<String>>,
    /// Subjects, of which one must be the event's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 256)]
    pub(crate) subjects: Option<Option<Vec<String>>>,
    /// Attributes that the event must have.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(crate) attributes: Option<Pairs>,
    /// `POST` or `GET`, where the contract leaves a choice.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^(POST|GET)$")]
    pub(crate) method: Option<Option<DeliveryMethod>>,
    /// Headers that are added to every delivery, all of them anew.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(crate) headers: Option<Option<Pairs>>,
    /// Authentication at the receiver.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<AuthBody>)]
    pub(crate) auth: Option<Option<AuthBody>>,
    /// A client certificate, and who vouches for the receiver, all of it anew.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<TlsBody>)]
    pub(crate) tls: Option<Option<TlsBody>>,
    /// What its deliveries are ordered by, of those that are accepted from now on; null leaves it
    /// to the contract.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<OrderingName>)]
    pub(crate) ordering: Option<Option<Ordering>>,
    /// Its own delivery settings.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DeliverySettings>)]
    pub(crate) delivery: Option<Option<DeliveryOverride>>,
    /// Most attempts in flight.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 64)]
    pub(crate) concurrency: Option<Option<u16>>,
    /// Most attempts a second; null lifts the limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Rate>)]
    pub(crate) rate: Option<Option<RateSpec>>,
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 512)]
    pub(crate) name: Option<Option<String>>,
    /// For people.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(crate) description: Option<Option<String>>,
    /// The platform's own data, all of it anew.
    #[schema(value_type = Option<Object>, example = json!({}))]
    pub(crate) metadata: Option<Map<String, Value>>,
    /// Whether deliveries start.
    #[schema(value_type = Option<String>, pattern = "^(active|paused|disabled)$")]
    pub(crate) status: Option<EndpointStatus>,
}

impl EndpointChange {
    /// Whether it is for other events, or for another place, from now on.
    pub(crate) fn moves(&self) -> bool {
        self.url.is_some()
            || self.types.is_some()
            || self.subjects.is_some()
            || self.attributes.is_some()
    }
}

/// A limit: of an endpoint's attempts, or of a tenant's events.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document's shape of core's RateSpec")]
pub(in crate::api) struct Rate {
    /// How many a second, with at most three decimals.
    #[schema(minimum = 0.001, maximum = 1_000_000.0, example = 50)]
    per_second: f64,
    /// How many at once after a time without any; what one second allows if absent.
    #[schema(minimum = 1, maximum = 1_000_000, example = 100)]
    burst: Option<u32>,
}

/// What deliveries are ordered by.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Ordering)]
#[expect(dead_code, reason = "the document's shape of core's Ordering")]
pub(in crate::api) enum OrderingName {
    /// By nothing.
    None,
    /// By the event's key.
    Key,
    /// All of the endpoint's deliveries go in order.
    Endpoint,
    /// By what the data has at a JSON pointer.
    #[schema(example = "/order/id")]
    Pointer(String),
}

/// Delivery settings of an endpoint.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the document's shape of core's DeliveryOverride")]
pub(in crate::api) struct DeliverySettings {
    /// Time limit of one attempt, from `1s` to `30s`.
    #[schema(pattern = "^[0-9]+(ms|s)$", example = "10s")]
    timeout: Option<String>,
    /// The retry schedule. It is kept to the letter: the contract's breaker does not apply.
    retries: Option<Retries>,
}

/// A retry schedule.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the document's shape of core's RetrySpec")]
pub(in crate::api) enum Retries {
    /// The waits before the second, third … attempt.
    #[schema(example = json!(["5s", "25s"]))]
    List(Vec<String>),
    /// Growing waits with full jitter.
    Growing {
        /// The first wait.
        #[schema(example = "5s")]
        base: String,
        /// What each wait is multiplied by; 2 if absent.
        #[schema(minimum = 1, maximum = 10)]
        factor: Option<f64>,
        /// The longest wait.
        #[schema(example = "1h")]
        cap: String,
        /// How long after acceptance the last retry may be; 24 h if absent.
        #[schema(example = "24h")]
        window: Option<String>,
    },
}
