//! What the members of a request are: their types, whether they are needed, and what they mean.

use super::markdown::code;
use super::words::or;
use crate::contract::api::{Field, FieldKind, RequestMember, RequestValue};
use crate::contract::{Contract, LibraryRule, SourceRules, TextPresence, TextRule, TypesRule};
use crate::limits::Limits;

/// A row for each member: its path, its type, whether it is needed, and what it is.
pub(super) fn rows(
    contract: &Contract,
    members: &[RequestMember],
    needed: &[Field],
    below: &str,
    limits: &Limits,
) -> Vec<[String; 4]> {
    let row = |member: &RequestMember| {
        let dot = if below.is_empty() { "" } else { "." };
        let path = format!("{below}{dot}{}", member.name);
        match &member.value {
            RequestValue::Table(inner) => rows(contract, inner, needed, &path, limits),
            RequestValue::Field { field, absent } => {
                let absent = absent.as_ref().map(|word| {
                    format!(" {} says the same as leaving it out.", code(&word.to_string()))
                });
                let is_needed = needed.contains(field) || is_required(contract, *field, needed);
                vec![[
                    code(&path),
                    kind(*field).to_owned(),
                    if is_needed { "yes" } else { "no" }.to_owned(),
                    meaning(contract, *field, limits) + &absent.unwrap_or_default(),
                ]]
            }
        }
    };
    members.iter().flat_map(row).collect()
}

/// Whether the contract asks for a text that the operation itself does not need.
pub(super) fn is_required(contract: &Contract, field: Field, needed: &[Field]) -> bool {
    let (rules, sources) = (contract.rules(), contract.sources());
    let texts = [
        (Field::Name, &rules.name),
        (Field::Description, &rules.description),
        (Field::SourceName, &sources.name),
        (Field::SourceDescription, &sources.description),
        (Field::SourceScheme, &sources.scheme),
    ];
    let asked = |(text, rule): &(Field, &TextRule)| {
        *text == field && rule.presence == TextPresence::Required
    };
    !needed.is_empty() && texts.iter().any(asked)
}

fn kind(field: Field) -> &'static str {
    match field.kind() {
        FieldKind::Text => "string",
        FieldKind::Texts => "list of strings",
        FieldKind::NamedTexts => "object of strings",
        FieldKind::Truth => "true or false",
        FieldKind::Any => "any",
    }
}

fn meaning(contract: &Contract, field: Field, limits: &Limits) -> String {
    let of = |rule: &TextRule| format!(" It has {}.", super::limits::length(rule));
    match field {
        Field::Url => {
            format!("Where deliveries go: {}.", super::limits::address(contract, limits))
        }
        Field::Types => {
            let only = match contract.rules().types {
                TypesRule::Any => "",
                TypesRule::Catalog => " One that does not exist is refused.",
            };
            format!("The events that you want, at least one; patterns may be among them.{only}")
        }
        Field::Subjects => "Only events about these objects. Without it, about all.".to_owned(),
        Field::Name => format!("Its name.{}", of(&contract.rules().name)),
        Field::Description => format!("What it is for.{}", of(&contract.rules().description)),
        Field::Active => "`true` switches it on, `false` off.".to_owned(),
        Field::Status => "`active`; `paused`: deliveries wait until it is active again; or \
                          `disabled`: it is switched off and gets nothing."
            .to_owned(),
        Field::Secret => "A secret that was made elsewhere, instead of a new one.".to_owned(),
        Field::EndpointId => "The webhook that gets it. Without it, all that your key sees.".into(),
        Field::EventType => {
            "The type of the event. Without it, for each webhook one that it gets.".to_owned()
        }
        Field::EventData => "The data of the event. Without it, an example.".to_owned(),
        Field::SourceUrl => format!(
            "Where it forwards what it receives: {}. Without it, nowhere.",
            super::limits::address(contract, limits)
        ),
        Field::SourceTypes => {
            "The events that it takes in; what else arrives is acknowledged and goes nowhere. \
             None means all."
                .to_owned()
        }
        Field::SourceName => format!("Its name.{}", of(&contract.sources().name)),
        Field::SourceScheme => schemes(contract.sources()) + &of(&contract.sources().scheme),
        Field::SourceDescription => {
            format!("What it is for.{}", of(&contract.sources().description))
        }
        Field::SourceActive => "`true` switches it on, `false` off.".to_owned(),
        Field::SourceStatus => {
            "`active`; or `paused` or `disabled`: it takes nothing in.".to_owned()
        }
        Field::SourceId => "The webhook that is meant.".to_owned(),
        Field::ReceivedBody => "The body of the request, byte for byte.".to_owned(),
        Field::ReceivedSignature => {
            "The request's signature, as it stands in the header that the scheme has for it."
                .to_owned()
        }
        Field::ReceivedHeaders => "The request's headers by name.".to_owned(),
    }
}

/// How third parties may sign.
fn schemes(rules: &SourceRules) -> String {
    let own = rules.schemes.iter().map(|scheme| scheme.name());
    let library: Vec<_> = match &rules.library {
        LibraryRule::Any => Vec::new(),
        LibraryRule::Only(names) => names.iter().map(|name| &**name).collect(),
    };
    let names: Vec<_> = own.chain(library).map(code).collect();
    let any = match rules.library {
        LibraryRule::Any => " or the name of a service such as `github`, `slack` or `stripe`",
        LibraryRule::Only(_) => "",
    };
    let without =
        rules.default.as_deref().map(|name| format!(" Anything else means {}.", code(name)));
    format!("Who sends, and so how it signs: {}{any}.{}", or(&names), without.unwrap_or_default())
}
