//! What must be checked, made from the contract's signature rules: no language's words yet.
//!
//! The printed programs never decode what arrives: they write the signature that a genuine delivery
//! would have and compare the two. So a plan says how to find the candidates in the header, and how
//! to write what each must be.

use super::algorithm::Algorithm;
use super::choice::strongest;
use super::origin::Origin;
use super::{Language, Parameter};
use crate::contract::{Contract, SignatureRule};
use crate::endpoint::DeliveryMethod;
use crate::signature::{
    self, ContentPart, Encoding, KeyForm, KeyUse, Value, ValuePart, take_apart,
};

/// All that a program needs to know.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The platform's name, fit for a comment.
    pub(super) title: String,
    /// The header with the signature, in lower case.
    pub(super) header: &'a str,
    /// The same as the contract writes it.
    pub(super) written_header: &'a str,
    pub(super) algorithm: Algorithm,
    /// How one candidate is written.
    pub(super) candidate: Candidate,
    /// Where the candidates stand in the header.
    pub(super) value: Value,
    /// What is signed, in order.
    pub(super) content: Vec<Part<'a>>,
    pub(super) key: Key<'a>,
    /// Where the attempt's time stands, signed or not.
    pub(super) timestamp: Option<Origin<'a>>,
    /// Where the event's id stands, if it is signed.
    pub(super) id: Option<Origin<'a>>,
    /// The content as the contract writes it.
    pub(super) written: &'a str,
    /// What else the header has that is not looked at.
    pub(super) weaker: Vec<&'a str>,
}

/// A signature as text: the MAC with what stands around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) before: String,
    pub(super) encoding: Encoding,
    pub(super) after: String,
}

impl Candidate {
    /// The expression of the whole, from that of the encoded MAC.
    pub(super) fn around(
        &self,
        mac: &str,
        operator: &str,
        quote: impl Fn(&str) -> String,
    ) -> String {
        let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(&quote);
        let pieces = [text(&self.before), Some(mac.to_owned()), text(&self.after)];
        pieces.into_iter().flatten().collect::<Vec<_>>().join(operator)
    }
}

/// A part of the signed content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Literal(&'a str),
    Id,
    Timestamp,
    Method,
    /// Bytes of the request, as they arrived.
    Raw(Raw),
}

/// Bytes of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {
    Body,
    Query,
    /// The body of a POST, the query of a GET.
    Payload,
}

impl Raw {
    /// What the argument is called in every language.
    pub(super) fn name(self) -> &'static str {
        match self {
            Raw::Body => "body",
            Raw::Query => "query",
            Raw::Payload => "payload",
        }
    }

    fn parameter(self) -> Parameter {
        match self {
            Raw::Body => Parameter::Body,
            Raw::Query => Parameter::Query,
            Raw::Payload => Parameter::Payload,
        }
    }
}

/// Neighbours in the signed content that are alike.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Run<'a> {
    /// Every part but [`Part::Raw`].
    Text(Vec<Part<'a>>),
    Raw(Raw),
}

/// Which bytes of a secret sign.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// Its text.
    Text,
    /// What stands after the prefix, decoded.
    Decoded { prefix: &'a str, encoding: Encoding },
}

impl<'a> Plan<'a> {
    /// What must be checked; `None` where the contract does not sign.
    ///
    /// # Errors
    /// Why no receiver could verify its deliveries.
    pub(super) fn of(contract: &'a Contract) -> Result<Option<Self>, String> {
        let rules = &contract.signatures;
        let hmac = rules.iter().find(|rule| !rule.form.algorithm.has_public_key());
        match hmac.or(rules.first()) {
            Some(rule) => Self::of_rule(contract, rule).map(Some),
            None => Ok(None),
        }
    }

    fn of_rule(contract: &'a Contract, rule: &'a SignatureRule) -> Result<Self, String> {
        let (chosen, encoding) = strongest(contract, rule)?;
        let content = &rule.form.contents[chosen];
        let is_chosen = |part: &ValuePart| match (part, encoding) {
            (ValuePart::Hex(content), Encoding::Hex)
            | (ValuePart::Base64(content), Encoding::Base64) => *content == chosen,
            _ => false,
        };
        let (signature::Candidate { before, after }, value) = take_apart(&rule.form, is_chosen)?;
        let candidate = Candidate { before, encoding, after };
        let signs = |part: &ContentPart| content.parts.contains(part);
        let timestamp = Origin::of_timestamp(contract, rule);
        if timestamp.is_none() && signs(&ContentPart::Timestamp) {
            return Err("`{timestamp}` is signed, and neither the signature's value nor a header \
                        whose value is exactly `{timestamp}` tells it"
                .to_owned());
        }
        let id = signs(&ContentPart::Id).then(|| Origin::of_id(contract)).transpose()?;
        let others = rule.form.contents.iter().enumerate().filter(|(number, _)| *number != chosen);
        Ok(Self {
            title: super::prose::plain(contract.title()),
            header: rule.header.as_str(),
            written_header: contract.written_header(&rule.header),
            algorithm: Algorithm::of(rule.form.algorithm)?,
            candidate,
            value,
            content: content
                .parts
                .iter()
                .map(|part| Part::of(part, contract.methods()))
                .collect::<Result<_, _>>()?,
            key: Key::of(&rule.form.key)?,
            timestamp,
            id,
            written: &content.written,
            weaker: others.map(|(_, content)| &*content.name).collect(),
        })
    }

