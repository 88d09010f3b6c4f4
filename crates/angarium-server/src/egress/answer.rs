//! What is taken from an answer: status, `Retry-After`, headers of an allow-list, and the beginning
//! of the body, exactly as it came: nothing is ever decompressed (S9).

use angarium_core::outcome::{Outcome, RetryAfter};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};

/// An answer, cut to what is kept.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) headers: HeaderMap,
    pub(super) body: Box<[u8]>,
}

/// Header names that help a person to find an attempt in the receiver's logs. No cookies.
const KEPT: &[&str] = &[
    "content-type",
    "content-length",
    "content-encoding",
    "date",
    "server",
    "via",
    "location",
    "retry-after",
    "allow",
    "request-id",
    "x-request-id",
    "x-correlation-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-amz-cf-id",
    "x-azure-ref",
    "x-cloud-trace-context",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "cf-ray",
    "traceparent",
];

/// Prefix of the headers of Standard Webhooks, kept too.
const KEPT_PREFIX: &str = "webhook-";

impl Answer {
    pub(super) fn of(status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Self {
        let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(RetryAfter::parse);
        Self {
            outcome: Outcome::Response { status: status.as_u16(), retry_after },
            headers,
            body: body.into(),
        }
    }

    pub(super) fn none(outcome: Outcome) -> Self {
        Self { outcome, headers: HeaderMap::new(), body: Box::default() }
    }
}

/// The head as it is kept: a line `name: value` for each header of the allow-list.
pub(super) fn kept_head(headers: &HeaderMap) -> Box<str> {
    let is_kept =
        |name: &HeaderName| KEPT.contains(&name.as_str()) || name.as_str().starts_with(KEPT_PREFIX);
    let mut text = String::with_capacity(128);
    for (name, value) in headers {
        if let (true, Ok(value)) = (is_kept(name), value.to_str()) {
            text.extend([name.as_str(), ": ", value, "\n"]);
        }
    }
    text.into()
}

/// The beginning of a body, while it is read.
#[derive(Debug)]
pub(super) struct Beginning {
    kept: Vec<u8>,
    keep_limit: usize,
    left_to_read: usize,
}

/// Whether more of a body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appetite {
    More,
    Enough,
}

impl Beginning {
    pub(super) fn new(keep_limit: usize, read_limit: usize) -> Self {
        Self { kept: Vec::new(), keep_limit, left_to_read: read_limit }
    }

    pub(super) fn take(&mut self, data: &Bytes) -> Appetite {
        let room = self.keep_limit - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
        match self.left_to_read.checked_sub(data.len()) {
            Some(left) => {
                self.left_to_read = left;
                Appetite::More
            }
            None => Appetite::Enough,
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_headers_of_the_allow_list_are_kept() {
        let head = kept_head(&headers(&[
            ("content-type", "text/plain"),
            ("set-cookie", "session=1"),
            ("webhook-answer", "yes"),
            ("x-secret", "no"),
        ]));
        assert_eq!(&*head, "content-type: text/plain\nwebhook-answer: yes\n");
    }

    #[test]
    fn a_body_is_kept_to_its_limit_and_read_to_its_limit() {
        let mut beginning = Beginning::new(4, 10);
        assert_eq!(beginning.take(&Bytes::from_static(b"abcdef")), Appetite::More);
        assert_eq!(beginning.take(&Bytes::from_static(b"ghij")), Appetite::More);
        assert_eq!(beginning.take(&Bytes::from_static(b"k")), Appetite::Enough);
        assert_eq!(beginning.into_bytes(), b"abcd");
    }
}
