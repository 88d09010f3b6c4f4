//! The part of the grammar that says what an endpoint may be, and which plans there are.

use super::read_timeout;
use super::request::{METHODS, read_header};
use crate::contract::rules::{EndpointRules, TextPresence, TextRule, TypesRule, ValidationRule};
use crate::declared::{
    Fault, Item, Read, Section, one_of, quoted, read_choices, read_count, read_range, read_unlike,
    together,
};
use crate::destination::Scheme;
use crate::limits::Limits;

const SCHEMES: &[(&str, Scheme)] = &[("https", Scheme::Https), ("http", Scheme::Http)];
const TYPES: &[(&str, TypesRule)] = &[("any", TypesRule::Any), ("catalog", TypesRule::Catalog)];

/// Most plans of a platform: a list for people.
const PLANS: usize = 32;

pub(super) fn read_plans(item: Item<'_>) -> Read<Vec<Box<str>>> {
    let spot = item.spot();
    let plans = read_unlike(item, |item| {
        let plan = item.text()?;
        if (1..=63).contains(&plan.chars().count()) && !plan.contains(char::is_control) {
            return Ok(plan.into());
        }
        let fault = Fault::from("a plan's name has 1 to 63 characters");
        Err(item.error(fault.cured_by("write it like \"basic\"")))
    })?;
    if (1..=PLANS).contains(&plans.len()) {
        return Ok(plans);
    }
    let fault = Fault::from(format!("`plans` names 1 to {PLANS} plans, the lowest first"));
    Err(spot.error(fault.cured_by("write it like [\"free\", \"basic\"]")))
}

/// Where the plans are wrong themselves, there are none here and a plan is not held against them.
pub(super) fn read_endpoint(
    mut section: Section<'_>,
    plans: Option<&[Box<str>]>,
    limits: &Limits,
) -> Read<EndpointRules> {
    let schemes = section.read("schemes", |item| read_choices(item, SCHEMES));
    let types = section.read_optional("types", |item| one_of(&item, TYPES));
    let max_per_key = section.read_optional("max_per_key", |item| {
        read_count(&item, &(1..=u16::MAX), format!("a number from 1 to {}", u16::MAX))
    });
    let plan = section.read_optional("plan", |item| match plans {
        Some(plans) => read_plan(&item, plans),
        None => item.into_text(),
    });
    let text = |most| move |item: Item<'_>| read_text_rule(item.section()?, most);
    let name = section.read_optional("name", text(limits.text_chars));
    let description = section.read_optional("description", text(limits.description_chars));
    let validation = section.read_optional("validation", |item| read_validation(item.section()?));
    let texts = together((name, description));
    let read = (schemes, types, max_per_key, plan, texts, validation, section.finish());
    let (schemes, types, max_per_key, plan, (name, description), validation, ()) = together(read)?;
    Ok(EndpointRules {
        schemes,
        types: types.unwrap_or_default(),
        max_per_key,
        plan,
        name: name.unwrap_or_else(|| TextRule::at_most(limits.text_chars)),
        description: description.unwrap_or_else(|| TextRule::at_most(limits.description_chars)),
        validation,
    })
}

fn read_plan(item: &Item<'_>, plans: &[Box<str>]) -> Read<Box<str>> {
    let plan = item.text()?;
    plans.iter().find(|known| ***known == *plan).cloned().ok_or_else(|| {
        if plans.is_empty() {
            let fault = Fault::from("a plan needs `plans`, which names all of them");
            return item.error(fault.cured_by(format!("add `plans = [{plan:?}]` at the top")));
        }
        let plans: Vec<_> = plans.iter().map(|plan| &**plan).collect();
        let fault = Fault::from(format!("{plan:?} is none of {}", quoted(&plans)));
        item.error(fault.meant(plan, plans, "add it to `plans`"))
    })
}

pub(super) fn read_text_rule(mut section: Section<'_>, most: usize) -> Read<TextRule> {
    let required = section.read_optional("required", |item| item.truth());
    let chars = section.read_optional("chars", |item| {
        let wrong = format!("the least and the most characters, up to {most}");
        let wrong = Fault::from(wrong).cured_by("write it like [1, 120]");
        read_range(item, |range| *range.end() <= most, wrong)
    });
    let (required, chars, ()) = together((required, chars, section.finish()))?;
    let presence = match required {
        Some(true) => TextPresence::Required,
        Some(false) | None => TextPresence::Optional,
    };
    Ok(TextRule { presence, chars: chars.unwrap_or(0..=most) })
}

fn read_validation(mut section: Section<'_>) -> Read<ValidationRule> {
    let method = section.read("method", |item| one_of(&item, METHODS));
    let header = section.read("header", read_header);
    let status =
        section.read("status", |item| read_count(&item, &(200..=299), "a status from 200 to 299"));
    let timeout = section.read("timeout", |item| read_timeout(&item));
    let (method, (header, written_header), status, timeout, ()) =
        together((method, header, status, timeout, section.finish()))?;
    Ok(ValidationRule { method, header, written_header, status, timeout })
}
