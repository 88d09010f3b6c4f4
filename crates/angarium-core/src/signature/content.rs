//! What is signed.

use crate::declared::{Fault, Piece, split, unknown_placeholder};
use http::HeaderName;
use std::borrow::Cow;

/// A part of the signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContentPart {
    Literal(Box<str>),
    /// The body as sent.
    Body,
    /// The query string as sent.
    Query,
    /// What carries the event: the body of a POST, the query string of a GET.
    Payload,
    /// The event's id.
    Id,
    /// The attempt's time, in the words of the request.
    Timestamp,
    /// The HTTP method.
    Method,
    /// The whole URL, in its public form.
    Url,
    /// The URL with those escapes decoded that HubSpot decodes.
    DecodedUrl,
    /// The URL without its query.
    Endpoint,
    /// The URL's path.
    Path,
    /// A header's value.
    Header(HeaderName),
    /// A parameter of the query, decoded.
    Parameter(Box<str>),
    /// The text, number or truth at a JSON Pointer of the body (RFC 6901).
    Member(Box<str>),
    /// The same, and nothing where there is no such member.
    MemberIfAny(Box<str>),
    /// Members of the body, each as a line with its name and a line with its text (SNS).
    Lines(Box<[LineOf]>),
    /// A claim of the JWT that is the signature.
    Claim(Box<str>),
    /// What is signed of that JWT: its head and its claims as they are written.
    Jws,
    /// The parameters of a form, by name, each name followed by its value (Twilio).
    SortedForm,
    /// The SHA-256 of the body, in hex.
    BodySha256,
    /// The CRC-32 of the body, as a decimal number (PayPal).
    BodyCrc32,
    /// The secret itself, where it is signed with the rest.
    Secret,
    /// The source's id, which its owner tells the third party as a token.
    SourceToken,
}

/// A member that is signed as two lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineOf {
    pub(crate) member: Box<str>,
    /// Whether there are requests without it.
    pub(crate) need: Need,
}

/// Whether something has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Always,
    IfAny,
}

/// Whether a description is for what we send or for what we receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
}

impl ContentPart {
    const SENT: &[(&str, ContentPart)] = &[
        ("body", ContentPart::Body),
        ("query", ContentPart::Query),
        ("payload", ContentPart::Payload),
        ("id", ContentPart::Id),
        ("timestamp", ContentPart::Timestamp),
        ("method", ContentPart::Method),
    ];
    const RECEIVED: &[(&str, ContentPart)] = &[
        ("url", ContentPart::Url),
        ("url.decoded", ContentPart::DecodedUrl),
        ("endpoint", ContentPart::Endpoint),
        ("path", ContentPart::Path),
        ("form.sorted", ContentPart::SortedForm),
        ("body.sha256", ContentPart::BodySha256),
        ("body.crc32", ContentPart::BodyCrc32),
        ("secret", ContentPart::Secret),
        ("token", ContentPart::SourceToken),
    ];

    pub(crate) fn parse(name: &str, direction: Direction) -> Result<Self, Fault> {
        let received = match direction {
            Direction::Sent => &[],
            Direction::Received => Self::RECEIVED,
        };
        let all = Self::SENT.iter().chain(received);
        if let Some((_, part)) = all.clone().find(|(known, _)| *known == name) {
            return Ok(part.clone());
        }
        if direction == Direction::Received
            && let Some(part) = Self::parse_named(name)?
        {
            return Ok(part);
        }
        let mut known: Vec<_> = all.map(|(known, _)| *known).collect();
        if direction == Direction::Received {
            known.extend(["header.NAME", "query.NAME", "json:/POINTER", "json:/POINTER?"]);
            known.extend(["lines NAME NAME?", "claim.NAME"]);
        }
        Err(unknown_placeholder(name, &known))
    }

