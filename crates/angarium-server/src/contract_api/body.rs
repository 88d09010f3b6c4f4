//! The body of a contract's call: a JSON object within limits, each member once.

use crate::api::json;
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use http::HeaderMap;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;

/// Parses a body; one without content reads as `{}`.
///
/// # Errors
/// `unsupported_media_type`, `invalid_json`, `json_too_deep`, and `invalid_field` for a member that
/// stands there twice.
pub(super) fn members(
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<Map<String, Value>, Refusal> {
    json::check_content_type(headers, body)?;
    match json::parse::<Members>(body, limits) {
        Ok(Members(members)) => Ok(members),
        // Neither member nor code is at fault, but the body as a whole.
        Err(Refusal { code: Code::InvalidField, field: None, message, .. }) => {
            Err(Refusal::whole(Code::InvalidJson, message))
        }
        Err(refusal) => Err(refusal),
    }
}

struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            members.insert(name, value);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};

    fn read(body: &str, content_type: &'static str) -> Result<Map<String, Value>, Refusal> {
        let value = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
        members(&headers, body.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_body_is_one_json_object_with_each_member_once() {
        assert_eq!(read("", "text/plain").map(|members| members.len()), Ok(0));
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(64), "]".repeat(64));
        let rows = [
            (r#"{"a":1}"#, "text/plain", Code::UnsupportedMediaType, Some("content-type")),
            ("{", "application/json", Code::InvalidJson, None),
            ("3", "application/json", Code::InvalidJson, None),
            ("null", "application/json", Code::InvalidJson, None),
            ("[]", "application/json", Code::InvalidJson, None),
            (r#"{"a":1,"a":1}"#, "application/json", Code::InvalidField, Some("a")),
            (&deep, "application/json", Code::JsonTooDeep, None),
        ];
        for (body, content_type, code, field) in rows {
            let refusal = read(body, content_type).expect_err(body);
            assert_eq!((refusal.code, refusal.field.as_deref()), (code, field), "{body}");
        }
    }
}
