//! The part of the grammar that says what an endpoint may be, and which plans there are.

use super::{METHODS, Read, one_of, read_choices, read_header_name, read_timeout};
use crate::contract::rules::{EndpointRules, TextPresence, TextRule, TypesRule, ValidationRule};
use crate::contract::source::{Item, Section, quoted};
use crate::destination::Scheme;
use crate::limits::Limits;

const SCHEMES: &[(&str, Scheme)] = &[("https", Scheme::Https), ("http", Scheme::Http)];
const TYPES: &[(&str, TypesRule)] = &[("any", TypesRule::Any), ("catalog", TypesRule::Catalog)];

/// Most plans of a platform: a list for people.
const PLANS: usize = 32;

pub(super) fn read_plans(item: Item<'_>) -> Read<Vec<Box<str>>> {
    let wrong = item.error(format!("`plans` names 1 to {PLANS} plans, the lowest first"));
    let mut plans: Vec<Box<str>> = Vec::new();
    for item in item.list()? {
        let plan = item.text()?;
        if !(1..=63).contains(&plan.chars().count()) || plan.contains(char::is_control) {
            return Err(item.error("a plan's name has 1 to 63 characters"));
        }
        if plans.iter().any(|known| **known == *plan) {
            return Err(item.error("it stands here twice"));
        }
        plans.push(plan.into());
    }
    if (1..=PLANS).contains(&plans.len()) { Ok(plans) } else { Err(wrong) }
}

pub(super) fn read_endpoint(
    mut section: Section<'_>,
    plans: &[Box<str>],
    limits: &Limits,
) -> Read<EndpointRules> {
    let schemes = read_choices(section.require("schemes")?, SCHEMES)?;
    let types = section.take("types").map(|item| one_of(&item, TYPES)).transpose()?;
    let max_per_key =
        section.take("max_per_key").map(|item| read_max_per_key(&item)).transpose()?;
    let plan = section.take("plan").map(|item| read_plan(&item, plans)).transpose()?;
    let name = read_text_rule(section.take("name"), limits.text_chars)?;
    let description = read_text_rule(section.take("description"), limits.description_chars)?;
    let validation = section.take("validation").map(read_validation).transpose()?;
    section.finish()?;
    let types = types.unwrap_or_default();
    Ok(EndpointRules { schemes, types, max_per_key, plan, name, description, validation })
}

fn read_max_per_key(item: &Item<'_>) -> Read<u16> {
    let most = u16::try_from(item.count()?).ok().filter(|most| *most > 0);
    most.ok_or_else(|| item.error(format!("a number from 1 to {}", u16::MAX)))
}

fn read_plan(item: &Item<'_>, plans: &[Box<str>]) -> Read<Box<str>> {
    let plan = item.text()?;
    plans.iter().find(|known| ***known == *plan).cloned().ok_or_else(|| {
        item.error(match plans {
            [] => "a plan needs `plans`, which names all of them".to_owned(),
            plans => {
                let plans: Vec<_> = plans.iter().map(|plan| &**plan).collect();
                format!("{plan:?} is none of {}", quoted(&plans))
            }
        })
    })
}

fn read_text_rule(item: Option<Item<'_>>, most: usize) -> Read<TextRule> {
    let Some(item) = item else {
        return Ok(TextRule::at_most(most));
    };
    let mut section = item.section()?;
    let presence = match section.take("required").map(|item| item.truth()).transpose()? {
        Some(true) => TextPresence::Required,
        Some(false) | None => TextPresence::Optional,
    };
    let chars = match section.take("chars") {
        None => 0..=most,
        Some(item) => {
            let wrong =
                format!("the least and the most characters, up to {most}, such as [1, 120]");
            let wrong = item.error(wrong);
            let ends = item.list()?.iter().map(Item::count).collect::<Read<Vec<_>>>()?;
            match ends[..] {
                [least, end] if least <= end && end <= most => least..=end,
                _ => return Err(wrong),
            }
        }
    };
    section.finish()?;
    Ok(TextRule { presence, chars })
}

fn read_validation(item: Item<'_>) -> Read<ValidationRule> {
    let mut section = item.section()?;
    let method = one_of(&section.require("method")?, METHODS)?;
    let header = section.require("header")?;
    let header = read_header_name(header.text()?, &header)?;
    let item = section.require("status")?;
    let status = u16::try_from(item.count()?).ok().filter(|status| (200..300).contains(status));
    let status = status.ok_or_else(|| item.error("a status from 200 to 299"))?;
    let timeout = read_timeout(&section.require("timeout")?)?;
    section.finish()?;
    Ok(ValidationRule { method, header, status, timeout })
}