    /// A part of a received request that is named in the file.
    fn parse_named(name: &str) -> Result<Option<Self>, Fault> {
        if let Some(header) = name.strip_prefix("header.") {
            let fault = |_| Fault::from(format!("{header:?} is not a header's name"));
            return header.parse().map(|header| Some(ContentPart::Header(header))).map_err(fault);
        }
        if let Some(pointer) = name.strip_prefix("json:") {
            return Ok(Some(match pointer.strip_suffix('?') {
                Some(pointer) => ContentPart::MemberIfAny(checked_pointer(pointer)?),
                None => ContentPart::Member(checked_pointer(pointer)?),
            }));
        }
        if let Some(members) = name.strip_prefix("lines ") {
            return Ok(Some(ContentPart::Lines(members.split(' ').map(LineOf::parse).collect())));
        }
        let parameter = name.strip_prefix("query.").map(|name| ContentPart::Parameter(name.into()));
        Ok(parameter.or_else(|| name.strip_prefix("claim.").map(|n| ContentPart::Claim(n.into()))))
    }
}

impl LineOf {
    fn parse(name: &str) -> Self {
        match name.strip_suffix('?') {
            Some(name) => Self { member: name.into(), need: Need::IfAny },
            None => Self { member: name.into(), need: Need::Always },
        }
    }
}

impl ContentPart {
    /// Whether it is the body, or changes with every byte of it. A checksum does not: there are
    /// other bodies with the same one, and anybody finds them.
    pub(crate) fn is_body(&self) -> bool {
        matches!(
            self,
            ContentPart::Body
                | ContentPart::Payload
                | ContentPart::SortedForm
                | ContentPart::BodySha256
        )
    }

    /// What it is, for people.
    pub(crate) fn described(&self) -> String {
        match self {
            ContentPart::Literal(text) => format!("{text:?}"),
            ContentPart::Body => "raw body".to_owned(),
            ContentPart::Query => "query string".to_owned(),
            ContentPart::Payload => "raw body, or query string of a GET".to_owned(),
            ContentPart::Id => "id".to_owned(),
            ContentPart::Timestamp => "timestamp".to_owned(),
            ContentPart::Method => "method".to_owned(),
            ContentPart::Url => "URL".to_owned(),
            ContentPart::DecodedUrl => "decoded URL".to_owned(),
            ContentPart::Endpoint => "URL without its query".to_owned(),
            ContentPart::Path => "path".to_owned(),
            ContentPart::Header(name) => format!("header {name}"),
            ContentPart::Parameter(name) => format!("parameter {name} of the query"),
            ContentPart::Member(pointer) | ContentPart::MemberIfAny(pointer) => {
                format!("{pointer} of the body")
            }
            ContentPart::Lines(lines) => {
                let names: Vec<_> = lines.iter().map(|line| &*line.member).collect();
                format!("{} of the body, a line each", names.join(", "))
            }
            ContentPart::Claim(name) => format!("claim {name} of the JWT"),
            ContentPart::Jws => "head and claims of the JWT".to_owned(),
            ContentPart::SortedForm => "parameters of the form by name".to_owned(),
            ContentPart::BodySha256 => "SHA-256 of the body in hex".to_owned(),
            ContentPart::BodyCrc32 => "CRC-32 of the body".to_owned(),
            ContentPart::Secret => "secret".to_owned(),
            ContentPart::SourceToken => "id of the source".to_owned(),
        }
    }
}

/// A JSON Pointer (RFC 6901) that leads to a member.
pub(crate) fn checked_pointer(pointer: &str) -> Result<Box<str>, Fault> {
    if pointer.starts_with('/') {
        return Ok(pointer.into());
    }
    let fault = Fault::from(format!("{pointer:?} is not a JSON Pointer (RFC 6901)"));
    Err(fault.cured_by("begin it with a slash, such as \"/data/id\""))
}

/// A content to sign, with the name by which the header's value refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) name: Box<str>,
    pub(crate) parts: Box<[ContentPart]>,
    pub(crate) written: Box<str>,
}

impl Content {
    pub(crate) fn parse(name: &str, text: &str, direction: Direction) -> Result<Self, Fault> {
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(ContentPart::Literal(text.into())),
            Piece::Name(name) => ContentPart::parse(name, direction),
        };
        Ok(Self {
            name: name.into(),
            parts: split(text)?.into_iter().map(part).collect::<Result<_, _>>()?,
            written: text.into(),
        })
    }
}

/// What the parts of a content are taken from.
pub(crate) trait Message {
    /// The bytes of a part; none where the message has no such part.
    fn part<'a>(&'a self, part: &'a ContentPart) -> Option<Cow<'a, [u8]>>;
}
