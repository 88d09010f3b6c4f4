//! Where a caller stands within its rates, as headers of its answers: the list form of
//! draft-ietf-httpapi-ratelimit-headers, with the policies `publish` (a tenant's events) and
//! `requests` (the calls of a key, or of a tenant's keys, whichever has fewer left).

use super::App;
use crate::rates::Quota;
use angarium_core::account::ApiKey;
use angarium_core::refusal::Refusal;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderName, HeaderValue};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Where the caller of a request stands, noted when it is known who that is.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing(Arc<OnceLock<Quota>>);

impl Standing {
    /// A place for it in the request, where anybody may have a limit.
    pub(super) fn open(app: &App, extensions: &mut Extensions) -> Option<Self> {
        let may_have = app.call_rates.limits_everybody() || app.directory.has_limited_keys();
        may_have.then(|| {
            let standing = Self::default();
            extensions.insert(standing.clone());
            standing
        })
    }

    /// Says it in the answer.
    pub(super) fn say(self, response: &mut Response) {
        say("requests", self.0.get().copied(), response);
    }
}

/// Says where the caller stands in the answers to all calls.
pub(super) async fn of_calls(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let standing = Standing::open(&app, request.extensions_mut());
    let mut response = next.run(request).await;
    if let Some(standing) = standing {
        standing.say(&mut response);
    }
    response
}

/// Counts a call with a key, and notes where it stands.
///
/// # Errors
/// `rate_limited`.
pub(super) fn count_call(app: &App, extensions: &Extensions, key: &ApiKey) -> Result<(), Refusal> {
    let Some(standing) = extensions.get::<Standing>() else {
        return Ok(());
    };
    let (quota, admitted) = app.call_rates.admit(key);
    if let Some(quota) = quota {
        let _ = standing.0.set(quota);
    }
    admitted
}

/// Says where a tenant stands that publishes.
pub(super) fn say_published(quota: Option<Quota>, response: &mut Response) {
    say("publish", quota, response);
}

/// Says where somebody stands under a policy. Without a limit there is nothing to say.
fn say(policy: &str, quota: Option<Quota>, response: &mut Response) {
    let Some(Quota { limit, window, remaining, reset }) = quota else { return };
    let is = format!("\"{policy}\";q={limit};w={}", seconds(window));
    let stands = format!("\"{policy}\";r={remaining};t={}", seconds(reset));
    for (name, value) in [(POLICY, is), (STANDING, stands)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(name, value);
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
    fn the_headers_are_the_draft_s_with_seconds_rounded_up_and_a_line_for_each_policy() {
        let (window, reset) = (Duration::from_millis(2_500), Duration::from_millis(1_001));
        let mut response = Response::default();
        say_published(None, &mut response);
        assert!(response.headers().is_empty());
        say_published(Some(Quota { limit: 5, window, remaining: 3, reset }), &mut response);
        assert_eq!(response.headers()[POLICY], "\"publish\";q=5;w=3");
        assert_eq!(response.headers()[STANDING], "\"publish\";r=3;t=2");
        let standing = Standing::default();
        standing.0.set(Quota { limit: 9, window, remaining: 0, reset }).expect("the first");
        standing.say(&mut response);
        let lines: Vec<_> = response.headers().get_all(STANDING).iter().collect();
        assert_eq!(lines, ["\"publish\";r=3;t=2", "\"requests\";r=0;t=2"]);
    }
}
