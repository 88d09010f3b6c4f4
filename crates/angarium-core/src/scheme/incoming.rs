//! A request as it arrived, and the facts in it.

use super::origin::Origin;
use super::token::Token;
use super::{decoded_url, json};
use crate::signature::{ContentPart, LineOf, Message, Need};
use aws_lc_rs::digest;
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;

/// A request, byte for byte.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URL by which the third party knows the receiver, with the query as it came.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// What is read of a request, each part when it is first asked for: nothing of the body is parsed
/// before its signature is verified, unless the scheme has it in the body.
#[derive(Clone)]
pub(super) struct Facts<'a> {
    pub(super) incoming: Incoming<'a>,
    json: OnceCell<Option<Value>>,
    pub(super) timestamp: Option<String>,
    pub(super) id: Option<String>,
    pub(super) secret: &'a str,
    /// The source's id, where the source is known.
    pub(super) source: Option<&'a str>,
    /// The JWT that is the signature.
    pub(super) token: Option<Token>,
    /// The pointer to the item of the body that is looked at; empty for the whole of it.
    pub(super) item: String,
}

impl<'a> Facts<'a> {
    pub(super) fn new(incoming: Incoming<'a>) -> Self {
        Self {
            incoming,
            json: OnceCell::new(),
            timestamp: None,
            id: None,
            secret: "",
            source: None,
            token: None,
            item: String::new(),
        }
    }

    /// The text of a fact; none where it is absent, stands there twice, or is no text.
    pub(super) fn text(&self, origin: &Origin) -> Option<Cow<'_, str>> {
        match origin {
            Origin::Value => None,
            Origin::Header(name) => self.header(name).map(Cow::Borrowed),
            Origin::Parameter(name) => self.parameter(name).map(Cow::Owned),
            Origin::Member(pointer) => text_of(self.value(pointer)?),
            Origin::Claim(name) => text_of(self.token.as_ref()?.claim(name)?),
        }
    }

    /// A header that stands there once.
    fn header(&self, name: &HeaderName) -> Option<&'a str> {
        let mut values = self.incoming.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    fn query(&self) -> &'a str {
        self.incoming.url.split_once('?').map_or("", |(_, query)| query)
    }

    fn endpoint(&self) -> &'a str {
        self.incoming.url.split_once('?').map_or(self.incoming.url, |(url, _)| url)
    }

    fn path(&self) -> &'a str {
        let url = self.endpoint();
        let after = url.split_once("://").map_or(url, |(_, after)| after);
        after.find('/').map_or("/", |at| &after[at..])
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let all = url::form_urlencoded::parse(self.query().as_bytes());
        let mut values = all.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// How many items a list of the body has; none where it is no list.
    pub(super) fn items(&self, pointer: &str) -> Option<usize> {
        self.json()?.pointer(pointer)?.as_array().map(Vec::len)
    }

    fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| json::read(self.incoming.body)).as_ref()
    }

    /// What stands at a pointer of the item that is looked at.
    fn value(&self, pointer: &str) -> Option<&Value> {
        let json = self.json()?;
        match &*self.item {
            "" => json.pointer(pointer),
            item => json.pointer(item)?.pointer(pointer),
        }
    }

    /// A member's text, and an empty one where there is no such member.
    fn member_if_any(&self, pointer: &str) -> Option<Cow<'_, str>> {
        self.json()?;
        match self.value(pointer) {
            None | Some(Value::Null) => Some(Cow::Borrowed("")),
            Some(value) => text_of(value),
        }
    }

    /// Only the first text may have several lines, so that they can be told apart from the end.
    fn lines(&self, lines: &[LineOf]) -> Option<String> {
        let object = self.value("")?.as_object()?;
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let value = match (object.get(&*line.member), line.need) {
                (None | Some(Value::Null), Need::IfAny) => continue,
                (value, Need::Always | Need::IfAny) => text_of(value?)?,
            };
            if number > 0 && value.contains('\n') {
                return None;
            }
            text.extend([&*line.member, "\n", &*value, "\n"]);
        }
        Some(text)
    }

    /// The parameters of the form, by name, each followed by its value.
    fn sorted_form(&self) -> String {
        let mut all: Vec<_> = url::form_urlencoded::parse(self.incoming.body).collect();
        all.sort();
        all.into_iter().flat_map(|(name, value)| [name, value]).collect()
    }
}

impl Message for Facts<'_> {
    fn part<'a>(&'a self, part: &'a ContentPart) -> Option<Cow<'a, [u8]>> {
        let text = |text: Cow<'a, str>| match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        let borrowed = |text: &'a str| Some(Cow::Borrowed(text.as_bytes()));
        match part {
            ContentPart::Literal(text) => borrowed(text),
            ContentPart::Body => Some(Cow::Borrowed(self.incoming.body)),
            ContentPart::Query => borrowed(self.query()),
            ContentPart::Payload if *self.incoming.method == Method::GET => borrowed(self.query()),
            ContentPart::Payload => Some(Cow::Borrowed(self.incoming.body)),
            ContentPart::Id => borrowed(self.id.as_deref()?),
            ContentPart::Timestamp => borrowed(self.timestamp.as_deref()?),
            ContentPart::Method => borrowed(self.incoming.method.as_str()),
            ContentPart::Url => borrowed(self.incoming.url),
            ContentPart::DecodedUrl => Some(text(decoded_url::decode(self.incoming.url))),
            ContentPart::Endpoint => borrowed(self.endpoint()),
            ContentPart::Path => borrowed(self.path()),
            ContentPart::Header(name) => borrowed(self.header(name)?),
            ContentPart::Parameter(name) => self.parameter(name).map(Cow::Owned).map(text),
            ContentPart::Member(pointer) => text_of(self.value(pointer)?).map(text),
            ContentPart::MemberIfAny(pointer) => self.member_if_any(pointer).map(text),
            ContentPart::Lines(lines) => self.lines(lines).map(Cow::Owned).map(text),
            ContentPart::Claim(name) => text_of(self.token.as_ref()?.claim(name)?).map(text),
            ContentPart::Jws => borrowed(&self.token.as_ref()?.signed),
            ContentPart::SortedForm => Some(text(Cow::Owned(self.sorted_form()))),
            ContentPart::BodySha256 => {
                let hash = digest::digest(&digest::SHA256, self.incoming.body);
                Some(text(Cow::Owned(hex::encode(hash))))
            }
            ContentPart::BodyCrc32 => Some(text(Cow::Owned(crc32(self.incoming.body).to_string()))),
            ContentPart::Secret => borrowed(self.secret),
            ContentPart::SourceToken => borrowed(self.source?),
        }
    }
}

/// The text of a member that has one.
fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// CRC-32 as in ISO-HDLC (zip, PNG), bit by bit: a request has a few hundred kilobytes at most.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let next = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(crc & 1))
        })
    };
    !bytes.iter().fold(!0, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_the_catalogue() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
