//! Which of a contract's signatures is checked: the one that binds the most.

use crate::contract::{Contract, SignatureRule};
use crate::endpoint::DeliveryMethod;
use crate::signature::{Content, ContentPart, Encoding, ValuePart};

/// The content that binds the most, of those that the value has a signature of: above all what is
/// delivered, then the timestamp.
///
/// # Errors
/// Why there is none that would prove anything.
pub(crate) fn strongest(
    contract: &Contract,
    rule: &SignatureRule,
) -> Result<(usize, Encoding), String> {
    let signature = |part: &ValuePart| match part {
        ValuePart::Hex(content) => Some((*content, Encoding::Hex)),
        ValuePart::Base64(content) => Some((*content, Encoding::Base64)),
        ValuePart::Literal(_)
        | ValuePart::Timestamp
        | ValuePart::Enveloped(_)
        | ValuePart::Jwt
        | ValuePart::Secret => None,
    };
    let strength = |(number, _): &(usize, Encoding)| {
        let content = &rule.form.contents[*number];
        let facts = content.parts.iter().filter(|part| !matches!(part, ContentPart::Literal(_)));
        let timestamp = content.parts.contains(&ContentPart::Timestamp);
        (binds_delivery(contract, content), timestamp, facts.count())
    };
    // Of equals the last one wins, so the first one stands last.
    let chosen = rule.form.value.iter().rev().filter_map(signature).max_by_key(strength);
    match chosen {
        None => Err("the signature's `value` has no signature: no `{hex}`, no `{base64}`".into()),
        Some((number, _)) if !binds_delivery(contract, &rule.form.contents[number]) => {
            Err(format!(
                "`{}` is signed, which has not the whole of what is delivered: a POST needs \
             `{{body}}`, a GET `{{query}}`, both have `{{payload}}`",
                rule.form.contents[number].written
            ))
        }
        Some(chosen) => Ok(chosen),
    }
}

fn binds_delivery(contract: &Contract, content: &Content) -> bool {
    contract.methods().iter().all(|method| {
        let carrier = match method {
            DeliveryMethod::Post => ContentPart::Body,
            DeliveryMethod::Get => ContentPart::Query,
        };
        content.parts.contains(&ContentPart::Payload) || content.parts.contains(&carrier)
    })
}
