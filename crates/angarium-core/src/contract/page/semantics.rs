//! What a receiver may rely on: repeats, success, retries, order, and what happens at the end.

use super::calls::Calls;
use super::delivery::method_name;
use super::markdown::{Markdown, code};
use super::members::place_of;
use super::words::{and, count, failures, span, times};
use crate::contract::api::Operation;
use crate::contract::template::Placeholder;
use crate::contract::{Contract, DisableAfter, ValidationRule, WhileDisabled};
use crate::delivery::{DeadLetterPolicy, GonePolicy};
use crate::gate::BreakerRule;
use crate::lane::Ordering;
use crate::retry::{RetryAfterBounds, RetryPolicy};
use std::time::Duration;

/// Most retries that are told in a sentence; more stand in a table.
const FEW: usize = 4;

pub(super) fn write(page: &mut Markdown, contract: &Contract, calls: &Calls<'_>) {
    page.heading(2, "How deliveries behave");
    let mut items = vec![repeats(contract), success(contract), retries(contract)];
    if let RetryPolicy::List { waits, .. } = contract.retry()
        && waits.len() > FEW
    {
        page.list(std::mem::take(&mut items));
        schedule(page, waits);
    }
    items.extend(asked_to_wait(contract));
    items.extend(left_alone(contract));
    items.extend([order(contract), dead_letter(contract, calls)]);
    items.extend(gone(contract, calls));
    items.extend(switched_off(contract, calls));
    page.list(items);
    if let Some(rule) = contract.rules().validation.as_ref() {
        validation(page, rule);
    }
}

fn repeats(contract: &Contract) -> String {
    let by = match place_of(&contract.request, &Placeholder::Id) {
        Some(id) => format!("Keep {id} of what you have done and skip what you have seen"),
        None => {
            let parts = [Placeholder::Type, Placeholder::Time];
            let parts: Vec<_> =
                parts.iter().filter_map(|f| place_of(&contract.request, f)).collect();
            match parts.len() {
                2 => format!("Recognise it by {} together", and(&parts)),
                _ => "Make what you do with a delivery safe to repeat".to_owned(),
            }
        }
    };
    format!(
        "**At least once.** An event may arrive more than once, for example when your answer \
             got lost. {by}: it is the same on every retry."
    )
}

fn success(contract: &Contract) -> String {
    format!(
        "**Success** is an answer with a status of 2xx within {}. Everything else is a failure: \
         another status, no answer in time, no connection. Redirects are not followed, so they are \
         failures too. What your answer's body says does not matter.",
        span(contract.timeout())
    )
}

/// The schedule in a sentence, for the page's start as well.
pub(super) fn retries(contract: &Contract) -> String {
    let told = match contract.retry() {
        RetryPolicy::List { waits, .. } if waits.is_empty() => {
            return "**No retries.** A delivery that fails is not sent again by itself.".to_owned();
        }
        RetryPolicy::List { waits, .. } if waits.iter().all(Duration::is_zero) => format!(
            "A delivery that fails is tried again immediately, up to {} more: {} in all",
            times(waits.len()),
            count(waits.len() + 1, "attempt")
        ),
        RetryPolicy::List { waits, .. } if waits.len() <= FEW => {
            let waits_in_words: Vec<_> = waits.iter().map(|wait| span(*wait)).collect();
            format!(
                "A delivery that fails is tried again up to {}: {} after the failure before",
                times(waits.len()),
                and(&waits_in_words)
            )
        }
        RetryPolicy::List { waits, .. } => format!(
            "A delivery that fails is tried again up to {}, over {}, with the waits below",
            times(waits.len()),
            span(waits.iter().sum())
        ),
        RetryPolicy::Growing { .. } => growing(contract.retry()),
    };
    format!("**Retries.** {told}.{}", spread(contract.retry()))
}

