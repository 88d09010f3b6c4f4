//! Bodies in, bodies out: parsed strictly, refused by the path of the member at fault.
//!
//! Parsing is fast where all is well and precise where it is not: only a body that did not parse
//! is parsed again with its path tracked.

use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::repeated::first_repeated;
use angarium_core::secret::SecretText;
use angarium_core::time::Timestamp;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::error::Category;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use utoipa::ToSchema;

/// Refuses a body that does not say that it is JSON; one without content need not say anything.
///
/// # Errors
/// `unsupported_media_type`.
pub fn check_content_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let is_json = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    };
    if body.is_empty() || headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
        return Ok(());
    }
    let message = "a body is sent with content-type: application/json";
    Err(Refusal::field(Code::UnsupportedMediaType, "content-type", message))
}

/// Parses a body; one without content reads as `{}`.
///
/// # Errors
/// `json_too_deep`, `invalid_json`, and for the member at fault `unknown_field`, `missing_field`
/// or `invalid_field`; the last too where a member stands twice, however deep.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], limits: &Limits) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    check_depth(body, limits)?;
    let parsed = parse_whole(body)?;
    check_names(body)?;
    Ok(parsed)
}

/// Parses JSON of any depth.
///
/// # Errors
/// As [`parse`], but for `json_too_deep`.
pub fn parse_whole<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // serde would take an array for an object, its items by their places.
    if body.trim_ascii_start().starts_with(b"[") {
        let message = "the body is a JSON object, not an array";
        return Err(Refusal::whole(Code::InvalidJson, message));
    }
    serde_json::from_slice(body).map_err(|_| explain::<T>(body))
}

/// Parses once more, with the path tracked, to say what is wrong.
fn explain<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Refusal {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => {
            let path = error.path().to_string();
            refusal_of(error.inner(), &path)
        }
        Ok(_) => match deserializer.end() {
            Err(error) => refusal_of(&error, "."),
            Ok(()) => Refusal::whole(Code::InvalidJson, "the body is not JSON"),
        },
    }
}

/// serde tells kinds of error apart by their first words only.
fn refusal_of(error: &serde_json::Error, path: &str) -> Refusal {
    let text = error.to_string();
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            return Refusal::whole(Code::InvalidJson, format!("the body is not JSON: {text}"));
        }
        Category::Data => {}
    }
    let message =
        &*without_value(text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message));
    let name = message.split('`').nth(1).unwrap_or_default();
    let parent = (path != ".").then_some(path);
    let member = |parent: Option<&str>| match parent {
        Some(path) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(path) => format!("{path}.{name}"),
        None => name.to_owned(),
    };
    if message.starts_with("unknown field") {
        Refusal::field(Code::UnknownField, member(parent), message)
    } else if message.starts_with("missing field") {
        Refusal::field(Code::MissingField, member(parent), message)
    } else if message.starts_with("duplicate field") {
        Refusal::field(Code::InvalidField, member(parent), message)
    } else {
        let field = parent.map(str::to_owned);
        Refusal { field, ..Refusal::whole(Code::InvalidField, message) }
    }
}

/// What a message says but the value that was sent: it may be a secret in the wrong place (K1).
fn without_value(message: &str) -> Cow<'_, str> {
    let kinds = ["invalid type: ", "invalid value: ", "unknown variant "];
    let kind = kinds.into_iter().find(|kind| message.starts_with(kind));
    // What was sent may have the words too, so the last are meant.
    let (Some(kind), Some((found, expected))) = (kind, message.rsplit_once(", expected ")) else {
        return Cow::Borrowed(message);
    };
    let found = found[kind.len()..].split(['"', '`']).next().unwrap_or_default();
    Cow::Owned(format!("{}, expected {expected}", format!("{kind}{found}").trim_end()))
}

/// Refuses JSON that is nested deeper than the limit.
///
/// # Errors
/// `json_too_deep`.
pub fn check_depth(json: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let opening = json.iter().filter(|b| matches!(b, b'{' | b'[')).count();
    // Most bodies do not even have as many brackets, and counting is cheap.
    if opening <= limits.json_depth || depth(json) <= limits.json_depth {
        return Ok(());
    }
    let message = format!("JSON is nested at most {} levels deep", limits.json_depth);
    Err(Refusal::whole(Code::JsonTooDeep, message))
}

/// Refuses JSON in which a member stands twice in its object.
///
/// # Errors
/// `invalid_field`, naming the member.
pub fn check_names(json: &[u8]) -> Result<(), Refusal> {
    match first_repeated(json) {
        None => Ok(()),
        Some(member) => {
            let message = "this member stands twice in its object; each stands once";
            Err(Refusal::field(Code::InvalidField, member, message))
        }
    }
}

/// How many brackets are open at the deepest place; those inside strings do not count.
fn depth(json: &[u8]) -> usize {
    let (mut open, mut deepest) = (0usize, 0usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => {
                open += 1;
                deepest = deepest.max(open);
            }
            (false, b'}' | b']') => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Tells a member that is `null` (clear it) from one that is absent (leave it).
///
/// # Errors
/// The value's own.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Names and texts in the caller's order, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(Box<str>, Box<str>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor)
    }
}

/// So many names are compared one by one; more are hashed, since whoever calls chooses how many.
const FEW: usize = 32;

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_unit<E: Error>(self) -> Result<Pairs, E> {
        Ok(Pairs::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs: Vec<(Box<str>, Box<str>)> = Vec::new();
        let mut many = HashSet::<Box<str>>::new();
        while let Some((name, value)) = map.next_entry::<Box<str>, Box<str>>()? {
            if pairs.len() == FEW {
                many.extend(pairs.iter().map(|(name, _)| name.clone()));
            }
            let is_new = match pairs.len() {
                ..FEW => pairs.iter().all(|(known, _)| *known != name),
                _ => many.insert(name.clone()),
            };
            if !is_new {
                return Err(A::Error::custom(format_args!("{name:?} stands there twice")));
            }
            pairs.push((name, value));
        }
        Ok(Pairs(pairs))
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A secret in a body; hidden when printed, never written back.
#[derive(Debug, Clone)]
pub struct Secret(pub SecretText);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretText::new(text)))
    }
}

