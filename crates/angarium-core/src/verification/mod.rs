//! Verification code: what a platform's customer copies to check that a delivery is genuine.
//!
//! It is made from the contract's own description of its signatures, so it cannot fall behind them.
//! [`plan`] says what must be checked; each language says it in its own words, with its standard
//! library (in Rust with named crates). Every program compares in constant time, says that the raw
//! body is needed, and answers false, never with an error, to whatever an attacker may send.

mod algorithm;
mod choice;
mod origin;
mod plan;
mod regex;

mod prose;
mod quote;

mod csharp;
mod go;
mod java;
mod javascript;
mod php;
mod python;
mod ruby;
mod rust;

#[cfg(test)]
mod tests;

pub(crate) use choice::strongest;
pub(crate) use origin::Origin;

use crate::contract::Contract;
use plan::Plan;

/// How far a delivery's timestamp may be off, either way, before the code refuses it.
const TOLERANCE_SECONDS: u32 = 300;

/// A language that verification code is printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Python 3.9 and later.
    Python,
    /// Node 16 and later.
    JavaScript,
    /// Go 1.19 and later.
    Go,
    /// Java 17 and later.
    Java,
    /// Ruby 3.0 and later.
    Ruby,
    /// PHP 8.0 and later.
    Php,
    /// C# 12, .NET 8 and later.
    CSharp,
    /// Rust 2021 and later, with the crates that the code names.
    Rust,
}

impl Language {
    /// Every language, in the order of a page.
    pub const ALL: [Language; 8] = [
        Language::Python,
        Language::JavaScript,
        Language::Go,
        Language::Java,
        Language::Ruby,
        Language::Php,
        Language::CSharp,
        Language::Rust,
    ];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Language::Python => "Python",
            Language::JavaScript => "JavaScript",
            Language::Go => "Go",
            Language::Java => "Java",
            Language::Ruby => "Ruby",
            Language::Php => "PHP",
            Language::CSharp => "C#",
            Language::Rust => "Rust",
        }
    }

    /// Its name for machines: in anchors, file names and the fences of Markdown.
    pub fn slug(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::Go => "go",
            Language::Java => "java",
            Language::Ruby => "ruby",
            Language::Php => "php",
            Language::CSharp => "csharp",
            Language::Rust => "rust",
        }
    }

    /// What its files end with, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Language::Python => "py",
            Language::JavaScript => "mjs",
            Language::Go => "go",
            Language::Java => "java",
            Language::Ruby => "rb",
            Language::Php => "php",
            Language::CSharp => "cs",
            Language::Rust => "rs",
        }
    }
}

/// An argument of the printed function; they stand in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// The request's headers.
    Headers,
    /// The request's method.
    Method,
    /// The body as it arrived.
    Body,
    /// The query string as it was sent.
    Query,
    /// The body of a POST, the query string of a GET.
    Payload,
    /// The event's id, where it stands in the body and the language has no JSON.
    Id,
    /// The secrets that are good now.
    Secrets,
    /// The current time; only where a delivery has a timestamp.
    Now,
}

/// A program with a function that verifies a delivery of this contract.
///
/// `None` where the contract does not sign, where nobody could verify it ([`unverifiable`]), or
/// where it signs with Ed25519 alone and the language's standard library does not.
pub fn code(contract: &Contract, language: Language) -> Option<String> {
    let plan = Plan::of(contract).ok()??;
    match language {
        Language::Python => python::print(&plan),
        Language::JavaScript => Some(javascript::print(&plan)),
        Language::Go => Some(go::print(&plan)),
        Language::Java => Some(java::print(&plan)),
        Language::Ruby => Some(ruby::print(&plan)),
        Language::Php => Some(php::print(&plan)),
        Language::CSharp => csharp::print(&plan),
        Language::Rust => rust::print(&plan),
    }
}

/// The arguments of the function that [`code`] prints; none where it prints nothing.
pub fn parameters(contract: &Contract, language: Language) -> Vec<Parameter> {
    let printed = code(contract, language).is_some();
    let plan = Plan::of(contract).ok().flatten().filter(|_| printed);
    plan.map(|plan| plan.parameters(language)).unwrap_or_default()
}

/// Why no receiver can verify what this contract signs; `None` where it can, or nothing is signed.
///
/// Such a contract can be served, so this is a warning.
pub fn unverifiable(contract: &Contract) -> Option<String> {
    Plan::of(contract).err()
}
