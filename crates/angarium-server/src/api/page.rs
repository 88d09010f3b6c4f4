//! Lists: `limit`, `cursor` and the page's shape.
//!
//! A cursor is opaque and checked: one that another list, environment or tenant gave out is
//! `invalid_cursor`, never a page of something else.

use angarium_core::audit::EntryNo;
use angarium_core::id::{
    ApiKeyId, DeliveryKey, EndpointNo, ErasureId, EventKey, Generation, JobId, SourceId, TenantNo,
};
use angarium_core::limits::Limits;
use angarium_core::refusal::{Code, Refusal};
use angarium_core::time::Timestamp;
use angarium_store::read::Page;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::problem::Problem;

/// Items of a page whose size is not asked for.
const DEFAULT_LIMIT: usize = 50;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed<T> {
    /// The items; possibly fewer than asked for although there is more.
    pub data: Vec<T>,
    /// The cursor of the next page; null at the end.
    pub next: Option<String>,
}

/// What a list is of: a cursor of one is none of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListName(pub String);

impl ListName {
    /// Prints a page of the store.
    pub fn page<T, V, C: Cursor>(&self, page: Page<T, C>, show: impl FnMut(T) -> V) -> Listed<V> {
        Listed {
            data: page.items.into_iter().map(show).collect(),
            next: page.next.map(|place| self.print(&place)),
        }
    }

    /// The cursor for a place in this list.
    pub fn print<C: Cursor>(&self, place: &C) -> String {
        let place = place.to_bytes();
        hex::encode([&self.check(&place)[..], &place].concat())
    }

    /// The place that a cursor names, if this list gave it out.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub fn parse<C: Cursor>(&self, cursor: Option<&str>) -> Result<Option<C>, Refusal> {
        let Some(text) = cursor else { return Ok(None) };
        let place = || {
            let bytes = hex::decode(text).ok()?;
            let (check, place) = bytes.split_at_checked(CHECK_BYTES)?;
            (self.check(place) == check).then(|| C::from_bytes(place))?
        };
        let message = "this list did not give out that cursor";
        place().map(Some).ok_or_else(|| Refusal::field(Code::InvalidCursor, "cursor", message))
    }

    fn check(&self, place: &[u8]) -> [u8; CHECK_BYTES] {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        digest.update(self.0.as_bytes());
        digest.update(&[0]);
        digest.update(place);
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&digest.finish().as_ref()[..CHECK_BYTES]);
        check
    }
}

const CHECK_BYTES: usize = 4;

/// A place in a list.
pub trait Cursor: Sized {
    /// As it stands in the cursor.
    fn to_bytes(&self) -> Vec<u8>;
    /// Reads it back.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Cursor for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(i64::from_be_bytes)
    }
}

macro_rules! number_cursors {
    ($($number:ident),*) => {$(
        impl Cursor for $number {
            fn to_bytes(&self) -> Vec<u8> {
                Cursor::to_bytes(&self.get())
            }
            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                i64::from_bytes(bytes).map($number::new)
            }
        }
    )*};
}

number_cursors!(EntryNo, EventKey, EndpointNo, TenantNo);

macro_rules! id_cursors {
    ($($id:ident),*) => {$(
        impl Cursor for $id {
            fn to_bytes(&self) -> Vec<u8> {
                (*self).to_bytes().to_vec()
            }
            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map($id::from_bytes)
            }
        }
    )*};
}

id_cursors!(ApiKeyId, ErasureId, JobId, SourceId);

impl Cursor for DeliveryKey {
    fn to_bytes(&self) -> Vec<u8> {
        let numbers = [self.event.get(), self.endpoint.get(), i64::from(self.generation.get())];
        numbers.map(i64::to_be_bytes).concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let number = |i: usize| i64::from_bytes(bytes.get(8 * i..8 * i + 8)?);
        (bytes.len() == 24).then_some(Self {
            event: EventKey::new(number(0)?),
            endpoint: EndpointNo::new(number(1)?),
            generation: Generation::new(u32::try_from(number(2)?).ok()?),
        })
    }
}

impl Cursor for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