/// A body without members.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// A time as it is shown: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-04-20T12:00:00.000Z")]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A successful answer, printed before the change is committed so that it can be kept with it.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, as JSON; empty where there is none.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::with(StatusCode::OK, body)
    }

    /// 201 with what was made.
    pub fn created(body: &impl Serialize) -> Self {
        Self::with(StatusCode::CREATED, body)
    }

    /// 202 with what is under way.
    pub fn accepted(body: &impl Serialize) -> Self {
        Self::with(StatusCode::ACCEPTED, body)
    }

    /// 204.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Vec::new() }
    }

    fn with(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, body }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        if self.body.is_empty() {
            return self.status.into_response();
        }
        let json = HeaderValue::from_static("application/json");
        (self.status, [(header::CONTENT_TYPE, json)], self.body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Inner {
        size: u8,
    }

    #[test]
    fn a_bad_body_is_refused_by_the_path_of_its_member() {
        let rows = [
            ("{", Code::InvalidJson, None),
            ("{\"name\":\"a\"} x", Code::InvalidJson, None),
            ("[]x", Code::InvalidJson, None),
            ("\u{7}", Code::InvalidJson, None),
            ("", Code::MissingField, Some("name")),
            ("{\"name\":1}", Code::InvalidField, Some("name")),
            ("{\"name\":\"a\",\"x\":1}", Code::UnknownField, Some("x")),
            ("{\"name\":\"a\",\"name\":\"b\"}", Code::InvalidField, Some("name")),
            (
                "{\"name\":\"a\",\"inner\":[{\"size\":1},{\"size\":300}]}",
                Code::InvalidField,
                Some("inner[1].size"),
            ),
            (
                "{\"name\":\"a\",\"inner\":[{\"size\":1,\"y\":2}]}",
                Code::UnknownField,
                Some("inner[0].y"),
            ),
            ("{\"name\":\"a\",\"inner\":[{}]}", Code::MissingField, Some("inner[0].size")),
        ];
        for (body, code, field) in rows {
            let refusal = parse::<Outer>(body.as_bytes(), &Limits::default()).expect_err(body);
            assert_eq!((refusal.code, refusal.field.as_deref()), (code, field), "{body}");
        }
    }

    #[test]
    fn an_unknown_member_is_refused_with_the_allowed_ones_named() {
        let refusal = parse::<Outer>(b"{\"nam\":\"a\"}", &Limits::default()).expect_err("unknown");
        assert!(refusal.message.contains("`name`") && refusal.message.contains("`inner`"));
    }

    #[test]
    fn of_many_names_each_stands_once() {
        let object = |names: std::ops::Range<usize>, last: &str| {
            let all: Vec<_> = names.map(|n| format!(r#""m{n}":"1""#)).collect();
            format!(r#"{{{},"{last}":"2"}}"#, all.join(","))
        };
        for count in [1, FEW - 1, FEW, FEW + 1, 20_000] {
            for (last, is_good) in [("m0", false), ("other", true)] {
                let text = object(0..count, last);
                let parsed = serde_json::from_str::<Pairs>(&text);
                assert_eq!(
                    parsed.is_ok_and(|pairs| pairs.0.len() == count + 1),
                    is_good,
                    "{count}"
                );
            }
            let last = format!("m{}", count - 1);
            assert!(serde_json::from_str::<Pairs>(&object(0..count, &last)).is_err(), "{count}");
        }
    }

    #[test]
    fn a_value_in_the_wrong_place_is_not_repeated() {
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Good,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only its shape is looked at")]
        struct Body {
            size: Option<u8>,
            kinds: Option<Vec<Kind>>,
        }
        let rows = [
            (
                r#"{"kinds":"s3cret, expected by \"a\" at line 3"}"#,
                "invalid type: string, expected a sequence",
            ),
            (r#"{"kinds":["s3cret"]}"#, "unknown variant, expected `good`"),
            (r#"{"size":"s3cret"}"#, "invalid type: string, expected u8"),
            (r#"{"size":7000}"#, "invalid value: integer, expected u8"),
        ];
        for (body, message) in rows {
            let refusal = parse::<Body>(body.as_bytes(), &Limits::default()).expect_err(body);
            assert_eq!(refusal.message, message, "{body}");
        }
    }

    #[test]
    fn depth_holds_at_the_limit_and_is_refused_one_past_it() {
        let limits = Limits::default();
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(check_depth(nested(64).as_bytes(), &limits).is_ok());
        let refusal = check_depth(nested(65).as_bytes(), &limits).expect_err("too deep");
        assert_eq!(refusal.code, Code::JsonTooDeep);
        let flat = format!("[\"{}\\\"{}\",{}1]", "[".repeat(99), "{".repeat(99), "[],".repeat(99));
        assert!(check_depth(flat.as_bytes(), &limits).is_ok(), "brackets in text do not nest");
    }

    #[test]
    fn only_json_is_taken_and_an_absent_body_needs_no_type() {
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))])
        };
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            assert!(check_content_type(&headers(good), b"{}").is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
            assert!(check_content_type(&headers(bad), b"{}").is_err(), "{bad}");
        }
        assert!(check_content_type(&HeaderMap::new(), b"").is_ok());
        assert!(check_content_type(&HeaderMap::new(), b"{}").is_err());
    }
}
