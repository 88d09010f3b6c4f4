//! The part of the grammar that describes the management API.

use super::request::read_header;
use super::signing::ENCODINGS;
use crate::contract::api::{
    Access, ApiKeyForm, Authentication, Bounds, Call, ErrorKind, ErrorShape, ErrorWords, IdForm,
    IdInPath, ManagementApi, Names, Operation, RequestMap, Route, Shapes, Template, Visibility,
    colliding_call,
};
use crate::contract::time_form::TimeForm;
use crate::declared::{
    Fault, Item, Read, Section, Spot, each, one_of, parsed, read_count, together,
};
use std::ops::RangeInclusive;

const VISIBILITIES: &[(&str, Visibility)] =
    &[("tenant", Visibility::Tenant), ("key", Visibility::Key)];

pub(super) fn read_api(mut section: Section<'_>) -> Read<ManagementApi> {
    let auth = section.read("auth", |item| read_auth(item.section()?));
    let id = section.read_optional("id", |item| parsed(&item, IdForm::parse_template));
    let time = section.read_optional("time", |item| one_of(&item, TimeForm::NAMES));
    let shapes = section.read_optional("shapes", |item| Ok(item.section()?.entries().collect()));
    let shapes: Read<Shapes<'_>> = shapes.map(Option::unwrap_or_default);
    let (error, routes) = (section.take("error"), section.take("route"));
    let shaped = shapes.and_then(|shapes| {
        let error = error.map(|item| read_error(item.section()?, &shapes)).transpose();
        let routes = routes.map(|item| read_routes(item, &shapes)).transpose();
        together((error, routes))
    });
    let (auth, id, time, (error, routes), ()) =
        together((auth, id, time, shaped, section.finish()))?;
    let (id, time) = (id.unwrap_or_default(), time.unwrap_or_default());
    Ok(ManagementApi::new(auth, id, time, error, routes.unwrap_or_default()))
}

fn read_auth(mut section: Section<'_>) -> Read<Authentication> {
    let header = section.read("header", read_header);
    let scheme = section.read_optional("scheme", Item::into_text);
    let sees = section.read_optional("sees", |item| one_of(&item, VISIBILITIES));
    let key = section.read_optional("key", |item| read_key_form(item.section()?));
    let ((header, written_header), scheme, sees, key, ()) =
        together((header, scheme, sees, key, section.finish()))?;
    let sees = sees.unwrap_or(Visibility::Tenant);
    Ok(Authentication { header, written_header, scheme, sees, key })
}

fn read_key_form(mut section: Section<'_>) -> Read<ApiKeyForm> {
    let prefix = section.read("prefix", Item::into_text);
    let encoding = section.read("encoding", |item| one_of(&item, ENCODINGS));
    let bytes = section.read("bytes", |item| {
        read_count(&item, &(16..=64), "an API key has 16 to 64 random bytes")
    });
    let (prefix, encoding, bytes, ()) = together((prefix, encoding, bytes, section.finish()))?;
    Ok(ApiKeyForm { prefix, encoding, bytes })
}

fn read_error(mut section: Section<'_>, shapes: &Shapes<'_>) -> Read<ErrorShape> {
    let names = Names::of_error(shapes);
    let body = section.read("body", |item| Template::parse(item, &names));
    let kinds = each(ErrorKind::NAMES.iter().map(|(name, kind)| {
        let words = section.read_optional(name, |item| read_error_words(item.section()?))?;
        Ok(words.map(|words| (*kind, words)))
    }));
    let (body, kinds, ()) = together((body, kinds, section.finish()))?;
    Ok(ErrorShape { body, kinds: kinds.into_iter().flatten().collect() })
}

fn read_error_words(mut section: Section<'_>) -> Read<ErrorWords> {
    let status = section.read_optional("status", |item| read_status(&item, 400..=599));
    let code = section.read_optional("code", Item::into_text);
    let (status, code, ()) = together((status, code, section.finish()))?;
    Ok(ErrorWords { status, code })
}

fn read_status(item: &Item<'_>, allowed: RangeInclusive<u16>) -> Read<u16> {
    let reason = format!("a status is a number from {} to {}", allowed.start(), allowed.end());
    read_count(item, &allowed, reason)
}

fn read_routes(item: Item<'_>, shapes: &Shapes<'_>) -> Read<Vec<Route>> {
    let routes = item.list()?.into_iter().map(|item| {
        let spot = item.spot();
        Ok((spot, read_route(item.section()?, shapes)?))
    });
    let (spots, routes): (Vec<_>, Vec<_>) = each(routes)?.into_iter().unzip();
    each(spots.iter().enumerate().map(|(i, spot)| {
        match colliding_call(&routes[..i], &routes[i]) {
            None => Ok(()),
            Some(call) => {
                let fault = Fault::from(format!("`{call}` is called by another route already"));
                Err(spot.error(fault.cured_by("take it out of one of the two")))
            }
        }
    }))?;
    Ok(routes)
}

