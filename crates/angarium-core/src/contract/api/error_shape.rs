//! How a contract says no.

use super::fact::{ErrorFact, Fact};
use super::object::{ErrorFacts, Forms, Object};
use super::{ManagementApi, Template};
use crate::refusal::Refusal;
use std::borrow::Cow;

/// How errors are shown.
#[derive(Debug)]
pub struct ErrorShape {
    pub(in crate::contract) body: Template,
    pub(in crate::contract) kinds: Vec<(ErrorKind, ErrorWords)>,
}

/// What a contract says instead of the gateway's own status and code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorWords {
    /// The status.
    pub status: Option<u16>,
    /// The code.
    pub code: Option<Box<str>>,
}

/// A kind of error that a contract may give its own status and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong.
    Invalid,
    /// No key, or not a good one.
    Unauthorized,
    /// The key, or the plan, does not allow it.
    Forbidden,
    /// Nothing there.
    NotFound,
    /// The path has not that method.
    MethodNotAllowed,
    /// It does not go with what is there.
    Conflict,
    /// Too much at once.
    Overloaded,
    /// Not now.
    Unavailable,
    /// The gateway failed.
    Internal,
}

impl ErrorKind {
    /// All kinds, as a contract writes them.
    pub const NAMES: &[(&str, ErrorKind)] = &[
        ("invalid", ErrorKind::Invalid),
        ("unauthorized", ErrorKind::Unauthorized),
        ("forbidden", ErrorKind::Forbidden),
        ("not_found", ErrorKind::NotFound),
        ("method_not_allowed", ErrorKind::MethodNotAllowed),
        ("conflict", ErrorKind::Conflict),
        ("overloaded", ErrorKind::Overloaded),
        ("unavailable", ErrorKind::Unavailable),
        ("internal", ErrorKind::Internal),
    ];

    /// As a contract writes it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The kind of a refusal of this status.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            405 => ErrorKind::MethodNotAllowed,
            409 => ErrorKind::Conflict,
            429 => ErrorKind::Overloaded,
            503 => ErrorKind::Unavailable,
            500.. => ErrorKind::Internal,
            _ => ErrorKind::Invalid,
        }
    }
}

/// An error in the contract's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The status.
    pub status: u16,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl ErrorShape {
    /// Where a shape has no place for the member at fault, the message begins with it.
    fn message<'a>(&self, refusal: &'a Refusal) -> Cow<'a, str> {
        match &refusal.field {
            Some(field) if !self.body.says(Fact::Error(ErrorFact::Field)) => {
                format!("{field}: {}", refusal.message).into()
            }
            Some(_) | None => refusal.message.as_str().into(),
        }
    }
}

impl ManagementApi {
    /// A refusal in the contract's shape; none where errors are RFC 9457.
    pub fn print_error(&self, refusal: &Refusal) -> Option<ErrorAnswer> {
        let shape = self.error.as_ref()?;
        let own = refusal.code.status();
        let kind = ErrorKind::of_status(own);
        let words = shape.kinds.iter().find(|(known, _)| *known == kind).map(|(_, words)| words);
        let status = words.and_then(|words| words.status).unwrap_or(own);
        let message = shape.message(refusal);
        let facts = ErrorFacts {
            status,
            code: words.and_then(|words| words.code.as_deref()).unwrap_or(refusal.code.as_str()),
            message: &message,
            field: refusal.field.as_deref(),
        };
        let body = shape.body.fill(Object::Error(facts), &Forms::from(self)).unwrap_or_default();
        Some(ErrorAnswer { status, body: body.to_string().into_bytes() })
    }
}
