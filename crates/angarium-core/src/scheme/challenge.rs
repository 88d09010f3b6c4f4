//! Challenges: how a third party makes sure that the receiver is there and knows the secret, and
//! what it is answered.

use super::certificate::UrlRule;
use super::condition::Condition;
use super::incoming::Facts;
use super::origin::Origin;
use crate::declared::{Fault, Piece, known, split};
use crate::signature::{ContentPart, Direction, Encoding, Material, Message};
use aws_lc_rs::digest;
use http::{HeaderName, Method};
use serde_json::Value;

/// A request that asks, and its answer.
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) method: Option<Method>,
    pub(super) conditions: Vec<Condition>,
    /// Whether it is signed like every other request.
    pub(super) is_signed: bool,
    /// Where the secret stands that the source takes from it, if it has none yet (Asana).
    pub(super) keeps: Option<Origin>,
    /// What has to be fetched so that the third party believes (SNS).
    pub(super) visit: Option<UrlRule>,
    pub(super) answer: AnswerTemplate,
}

/// An answer with placeholders.
#[derive(Debug, Clone)]
pub(super) struct AnswerTemplate {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, AnswerText)>,
    pub(super) body: AnswerBody,
}

#[derive(Debug, Clone)]
pub(super) enum AnswerBody {
    Text(AnswerText),
    /// A JSON object whose texts are templates.
    Json(Vec<(String, AnswerText)>),
}

impl Default for AnswerBody {
    fn default() -> Self {
        AnswerBody::Text(AnswerText(Box::default()))
    }
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerText(Box<[AnswerPart]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum AnswerPart {
    Literal(Box<str>),
    /// A fact of the request.
    Echo(ContentPart),
    /// Facts put together and signed or hashed.
    Made(Encoding, Making, Box<[ContentPart]>),
}

/// How an answer shows that the secret is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Making {
    /// As requests are signed, with the source's key.
    Signature,
    /// SHA-256.
    Sha256,
}

const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const MAKINGS: &[(&str, Making)] = &[("signature", Making::Signature), ("sha256", Making::Sha256)];

/// What a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beside those that every answer has.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200, and nothing else.
    pub(super) const OK: Answer = Answer { status: 200, headers: Vec::new(), body: Vec::new() };
}

impl AnswerText {
    /// Reads text with `{json:/challenge}` and `{hex signature json:/plainToken}`.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(AnswerPart::Literal(text.into())),
            Piece::Name(name) => AnswerPart::parse(name),
        };
        Ok(Self(split(text)?.into_iter().map(part).collect::<Result<_, _>>()?))
    }

    fn fill(&self, facts: &Facts<'_>, key: Option<&Material>) -> Option<String> {
        self.0.iter().map(|part| part.fill(facts, key)).collect()
    }
}

impl AnswerPart {
    fn parse(name: &str) -> Result<Self, Fault> {
        let words: Vec<_> = name.split(' ').collect();
        let fact = |name: &&str| ContentPart::parse(name, Direction::Received);
        match &*words {
            [name] => Ok(AnswerPart::Echo(fact(name)?)),
            [encoding, making, facts @ ..] => Ok(AnswerPart::Made(
                known(ENCODINGS, encoding)?,
                known(MAKINGS, making)?,
                facts.iter().map(fact).collect::<Result<_, _>>()?,
            )),
            [] => Err(Fault::from("a placeholder has a name")),
        }
    }

    fn fill(&self, facts: &Facts<'_>, key: Option<&Material>) -> Option<String> {
        match self {
            AnswerPart::Literal(text) => Some(text.to_string()),
            AnswerPart::Echo(part) => String::from_utf8(facts.part(part)?.into_owned()).ok(),
            AnswerPart::Made(encoding, making, parts) => {
                let encode = |bytes: &[u8]| encoding.encode(bytes).to_string();
                match making {
                    Making::Signature => key?.sign(parts, facts, encode),
                    Making::Sha256 => {
                        let mut context = digest::Context::new(&digest::SHA256);
                        for part in parts {
                            context.update(&facts.part(part)?);
                        }
                        Some(encode(context.finish().as_ref()))
                    }
                }
            }
        }
    }
}

impl Challenge {
    /// Whether the request asks this.
    pub(super) fn is_asked(&self, facts: &Facts<'_>) -> bool {
        self.method.as_ref().is_none_or(|method| method == facts.incoming.method)
            && self.conditions.iter().all(|condition| condition.is_met(facts))
    }

    /// The answer; none where the request lacks what it repeats.
    pub(super) fn answer(&self, facts: &Facts<'_>, material: Option<&Material>) -> Option<Answer> {
        let header = |(name, text): &(HeaderName, AnswerText)| {
            // What cannot stand in a header is not repeated.
            let text = text.fill(facts, material)?;
            http::HeaderValue::from_str(&text).ok()?;
            Some((name.clone(), text))
        };
        let body = match &self.answer.body {
            AnswerBody::Text(text) => text.fill(facts, material)?,
            AnswerBody::Json(members) => {
                let member = |(name, text): &(String, AnswerText)| {
                    Some((name.clone(), Value::String(text.fill(facts, material)?)))
                };
                Value::Object(members.iter().map(member).collect::<Option<_>>()?).to_string()
            }
        };
        Some(Answer {
            status: self.answer.status,
            headers: self.answer.headers.iter().map(header).collect::<Option<_>>()?,
            body: body.into_bytes(),
        })
    }
}