/// How many items a page has.
///
/// # Errors
/// `invalid_parameter`.
pub fn limit(text: Option<&str>, limits: &Limits) -> Result<usize, Refusal> {
    let Some(text) = text else {
        return Ok(DEFAULT_LIMIT.min(limits.page));
    };
    match text.parse() {
        Ok(limit) if (1..=limits.page).contains(&limit) => Ok(limit),
        _ => {
            let message = format!("a whole number from 1 to {}", limits.page);
            Err(Refusal::field(Code::InvalidParameter, "limit", message))
        }
    }
}

/// A point in time in a query.
///
/// # Errors
/// `invalid_parameter`.
pub fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let read = |text: &str| {
        Timestamp::parse(text).ok_or_else(|| {
            let message = "a time is RFC 3339, such as 2026-04-20T14:32:00Z";
            Refusal::field(Code::InvalidParameter, name, message)
        })
    };
    text.map(read).transpose()
}

/// One of a closed set in a query.
///
/// # Errors
/// `invalid_parameter`, naming the set.
pub fn choice<T: Copy>(
    name: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    all: &[&str],
) -> Result<Option<T>, Refusal> {
    let read = |text: &str| {
        parse(text).ok_or_else(|| {
            let message = format!("one of {}", all.join(", "));
            Refusal::field(Code::InvalidParameter, name, message)
        })
    };
    text.map(read).transpose()
}

/// Query parameters of a known shape. All members are texts, so that each is judged by its own
/// rule and refused by its own name.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let axum::extract::Query(query) = axum::extract::Query::try_from_uri(&parts.uri)
            .map_err(|rejection| parameter_refusal(&rejection.body_text()))?;
        Ok(Self(query))
    }
}

fn parameter_refusal(text: &str) -> Refusal {
    let message = text
        .trim_start_matches("Failed to deserialize query string: ")
        .replace("field", "parameter");
    let name = message.split('`').nth(1).map(str::to_owned);
    Refusal { field: name, ..Refusal::whole(Code::InvalidParameter, message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    fn key() -> DeliveryKey {
        DeliveryKey {
            event: EventKey::new(7),
            endpoint: EndpointNo::new(8),
            generation: Generation::new(9),
        }
    }

    #[test]
    fn a_cursor_reads_back_in_its_own_list_only() {
        let mine = ListName("deliveries/1/2".into());
        let other = ListName("deliveries/1/3".into());
        let cursor = mine.print(&key());
        assert_eq!(mine.parse(Some(&cursor)), Ok(Some(key())));
        let refusal = other.parse::<DeliveryKey>(Some(&cursor)).expect_err("another list's");
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::InvalidCursor, Some("cursor")));
        assert_eq!(mine.parse::<DeliveryKey>(None), Ok(None));
    }

    #[test]
    fn a_cursor_that_was_altered_or_invented_is_refused() {
        let list = ListName("events/1".into());
        let cursor = list.print(&EventKey::new(7));
        let shorter = &cursor[..cursor.len() - 2];
        let altered = format!("{shorter}ff");
        for bad in ["", "x", "00", "0000000000", "ä", shorter, &altered] {
            assert!(list.parse::<EventKey>(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_holds_at_the_limit_and_is_refused_one_past_it() {
        let limits = Limits::default();
        assert_eq!(limit(None, &limits), Ok(50));
        assert_eq!(limit(Some("250"), &limits), Ok(250));
        for bad in ["251", "0", "-1", "x", ""] {
            let refusal = limit(Some(bad), &limits).expect_err(bad);
            assert_eq!(refusal.field.as_deref(), Some("limit"));
        }
    }

    #[tokio::test]
    async fn an_unknown_parameter_is_refused_by_its_name() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its shape is looked at")]
        struct Wanted {
            limit: Option<String>,
        }
        let (mut parts, ()) =
            http::Request::get("/v1/events?limt=3").body(()).expect("a request").into_parts();
        let problem =
            Query::<Wanted>::from_request_parts(&mut parts, &()).await.expect_err("unknown");
        assert_eq!(problem.0.code, Code::InvalidParameter);
        assert_eq!(problem.0.field.as_deref(), Some("limt"));
    }
}
