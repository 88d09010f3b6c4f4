//! Answers as HTTP: refusals in the contract's words, and answers that a caller may know already.

use crate::api::json::Answer;
use crate::api::problem::Problem;
use angarium_core::contract::api::{Authentication, ManagementApi};
use angarium_core::refusal::Refusal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// Answers are for the key that asked, and are asked for anew each time.
const CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");

/// A refusal in the words of a contract; as RFC 9457 where it has none for it.
pub(super) fn refusal(api: Option<&ManagementApi>, refusal: Refusal) -> Response {
    let wait = refusal.seconds_to_wait();
    let mut response = match api.and_then(|api| api.print_error(&refusal)) {
        Some(error) => {
            let status = StatusCode::from_u16(error.status);
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Answer { status, body: error.body }.into_response()
        }
        None => Problem(refusal).into_response(),
    };
    let status = response.status();
    let headers = response.headers_mut();
    if let (StatusCode::UNAUTHORIZED, Some(api)) = (status, api) {
        headers.insert(header::WWW_AUTHENTICATE, challenge(&api.auth));
    }
    if let Some(seconds) = wait {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// How a caller shows its key, as a challenge.
fn challenge(auth: &Authentication) -> HeaderValue {
    let challenge = match &auth.scheme {
        Some(scheme) => scheme.to_string(),
        None => format!("ApiKey header=\"{}\"", auth.written_header),
    };
    HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"))
}

/// The answer to a GET, with its tag; 304 where the caller has it already.
pub(super) fn tagged(answer: Answer, request: &HeaderMap) -> Response {
    let tag = tag(&answer.body);
    let mut response = match knows(request, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => answer.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, CACHING);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// The name of a body: the same bytes have the same.
pub(crate) fn tag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&digest(&SHA256, body).as_ref()[..16]))
}

/// Whether `If-None-Match` names this tag, alone or in a list, or any (RFC 9110, 13.1.2).
pub(crate) fn knows(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter();
    let mut named = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    named.any(|named| {
        let named = named.trim();
        named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(known: &str) -> Response {
        let mut headers = HeaderMap::new();
        if let Ok(known) = known.parse()
            && !HeaderValue::is_empty(&known)
        {
            headers.insert(header::IF_NONE_MATCH, known);
        }
        tagged(Answer { status: StatusCode::OK, body: b"{}".to_vec() }, &headers)
    }

    #[test]
    fn an_answer_that_is_known_is_not_sent_again() {
        let first = asked("");
        assert_eq!(first.status(), 200);
        let tag = first.headers()[header::ETAG].to_str().expect("a tag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 34, "{tag}");
        for known in [&tag, "*", &format!("\"x\", {tag}"), &format!("W/{tag}")] {
            let again = asked(known);
            assert_eq!(again.status(), 304, "{known}");
            assert_eq!(again.headers()[header::ETAG], tag);
            assert!(!again.headers().contains_key(header::CONTENT_TYPE));
        }
        for other in ["\"x\"", &tag[1..33], "W/\"x\""] {
            assert_eq!(asked(other).status(), 200, "{other}");
        }
    }
}
