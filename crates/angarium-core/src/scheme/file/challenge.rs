//! The part of the grammar that describes challenges and their answers.

use super::certificate::read_url_rule;
use super::{read_conditions, read_status};
use crate::declared::{Fault, Item, Read, Section, Spot, each, one_of, parsed, together};
use crate::scheme::certificate::UrlRule;
use crate::scheme::challenge::{AnswerBody, AnswerTemplate, AnswerText, Challenge};
use crate::scheme::origin::Origin;
use http::{HeaderName, Method};

const METHODS: &[(&str, Method)] = &[
    ("GET", Method::GET),
    ("HEAD", Method::HEAD),
    ("OPTIONS", Method::OPTIONS),
    ("POST", Method::POST),
    ("PUT", Method::PUT),
];

pub(super) fn read_challenge(mut section: Section<'_>) -> Read<Challenge> {
    let method = section.read_optional("method", |item| one_of(&item, METHODS));
    let conditions = section.read_optional("when", read_conditions);
    let is_signed = section.read_optional("signed", |item| item.truth());
    let keeps = section.read_optional("keeps", |item| parsed(&item, Origin::parse));
    let visit = section.read_optional("visit", read_visit);
    let status = section.read_optional("status", |item| read_status(&item));
    let headers = section.read_optional("headers", |item| {
        each(item.section()?.entries().map(|(name, item)| {
            let header = name.parse::<HeaderName>().map_err(|_| {
                let fault = Fault::from(format!("{name:?} is not a header's name"));
                item.error(fault.cured_by("write it like \"X-Answer\""))
            });
            together((header, parsed(&item, AnswerText::parse)))
        }))
    });
    let body = section.read_optional("body", read_body);
    let asks = together((method, conditions, is_signed, keeps, visit));
    let (asks, status, headers, body, ()) =
        together((asks, status, headers, body, section.finish()))?;
    let (method, conditions, is_signed, keeps, visit) = asks;
    let is_signed = is_signed.unwrap_or_default();
    let visit = visit.map(|(spot, rule)| match is_signed {
        true => Ok(rule),
        false => {
            let fault = Fault::from("whoever asks could have something fetched");
            Err(spot.error(fault.cured_by("write `signed = true` beside `visit`")))
        }
    });
    Ok(Challenge {
        method,
        conditions: conditions.unwrap_or_default(),
        is_signed,
        keeps,
        visit: visit.transpose()?,
        answer: AnswerTemplate {
            status: status.unwrap_or(200),
            headers: headers.unwrap_or_default(),
            body: body.unwrap_or_default(),
        },
    })
}

fn read_body(item: Item<'_>) -> Read<AnswerBody> {
    if item.is_text() {
        return Ok(AnswerBody::Text(parsed(&item, AnswerText::parse)?));
    }
    let member = |(name, item): (std::borrow::Cow<'_, str>, Item<'_>)| {
        Ok((name.into_owned(), parsed(&item, AnswerText::parse)?))
    };
    Ok(AnswerBody::Json(each(item.section()?.entries().map(member))?))
}

fn read_visit(item: Item<'_>) -> Read<(Spot<'_>, UrlRule)> {
    let spot = item.spot();
    let mut section = item.section()?;
    let rule = read_url_rule(&mut section);
    together((rule, section.finish())).map(|(rule, ())| (spot, rule))
}
