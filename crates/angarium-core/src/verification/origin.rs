//! Where a receiver finds what is signed beside the body: the event's id, the attempt's time.

use crate::contract::{Contract, SignatureRule};
use crate::endpoint::DeliveryMethod;
use crate::signature::ValuePart;

/// Where a signed fact is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// In the signature header itself.
    Value,
    /// In this header.
    Header(&'a str),
    /// In the body's JSON, below these members.
    Member(Vec<String>),
}

impl<'a> Origin<'a> {
    /// The attempt's time: in the value of the signature, else in a header.
    pub(crate) fn of_timestamp(contract: &'a Contract, rule: &SignatureRule) -> Option<Self> {
        match rule.form.value.contains(&ValuePart::Timestamp) {
            true => Some(Origin::Value),
            false => header_of(contract, "{timestamp}"),
        }
    }

    /// The event's id: in a header, else in the body.
    ///
    /// # Errors
    /// That nothing tells it.
    pub(crate) fn of_id(contract: &'a Contract) -> Result<Self, String> {
        let placeholder = "{event.id}";
        let member = || match (contract.methods(), &contract.request.body) {
            ([DeliveryMethod::Post], Some(body)) => {
                let template = serde_json::from_str(&body.to_string()).ok()?;
                member_of(&template, placeholder).map(Origin::Member)
            }
            _ => None,
        };
        header_of(contract, placeholder).or_else(member).ok_or_else(|| {
            "`{id}` is signed, and neither a header nor a member of every delivery's body whose \
             value is exactly `{event.id}` tells it"
                .to_owned()
        })
    }
}

fn header_of<'a>(contract: &'a Contract, placeholder: &str) -> Option<Origin<'a>> {
    let mut headers = contract.request.headers.iter();
    let (name, _) = headers.find(|(_, template)| &*template.written == placeholder)?;
    Some(Origin::Header(name.as_str()))
}

/// The names that lead to a text; none where code could not write them plainly.
fn member_of(template: &serde_json::Value, text: &str) -> Option<Vec<String>> {
    let plain = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    template.as_object()?.iter().filter(|(name, _)| plain(name)).find_map(|(name, value)| {
        let below = match value.as_str() {
            Some(found) => (found == text).then(Vec::new)?,
            None => member_of(value, text)?,
        };
        Some([vec![name.clone()], below].concat())
    })
}
