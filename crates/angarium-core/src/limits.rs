//! Every limit of the product in one table: name, default, unit and reason.
//!
//! A limit is refused with its own code, and tested at the limit and one past it (api.md,
//! "Limits").

use crate::refusal::Code;

macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident: $kind:ty = $default:expr, $unit:literal, $code:expr;
    )*) => {
        /// The limits in force. All are configurable; `Default` has the documented values.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits { $($(#[doc = $doc])* pub $name: $kind,)* }

        impl Default for Limits {
            fn default() -> Self { Self { $($name: $default,)* } }
        }

        /// One row of the table, for the documentation and `angarium config --explain`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct LimitRow {
            /// The key in the configuration file, below `[limits]`.
            pub name: &'static str,
            /// The value in force.
            pub value: usize,
            /// What it counts.
            pub unit: &'static str,
            /// How a caller learns of it; none where nothing is refused.
            pub code: Option<Code>,
            /// Why there is one.
            pub reason: &'static str,
        }

        impl Limits {
            /// The table, in the order of the documentation.
            pub fn rows(&self) -> Vec<LimitRow> {
                vec![$(LimitRow {
                    name: stringify!($name),
                    value: self.$name,
                    unit: $unit,
                    code: $code,
                    reason: concat!($($doc,)*).trim_ascii(),
                },)*]
            }

            /// Sets a limit by its name in the configuration file.
            ///
            /// # Errors
            /// The names that exist, when there is none of that name.
            pub fn set(&mut self, name: &str, value: usize) -> Result<(), Vec<&'static str>> {
                match name {
                    $(stringify!($name) => { self.$name = value; Ok(()) })*
                    _ => Err(vec![$(stringify!($name),)*]),
                }
            }
        }
    };
}

