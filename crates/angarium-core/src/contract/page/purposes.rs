//! What each operation is called, and what it is for.

use super::calls::Calls;
use super::words;
use crate::contract::Contract;
use crate::contract::api::{MOST_DEAD_LETTERS, MOST_RECEIVED, Operation, Route};

/// Where a call stands on the page.
pub(super) fn place(operation: Operation) -> usize {
    let making_first = [
        Operation::EndpointCreate,
        Operation::EndpointList,
        Operation::EndpointGet,
        Operation::EndpointUpdate,
        Operation::EndpointDelete,
        Operation::EndpointTest,
        Operation::DiagnosticsShow,
        Operation::KeysList,
        Operation::KeysRotate,
        Operation::SourceCreate,
        Operation::SourceList,
        Operation::SourceGet,
        Operation::SourceUpdate,
        Operation::SourceDelete,
        Operation::SourceRotate,
        Operation::SourceReceive,
        Operation::SourceMatch,
        Operation::SourceEvents,
        Operation::SourceRecent,
        Operation::SourceDeliveries,
        Operation::SourceTest,
        Operation::SourceVerify,
    ];
    making_first.iter().position(|known| *known == operation).unwrap_or(making_first.len())
}

/// What a call is called where the contract does not say.
pub(super) fn default_title(operation: Operation) -> &'static str {
    match operation {
        Operation::EndpointCreate => "Register a webhook",
        Operation::EndpointList => "List webhooks",
        Operation::EndpointGet => "Show a webhook",
        Operation::EndpointUpdate => "Change a webhook",
        Operation::EndpointDelete => "Delete a webhook",
        Operation::EndpointTest => "Send a test event",
        Operation::DiagnosticsShow => "See what goes wrong",
        Operation::KeysList => "List signing keys",
        Operation::KeysRotate => "Rotate the signing key",
        Operation::SourceCreate => "Create a webhook",
        Operation::SourceList => "List webhooks",
        Operation::SourceGet => "Show a webhook",
        Operation::SourceUpdate => "Change a webhook",
        Operation::SourceDelete => "Delete a webhook",
        Operation::SourceRotate => "Rotate the secret",
        Operation::SourceEvents => "List what was received",
        Operation::SourceDeliveries => "List how it was forwarded",
        Operation::SourceRecent => "List what all webhooks received",
        Operation::SourceTest => "Make a test event",
        Operation::SourceVerify => "Verify a request",
        Operation::SourceReceive => "Receive",
        Operation::SourceMatch => "Receive by the secret that signed",
    }
}

/// What a call is for.
pub(super) fn purpose(contract: &Contract, calls: &Calls<'_>, route: &Route) -> String {
    match route.operation {
        Operation::EndpointCreate => {
            let secret = match calls.shows_secret() {
                true => " The answer shows the secret, this once: store it.",
                false => "",
            };
            let validated = match contract.rules().validation {
                Some(_) => {
                    " The URL is validated first, as described below, and refused if it \
                            does not pass."
                }
                None => "",
            };
            format!(
                "From the answer on, every new event that you asked for is sent.{secret}{validated}"
            )
        }
        Operation::EndpointList => "The newest comes first.".to_owned(),
        Operation::EndpointGet => "Shows one webhook as it is now.".to_owned(),
        Operation::EndpointUpdate => {
            let validated = match contract.rules().validation {
                Some(_) => " A new URL is validated first; if it does not pass, nothing changes.",
                None => "",
            };
            format!("Changes what you name and leaves the rest as it is.{validated}")
        }
        Operation::EndpointDelete => {
            "No delivery begins after the answer, and nothing that waits is sent.".to_owned()
        }
        Operation::EndpointTest => {
            "Sends a test event that is signed, delivered and retried as a real one.".to_owned()
        }
        Operation::DiagnosticsShow => format!(
            "Shows how your webhooks do, and the deliveries that were given up: at most {}, \
             those of the newest events first.",
            words::grouped(MOST_DEAD_LETTERS)
        ),
        Operation::KeysList => "Shows the keys that a verifier should trust now.".to_owned(),
        Operation::KeysRotate => "Makes a new key, which signs from then on.".to_owned(),
        Operation::SourceCreate
        | Operation::SourceList
        | Operation::SourceGet
        | Operation::SourceUpdate
        | Operation::SourceDelete
        | Operation::SourceRotate
        | Operation::SourceEvents
        | Operation::SourceDeliveries
        | Operation::SourceRecent
        | Operation::SourceTest
        | Operation::SourceVerify
        | Operation::SourceReceive
        | Operation::SourceMatch => purpose_of_source(route),
    }
}

fn purpose_of_source(route: &Route) -> String {
    let newest = format!("The newest comes first, at most {}.", words::grouped(MOST_RECEIVED));
    let told = match route.operation {
        Operation::SourceCreate => {
            "The answer shows the secret, this once: give it to the third party, or send the one \
             that the third party has given you."
        }
        Operation::SourceList => "The newest comes first.",
        Operation::SourceGet => "Shows one webhook as it is now.",
        Operation::SourceUpdate => "Changes what you name and leaves the rest as it is.",
        Operation::SourceDelete => "Nothing of it can be read after the answer.",
        Operation::SourceRotate => {
            "The answer shows the new secret, this once. What the old one signed is refused at \
             once."
        }
        Operation::SourceEvents | Operation::SourceRecent | Operation::SourceDeliveries => &newest,
        Operation::SourceTest => {
            "The event is recorded, routed and forwarded as if the webhook had received it."
        }
        Operation::SourceVerify => {
            "Says whether the webhook would accept a request. Nothing is stored."
        }
        Operation::SourceReceive => {
            "Third parties send here. The answer follows when the event is safely stored; sent \
             again, it is stored once."
        }
        Operation::SourceMatch => {
            "Third parties send here without naming a webhook: it is the one whose secret has \
             signed."
        }
        Operation::EndpointCreate
        | Operation::EndpointList
        | Operation::EndpointGet
        | Operation::EndpointUpdate
        | Operation::EndpointDelete
        | Operation::EndpointTest
        | Operation::DiagnosticsShow
        | Operation::KeysList
        | Operation::KeysRotate => "",
    };
    told.to_owned()
}
