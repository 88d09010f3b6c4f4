//! What each call needs of the key that makes it: the one place that says so. Handlers never look
//! at scopes or levels by themselves; which objects a key sees is another question (`auth.rs`).
//!
//! A call under `/v1` that has no row here is refused to everybody.

use angarium_core::contract::api::Operation;
use angarium_core::permission::{Level, Need};
use angarium_core::refusal::{Code, Refusal};
use http::Method;

/// Changes what belongs to the platform, not to a tenant.
const MANAGE_PLATFORM: Need = Need::MANAGE.at(Level::Environment);
const MANAGE_INSTANCE: Need = Need::MANAGE.at(Level::Instance);
const READ_INSTANCE: Need = Need::READ.at(Level::Instance);

/// The native calls; publishing stands first, as its path is the hot one.
const CALLS: &[(&str, &str, Need)] = &[
    ("POST", "/v1/events", Need::PUBLISH),
    ("POST", "/v1/events/batch", Need::PUBLISH),
    ("GET", "/v1/environments", Need::READ),
    ("POST", "/v1/environments", MANAGE_INSTANCE),
    ("GET", "/v1/environments/{slug}", Need::READ),
    ("PATCH", "/v1/environments/{slug}", MANAGE_INSTANCE),
    ("DELETE", "/v1/environments/{slug}", MANAGE_INSTANCE),
    ("GET", "/v1/keys", Need::READ),
    ("POST", "/v1/keys", Need::MANAGE),
    ("DELETE", "/v1/keys/{id}", Need::MANAGE),
    ("GET", "/v1/tenants", Need::READ),
    ("GET", "/v1/tenants/{tenant}", Need::READ),
    ("PUT", "/v1/tenants/{tenant}", MANAGE_PLATFORM),
    ("PATCH", "/v1/tenants/{tenant}", MANAGE_PLATFORM),
    ("DELETE", "/v1/tenants/{tenant}", MANAGE_PLATFORM),
    ("GET", "/v1/tenants/{tenant}/usage", Need::READ),
    ("POST", "/v1/tenants/{tenant}/recover", Need::OPERATE),
    ("GET", "/v1/tenants/{tenant}/erasures", Need::READ),
    ("POST", "/v1/tenants/{tenant}/erasures", Need::MANAGE),
    ("GET", "/v1/erasures/{id}", Need::READ),
    ("GET", "/v1/tenants/{tenant}/signing-keys", Need::LOOK),
    ("POST", "/v1/tenants/{tenant}/signing-keys/rotate", Need::MANAGE),
    ("GET", "/v1/endpoints", Need::LOOK),
    ("POST", "/v1/tenants/{tenant}/endpoints", Need::OPERATE),
    ("GET", "/v1/endpoints/{id}", Need::LOOK),
    ("PATCH", "/v1/endpoints/{id}", Need::OPERATE),
    ("DELETE", "/v1/endpoints/{id}", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/enable", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/disable", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/pause", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/resume", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/rotate-secret", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/test", Need::OPERATE),
    ("POST", "/v1/endpoints/{id}/recover", Need::OPERATE),
    ("GET", "/v1/endpoints/{id}/deliveries", Need::LOOK),
    ("GET", "/v1/jobs", Need::LOOK),
    ("GET", "/v1/jobs/{id}", Need::LOOK),
    ("POST", "/v1/jobs/{id}/cancel", Need::OPERATE),
    ("GET", "/v1/events", Need::LOOK),
    ("GET", "/v1/events/{id}", Need::LOOK),
    ("DELETE", "/v1/events/{id}", Need::MANAGE),
    ("GET", "/v1/events/{id}/explain", Need::LOOK),
    ("POST", "/v1/events/{id}/replay", Need::OPERATE),
    ("POST", "/v1/explain", Need::LOOK),
    ("GET", "/v1/deliveries", Need::LOOK),
    ("GET", "/v1/deliveries/{id}", Need::LOOK),
    ("POST", "/v1/deliveries/{id}/retry", Need::OPERATE),
    ("POST", "/v1/deliveries/{id}/cancel", Need::OPERATE),
    ("POST", "/v1/deliveries/{id}/skip", Need::OPERATE),
    ("GET", "/v1/event-types", Need::LOOK),
    ("PUT", "/v1/event-types/{type}", MANAGE_PLATFORM),
    ("GET", "/v1/notices", Need::READ),
    ("GET", "/v1/sources", Need::READ),
    ("GET", "/v1/tenants/{tenant}/sources", Need::READ),
    ("POST", "/v1/tenants/{tenant}/sources", Need::MANAGE),
    ("GET", "/v1/sources/{id}", Need::READ),
    ("PATCH", "/v1/sources/{id}", Need::MANAGE),
    ("DELETE", "/v1/sources/{id}", Need::MANAGE),
    ("POST", "/v1/sources/{id}/rotate-secret", Need::MANAGE),
    ("GET", "/v1/sources/{id}/requests", Need::READ),
    ("POST", "/v1/verify", Need::READ),
    ("GET", "/v1/audit", Need::READ),
    ("GET", "/v1/audit/export", Need::READ),
    ("GET", "/v1/encryption", READ_INSTANCE),
    ("POST", "/v1/encryption/rotate-master-key", MANAGE_INSTANCE),
    ("POST", "/v1/encryption/rotate-data-keys", MANAGE_INSTANCE),
];

/// What a call needs, by its method and the template of its path.
///
/// # Errors
/// `forbidden` for a call that has no row.
pub(super) fn need(method: &Method, route: &str) -> Result<Need, Refusal> {
    // Whoever asks for the head of an answer calls what gives the answer.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let found = CALLS.iter().find(|(named, path, _)| *named == method.as_str() && *path == route);
    let nobody = || Refusal::whole(Code::Forbidden, "no key may do this");
    found.map(|(_, _, need)| *need).ok_or_else(nobody)
}

/// What a call of a contract needs. Of those that only show, the one about signing keys shows them
/// whole: whoever may only read is shown no secret.
pub(crate) const fn of_operation(operation: Operation) -> Need {
    match operation {
        Operation::EndpointList | Operation::EndpointGet | Operation::DiagnosticsShow => Need::LOOK,
        Operation::EndpointCreate
        | Operation::EndpointUpdate
        | Operation::EndpointDelete
        | Operation::EndpointTest => Need::OPERATE,
        Operation::SourceList
        | Operation::SourceGet
        | Operation::SourceEvents
        | Operation::SourceDeliveries
        | Operation::SourceRecent
        | Operation::SourceVerify => Need::READ,
        Operation::KeysList
        | Operation::KeysRotate
        | Operation::SourceCreate
        | Operation::SourceUpdate
        | Operation::SourceDelete
        | Operation::SourceRotate
        | Operation::SourceTest
        | Operation::SourceReceive
        | Operation::SourceMatch => Need::MANAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_that_the_document_describes_has_one_row_and_no_other_has() {
        let document = serde_json::to_value(super::super::document()).expect("a document");
        let mut described = BTreeSet::new();
        for (path, calls) in document["paths"].as_object().expect("paths") {
            let methods = calls.as_object().expect("calls").keys();
            let methods = methods.filter(|_| path.starts_with("/v1/"));
            described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        }
        let rows = CALLS.iter().map(|(method, path, _)| format!("{method} {path}"));
        assert_eq!(rows.clone().count(), described.len());
        assert_eq!(rows.collect::<BTreeSet<_>>(), described);
    }
}