limits! {
    /// Longest body of a request but a batch's; a payload is meant to be a notice, not a file.
    body_bytes: usize = 256 * 1024, "bytes", Some(Code::BodyTooLarge);
    /// Longest body of a batch of events.
    batch_bytes: usize = 4 * 1024 * 1024, "bytes", Some(Code::BodyTooLarge);
    /// Most events in a batch, so that one call cannot hold the writer.
    batch_events: usize = 1_000, "events", Some(Code::BatchTooLarge);
    /// Deepest nesting of JSON, so that no receiver's parser overflows.
    json_depth: usize = 64, "levels", Some(Code::JsonTooDeep);
    /// Longest event type.
    event_type_chars: usize = 128, "characters", Some(Code::InvalidEventType);
    /// Longest id of an event or a tenant that comes from outside.
    id_chars: usize = 64, "characters", Some(Code::InvalidEventId);
    /// Longest subject, ordering key, name or attribute value.
    text_chars: usize = 512, "characters", Some(Code::InvalidField);
    /// Longest description.
    description_chars: usize = 2_000, "characters", Some(Code::InvalidField);
    /// Most attributes of an event, and of an endpoint's condition on them.
    attributes: usize = 32, "attributes", Some(Code::InvalidField);
    /// Most patterns in a subscription.
    subscription_types: usize = 256, "patterns", Some(Code::InvalidSubscription);
    /// Longest metadata object of a tenant or an endpoint, as JSON.
    metadata_bytes: usize = 8 * 1024, "bytes", Some(Code::InvalidField);
    /// Most endpoints of one tenant.
    endpoints_per_tenant: usize = 1_000, "endpoints", Some(Code::TooManyEndpoints);
    /// Most sources of one tenant.
    sources_per_tenant: usize = 100, "sources", Some(Code::TooManySources);
    /// Most keys of one tenant that are valid, portal keys too.
    keys_per_tenant: usize = 1_000, "keys", Some(Code::TooManyKeys);
    /// Most deliveries of one tenant that wait in the store before it may not publish more; 0 for
    /// any number.
    pending_per_tenant: usize = 10_000_000, "deliveries", Some(Code::TooManyPending);
    /// Most bytes of payload of one tenant that are stored before it may not publish more; 0 for
    /// any number.
    stored_bytes_per_tenant: usize = 0, "bytes", Some(Code::TooManyBytes);
    /// Most endpoints that one event may match; they are stored with the event.
    endpoints_per_event: usize = 1_000, "endpoints", Some(Code::TooManyMatches);
    /// Most headers that an endpoint may add.
    endpoint_headers: usize = 40, "headers", Some(Code::TooManyHeaders);
    /// Most bytes of them, names and values together.
    endpoint_header_bytes: usize = 8 * 1024, "bytes", Some(Code::TooManyHeaders);
    /// Longest text of certificates, or of a private key, that an endpoint has of its own.
    certificate_bytes: usize = 32 * 1024, "bytes", Some(Code::InvalidCertificate);
    /// Most certificates in such a text: a chain, or the authorities that an endpoint trusts.
    certificates: usize = 16, "certificates", Some(Code::InvalidCertificate);
    /// Longest URL of an endpoint.
    url_bytes: usize = 2_048, "bytes", Some(Code::InvalidUrl);
    /// Most retries in a schedule.
    retries: usize = 100, "retries", Some(Code::InvalidSchedule);
    /// Most attempts in flight to one endpoint.
    endpoint_window: usize = 64, "attempts", None;
    /// Most attempts in flight on one node; it follows the descriptor limit.
    node_window: usize = 16_384, "attempts", None;
    /// Most deliveries of one endpoint that wait in memory; the rest wait in the store.
    endpoint_ready: usize = 4_096, "deliveries", None;
    /// Most bytes of payload that wait in memory for one shard.
    shard_ready_bytes: usize = 4 * 1024 * 1024, "bytes", None;
    /// Events a second that a tenant may publish where it has no rate of its own; 0 for any number.
    tenant_rate: usize = 0, "events", Some(Code::RateLimited);
    /// Events that such a tenant may publish at once; 0 for what a second allows.
    tenant_burst: usize = 0, "events", Some(Code::RateLimited);
    /// Most events of one tenant in one commit: writing them takes about as long as the commit's
    /// sync, so that beside them another's event waits twice as long as alone, and no longer.
    tenant_commit_events: usize = 32, "events", None;
    /// Most bytes of payload of one tenant in one commit, but one event always.
    tenant_commit_bytes: usize = 128 * 1024, "bytes", None;
    /// Events a second of one tenant that go into commits while another publishes too, for each
    /// core unless it is set; the rest wait in the tenant's line, so that none takes the whole
    /// machine. 0 for any number.
    tenant_commit_rate: usize = 2_000, "events", None;
    /// Most endpoints of one event, or of one shard at the same moment, to which attempts begin at
    /// once; those to more begin in portions and leave room to everybody else meanwhile.
    start_endpoints: usize = 32, "endpoints", None;
    /// Most deliveries of one shard whose attempts are recorded in one commit; at most half as many
    /// that wait get their rows in it. Writing them takes a few milliseconds.
    commit_deliveries: usize = 256, "deliveries", None;
    /// Most endpoints of one shard whose counters one commit writes before the checkpoint moves.
    commit_counters: usize = 64, "endpoints", None;
    /// Most events of one tenant that wait for their commit, so that none fills the node's bound.
    tenant_uncommitted: usize = 2_048, "events", Some(Code::Overloaded);
    /// Most bytes of payload of one tenant that wait for their commit.
    tenant_uncommitted_bytes: usize = 16 * 1024 * 1024, "bytes", Some(Code::Overloaded);
    /// Most events of one node that wait for their commit; more are shed before acceptance.
    node_uncommitted: usize = 16_384, "events", Some(Code::NodeOverloaded);
    /// Most bytes of payload that wait for their commit on one node.
    node_uncommitted_bytes: usize = 64 * 1024 * 1024, "bytes", Some(Code::NodeOverloaded);
    /// Most bytes of a receiver's answer that are read before its connection is dropped.
    answer_read_bytes: usize = 64 * 1024, "bytes", None;
    /// Most bytes of a receiver's answer that are kept.
    answer_kept_bytes: usize = 16 * 1024, "bytes", None;
    /// Longest page of a list.
    page: usize = 250, "items", Some(Code::InvalidParameter);
    /// Most rows that one page may read; a page may be short, with `next` (design.md, rule 10).
    page_rows_read: usize = 10_000, "rows", None;
    /// Most deliveries a second that a recovery makes anew.
    recovery_rate: usize = 1_000, "deliveries", Some(Code::InvalidField);
    /// Most jobs of one tenant that run at a time.
    jobs_per_tenant: usize = 20, "jobs", Some(Code::TooManyJobs);
    /// Attempts at an endpoint that fail in a row until people are told of it.
    failing_attempts: usize = 10, "attempts", None;
    /// So long attempts at an endpoint fail, two at least, until people are told of it.
    failing_seconds: usize = 600, "seconds", None;
    /// So long the oldest due delivery may wait; if it then waits longer still, people are told.
    backlog_seconds: usize = 300, "seconds", None;
    /// Most notices in a minute of one endpoint's dead letters; the last one counts the others.
    dead_letter_notices: usize = 10, "notices", None;
    /// Most notices that wait to be published; more are dropped, counted and logged.
    notices_waiting: usize = 10_000, "notices", None;
    /// Longest life of a portal key: it is handed to people outside the platform.
    portal_key_seconds: usize = 24 * 3_600, "seconds", Some(Code::InvalidField);
    /// Calls a second with one key that has no rate of its own; 0 for any number.
    key_rate: usize = 0, "calls", Some(Code::RateLimited);
    /// Calls with such a key at once; 0 for what a second allows.
    key_burst: usize = 0, "calls", Some(Code::RateLimited);
    /// Events a second that are published with one key, of whatever tenants; 0 for any number.
    key_event_rate: usize = 0, "events", Some(Code::RateLimited);
    /// Events with such a key at once; 0 for what a second allows.
    key_event_burst: usize = 0, "events", Some(Code::RateLimited);
    /// Calls a second with all keys of one tenant, portal keys too; 0 for any number.
    tenant_call_rate: usize = 0, "calls", Some(Code::RateLimited);
    /// Calls with them at once; 0 for what a second allows.
    tenant_call_burst: usize = 0, "calls", Some(Code::RateLimited);
    /// Calls a second without a valid key from one address, beyond which it is told to wait rather
    /// than that its key is wrong; 0 for any number.
    wrong_key_rate: usize = 20, "calls", Some(Code::RateLimited);
    /// Such calls at once; 0 for what a second allows.
    wrong_key_burst: usize = 1_000, "calls", Some(Code::RateLimited);
    /// Most connections of callers at once; more wait to be accepted.
    connections: usize = 8_192, "connections", None;
    /// Most connections of one caller's address; more are closed. Trusted proxies may have any
    /// number, since they come for many.
    connections_per_address: usize = 1_024, "connections", None;
    /// Longest head of a request; at least 8,192.
    head_bytes: usize = 32 * 1024, "bytes", None;
    /// Most header lines of a request.
    head_lines: usize = 100, "lines", None;
    /// So long the head of a request may take from its first byte; then the connection ends.
    head_seconds: usize = 10, "seconds", None;
    /// So long a connection may stand without a request, and an answer without being read.
    idle_seconds: usize = 60, "seconds", None;
    /// How fast a body comes at the least once it has had five seconds.
    body_pace: usize = 1_024, "bytes a second", Some(Code::BadRequest);
    /// Most bytes of bodies that are being read on one node; senders whom no key names have half.
    node_body_bytes: usize = 64 * 1024 * 1024, "bytes", Some(Code::NodeOverloaded);
    /// Most calls under way on one HTTP/2 connection.
    h2_streams: usize = 128, "streams", None;
    /// Longest list of headers of an HTTP/2 request.
    h2_header_bytes: usize = 16 * 1024, "bytes", None;
    /// Most streams that an HTTP/2 caller may have reset before they were looked at, and most that
    /// it may make us reset; then the connection ends.
    h2_resets: usize = 20, "streams", None;
    /// Longest `Idempotency-Key`.
    idempotency_key_chars: usize = 255, "characters", Some(Code::InvalidIdempotencyKey);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_set_by_its_name_and_says_why_it_exists() {
        let mut limits = Limits::default();
        for row in Limits::default().rows() {
            assert!(limits.set(row.name, row.value + 1).is_ok());
            assert!(!row.reason.is_empty() && !row.unit.is_empty());
        }
        assert_eq!(limits.body_bytes, 256 * 1024 + 1);
        assert!(limits.set("nonsense", 1).is_err_and(|names| names.contains(&"page")));
    }
}
