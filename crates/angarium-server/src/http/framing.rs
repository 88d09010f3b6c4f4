//! Requests of which two readers could think differently where they end: refused, and the
//! connection with them, so that nothing can be hidden from a proxy before us (RFC 9112, section
//! 6.3).

use angarium_core::refusal::{Code, Refusal};
use http::{HeaderMap, Version, header};

/// How a request's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length, if it has one.
    Plain,
    /// In chunks. hyper passes over a length that stands behind them, so nobody can tell whether
    /// there was one: such a connection ends after its answer, as the standard demands of both.
    Chunked,
}

/// How a request's body is framed.
///
/// # Errors
/// `bad_request` for a length beside an encoding, for more than one of either, and for an encoding
/// that is not exactly `chunked`.
pub(super) fn of(version: Version, headers: &HeaderMap) -> Result<Framing, Refusal> {
    let refused =
        |field: &str, message: &str| Err(Refusal::field(Code::BadRequest, field, message));
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return refused("content-length", "a request has one length");
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else {
        return Ok(Framing::Plain);
    };
    if encodings.next().is_some() || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return refused("transfer-encoding", "chunked is the only encoding, and stands once");
    }
    if version != Version::HTTP_11 {
        return refused("transfer-encoding", "only HTTP/1.1 has encodings");
    }
    if headers.contains_key(header::CONTENT_LENGTH) {
        return refused("content-length", "a body has a length or comes in chunks, not both");
    }
    Ok(Framing::Chunked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn only_one_way_to_read_where_a_request_ends_is_allowed() {
        const TE: &str = "transfer-encoding";
        const CL: &str = "content-length";
        type Row = (&'static [(&'static str, &'static str)], Result<Framing, &'static str>);
        let rows: [Row; 9] = [
            (&[], Ok(Framing::Plain)),
            (&[(CL, "3")], Ok(Framing::Plain)),
            (&[(TE, "chunked")], Ok(Framing::Chunked)),
            (&[(TE, "Chunked")], Ok(Framing::Chunked)),
            (&[(CL, "3"), (TE, "chunked")], Err(CL)),
            (&[(CL, "3"), (CL, "3")], Err(CL)),
            (&[(TE, "chunked"), (TE, "chunked")], Err(TE)),
            (&[(TE, "gzip, chunked")], Err(TE)),
            (&[(TE, "identity")], Err(TE)),
        ];
        for (lines, expected) in rows {
            let line = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let mut headers = HeaderMap::new();
            for (name, value) in lines.iter().map(line) {
                headers.append(name, value);
            }
            let read = of(Version::HTTP_11, &headers);
            let read = read.map_err(|refusal| refusal.field.unwrap_or_default());
            assert_eq!(read, expected.map_err(str::to_owned), "{lines:?}");
        }
        let chunked = HeaderMap::from_iter([(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        )]);
        assert!(of(Version::HTTP_10, &chunked).is_err());
    }
}
