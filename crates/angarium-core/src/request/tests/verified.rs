//! What is sent is verified by the same description, and nothing that was changed on the way is.

use super::*;
use crate::scheme::{Cause, Incoming, Verifier};
use std::time::Duration;

/// The secrets of a contract's endpoint and tenant.
fn keys(name: &str) -> &'static [&'static str] {
    match name {
        "anduin-legacy" => &[],
        "aleta" | "aioka" | "alumia" | "quantfolio" => &["whsec_0123456789abcdef0123456789abcdef"],
        "anduin" | "forward" => &[SECRET],
        _ => &[SECRET, SEED],
    }
}

fn verified(
    request: &OutgoingRequest,
    verifier: &Verifier,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Cause> {
    let message = &request.message;
    let url = format!("https://example.com{}", message.uri());
    let incoming =
        Incoming { method: message.method(), url: &url, headers: message.headers(), body };
    verifier.verify(incoming, now).map(drop)
}

#[test]
fn every_contract_s_delivery_is_verified_by_the_contract_and_by_nothing_else() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    for contract in library.iter() {
        for key in keys(contract.name()) {
            let name = contract.name();
            let secret = [SecretText::new(*key)];
            let of_tenant = contract
                .key_rule()
                .is_some_and(|rule| rule.scope == crate::contract::KeyScope::Tenant);
            let endpoint = config(if of_tenant { &[] } else { std::slice::from_ref(key) });
            let endpoint = prepare(endpoint, Arc::clone(contract)).expect(name);
            let signer = TenantSigner::prepare(contract, &[super::key(key)]).expect(name);
            let request =
                build(&endpoint, Some(&signer), &event("a.b", "{\"n\":1}"), 7, NOW).expect(name);
            let verifier = Verifier::of_contract(contract, &secret).expect(name).expect(name);
            let body = request.message.body().to_vec();
            assert_eq!(verified(&request, &verifier, &body, NOW), Ok(()), "{name}");
            let mut changed = body.clone();
            *changed.last_mut().expect("a body") ^= 1;
            assert_eq!(
                verified(&request, &verifier, &changed, NOW),
                Err(Cause::WrongSignature),
                "{name}"
            );
            let other = [SecretText::new(flip(key))];
            let other = Verifier::of_contract(contract, &other).expect(name).expect(name);
            assert!(verified(&request, &other, &body, NOW).is_err(), "{name}");
            let late = verified(&request, &verifier, &body, NOW + Duration::from_secs(301));
            let has_time = contract.to_string().contains("<unix seconds>")
                || ["standard", "forward"].contains(&name)
                || name == "anduin";
            assert_eq!(late.is_err(), has_time, "{name}: {late:?}");
        }
    }
}

/// Another secret of the same form.
fn flip(secret: &str) -> String {
    let (begin, last) = secret.split_at(secret.len() - 3);
    format!("{begin}{}{}", if last.starts_with('a') { 'b' } else { 'a' }, &last[1..])
}