fn growing(policy: &RetryPolicy) -> String {
    let RetryPolicy::Growing { base, factor, cap, window } = policy else {
        return String::new();
    };
    let grows = match *factor {
        factor if factor <= 1.0 => "the same before every retry".to_owned(),
        2.0 => format!("doubled after each failure up to {}", span(*cap)),
        factor => format!("multiplied by {factor} after each failure up to {}", span(*cap)),
    };
    format!(
        "A delivery that fails is tried again with exponential backoff for up to {}: the wait is \
         at most {} at first, {grows}. Each wait is drawn at random between a second and that, so \
         that a server that comes back is not overrun",
        span(*window),
        span(*base)
    )
}

fn spread(policy: &RetryPolicy) -> String {
    match policy {
        RetryPolicy::List { waits, spread } if *spread > 0.0 && !waits.is_empty() => {
            format!(" Each wait is lengthened at random by up to {:.0}%.", spread * 100.0)
        }
        RetryPolicy::List { .. } | RetryPolicy::Growing { .. } => String::new(),
    }
}

fn schedule(page: &mut Markdown, waits: &[Duration]) {
    let mut since = Duration::ZERO;
    let rows: Vec<_> = waits
        .iter()
        .enumerate()
        .map(|(i, wait)| {
            since += *wait;
            [(i + 1).to_string(), span(*wait), span(since)]
        })
        .collect();
    page.table(
        ["Retry", "After the failure before", "After the first attempt, at the earliest"],
        rows,
    );
}

/// How a receiver asks for time.
fn asked_to_wait(contract: &Contract) -> Option<String> {
    let RetryAfterBounds { floor, cap } = contract.retry_after()?;
    Some(format!(
        "**Asking for time.** Where your server answers 4xx or 5xx with the header `Retry-After`, \
         in seconds or as a date, the next try comes not before that time: at least {} and at most \
         {} later. It never comes earlier than the schedule says, and no retry is lost by it.",
        span(floor),
        span(cap)
    ))
}

/// What 410 means, where it is the end.
fn gone(contract: &Contract, calls: &Calls<'_>) -> Option<String> {
    match contract.gone().unwrap_or_default() {
        GonePolicy::Retry => None,
        GonePolicy::Disable => Some(format!(
            "**Gone.** An answer with the status 410 says that nobody is there any more: the \
             delivery is a dead letter at once, and the webhook is switched off. What waits for \
             it goes on waiting. {}.",
            switched_on(calls)
        )),
    }
}

fn order(contract: &Contract) -> String {
    let next = match contract.after_dead_letter().unwrap_or_default() {
        DeadLetterPolicy::Continue => "When it has failed for good, the next one goes.",
        DeadLetterPolicy::Hold => {
            "When it has failed for good, those behind it wait until it has arrived after all, or \
             we skip it."
        }
    };
    match contract.ordering().unwrap_or(&Ordering::None) {
        Ordering::None => match place_of(&contract.request, &Placeholder::Sequence) {
            Some(sequence) => format!(
                "**Order is not promised**: deliveries go side by side, and a retry comes later \
                 than what followed it. Sort by {sequence} where it matters."
            ),
            None => "**Order is not promised**: deliveries go side by side, and a retry comes \
                     later than what followed it."
                .to_owned(),
        },
        Ordering::Key => {
            let key = place_of(&contract.request, &Placeholder::Key);
            ordered_by(&key.unwrap_or_else(|| "key".to_owned()), next)
        }
        Ordering::Pointer(pointer) => {
            let data = place_of(&contract.request, &Placeholder::Data);
            ordered_by(&format!("`{pointer}` of {}", data.unwrap_or("the data".to_owned())), next)
        }
        Ordering::Endpoint => format!(
            "**In order, one at a time.** Each webhook gets its events in the order in which they \
             occurred; the next one waits until the one before has succeeded or failed for good. \
             {next}"
        ),
    }
}

