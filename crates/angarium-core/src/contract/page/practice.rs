//! What makes a receiver a good one.

use super::markdown::Markdown;
use super::members::place_of;
use super::words::{and, span};
use crate::contract::Contract;
use crate::contract::template::Placeholder;

pub(super) fn write(page: &mut Markdown, contract: &Contract) {
    page.heading(2, "Good practice");
    let mut items = vec![format!(
        "**Answer fast.** Do only what the delivery asks for at once: verify it, see whether it is \
         new, put it into a queue, answer 2xx. What takes long belongs into the background: after \
         {} the delivery counts as failed.",
        span(contract.timeout())
    )];
    if contract.key_rule().is_some() {
        items.push(
            "**Verify first.** Never act on a delivery whose signature you have not verified. \
             Answer 401 to one that is not right."
                .to_owned(),
        );
    }
    items.push(match place_of(&contract.request, &Placeholder::Id) {
        Some(id) => format!(
            "**Expect repeats.** Keep {id} of what is done, and skip it when it \
                             comes again."
        ),
        None => {
            let parts = [Placeholder::Type, Placeholder::Time];
            let parts: Vec<_> =
                parts.iter().filter_map(|f| place_of(&contract.request, f)).collect();
            match parts.len() {
                2 => format!("**Expect repeats.** Use {} together to recognise them.", and(&parts)),
                _ => "**Expect repeats.** Make it safe to do the same thing twice.".to_owned(),
            }
        }
    });
    items.push(
        "**Ignore what you do not know.** New event types and new members may come at any time; \
         answer 2xx to what you have no use for."
            .to_owned(),
    );
    page.list(items);
}
