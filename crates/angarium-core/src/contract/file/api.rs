//! The part of the grammar that describes the management API.

use super::{Read, one_of, read_header_name};
use crate::contract::api::{
    Access, ApiKeyForm, Authentication, Bounds, Call, ErrorKind, ErrorShape, ErrorWords, IdForm,
    IdInPath, ManagementApi, Names, Operation, RequestMap, Route, Template, Visibility,
    colliding_call,
};
use crate::contract::source::{Item, Section};
use crate::contract::time_form::TimeForm;
use serde_json::{Map, Value};

const VISIBILITIES: &[(&str, Visibility)] =
    &[("tenant", Visibility::Tenant), ("key", Visibility::Key)];

pub(super) fn read_api(item: Item<'_>) -> Read<ManagementApi> {
    let mut section = item.section()?;
    let auth = read_auth(section.require("auth")?)?;
    let id = section.take("id").map(|item| own(&item, IdForm::parse_template)).transpose()?;
    let time = section.take("time").map(|item| one_of(&item, TimeForm::NAMES)).transpose()?;
    let shapes = section.take("shapes").map(read_shapes).transpose()?.unwrap_or_default();
    let error = section.take("error").map(|item| read_error(item, &shapes)).transpose()?;
    let mut routes = Vec::new();
    let items = section.take("route").map(Item::list).transpose()?.unwrap_or_default();
    for item in items {
        let mut section = item.section()?;
        let route = read_route(&mut section, &shapes)?;
        if let Some(call) = colliding_call(&routes, &route) {
            return Err(section.error(format!("`{call}` is called by another route already")));
        }
        section.finish()?;
        routes.push(route);
    }
    section.finish()?;
    Ok(ManagementApi::new(auth, id.unwrap_or_default(), time.unwrap_or_default(), error, routes))
}

fn own<T>(item: &Item<'_>, parse: impl FnOnce(&str) -> Result<T, String>) -> Read<T> {
    parse(item.text()?).map_err(|reason| item.error(reason))
}

fn read_auth(item: Item<'_>) -> Read<Authentication> {
    let mut section = item.section()?;
    let header = section.require("header")?;
    let written_header = header.text()?.into();
    let header = read_header_name(header.text()?, &header)?;
    let scheme = section.take("scheme");
    let scheme = scheme.map(|item| item.text().map(Into::into)).transpose()?;
    let sees = section.take("sees").map(|item| one_of(&item, VISIBILITIES)).transpose()?;
    let key = section.take("key").map(read_key_form).transpose()?;
    section.finish()?;
    let sees = sees.unwrap_or(Visibility::Tenant);
    Ok(Authentication { header, written_header, scheme, sees, key })
}

fn read_key_form(item: Item<'_>) -> Read<ApiKeyForm> {
    let mut section = item.section()?;
    let prefix = section.require("prefix")?.text()?.into();
    let encoding = one_of(&section.require("encoding")?, super::signing::ENCODINGS)?;
    let bytes = section.require("bytes")?;
    let (at, bytes) = (&bytes, bytes.count()?);
    if !(16..=64).contains(&bytes) {
        return Err(at.error("an API key has 16 to 64 random bytes"));
    }
    section.finish()?;
    Ok(ApiKeyForm { prefix, encoding, bytes })
}

fn read_shapes(item: Item<'_>) -> Read<Map<String, Value>> {
    item.section()?.entries().map(|(name, item)| Ok((name.into_owned(), item.json()?))).collect()
}

fn read_error(item: Item<'_>, shapes: &Map<String, Value>) -> Read<ErrorShape> {
    let mut section = item.section()?;
    let body = section.require("body")?;
    let names = Names::of_error(shapes);
    let body = Template::parse(&body.json()?, &names).map_err(|reason| body.error(reason))?;
    let mut kinds = Vec::new();
    for (name, kind) in ErrorKind::NAMES {
        if let Some(item) = section.take(name) {
            kinds.push((*kind, read_error_words(item)?));
        }
    }
    section.finish()?;
    Ok(ErrorShape { body, kinds })
}

fn read_error_words(item: Item<'_>) -> Read<ErrorWords> {
    let mut section = item.section()?;
    let status = section.take("status").map(|item| read_status(&item, 400..=599)).transpose()?;
    let code = section.take("code").map(|item| item.text().map(Into::into)).transpose()?;
    section.finish()?;
    Ok(ErrorWords { status, code })
}

fn read_status(item: &Item<'_>, allowed: std::ops::RangeInclusive<u16>) -> Read<u16> {
    let status = u16::try_from(item.count()?).ok().filter(|status| allowed.contains(status));
    let message = || format!("a status is a number from {} to {}", allowed.start(), allowed.end());
    status.ok_or_else(|| item.error(message()))
}

fn read_route(section: &mut Section<'_>, shapes: &Map<String, Value>) -> Read<Route> {
    let does = section.require("does")?;
    let operation = one_of(&does, Operation::NAMES)?;
    let bounds = operation.bounds();
    let calls = read_calls(section.require("call")?, operation, &bounds)?;
    let request = match section.take("request") {
        None => RequestMap::parse(&Map::new(), &bounds).map_err(|no| does.error(no))?,
        Some(item) => {
            let Value::Object(members) = item.json()? else {
                return Err(item.error("`request` is a table of members"));
            };
            RequestMap::parse(&members, &bounds).map_err(|reason| item.error(reason))?
        }
    };
    let names = Names::of_answer(operation, shapes);
    let response = section
        .take("response")
        .map(|item| Template::parse(&item.json()?, &names).map_err(|reason| item.error(reason)));
    let response = response.transpose()?;
    let status = section.take("status").map(|item| read_status(&item, 200..=299)).transpose()?;
    let status = status.unwrap_or(if response.is_some() { 200 } else { 204 });
    if (status == 204) == response.is_some() {
        return Err(section.error("204 goes without a `response`, and any other status with one"));
    }
    let summary = section.take("summary");
    let summary = summary.map(|item| item.text().map(Into::into)).transpose()?;
    Ok(Route { calls, operation, request, status, summary, response })
}

fn read_calls(item: Item<'_>, operation: Operation, bounds: &Bounds) -> Read<Vec<Call>> {
    let empty = item.error("at least one call is needed");
    let items = if item.is_text() { vec![item] } else { item.list()? };
    let mut calls = Vec::new();
    for item in items {
        let call = own(&item, Call::parse)?;
        check_call(&call, operation, bounds).map_err(|reason| item.error(reason))?;
        calls.push(call);
    }
    if calls.is_empty() { Err(empty) } else { Ok(calls) }
}

fn check_call(call: &Call, operation: Operation, bounds: &Bounds) -> Result<(), String> {
    let name = operation.name();
    match (bounds.id, call.path.has_id()) {
        (IdInPath::Needed, false) => return Err(format!("`{name}` needs `{{id}}` in the path")),
        (IdInPath::Never, true) => return Err(format!("`{name}` takes no `{{id}}` in the path")),
        (IdInPath::Needed | IdInPath::Optional, true)
        | (IdInPath::Optional | IdInPath::Never, false) => {}
    }
    match (bounds.access, call.reads()) {
        (Access::Reads, false) => Err(format!("`{name}` only reads, so it is called by GET")),
        (Access::Changes, true) => Err(format!("`{name}` changes something, so not by GET")),
        (Access::Reads, true) | (Access::Changes, false) => Ok(()),
    }
}