fn read_route(mut section: Section<'_>, shapes: &Shapes<'_>) -> Read<Route> {
    let does = section.read("does", |item| Ok((item.spot(), one_of(&item, Operation::NAMES)?)));
    let call = section.require("call");
    let request = section.take("request");
    let response = section.take("response");
    let responds = response.is_some();
    let status = section.read_optional("status", |item| {
        let status = read_status(&item, 200..=299)?;
        if (status == 204) != responds {
            return Ok(status);
        }
        let fault = Fault::from("204 goes without a `response`, and any other status with one");
        Err(item.error(fault.cured_by("take `status` out")))
    });
    let summary = section.read_optional("summary", Item::into_text);
    let scheme =
        read_route_scheme(&mut section, does.as_ref().ok().map(|(_, operation)| *operation));
    let mapped = does.and_then(|(spot, operation)| {
        let bounds = operation.bounds();
        let calls = call.and_then(|item| read_calls(item, operation, &bounds));
        let request = read_request_map(request, &spot, &bounds);
        let names = Names::of_answer(operation, shapes);
        let response = response.map(|item| Template::parse(item, &names)).transpose();
        let (calls, request, response) = together((calls, request, response))?;
        Ok((calls, operation, request, response))
    });
    let ((calls, operation, request, response), status, scheme, summary, ()) =
        together((mapped, status, scheme, summary, section.finish()))?;
    let status = status.unwrap_or(if responds { 200 } else { 204 });
    Ok(Route { calls, operation, scheme, request, status, summary, response })
}

/// Whose requests a route takes in where they name no source; no other route has a scheme.
fn read_route_scheme(
    section: &mut Section<'_>,
    operation: Option<Operation>,
) -> Read<Option<Box<str>>> {
    let needs_one = operation == Some(Operation::SourceMatch);
    match section.take("scheme") {
        Some(item) if needs_one || operation.is_none() => item.into_text().map(Some),
        Some(item) => {
            let fault = Fault::from("only `source.match` has a `scheme`");
            Err(item.error(fault.cured_by("take it out")))
        }
        None if needs_one => {
            let reason = "`source.match` needs the `scheme` of the sources that are meant";
            Err(section.missing_because("scheme", reason.into()))
        }
        None => Ok(None),
    }
}

/// `does` is where the operation is named, for what a request lacks that is not there.
fn read_request_map(item: Option<Item<'_>>, does: &Spot<'_>, bounds: &Bounds) -> Read<RequestMap> {
    match item {
        None => RequestMap::default().checked(bounds).map_err(|fault| does.error(fault)),
        Some(item) => {
            let spot = item.spot();
            let map = RequestMap::parse(item.section()?, bounds)?;
            map.checked(bounds).map_err(|fault| spot.error(fault))
        }
    }
}

fn read_calls(item: Item<'_>, operation: Operation, bounds: &Bounds) -> Read<Vec<Call>> {
    let spot = item.spot();
    let items = if item.is_text() { vec![item] } else { item.list()? };
    let calls = each(items.iter().map(|item| {
        let call = parsed(item, Call::parse)?;
        check_call(&call, operation, bounds).map_err(|fault| item.error(fault))?;
        Ok(call)
    }))?;
    if calls.is_empty() {
        let fault = Fault::from("at least one call is needed");
        return Err(spot.error(fault.cured_by("write it like \"POST /v1/webhooks\"")));
    }
    Ok(calls)
}

fn check_call(call: &Call, operation: Operation, bounds: &Bounds) -> Result<(), Fault> {
    let name = operation.name();
    let fault =
        |reason: &str, cure: &str| Err(Fault::from(format!("`{name}` {reason}")).cured_by(cure));
    match (bounds.id, call.path.has_id()) {
        (IdInPath::Needed, false) => {
            return fault("needs `{id}` in the path", "write it like \"/v1/webhooks/{id}\"");
        }
        (IdInPath::Never, true) => {
            return fault("takes no `{id}` in the path", "write it like \"/v1/webhooks\"");
        }
        (IdInPath::Needed | IdInPath::Optional, true)
        | (IdInPath::Optional | IdInPath::Never, false) => {}
    }
    match (bounds.access, call.reads()) {
        (Access::Reads, false) => {
            fault("only reads, so it is called by GET", "write GET before the path")
        }
        (Access::Changes, true) => {
            fault("changes something, so not by GET", "write POST, PUT, PATCH or DELETE")
        }
        (Access::Reads, true) | (Access::Changes, false) | (Access::Receives, _) => Ok(()),
    }
}
