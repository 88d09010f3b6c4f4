//! The part of the grammar that says what a source may be.

use super::rules::read_text_rule;
use crate::contract::sources::{LibraryRule, SourceRules};
use crate::declared::{Fault, Item, Read, Section, each, quoted, read_unlike, together};
use crate::limits::Limits;
use crate::scheme::Scheme;
use std::sync::Arc;

pub(super) fn read_sources(mut section: Section<'_>, limits: &Limits) -> Read<SourceRules> {
    let library = section.read_optional("library", read_library);
    let schemes = section.read_optional("schemes", |item| {
        each(item.section()?.entries().map(|(name, item)| Scheme::read_named(&name, item)))
    });
    let default = section.read_optional("default", |item| {
        let schemes = schemes.as_ref().map(|schemes| schemes.as_deref().unwrap_or_default());
        read_default(&item, schemes.ok())
    });
    let text = |most| move |item: Item<'_>| read_text_rule(item.section()?, most);
    let scheme = section.read_optional("scheme", text(limits.text_chars));
    let name = section.read_optional("name", text(limits.text_chars));
    let description = section.read_optional("description", text(limits.description_chars));
    let texts = together((scheme, name, description));
    let (library, schemes, default, (scheme, name, description), ()) =
        together((library, schemes, default, texts, section.finish()))?;
    let usual = SourceRules::of_any(limits);
    Ok(SourceRules {
        library: library.unwrap_or(usual.library),
        schemes: schemes.unwrap_or_default().into_iter().map(Arc::new).collect(),
        default,
        scheme: scheme.unwrap_or(usual.scheme),
        name: name.unwrap_or(usual.name),
        description: description.unwrap_or(usual.description),
    })
}

fn read_library(item: Item<'_>) -> Read<LibraryRule> {
    if !item.is_text() {
        return read_unlike(item, |item| item.text().map(Box::from)).map(LibraryRule::Only);
    }
    match item.text()? {
        "any" => Ok(LibraryRule::Any),
        other => {
            let fault = Fault::from(format!("{other:?} is neither \"any\" nor a list of schemes"));
            Err(item.error(fault.cured_by("write \"any\", or a list such as [\"github\"]")))
        }
    }
}

/// Where the schemes are wrong themselves, nothing is held against them.
fn read_default(item: &Item<'_>, schemes: Option<&[Scheme]>) -> Read<Box<str>> {
    let name = item.text()?;
    let names: Vec<_> = schemes.unwrap_or_default().iter().map(Scheme::name).collect();
    if schemes.is_none() || names.contains(&name) {
        return Ok(name.into());
    }
    if names.is_empty() {
        let fault = Fault::from("a default needs `schemes`, the contract's own");
        return Err(item.error(fault.cured_by(format!("add a [sources.schemes.{name}]"))));
    }
    let fault = Fault::from(format!("{name:?} is none of {}", quoted(&names)));
    Err(item.error(fault.meant(name, names, "name one of the contract's own `schemes`")))
}