    /// The function's arguments, in order.
    pub(super) fn parameters(&self, language: Language) -> Vec<Parameter> {
        let mut all = vec![Parameter::Headers];
        all.extend(self.content.contains(&Part::Method).then_some(Parameter::Method));
        for part in &self.content {
            if let Part::Raw(raw) = part
                && !all.contains(&raw.parameter())
            {
                all.push(raw.parameter());
            }
        }
        let member = matches!(self.id, Some(Origin::Member(_)));
        all.extend((member && language == Language::Java).then_some(Parameter::Id));
        all.push(Parameter::Secrets);
        all.extend(self.timestamp.is_some().then_some(Parameter::Now));
        all
    }

    /// The content as texts and bytes by turns.
    pub(super) fn runs(&self) -> Vec<Run<'a>> {
        let mut runs = Vec::new();
        for part in &self.content {
            match (part, runs.last_mut()) {
                (Part::Raw(raw), _) => runs.push(Run::Raw(*raw)),
                (text, Some(Run::Text(parts))) => parts.push(*text),
                (text, _) => runs.push(Run::Text(vec![*text])),
            }
        }
        runs
    }

    /// The expression that stands for the text parts, put together by an operator.
    pub(super) fn text(
        parts: &[Part<'_>],
        operator: &str,
        quote: impl Fn(&str) -> String,
    ) -> String {
        let piece = |part: &Part<'_>| match part {
            Part::Literal(text) => quote(text),
            Part::Id => "id".to_owned(),
            Part::Timestamp => "timestamp".to_owned(),
            Part::Method => "method".to_owned(),
            Part::Raw(raw) => raw.name().to_owned(),
        };
        parts.iter().map(piece).collect::<Vec<_>>().join(operator)
    }

    /// What one candidate and all of them are called in the code: in a list with a timestamp they
    /// are not all signatures.
    pub(super) fn candidates(&self) -> (&'static str, &'static str) {
        match self.value {
            Value::List { timestamp: Some(_), .. } => ("item", "items"),
            Value::List { .. } | Value::Whole | Value::Pattern(_) => ("signature", "signatures"),
        }
    }

    /// Code that is there only where a delivery has a timestamp.
    pub(super) fn when_timed(&self, code: &str) -> String {
        self.timestamp.as_ref().map(|_| code.to_owned()).unwrap_or_default()
    }

    /// Whether several candidates must be tried.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, Value::List { .. })
    }

    /// Whether the timestamp is a part of what is signed.
    pub(super) fn signs_timestamp(&self) -> bool {
        self.content.contains(&Part::Timestamp)
    }

    /// Whether base64 is read or written.
    pub(super) fn uses(&self, encoding: Encoding) -> bool {
        let decoded =
            matches!(self.key, Key::Decoded { encoding: of_key, .. } if of_key == encoding);
        decoded || self.candidate.encoding == encoding
    }
}

impl<'a> Part<'a> {
    /// # Errors
    /// That no program is printed for it.
    fn of(part: &'a ContentPart, methods: &[DeliveryMethod]) -> Result<Self, String> {
        Ok(match (part, methods) {
            (ContentPart::Literal(text), _) => Part::Literal(text),
            (ContentPart::Id, _) => Part::Id,
            (ContentPart::Timestamp, _) => Part::Timestamp,
            (ContentPart::Body, _) => Part::Raw(Raw::Body),
            (ContentPart::Query, _) => Part::Raw(Raw::Query),
            (ContentPart::Payload, [DeliveryMethod::Post]) => Part::Raw(Raw::Body),
            (ContentPart::Payload, [DeliveryMethod::Get]) => Part::Raw(Raw::Query),
            (ContentPart::Payload, _) => Part::Raw(Raw::Payload),
            (ContentPart::Method, [DeliveryMethod::Post]) => Part::Literal("POST"),
            (ContentPart::Method, [DeliveryMethod::Get]) => Part::Literal("GET"),
            (ContentPart::Method, _) => Part::Method,
            (other, _) => return Err(format!("no program is printed that signs {other:?}")),
        })
    }
}

impl<'a> Key<'a> {
    /// # Errors
    /// That no program is printed for it.
    fn of(form: &'a KeyForm) -> Result<Self, String> {
        match form.usage {
            KeyUse::Text => Ok(Key::Text),
            KeyUse::Bytes => Ok(Key::Decoded { prefix: &form.prefix, encoding: form.encoding }),
            KeyUse::Pem | KeyUse::Jwk => Err("no program is printed that reads public keys".into()),
        }
    }
}
