//! Where a tenant stands within its rate, as headers of the answers to its publishes: the list form
//! of draft-ietf-httpapi-ratelimit-headers, with one policy named `publish`.

use crate::rates::Quota;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use std::time::Duration;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Says where the tenant stands. Without a limit there is nothing to say.
pub(super) fn say(quota: Option<Quota>, response: &mut Response) {
    let Some(Quota { limit, window, remaining, reset }) = quota else { return };
    let policy = format!("\"publish\";q={limit};w={}", seconds(window));
    let standing = format!("\"publish\";r={remaining};t={}", seconds(reset));
    for (name, value) in [(POLICY, policy), (STANDING, standing)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// Whole ones, rounded up.
fn seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_the_draft_s_with_seconds_rounded_up() {
        let (window, reset) = (Duration::from_millis(2_500), Duration::from_millis(1_001));
        let mut response = Response::default();
        say(None, &mut response);
        assert!(response.headers().is_empty());
        say(Some(Quota { limit: 5, window, remaining: 3, reset }), &mut response);
        assert_eq!(response.headers()[POLICY], "\"publish\";q=5;w=3");
        assert_eq!(response.headers()[STANDING], "\"publish\";r=3;t=2");
    }
}
