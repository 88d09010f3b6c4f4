//! The part of the grammar that describes the request of a delivery.

use super::signing::read_signatures;
use crate::contract::RequestShape;
use crate::contract::body::Body;
use crate::contract::page::part_names;
use crate::contract::signature::SignatureRule;
use crate::contract::template::{Place, TextTemplate};
use crate::contract::time_form::TimeForm;
use crate::declared::{
    Fault, Item, Read, Section, each, one_of, parsed, quoted, read_choices, together,
};
use crate::endpoint::DeliveryMethod;
use http::HeaderName;

pub(super) const METHODS: &[(&str, DeliveryMethod)] =
    &[("POST", DeliveryMethod::Post), ("GET", DeliveryMethod::Get)];

/// The headers that the gateway sets itself.
const OURS: &[&str] = &["host", "content-length", "content-type", "user-agent", "accept-encoding"];

/// The request and its signatures, which fail apart: keys are held against the signatures alone.
pub(super) fn read_request(
    mut section: Section<'_>,
) -> (Read<RequestShape>, Read<Vec<SignatureRule>>) {
    let methods = section.read_optional("methods", |item| read_choices(item, METHODS));
    let methods = methods.map(|methods| methods.unwrap_or_else(|| vec![DeliveryMethod::Post]));
    let body = goes_with(&mut section, "body", &methods, DeliveryMethod::Post);
    let body = body.and_then(|item| item.map(read_body).transpose());
    let query = goes_with(&mut section, "query", &methods, DeliveryMethod::Get);
    let query = query.and_then(|item| item.map(read_query).transpose());
    let content_type = section.read_optional("content_type", |item| template(&item, Place::Header));
    let headers = section.read_optional("headers", read_headers);
    let received_headers = section.read_optional("received_headers", |item| item.truth());
    let time = section.read_optional("time", |item| one_of(&item, TimeForm::TEXTS));
    let signatures = section.read_optional("signature", read_signatures);
    let meaning = section.take("meaning");
    let content = together((methods, body, query, content_type));
    let around = together((headers, received_headers, time));
    let shape = together((content, around, section.finish()));
    let shape = shape.and_then(|(content, (headers, received_headers, time), ())| {
        let (methods, body, query, content_type) = content;
        let (headers, written_headers) = headers.unwrap_or_default();
        let mut shape = RequestShape {
            methods,
            body,
            query: query.unwrap_or_default(),
            headers,
            written_headers,
            received_headers: received_headers.unwrap_or_default(),
            content_type,
            time: time.unwrap_or_default(),
            meanings: Vec::new(),
        };
        shape.meanings =
            meaning.map(|item| read_meanings(item, &shape)).transpose()?.unwrap_or_default();
        Ok(shape)
    });
    (shape, signatures.map(Option::unwrap_or_default))
}

/// What parts of the request mean; each is one that there is.
fn read_meanings(item: Item<'_>, shape: &RequestShape) -> Read<Vec<(Box<str>, Box<str>)>> {
    let known = part_names(shape);
    each(item.section()?.entries().map(|(name, item)| {
        if known.iter().any(|part| *part == *name) {
            return Ok((name.into(), item.into_text()?));
        }
        let fault = Fault::from(format!("the request has no member {name:?}"));
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        let there = format!("there are {}", quoted(&known));
        Err(item.error(fault.meant(&name, known, there)))
    }))
}

/// Takes what stands in the file exactly if a request can have this method.
fn goes_with<'a>(
    section: &mut Section<'a>,
    key: &'static str,
    methods: &Read<Vec<DeliveryMethod>>,
    method: DeliveryMethod,
) -> Read<Option<Item<'a>>> {
    let item = section.take(key);
    let name = METHODS.iter().find(|(_, known)| *known == method).map_or("", |(name, _)| name);
    let fault = Fault::from(format!("`request.{key}` goes with the method {name}"));
    match (item, methods.as_ref().map(|methods| methods.contains(&method))) {
        (None, Ok(true)) => Err(section.missing_because(key, fault)),
        (Some(item), Ok(false)) => {
            Err(item.error(fault.cured_by(format!("take it out, or add \"{name}\" to `methods`"))))
        }
        (item, Ok(_) | Err(_)) => Ok(item),
    }
}

fn read_body(item: Item<'_>) -> Read<Body> {
    let texts = item.texts();
    let texts = texts.iter().map(|(spot, text)| {
        let alone = Body::check_text(text);
        alone.map_err(|fault| spot.error(fault))
    });
    each(texts)?;
    Body::parse(&item.json()?).map_err(|fault| item.error(fault))
}

fn template(item: &Item<'_>, place: Place) -> Read<TextTemplate> {
    parsed(item, |text| TextTemplate::parse(text, place))
}

fn read_query(item: Item<'_>) -> Read<Vec<(Box<str>, TextTemplate)>> {
    each(item.section()?.entries().map(|(name, item)| {
        let mut escaped = String::new();
        Place::Query.push(&name, &mut escaped);
        Ok((escaped.into(), template(&item, Place::Query)?))
    }))
}

/// A header's name, parsed and as it is written.
pub(super) fn read_header(item: Item<'_>) -> Read<(HeaderName, Box<str>)> {
    Ok((read_header_name(item.text()?, &item)?, item.into_text()?))
}

fn read_header_name(name: &str, item: &Item<'_>) -> Read<HeaderName> {
    let parsed = HeaderName::try_from(name).ok();
    parsed.filter(|name| !OURS.contains(&name.as_str())).ok_or_else(|| {
        let fault = Fault::from(format!("{name:?} is not a header that a contract may set"));
        item.error(fault.cured_by("write one of its own, such as `X-Event-Id`"))
    })
}

type Headers = Vec<(HeaderName, TextTemplate)>;

/// The headers, and their names as they are written.
fn read_headers(item: Item<'_>) -> Read<(Headers, Vec<Box<str>>)> {
    let headers = each(item.section()?.entries().map(|(name, item)| {
        let header = together((read_header_name(&name, &item), template(&item, Place::Header)))?;
        Ok((header, name.into()))
    }))?;
    Ok(headers.into_iter().unzip())
}