fn ordered_by(key: &str, next: &str) -> String {
    format!(
        "**Ordered by {key}.** Events with the same {key} arrive in the order in which they \
         occurred, also when one is being retried; others are not held up by it. {next} Between \
         different ones, and for events without one, order is not promised."
    )
}

fn dead_letter(contract: &Contract, calls: &Calls<'_>) -> String {
    let last = match contract.retry() {
        RetryPolicy::List { waits, .. } if waits.is_empty() => "When it fails",
        RetryPolicy::List { .. } | RetryPolicy::Growing { .. } => "After the last retry",
    };
    let seen = match calls.call_of(Operation::DiagnosticsShow) {
        Some(call) => {
            format!("{} shows it; we keep it with what your server answered", code(&call))
        }
        None => "We keep it with what your server answered".to_owned(),
    };
    format!(
        "**Dead letters.** {last}, a delivery is a dead letter: it is not sent by itself any more. \
         {seen}, and can send it again."
    )
}

/// What happens while a receiver is down.
fn left_alone(contract: &Contract) -> Option<String> {
    let BreakerRule { failures, wait, cap } = contract.breaker()?;
    Some(format!(
        "**While your server is down**, it is not overrun. After {} in a row, deliveries wait; one \
         at a time is tried, {} after the last one at first and up to {} later. What waits keeps \
         its retries. When your server answers again, deliveries come slowly at first.",
        count(usize::try_from(failures).unwrap_or(usize::MAX), "failed attempt"),
        span(wait),
        span(cap)
    ))
}

/// When a webhook is switched off, how that can be seen, and how it is switched on again.
fn switched_off(contract: &Contract, calls: &Calls<'_>) -> Option<String> {
    let after = contract.health().disable_after?;
    let seen = calls.says_disabled().map(|member| format!(" ({})", code(&member)));
    let again = switched_on(calls);
    let (title, when) = match after {
        DisableAfter::FailedDeliveries(failed) => {
            (count(failed, "failed delivery"), "so many in a row have failed for good")
        }
        DisableAfter::FailingFor { .. } => (
            failures(after),
            "no attempt has succeeded for so long and so many have failed for good",
        ),
    };
    let meanwhile = match contract.health().while_disabled.unwrap_or_default() {
        WhileDisabled::Suppress => "is recorded",
        WhileDisabled::Wait => "waits for it",
    };
    Some(format!(
        "**Switched off after {title}.** When {when}, the webhook is switched off{} and gets no \
         more deliveries; what happens meanwhile {meanwhile}. A success in between begins the \
         count anew. {again}; that begins the count anew, too.",
        seen.unwrap_or_default()
    ))
}

/// How a webhook is switched on again.
fn switched_on(calls: &Calls<'_>) -> String {
    match calls.switches_on() {
        Some((call, member)) => {
            format!("Switch it on again with {} and {}", code(&call), code(&member))
        }
        None => "Ask us to switch it on again when your server is well".to_owned(),
    }
}

fn validation(page: &mut Markdown, rule: &ValidationRule) {
    let header = rule.header.as_str();
    let method = method_name(rule.method);
    page.heading(3, "Your URL is validated first");
    page.say(&format!(
        "Before a new or changed URL is accepted, it gets a {method} request with a random key in \
         the header {}. Your server passes if it answers with the status {} and the same header \
         with the same key, within {}. Redirects are not followed. A URL that does not pass is \
         refused, and nothing is changed. You can try it by yourself:",
        code(header),
        rule.status,
        span(rule.timeout)
    ));
    page.code(
        "sh",
        &format!("curl -i -X {method} https://example.com/webhooks \\\n  -H '{header}: 5f1d7a84'"),
    );
    page.say("The answer:");
    let reason = http::StatusCode::from_u16(rule.status).ok();
    let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or_default();
    page.code("http", &format!("HTTP/1.1 {} {reason}\n{header}: 5f1d7a84", rule.status));
}
